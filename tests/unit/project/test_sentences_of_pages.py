"""Sentences of the pages that a setting of the project, or a default of the source, would make untrue."""

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
