"""Configuration of the documentation site. `make docs` builds it; docs/README.md says how and why."""

import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "_extensions"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pixel_zoo.version import VERSION

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
# The kernels of the notebooks import the package of this checkout, too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

project = "pixel_zoo"
author = copyright = "The pixel_zoo authors"
version = release = VERSION

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "markdown_docstrings",
    "mathml",
]
exclude_patterns = ["README.md", "_extensions", "_static"]

# Pages
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Notebooks: run when they or the environment changed, and stop the build if a cell fails.
nb_execution_mode = "cache"
nb_execution_timeout = 600  # seconds for a cell, on a machine that has much else to do
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"  # what an engine says about the devices that it does not find

# Reference. Docstrings state types together with shapes and units; signatures show the defaults.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
default_role = "py:obj"  # `Name` in a docstring is a link if there is such a name, and code otherwise
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# Appearance. Everything comes with the site: it needs no network.
html_theme = "furo"
html_math_renderer = "mathml"  # not a script from elsewhere
html_title = f"pixel_zoo {VERSION}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "native"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# Pages that live elsewhere in the repository are copied into the site: the cards and two files of the top folder.
COPIED = {"exported": "models", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def copy_pages():
    """Copy the pages of `COPIED`, with links that fit their new place."""
    shutil.rmtree(HERE / "models", ignore_errors=True)
    (HERE / "models").mkdir()
    for path in sorted((ROOT / "exported").iterdir()):
        if path.suffix == ".png":
            shutil.copy(path, HERE / "models")
        elif path.suffix == ".md":
            text = path.read_text().replace("](../docs/", "](../").replace("](README.md", "](index.md")
            name = "index.md" if path.stem == "README" else path.name
            if name == "index.md":
                text += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
            (HERE / "models" / name).write_text(text)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text().replace("](docs/", "](").replace("](README.md", "](index.md")
        (HERE / COPIED[name]).write_text(re.sub(r"\]\((CHANGELOG|CONTRIBUTING)", lambda m: m[0].lower(), text))


def lead_to_copies(app, name, text):
    """Point links at files of the repository that have a copy in the site to that copy."""

    def copy_of(match):
        target = COPIED[match[2]] + match[3].replace("README.md", "index.md")
        return f"]({match[1]}{target}"

    names = "|".join(map(re.escape, COPIED))
    text[0] = re.sub(rf"\]\(((?:\.\./)*)\.\./({names})([^)]*)", copy_of, text[0])


def setup(app):
    copy_pages()
    app.connect("source-read", lead_to_copies)
