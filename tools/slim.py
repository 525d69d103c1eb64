"""Build pixel-zoo-slim: the same files as pixel-zoo, without TensorFlow among the requirements.

    pip install build
    python tools/slim.py dist/

pip has no way to leave out what a package requires. So there is a second distribution, like `tensorflow-cpu` beside
`tensorflow`: for clients of a server (`pixel-zoo-slim[client]`) and for JAX without TensorFlow (`pixel-zoo-slim[jax]`).
Install one of the two distributions, not both, because they have the same files.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
#: What `from pixel_zoo.serving import Client` imports.
CORE = ("numpy", "wrapt")
#: What only TensorFlow, or reading the data sets of TensorFlow Datasets, needs.
TENSORFLOW = ("importlib_resources", "tensorflow", "tensorflow-datasets", "tensorflow-serving-api")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path, help="directory of the wheel and the sdist")
    output = parser.parse_args().output.resolve()
    with tempfile.TemporaryDirectory() as directory:
        _build("--sdist", ROOT, directory)
        (archive,) = pathlib.Path(directory).glob("*.tar.gz")
        with tarfile.open(archive) as files:
            files.extractall(directory, filter="data")
        source = archive.with_name(archive.name.removesuffix(".tar.gz"))
        project = source / "pyproject.toml"
        project.write_text(slim(project.read_text()))
        _build(None, source, output)  # an sdist, and the wheel from it


def slim(project):
    """The text of pyproject.toml for pixel-zoo-slim, made from that for pixel-zoo.

    Example:

    >>> table = tomllib.loads(slim((ROOT / "pyproject.toml").read_text()))["project"]
    >>> table["name"], [name(one) for one in table["dependencies"]]
    ('pixel-zoo-slim', ['numpy', 'wrapt'])
    """
    table = tomllib.loads(project)["project"]
    required = {name(one): one for one in table["dependencies"]}
    extras = table["optional-dependencies"]
    models = [one for package, one in required.items() if package not in (*CORE, *TENSORFLOW)]
    own = {"client": extras["client"], "jax": [*models, *extras["jax"]], "hub": extras["hub"]}
    lines = [f"{extra} = {json.dumps(requirements)}" for extra, requirements in own.items()]
    for pattern, text in [
        (r'^name = "pixel-zoo"$', 'name = "pixel-zoo-slim"'),
        (r"^dependencies = \[$.*?^\]$", f"dependencies = {json.dumps([required[package] for package in CORE])}"),
        (
            r"^\[project.optional-dependencies\]$.*?(?=^\[)",
            "\n".join(["[project.optional-dependencies]", *lines, "\n"]),
        ),
    ]:
        project, count = re.subn(pattern, lambda _, text=text: text, project, count=1, flags=re.MULTILINE | re.DOTALL)
        if not count:
            raise ValueError(f"pyproject.toml has no {pattern!r}")
    return project


def name(requirement):
    """The package of a requirement.

    Example:

    >>> name("keras>=3.15,<4")
    'keras'
    """
    return re.match(r"[\w.-]+", requirement)[0]


def _build(kind, source, output):
    command = [sys.executable, "-m", "build", "--outdir", str(output), *([kind] if kind else []), str(source)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
