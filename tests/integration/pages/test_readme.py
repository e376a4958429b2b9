"""What the README shows is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import processes

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ADA = "ada@example.com"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def the_block(language, word):
    """The one block of a language that holds a word."""
    (found,) = [block for block in blocks(language) if word in block]
    return found


@pytest.fixture
def box(lakekey_environment, monkeypatch, tmp_path):
    """A machine with the README's own profiles, whose workspace is the sandbox."""
    box = lakekey_environment
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID"):
        monkeypatch.delenv(name)
    here = {"host": box.host, "warehouse_id": box.warehouse_id, "client_id": box.client_id, "client_secret": box.client_secret}  # fmt: skip
    (profiles,) = blocks("ini")
    for name, value in here.items():
        profiles, times = re.subn(rf"^({name} *= ).*$", rf"\g<1>{value}", profiles, flags=re.MULTILINE)
        assert times
    (tmp_path / "databrickscfg").write_text(profiles)
    return box


def test_the_sql_example_prints_who_is_signed_in(box):
    assert processes.run(the_block("python", "lakekey.sql.connect")) == ADA


def test_the_sdk_example_prints_who_is_signed_in(box):
    assert processes.run(the_block("python", "WorkspaceClient")) == ADA


def test_the_provider_example_signs_the_service_principal_in(box):
    assert processes.run(the_block("python", "p.headers()")).startswith("oauth-m2m 2")
    assert box.counters["token.client_credentials"] == 1


def test_each_example_is_five_lines_and_each_is_run_here():
    examples = blocks("python")
    assert len(examples) == 3
    assert all(len(example.strip().splitlines()) <= 6 for example in examples)


def test_the_commands_run_as_they_stand(box):
    script = the_block("sh", "lakekey login")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Signed in to {box.host} as {ADA}." in done.stdout
    assert '"access_token"' in done.stdout
    assert f"Signed out of {box.host}." in done.stdout
    assert box.counters["logins"] == box.counters["token.requests"] == 1


def test_the_make_targets_and_extras_are_there():
    makefile, project = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "pyproject.toml"))
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert f"\n{target}:" in makefile
    listed = re.search(r"^The extras bring .*?\n\n", TEXT, re.DOTALL | re.MULTILINE).group()
    extras = re.findall(r"`(\w+)`", listed)
    assert {"sql", "sdk", "sandbox"} <= set(extras)
    for extra in extras:
        assert f"\n{extra} = [" in project


@pytest.mark.parametrize(
    "page", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/explanation/design.md"]
)
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
