"""Check that a tag names the version of this checkout: `python3 tools/check_version.py v0.1.0`."""

import pathlib
import re
import runpy
import sys

ROOT = pathlib.Path(__file__).parents[1]


def check(tag):
    """Exit with a message unless the tag, the package, the citation and the changelog have one version."""
    version = runpy.run_path(str(ROOT / "pixel_zoo" / "version.py"))["VERSION"]
    if tag != f"v{version}":
        sys.exit(f"tag {tag!r} must be 'v{version}', as pixel_zoo/version.py says")
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    if citation != version:
        sys.exit(f"CITATION.cff has version {citation}, pixel_zoo/version.py {version}")
    if not re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE):
        sys.exit(f"CHANGELOG.md has no section [{version}]")
    print(f"{tag}: package, citation and changelog agree")


if __name__ == "__main__":
    check(*sys.argv[1:])
