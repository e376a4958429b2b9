"""The key in a real Secret Service, or Credential Manager, that works, is locked, hangs, is not there, or comes and goes."""

import json
import os
import subprocess
import sys
import time

import pytest

from support.credential_manager import CredentialManager
from support.servers.secret_service import SecretService, require_secret_service

LIMIT = 3.0

# As if something had been sealed before: `lakekey keys` alone chooses no key.
BEGINS_AND_RUNS = """
import json, sys
from lakekey.cache.opening import open_cache
from lakekey.cli import run
from lakekey.errors import LakekeyError
try:
    open_cache(moving="--to" in sys.argv).begin()
except LakekeyError as error:
    print(json.dumps({"error": error.code, "message": error.message, "hint": error.hint}))
    sys.exit(1)
run()
"""


@pytest.fixture(scope="module")
def desktop(tmp_path_factory):
    home = tmp_path_factory.mktemp("desktop")
    if os.name == "nt":
        yield CredentialManager(home)
        return
    require_secret_service()
    home.chmod(0o700)
    with SecretService(home) as service:
        yield service


@pytest.fixture
def lakekey(desktop, tmp_path):
    def run(*arguments, **environ):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", BEGINS_AND_RUNS, *arguments, "--json"],
            env={
                "PATH": os.environ["PATH"], **desktop.environ, "LAKEKEY_CACHE_DIR": str(tmp_path / "cache"),
                "LAKEKEY_KEYRING_TIMEOUT": "60", **environ,
            },
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        facts = json.loads(done.stdout)
        return {**facts, "seconds": time.monotonic() - began, "warned": done.stderr, "failed": done.returncode}

    return run


def files(tmp_path):
    """What a cache without sessions has; Windows removes the lock's file with the lock."""
    found = sorted(os.listdir(tmp_path / "cache"))
    return [*found[:-1], "cache.lock", found[-1]] if os.name == "nt" else found


@pytest.mark.on_windows
def test_a_keyring_that_works_is_taken_holds_one_small_item_and_no_file_holds_the_key(desktop, lakekey, tmp_path):
    desktop.unlock()
    first = lakekey("keys")
    assert first["source"] == "keyring"
    assert first["why"] == "the OS keyring works here"
    assert lakekey("keys")["keys"] == first["keys"]
    assert files(tmp_path) == ["cache.json", "cache.lock", "entries"]
    item = json.loads((tmp_path / "cache" / "cache.json").read_text())["item"]
    text = in_the_keyring(desktop, item)
    assert len(text) == 45
    assert text.strip() not in (tmp_path / "cache" / "cache.json").read_text()


def test_a_keyring_that_is_locked_later_starts_no_second_key_and_serves_again_when_it_is_unlocked(
    desktop, lakekey, tmp_path
):
    desktop.unlock()
    first = lakekey("keys")
    desktop.lock()
    locked = lakekey("keys")
    assert locked["error"] == "key_unavailable"
    assert "is locked" in locked["message"]
    assert "unlock the keyring" in locked["hint"]
    desktop.unlock()
    assert lakekey("keys")["keys"] == first["keys"]
    assert files(tmp_path) == ["cache.json", "cache.lock", "entries"]


def test_a_keyring_that_hangs_later_is_given_up_at_the_time_limit(desktop, lakekey, tmp_path):
    desktop.unlock()
    first = lakekey("keys")
    desktop.hang()
    try:
        hanging = lakekey("keys", LAKEKEY_KEYRING_TIMEOUT=str(LIMIT))
    finally:
        desktop.go_on()
    assert hanging["error"] == "key_unavailable"
    assert f"did not answer within {LIMIT:g} s" in hanging["message"]
    assert LIMIT <= hanging["seconds"] < LIMIT + 30
    assert lakekey("keys")["keys"] == first["keys"]


def test_keyring_that_is_gone_later_is_an_error_and_not_replaced(desktop, lakekey, tmp_path):
    desktop.unlock()
    lakekey("keys")
    desktop.take_away()
    gone = lakekey("keys")
    assert gone["error"] == "key_unavailable"
    assert "not there in this session" in gone["message"]
    assert files(tmp_path) == ["cache.json", "cache.lock", "entries"]


def test_item_removed_from_the_keyring_is_not_made_again(desktop, lakekey, tmp_path):
    desktop.unlock()
    lakekey("keys")
    item = json.loads((tmp_path / "cache" / "cache.json").read_text())["item"]
    in_the_keyring(desktop, item, delete=True)
    assert "no longer has the key" in lakekey("keys")["message"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("lock", marks=pytest.mark.on_windows),
        "hang",
        pytest.param("take_away", marks=pytest.mark.on_windows),
    ],
)
def test_a_keyring_that_does_not_work_at_first_use_leaves_a_key_file_said_aloud_and_kept_with_its_reason(
    desktop, lakekey, state
):
    words = {
        "lock": "locked" if os.name == "posix" else "not there in this session",
        "hang": "did not answer",
        "take_away": "no OS keyring",
    }[state]
    desktop.unlock()
    getattr(desktop, state)()
    try:
        first = lakekey("keys", LAKEKEY_KEYRING_TIMEOUT=str(LIMIT if state == "hang" else 60))
    finally:
        if state == "hang":
            desktop.go_on()
    assert first["source"] == "file"
    assert words in first["why"]
    assert ("lakekey keys rotate --to keyring" in first["warned"]) is (state != "take_away")
    desktop.unlock()
    assert lakekey("keys")["keys"] == first["keys"]


@pytest.mark.on_windows
@pytest.mark.parametrize("state", ["lock", "take_away"])
def test_a_keyring_that_was_asked_for_by_name_is_never_replaced(desktop, lakekey, tmp_path, state):
    desktop.unlock()
    getattr(desktop, state)()
    assert lakekey("keys", LAKEKEY_KEY_SOURCE="keyring")["error"] == "key_unavailable"
    assert files(tmp_path) == ["cache.lock", "entries"]


@pytest.mark.on_windows
def test_the_key_moves_into_the_keyring_and_is_rotated_there(desktop, lakekey, tmp_path):
    desktop.unlock()
    before = lakekey("keys", LAKEKEY_KEY_SOURCE="file")
    moved = lakekey("keys", "rotate", "--to", "keyring")
    assert moved["dropped"] == [before["keys"][0]["id"]]
    assert files(tmp_path) == ["cache.json", "cache.lock", "entries"]
    rotated = lakekey("keys", "rotate")
    assert rotated["dropped"] == [moved["current"]]
    assert [key["id"] for key in lakekey("keys")["keys"]] == [rotated["current"]]


@pytest.mark.on_windows
def test_moving_away_from_the_keyring_leaves_nothing_in_it(desktop, lakekey, tmp_path):
    desktop.unlock()
    lakekey("keys")
    item = json.loads((tmp_path / "cache" / "cache.json").read_text())["item"]
    lakekey("keys", "rotate", "--to", "file")
    assert in_the_keyring(desktop, item) is None


def test_forgetting_the_key_leaves_nothing_in_the_keyring(desktop, lakekey, tmp_path):
    desktop.unlock()
    lakekey("keys")
    item = json.loads((tmp_path / "cache" / "cache.json").read_text())["item"]
    assert in_the_keyring(desktop, item) is not None
    assert lakekey("logout", "--all", "--forget-key")["key_forgotten"]
    assert in_the_keyring(desktop, item) is None
    assert files(tmp_path) == ["cache.lock", "entries"]


def test_processes_that_start_together_agree_on_one_key(desktop, tmp_path):
    desktop.unlock()
    code = "from lakekey.cache.opening import open_cache; cache = open_cache(); cache.begin(); print(cache.ring.current.hex())"
    environ = {"PATH": os.environ["PATH"], **desktop.environ, "LAKEKEY_CACHE_DIR": str(tmp_path / "cache")}
    together = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    assert len({process.communicate(timeout=60)[0] for process in together}) == 1
    assert {process.returncode for process in together} == {0}


def test_a_new_process_asks_the_secret_service_itself_and_loads_no_keyring_library(desktop, lakekey, tmp_path):
    desktop.unlock()
    lakekey("keys")
    code = (
        "import sys; from lakekey.cache.opening import open_cache\n"
        "print(open_cache().ring.source, 'secretstorage' in sys.modules, 'keyring' in sys.modules)"
    )
    assert run(desktop, tmp_path, code) == "keyring True False"


def test_where_the_secret_service_cannot_be_asked_directly_just_the_pinned_backend_is_loaded(
    desktop, lakekey, tmp_path
):
    desktop.unlock()
    lakekey("keys")
    code = (
        "import sys, secretstorage, lakekey.cache.keys.keyring as ours; ours._SECRET_SERVICE = ''\n"
        "from lakekey.cache.opening import open_cache; open_cache(); import keyring.core\n"
        "assert keyring.core._keyring_backend is None\n"
        "print(sorted(name for name in sys.modules if name.startswith('keyring.backends.')))"
    )
    # `fail` is what the library itself begins with; the other backends, and those of other packages, are left alone.
    assert run(desktop, tmp_path, code) == "['keyring.backends.SecretService', 'keyring.backends.fail']"


def run(desktop, tmp_path, code):
    environ = {"PATH": os.environ["PATH"], **desktop.environ, "LAKEKEY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_the_keyring(desktop, item, *, delete=False):
    module, name = desktop.backend
    code = (
        f"import sys\nfrom {module} import {name} as Keyring\n"
        "if sys.argv[2]: Keyring().delete_password('lakekey', sys.argv[1])\n"
        "else: print(repr(Keyring().get_password('lakekey', sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, item, "x" if delete else ""], env={"PATH": os.environ["PATH"], **desktop.environ},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return None if delete else eval(done.stdout)
