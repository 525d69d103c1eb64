"""What a wheel and an sdist hold, and that a wheel finds it."""

import os
import pathlib
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

from pixel_zoo.shipped import shipped
from pixel_zoo.zoo.index import read_index

ROOT = pathlib.Path(__file__).parents[1]
LARGEST = 60_000_000  # bytes


def files(builder):
    """What a builder of hatchling packs: path in the archive -> file."""
    return {file.distribution_path: pathlib.Path(file.path) for file in builder(str(ROOT)).recurse_included_files()}


@pytest.fixture(scope="module")
def wheel():
    return files(pytest.importorskip("hatchling.builders.wheel").WheelBuilder)


def test_the_wheel_holds_the_zoo(wheel):
    for name, entry in read_index().items():
        figure = "members" if "members" in entry else "curve"
        parts = [f"{part}.keras" for part in entry.get("parts", ())]
        for end in ("keras", *parts, "md", "png", f"{figure}.png"):  # what the card shows, too
            assert wheel[f"pixel_zoo/_exported/{name}.{end}"] == ROOT / "exported" / f"{name}.{end}"
    recipes = {path for path in wheel if path.startswith("pixel_zoo/_recipes/")}
    assert recipes == {f"pixel_zoo/_recipes/{file.name}" for file in (ROOT / "recipes").glob("*.py")}


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    assert {path.partition("/")[0] for path in wheel} == {"pixel_zoo", "pixel_zoo_cli"}
    code = {file.relative_to(ROOT) for name in ("pixel_zoo", "pixel_zoo_cli") for file in (ROOT / name).rglob("*.py")}
    assert set(map(str, code)) <= set(wheel)
    assert {"pixel_zoo/py.typed", "pixel_zoo/data/digits.npz", "pixel_zoo/zoo/index.json"} <= set(wheel)
    assert not [path for path in wheel if "SavedModel" in path or path.endswith((".pb", ".pyc"))]


def test_the_wheel_is_not_too_large(wheel):
    assert sum(file.stat().st_size for file in wheel.values()) <= LARGEST


def test_the_sdist_holds_what_the_wheel_and_the_tests_need(wheel):
    sdist = files(pytest.importorskip("hatchling.builders.sdist").SdistBuilder)
    packed = {path.relative_to(ROOT) for path in sdist.values()}
    assert {path.relative_to(ROOT) for path in wheel.values()} <= packed
    needed = (
        "tests/*.py",
        "exported/**/*",
        "recipes/*.py",
        "tools/*.py",
        "benchmarks/*.py",
        "docs/**/*.md",
        "deploy/**/*",
        ".github/**/*.yml",
        "Makefile",
        "constraints*.txt",
    )
    files_needed = {file.relative_to(ROOT) for pattern in needed for file in ROOT.glob(pattern) if file.is_file()}
    copied = {file.relative_to(ROOT) for file in (ROOT / "docs" / "models").glob("*")}  # by `make docs`
    copied |= {pathlib.Path("docs") / name for name in ("changelog.md", "contributing.md")}
    assert files_needed - copied <= packed


def test_a_wheel_finds_its_files_inside_the_package(tmp_path):
    """The package as a wheel unpacks it; other packages have folders of these names beside it."""
    (tmp_path / "pixel_zoo").mkdir()
    for file in (ROOT / "pixel_zoo").glob("*.py"):
        shutil.copy(file, tmp_path / "pixel_zoo")
    for kind in ("exported", "recipes"):
        (tmp_path / "pixel_zoo" / f"_{kind}").mkdir()
        (tmp_path / kind).mkdir()
    program = "from pixel_zoo.shipped import shipped; print(shipped('exported'), shipped('recipes'))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    expected = [str(tmp_path / "pixel_zoo" / f"_{kind}") for kind in ("exported", "recipes")]
    assert done.stdout.split() == expected, done.stderr


def test_a_checkout_finds_its_own_files():
    assert [shipped(kind) for kind in ("exported", "recipes")] == [ROOT / "exported", ROOT / "recipes"]


def test_the_slim_distribution_differs_in_its_requirements_alone():
    tool, text = runpy.run_path(str(ROOT / "tools" / "slim.py")), (ROOT / "pyproject.toml").read_text()
    full, slim = tomllib.loads(text), tomllib.loads(tool["slim"](text))
    differing = {key for key in full["project"] if slim["project"].pop(key) != full["project"][key]}
    assert differing == {"name", "dependencies", "optional-dependencies"} and not slim["project"]
    assert full["tool"] == slim["tool"]

    slim = tomllib.loads(tool["slim"](text))["project"]
    assert [tool["name"](one) for one in slim["dependencies"]] == ["numpy", "wrapt"]
    required = {tool["name"](one) for one in slim["optional-dependencies"]["jax"]}
    assert {"jax", "keras", "matplotlib", "typer"} <= required
    assert not [name for name in required if name.startswith("tensorflow")]


def test_the_comparison_of_wheels_names_what_differs(tmp_path):
    tool = runpy.run_path(str(ROOT / "tools" / "compare_wheels.py"))
    for name, files in {
        "one": {"a": "1", "b": "2"},
        "same": {"b": "2", "a": "1"},
        "other": {"a": "3", "c": ""},
    }.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
    assert tool["differences"](tmp_path / "one", tmp_path / "same") == []
    assert tool["differences"](tmp_path / "one", tmp_path / "other") == ["a", "b", "c"]
