"""The oldest versions that are tested are the oldest that are allowed."""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[1]


def test_the_oldest_versions_allowed_are_those_that_are_tested():
    with open(ROOT / "pyproject.toml", "rb") as file:
        allowed = dict(
            re.match(r"([\w-]+)>=([\d.]+)", one).groups() for one in tomllib.load(file)["project"]["dependencies"]
        )
    tested = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "constraints-oldest.txt").read_text(), re.MULTILINE))
    assert {name: whole(version) for name, version in allowed.items()} == tested


def whole(version):
    """A version with three numbers."""
    return ".".join([*version.split("."), "0", "0"][:3])
