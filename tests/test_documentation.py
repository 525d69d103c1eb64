"""The pages of the documentation can be found, and their links lead somewhere."""

import doctest
import importlib
import pathlib
import re
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
COPIES = {DOCS / "changelog.md", DOCS / "contributing.md", DOCS / "models" / "index.md"}  # written by docs/conf.py
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.glob("**/*.md")} - COPIES - {*DOCS.glob("models/*.md")})


def links(page):
    """Return the targets of the Markdown links and images in a page, without those on other sites."""
    text = page.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
    return [target.partition("#")[0] for target in targets if not target.startswith(("http://", "https://", "#"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing


def test_the_site_lists_every_page():
    """Sphinx finds pages that no table of contents lists, too, but only where the packages of the extra `docs` are."""
    listed = set()
    for page in (DOCS / "index.md", DOCS / "api" / "index.md"):
        for tree in re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.DOTALL):
            names = re.findall(r"^(?:[^:\n].*<([\w/-]+)>|([\w/-]+))$", tree, re.MULTILINE)
            listed |= {page.parent / f"{titled or bare}.md" for titled, bare in names}
    ours = {page for page in PAGES if DOCS in page.parents} - {DOCS / "README.md", DOCS / "index.md"}
    assert listed == ours | COPIES


@pytest.mark.parametrize("room", ["layers", "models"])
def test_the_reference_describes_every_public_class(room):
    described = re.findall(r"autoclass:: (?:pixel_zoo|pz)\.\w+\.(\w+)", (DOCS / "api" / f"{room}.md").read_text())
    assert sorted(described) == sorted(importlib.import_module(f"pixel_zoo.{room}").__all__)


def test_the_readme_of_a_release_has_no_relative_links():
    """On PyPI they lead nowhere. Until the project has a public home, such links become text there."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "README.md").read_text()
    for one in pyproject["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    assert not re.findall(r"\]\((?!https://)|<img src=\"(?!https://)", text)
    assert "<br>" in text and "| samples |" not in text and "Where to go" not in text  # they hold nothing but links
    assert "pip download --no-deps --no-binary pixel-zoo pixel-zoo" in text and "`digits_gated`" in text
    assert "](https://keras.io)" in text and "urls" not in pyproject["project"]


def test_markdown_docstrings_become_restructuredtext(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    result = doctest.testmod(importlib.import_module("markdown_docstrings"))
    assert result.attempted and not result.failed


def test_citation_names_the_version():
    version = re.search(r'VERSION = "(.+)"', (ROOT / "pixel_zoo" / "version.py").read_text())[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
