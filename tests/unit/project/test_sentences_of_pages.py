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
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if "| OVER " in line]
    over = {row[1]: float(row[4]) / float(row[5].removeprefix("≤ ")) for row in rows}
    on_disk, in_postgresql = (f"a hosted sign-in, start to stored, {where}" for where in ("on disk", "in PostgreSQL"))
    where, number = {
        frozenset({on_disk, in_postgresql}): ("on disk and by far in PostgreSQL", "Two rows"),
        frozenset({in_postgresql}): ("by far in PostgreSQL", "One row"),
    }[frozenset(over)]
    assert over[in_postgresql] >= 2, "no longer by far"
    are, their = ("are", "their") if len(over) > 1 else ("is", "its")
    assert (
        f"{number} {are} over {their} budget: [the hosted sign-in](portal-security.md#what-it-costs), {where}."
    ) in page("docs/explanation/performance.md")
    assert (
        f"**{number} of its own benchmarks {are} over {their} budget**: a hosted sign-in, {where} ([performance.md]"
    ) in page("docs/explanation/comparison.md")
    a_sign_in = (
        "On disk, a sign-in is over the budget of 1.5 times the bare application's time, and in PostgreSQL by far."
    )
    assert (a_sign_in in page("docs/explanation/portal-security.md")) is (len(over) == 2)


def test_each_test_that_a_page_names_is_there():
    files = list((ROOT / "tests").rglob("test_*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    there = {path.name for path in files} | set(re.findall(r"^(?:async )?def (test_\w+)", text, flags=re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    for path in pages:
        named = set(re.findall(r"`(?:[\w/]+/)?(test_\w+(?:\.py)?)`", path.read_text(encoding="utf-8")))
        assert named - there == set(), path
