"""The guides as a site: it builds without a warning, every link in it leads somewhere, and it fetches nothing."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

ROOT = Path(__file__).parent.parent


class Addresses(HTMLParser):
    """What a page leads to, what it fetches by itself, and the names that links to it may have."""

    def __init__(self, page: Path):
        super().__init__()
        self.links, self.fetched, self.names = [], [], {""}
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {found.get("id", ""), found.get("name", "") if tag == "a" else ""}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and "canonical" not in found.get("rel", ""):
            self.fetched.append(found["href"])
        elif "src" in found:
            self.fetched.append(found["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the built site; what is built fetches nothing, so a proxy that is not there does no harm."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Return the site's own pages: an example that a guide leads to is a file in it."""
    return {page: Addresses(page) for page in site.rglob("*.html") if "mkdocs-" in page.read_text()}


def test_every_link_leads_to_a_page_and_a_heading_of_it(site, pages):
    assert len(pages) > 20
    for page, found in pages.items():
        # The page for what is not found has addresses from the top of the site.
        inner = [link for link in found.links if not urlsplit(link).scheme and page.name != "404.html"]
        for link in inner:
            path, name = urldefrag(link)
            target = (page.parent / unquote(path)).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), (page, link)
            assert target not in pages or unquote(name) in pages[target].names, (page, link)


def test_pages_and_styles_fetch_nothing_from_elsewhere(site, pages):
    for page, found in pages.items():
        for address in found.fetched:
            assert not urlsplit(address).netloc, (page, address)
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", style.read_text()), style
