"""Sentences of the pages that a setting of the project, or a default of the source, would make untrue."""

import re
import tomllib
from pathlib import Path

from lakekey.configuration.target import resolve

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def page(name):
    """A page's text, on one line."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_readme_names_the_oldest_python():
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in page("README.md")


def test_no_extra_brings_httpx_as_the_rest_page_says():
    assert "(`pip install httpx`; no extra brings it)" in page("docs/guides/rest.md")
    users = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "dev"}
    assert not any(need.startswith("httpx") for needs in users.values() for need in needs)


def test_sign_in_page_names_the_client_that_the_person_is_asked_for():
    client = resolve(None, {}, host="https://dbc-1.cloud.databricks.com").client_id
    assert f"lakekey signs in as the public client `{client}`" in page("docs/guides/login.md")


def test_comparison_names_all_that_lakekey_installs():
    (sentence,) = re.findall(
        r"\*\*It is one more thing to install\*\*, with (.*?)\.", page("docs/explanation/comparison.md")
    )
    assert re.findall(r"`(\w+)`", sentence) == [re.split(r"\W", need)[0] for need in PROJECT["dependencies"]]


def test_pages_name_each_row_of_the_benchmarks_that_is_over_its_budget():
    table = (ROOT / "docs/explanation/performance.md").read_text(encoding="utf-8")
    over = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|") and "| OVER " in line}
    assert over
    assert all(row.startswith("a hosted sign-in, start to stored") for row in over)
    assert "One row is over its budget: [the hosted sign-in]" in page("docs/explanation/performance.md")
    assert "**One row of its own benchmark is over its budget**: a hosted sign-in" in page(
        "docs/explanation/comparison.md"
    )


def test_each_test_that_a_page_names_is_there():
    files = list((ROOT / "tests").rglob("test_*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    there = {path.name for path in files} | set(re.findall(r"^(?:async )?def (test_\w+)", text, flags=re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    for path in pages:
        named = set(re.findall(r"`(?:[\w/]+/)?(test_\w+(?:\.py)?)`", path.read_text(encoding="utf-8")))
        assert named - there == set(), path
