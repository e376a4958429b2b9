"""What docs/guides/upgrade.md says of upgrading, going back and removing, done by the command line."""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lakekey
from lakekey.cache.envelope import seal
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.opening import open_cache
from support.processes import lakekey as run

PAGE = (Path(__file__).parents[3] / "docs/guides/upgrade.md").read_text(encoding="utf-8")
UPGRADE = re.search(r"^pip install --upgrade lakekey$", PAGE, re.MULTILINE)[0]


@pytest.fixture
def box(lakekey_environment, monkeypatch, tmp_path):
    """A machine with a session of the profile prod."""
    box = lakekey_environment
    monkeypatch.delenv("DATABRICKS_HOST")
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {box.host}\n")
    assert run("login", "prod").returncode == 0
    return box


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in Path(directory).rglob("*")
        if path.is_file() and not path.name.endswith((".lock", ".holder"))
    }


PROGRAM = """
import sys, lakekey
provider = lakekey.provider("prod")
token = provider.token().access_token
print("serves", flush=True)
sys.stdin.readline()
try:
    provider.invalidate(token)
except lakekey.LakekeyError as error:
    print(error)
"""


@pytest.mark.parametrize("to", ["another release", "none"])
def test_program_that_has_not_renewed_yet_says_to_restart_it(box, tmp_path, to):
    assert "one that has not renewed a token yet cannot" in " ".join(PAGE.split())
    installed = tmp_path / "environment/lakekey"
    shutil.copytree(Path(lakekey.__file__).parent, installed, ignore=shutil.ignore_patterns("__pycache__"))
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(installed.parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout.readline() == "serves\n"
        if to == "none":
            shutil.rmtree(installed)
        else:
            renewal = installed / "session/assembly.py"
            renewal.write_text(f"from lakekey.errors import OfTheNextRelease\n{renewal.read_text()}")
        said, _ = program.communicate("\n", timeout=60)
    hint = re.search(r"an error that says `(.+?)`", " ".join(PAGE.split()))[1]
    assert said == f"prod: lakekey was changed or removed on this machine since this program started ({hint})\n"


def of_a_later_release(part):
    """Puts a part of the cache into a format that this release does not know."""
    cache = open_cache()
    if part == "cache.json":
        note = Path(os.environ["LAKEKEY_CACHE_DIR"]) / "cache.json"
        unchecked = re.sub(rb'"check": "\w+"', b'"more": 1', KeyChoice("file", "").to_bytes())
        note.write_bytes(unchecked.replace(b'"format": 1', b'"format": 2'))
        return
    (name,) = cache.list()
    content = bytearray(seal(cache.ring, name, b'{"format":3,"about":{}}'))
    if part == "envelope":
        content[4] = 2
        content[-1] ^= 1
    assert cache.store.put(name, bytes(content), replaces=cache.store.get(name))


COMMANDS = (
    "token prod", "login prod", "status prod", "logout prod", "logout --all", "logout --all --forget-key", "keys rotate",
)  # fmt: skip


@pytest.mark.parametrize("part", ["cache.json", "envelope", "entry"])
def test_a_later_format_says_to_upgrade_and_is_left_alone(box, part):
    of_a_later_release(part)
    cache = Path(os.environ["LAKEKEY_CACHE_DIR"])
    watched = cache if part == "cache.json" else cache / "entries"
    before, key = files(watched), (cache / "master.key").read_bytes().splitlines()[-1]
    for command in COMMANDS:
        done = run(*command.split())
        assert done.returncode != 0, command
        assert UPGRADE in done.stderr, (command, done.stderr)
        assert files(watched) == before, command
    run("status")
    assert files(watched) == before
    assert key in (cache / "master.key").read_bytes()  # which opens what the later release wrote


def test_an_older_release_can_have_a_cache_of_its_own(box, monkeypatch, tmp_path):
    of_a_later_release("cache.json")
    before = files(os.environ["LAKEKEY_CACHE_DIR"])
    (script,) = re.findall(r"^```sh\n(export LAKEKEY_CACHE_DIR.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shell(script, HOME=str(tmp_path)).returncode == 0
    assert files(os.environ["LAKEKEY_CACHE_DIR"]) == before
    assert files(tmp_path / ".local/state/lakekey-older").keys() > {"master.key", "cache.json"}


def shell(script, **environment):
    """Runs a script of the page, with our command line in the path."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-euc", script],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_removing_revokes_and_leaves_no_secret(box):
    (removal, uninstall) = re.search(r"^```sh\n(lakekey logout.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[
        1
    ].splitlines()
    assert uninstall == "pip uninstall lakekey"
    assert run("auth", "path").returncode == 0
    done = shell(removal)
    assert done.returncode == 0, done.stderr
    assert "revoked" in done.stdout
    assert {name.split("/")[0] for name in files(os.environ["LAKEKEY_CACHE_DIR"])} <= {"bin"}
    assert run("status", "prod").returncode == 3


def test_a_key_that_was_given_stays(box, monkeypatch, tmp_path):
    key = tmp_path / "given.key"
    key.write_bytes(base64.b64encode(bytes(32)))
    key.chmod(0o600)
    monkeypatch.setenv("LAKEKEY_KEY_FILE", str(key))
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE")
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "under-a-given-key"))
    assert run("login", "prod").returncode == 0
    assert run("logout", "--all", "--forget-key").returncode == 0
    assert key.exists()
    assert files(tmp_path / "under-a-given-key") == {}
