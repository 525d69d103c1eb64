"""The pages of the documentation can be found, and their links lead somewhere."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]


def links(page):
    """Return the targets of the Markdown links and images in a page, without those on other sites."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [target.partition("#")[0] for target in targets if not target.startswith(("http://", "https://", "#"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing


def test_the_index_lists_every_page():
    index = ROOT / "docs" / "README.md"
    assert {page.name for page in index.parent.glob("*.md")} - {"README.md"} <= set(links(index))


def test_citation_names_the_version():
    version = re.search(r'VERSION = "(.+)"', (ROOT / "pixel_zoo" / "version.py").read_text())[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text()
