"""The workflows of GitHub Actions call what there is, and a release has one version."""

import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from pixel_zoo.version import VERSION

ROOT = pathlib.Path(__file__).parents[1]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def steps(workflow):
    return [step for job in WORKFLOWS[workflow]["jobs"].values() for step in job.get("steps", [])]


def test_every_target_that_is_made_is_in_the_makefile():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    backends = WORKFLOWS["check"]["jobs"]["test"]["strategy"]["matrix"]["backend"]
    made = {
        step["run"].split()[1]
        for step in (*steps("check"), *steps("docs"), *steps("release"))
        if step.get("run", "").startswith("make ")
    }
    assert made - {'"test-$BACKEND"'} | {f"test-{backend}" for backend in backends} <= set(phony)
    assert backends == ["tensorflow", "jax"]


def test_all_supported_versions_of_python_are_tested():
    with open(ROOT / "pyproject.toml", "rb") as file:
        classifiers = tomllib.load(file)["project"]["classifiers"]
    supported = [one.rpartition(" ")[2] for one in classifiers if one.startswith("Programming Language :: Python :: ")]
    for job in ("test", "wheel"):
        assert WORKFLOWS["check"]["jobs"][job]["strategy"]["matrix"]["python"] == supported


def test_a_release_is_checked_before_it_is_published_without_a_password():
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["check"] == {"needs": "version", "uses": "./.github/workflows/check.yml"}
    assert jobs["pypi"]["needs"] == ["check", "docs", "sdist"] and jobs["pypi"]["permissions"] == {"id-token": "write"}
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as a truth value
    texts = [(ROOT / ".github" / "workflows" / f"{name}.yml").read_text() for name in WORKFLOWS]
    assert not [text for text in texts if "secrets." in text]


@pytest.mark.parametrize("tag, said", [(f"v{VERSION}", "agree"), ("v99.0.0", f"must be 'v{VERSION}'")])
def test_the_tag_is_compared_with_the_version(tag, said):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_version.py", tag], capture_output=True, text=True, check=False
    )
    assert said in done.stdout + done.stderr and (done.returncode == 0) == ("agree" in said)
