"""Each page's examples run as they stand, with the README's own profiles."""

import os
import re
from pathlib import Path

import pytest

from support import processes

ROOT = Path(__file__).parents[2]
PAGES = ("sql", "sqlalchemy", "rest", "migration", "observability")


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


EXAMPLES = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(f"docs/{page}.md", "python"), 1)
]


@pytest.fixture
def box(lakekey_environment, monkeypatch, tmp_path):
    box = lakekey_environment
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID"):
        monkeypatch.delenv(name)
    here = {
        "host": box.host,
        "warehouse_id": box.warehouse_id,
        "client_id": box.client_id,
        "client_secret": box.client_secret,
    }
    (profiles,) = blocks("README.md", "ini")
    for name, value in here.items():
        profiles = re.sub(rf"^({name} *= ).*$", rf"\g<1>{value}", profiles, flags=re.MULTILINE)
    (tmp_path / "databrickscfg").write_text(profiles.replace("\n\n", f"\nca_file = {box.ca_file}\n\n"))
    return box


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs(box, example):
    processes.run(example)


def test_the_example_of_opentelemetry_exports_a_refresh_within_the_callers_span(box):
    out = processes.run(blocks("docs/observability.md", "python")[-1])
    assert '"name": "lakekey.refresh"' in out
    assert '"name": "lakekey.refreshes"' in out
    (trace, other) = re.findall(r'"trace_id": "(\w+)"', out)[:2]
    assert trace == other


def test_every_page_has_an_example_and_links_that_lead_somewhere():
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        assert [link for link in links if not os.path.exists(page.parent / link)] == []
    assert len(EXAMPLES) >= len(PAGES)
