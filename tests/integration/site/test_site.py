"""The site that `make docs` builds: complete, searchable, with each release, and no broken link passes."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import lakekey
from support.chromium import Chromium, chromium
from support.waiting import until

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venvs/docs/bin/python"


def build(tree, into, *options):
    """What `make docs` runs, in a tree of one's choice."""
    return subprocess.run(
        [PYTHON, tree / "docs/build.py", "--into", into, *options], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    into = tmp_path_factory.mktemp("site")
    built = build(ROOT, into)
    assert built.returncode == 0, built.stderr
    return into


class Links(HTMLParser):
    """The ids of a page, and what it leads to."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.leads_to = set(), set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids.add(named.get("id"))
        for name in ("href", "src"):
            if named.get(name):
                self.leads_to.add(named[name])


def test_each_page_is_in_the_site_and_in_its_navigation(site):
    reached = [site / "main/index.html"]
    for page in reached:
        for link in Links(page).leads_to:
            target = (page.parent / unquote(urlsplit(link).path)).resolve()
            if not urlsplit(link).scheme and target.suffix == ".html" and target not in reached:
                reached.append(target)
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages
    assert pages <= {page.relative_to(site / "main").with_suffix("").as_posix() for page in reached}


def test_no_link_inside_the_site_is_broken(site):
    parsed = {page: Links(page) for page in (site / "main").rglob("*.html") if "_static" not in page.parts}
    broken = []
    for page, links in parsed.items():
        for link in links.leads_to:
            parts = urlsplit(link)
            if parts.scheme or link == "#":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = target.exists() and (
                not parts.fragment or target not in parsed or unquote(parts.fragment) in parsed[target].ids
            )
            if not there:
                broken.append((page.name, link))
    assert not broken


def test_the_python_api_has_every_public_name_with_its_docstring(site):
    page = (site / "main/reference/api.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="lakekey\.(?:providers\.notebook\.|errors\.)?(\w+)', page)) | set(
        re.findall(r'id="module-lakekey\.(\w+)"', page)
    )
    assert set(lakekey.__all__) - {"__version__", "sandbox"} <= shown
    assert "Nothing is sent and no person is asked yet" in page


@pytest.fixture
def served(site):
    """The site's address on loopback, as a web server would show it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not chromium(), reason="Chromium is not installed")
def test_a_word_is_found_and_the_front_page_leads_to_the_newest(served, tmp_path):
    def becomes(selector, text):
        until(lambda: browser.has(selector) and text in browser.text(selector), pause=0.05)

    with Chromium(tmp_path, []) as browser:
        browser.open(f"{served}/main/search.html?q=passphrase")
        becomes("#search-results", "Where the key can be")
        browser.open(f"{served}/index.html")
        becomes("h1", "lakekey")
        assert browser.address == f"{served}/main/"


@pytest.fixture
def tree(tmp_path):
    """A repository of two pages with the real configuration."""
    tree = tmp_path / "tree"
    (tree / "docs/guides").mkdir(parents=True)
    for name in ("docs/conf.py", "docs/build.py"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copytree(ROOT / "docs/_static", tree / "docs/_static")
    for name in ("src", "packages"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "docs/index.md").write_text("# Front\n\n[guide](guides/one.md#part)\n\n```{toctree}\nguides/one\n```\n")
    (tree / "docs/guides/one.md").write_text("# One\n\n## Part\n\n[source](../../src) [front](../index.md)\n")
    return tree


BROKEN = {
    "[a page](two.md)": "two.md",
    "[an anchor](../index.md#nowhere)": "nowhere",
    "[a file of the repository](../../src/nothing.py)": "broken link: ../../src/nothing.py",
    "[by number][1]\n\n[1]: ../../tests/nothing.py": "broken link: ../../tests/nothing.py",
    "![a picture](nothing.svg)": "nothing.svg",
}


def test_a_broken_link_or_a_page_outside_the_navigation_fails_the_build(tree, tmp_path):
    with (tree / "docs/guides/one.md").open("a") as page:
        page.writelines(f"\n{text}\n" for text in BROKEN)
    (tree / "docs/guides/lost.md").write_text("# Lost\n")
    built = build(tree, tmp_path / "site")
    assert built.returncode != 0
    assert [complaint for complaint in (*BROKEN.values(), "lost.md") if complaint not in built.stderr] == []


def test_each_release_stands_beside_main_and_the_newest_is_the_front_page(tree, tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-C", tree, "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], check=True
        )

    git("init", "-q")
    for version in ("0.9.0", "0.10.0"):
        (tree / "docs/guides/one.md").write_text(f"# One\n\n## Part\n\nas of {version}\n")
        git("add", "docs", "src", "packages")
        git("commit", "-q", "-m", version)
        git("tag", f"v{version}")
    site = tmp_path / "site"
    built = build(tree, site, "--releases")
    assert built.returncode == 0, built.stderr
    for version in ("0.9.0", "0.10.0"):
        assert f"as of {version}" in (site / version / "guides/one.html").read_text(encoding="utf-8")
    listed = json.loads((site / "versions.json").read_text(encoding="utf-8"))
    assert [(each["version"], each.get("preferred", False)) for each in listed] == [
        ("main", False), ("0.10.0", True), ("0.9.0", False),
    ]  # fmt: skip
    assert "url=0.10.0/" in (site / "index.html").read_text(encoding="utf-8")
    assert "../versions.json" in (site / "0.10.0/index.html").read_text(encoding="utf-8")
