"""A new process to its first header on a warm cache, key in a file: beside the floor and the peers."""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

from harness import HERE, TESTS, Bench, Row

FLOOR = "import json, hashlib; from cryptography.hazmat.primitives.ciphers.aead import AESGCM"
LAKEKEY = "import lakekey; lakekey.provider('person').headers()"
LEAST = "import sys; sys.path.insert(0, {0!r}); import least; least.headers('person', {1!r})"
NAME = """
import lakekey
from lakekey.session.session import Session
print(Session(lakekey.provider("person").target).entry_id)
"""
NO_FILE = "import lakekey; lakekey.provider(host={host!r}).headers()"
SDK = "from databricks.sdk.core import Config; Config(profile='person').authenticate()"


PEER = (
    "import sys, runpy; sys.argv[:] = ['', 'ask']; sys.path.insert(0, {0!r}); "
    "runpy.run_path({1!r}, run_name='__main__')"
)


def run(bench: Bench) -> list[Row]:
    tokens = {"BENCH_SESSION": json.dumps(bench.session())}
    peers = os.path.join(HERE, "peers")
    programs = {"floor": FLOOR, "lakekey": LAKEKEY, "no file": NO_FILE.format(host=bench.box.host), "sdk": SDK}
    environments: dict[str, dict[str, str]] = {}
    for name, file in (("connector", "connector.py"), ("msal", "with_msal.py"), ("botocore", "with_botocore.py")):
        programs[name] = PEER.format(peers, os.path.join(peers, file))
        environments[name] = tokens
    for file in ("sdk.py", "connector.py", "with_msal.py", "with_botocore.py"):
        bench.child([os.path.join(peers, file), "fill", "3500"], **tokens)
    bench.child(["-c", LAKEKEY])  # from here on all caches are warm
    programs["least"] = LEAST.format(HERE, bench.child(["-c", NAME]).strip())
    with contextlib.ExitStack() as stack:
        if keyring := _keyring(bench, stack):
            programs["keyring"], environments["keyring"] = LAKEKEY, keyring
            bench.child(["-c", LAKEKEY], **keyring)
        asked = bench.box.counters["token.requests"]
        slow = ["sdk", "connector", "msal", "botocore"]
        medians = bench.process_times(programs, rounds=9, slow=slow, environments=environments)
    if bench.box.counters["token.requests"] != asked:
        raise RuntimeError("a cache was not warm: there were token requests")
    floor, ours = medians["floor"], medians["lakekey"]
    what = "a new process to its first header, warm cache, key file"
    rows = [
        Row("the floor: python importing json, hashlib, AESGCM", floor),
        Row("the least that opens one entry, in one file", medians["least"], "the floor", medians["least"] / floor),
        Row("databricks-sdk: the same, warm external-browser", medians["sdk"], note="tokens in a plaintext file"),
        Row("databricks-sql-connector: the same", medians["connector"], note="for development only; plaintext"),
        Row("msal with msal-extensions: the same", medians["msal"], note="plaintext; asks for the metadata each time"),
        Row("botocore, SSO session: the same", medians["botocore"], note="plaintext"),
        Row(what, ours, "the floor", ours / floor, 1.2),
        Row(what, ours, "databricks-sdk", ours / medians["sdk"], 1 / 22),
        Row(what, ours, "databricks-sql-connector", ours / medians["connector"]),
        Row(what, ours, "msal with msal-extensions", ours / medians["msal"]),
        Row(what, ours, "botocore, SSO session", ours / medians["botocore"]),
        Row("the same without a profile to read", medians["no file"], "the floor", medians["no file"] / floor),
    ]
    if "keyring" in medians:
        rows.append(
            Row("the same, key in the OS keyring", medians["keyring"], "the floor", medians["keyring"] / floor, 4)
        )
    else:
        note = "not measured: there is no D-Bus or gnome-keyring here"
        rows.append(Row("the same, key in the OS keyring", 0, note=note, counted="—"))
    return rows


def _keyring(bench: Bench, stack: contextlib.ExitStack) -> dict[str, str] | None:
    """Where a person's keyring is, which has been unlocked; the one that the tests start, too."""
    if not (shutil.which("dbus-daemon") and shutil.which("gnome-keyring-daemon")):
        return None
    sys.path.insert(0, TESTS)
    from support.servers.secret_service import SecretService

    home = Path(bench.home, "desktop")
    home.mkdir(mode=0o700)
    desktop = stack.enter_context(SecretService(home))
    desktop.unlock()
    cache = os.path.join(bench.home, "keyring-cache")
    return {**desktop.environ, "LAKEKEY_CACHE_DIR": cache, "LAKEKEY_KEY_SOURCE": "keyring"}
