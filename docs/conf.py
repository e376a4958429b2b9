"""How Sphinx builds the site: `make docs`. See docs/explanation/design.md, *Choices*, for why Sphinx."""

import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(1, str(ROOT / "packages/lakekey-sandbox/src"))

from lakekey import __version__  # noqa: E402 - from this very tree, which may be an older release's

REPOSITORY = "https://github.com/lakekey/lakekey"

project = "lakekey"
author = "The lakekey developers"
copyright = author  # noqa: A001 - Sphinx's own name for it
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
suppress_warnings = [
    "myst.header",  # pages that begin below a first-level heading
    "misc.highlighting_failure",  # examples that are cut with …
]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_links_external_new_tab = False

default_role = "py:obj"  # `lakekey.provider` in a docstring is a link where there is something to link to
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_mock_imports = ["authlib", "duckdb", "flask", "lz4", "pyarrow", "sqlglot", "starlette", "thrift", "werkzeug"]

html_theme = "pydata_sphinx_theme"
html_title = "lakekey"
html_static_path = ["_static"]
html_css_files = ["lakekey.css"]
html_context = {"default_mode": "auto"}  # else the theme complains to the console at a first visit
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "github_url": REPOSITORY,
    "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    # The switcher reads the list that docs/build.py writes beside the releases; without it, it shows this one's name.
    "switcher": {"json_url": "../versions.json", "version_match": os.environ.get("LAKEKEY_DOCS_VERSION", "main")},
    "check_switcher": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}

_LINK = re.compile(r"(\]\(|^\[[^\]]+\]: )((?:\.\./)+[^)\s#]*)", re.MULTILINE)


def _lead_out(_: Sphinx, page: str, source: list[str]) -> None:
    """Links to files of the repository that are no pages lead to the repository. One that leads nowhere is an error."""

    def out(match: re.Match[str]) -> str:
        target = Path(os.path.normpath((DOCS / page).parent / match[2]))
        if target.is_relative_to(DOCS):
            return match[0]
        if not target.exists():
            logging.getLogger(__name__).warning("broken link: %s", match[2], location=page)
        kind = "tree" if target.is_dir() else "blob"
        return f"{match[1]}{REPOSITORY}/{kind}/main/{target.relative_to(ROOT).as_posix()}"

    source[0] = _LINK.sub(out, source[0])


def setup(app: Sphinx) -> None:
    """What Sphinx calls at the start."""
    app.connect("source-read", _lead_out)
