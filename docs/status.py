"""Draws what `lakekey status` shows, in a home that is made for the picture; `make docs-pictures` runs it.

    python docs/status.py docs/pictures/status.svg

The sessions are written into a cache of their own, and none of them was ever at a server. The home's own name is shown
as ``/home/ada``.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from record import record, svg

from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import resolve

PROFILES = """\
[prod]
host = https://dbc-a1b2c3d4-e5f6.cloud.databricks.com

[nightly]
host = https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
client_id = 8e5ac1e2-6a2b-4d0e-9f10-0a1b2c3d4e5f
client_secret = dose0123456789abcdef

[staging]
host = https://dbc-5c4b3a29-1807.cloud.databricks.com

[lab]
host = https://dbc-0f9e8d7c-6b5a.cloud.databricks.com
"""
HOUR, DAY = 3600.0, 86400.0
COLUMNS, ROWS = 168, 11


def entries(environ: dict[str, str]) -> dict[str, Entry]:
    """The sessions: one that is live, one that a service principal has, one that ends soon, one that is over."""
    now = time.time()
    live = {"access_token": "x", "issued_at": now - 600, "expires_at": now + 50 * 60, "logged_in_at": now - DAY}
    person = {**live, "refresh_token": "x", "identity": "ada@example.com"}
    return {
        "prod": Entry(resolve("prod", environ).description(), **person, session_ends_at=now + 26 * DAY),
        "nightly": Entry(resolve("nightly", environ).description(), **live),
        "staging": Entry(
            resolve("staging", environ).description(),
            **{**person, "logged_in_at": now - 28 * DAY},
            session_ends_at=now + 20 * HOUR,
        ),
        "lab": Entry(
            resolve("lab", environ).description(),
            identity="ada@example.com",
            access_token="x",
            issued_at=now - 3 * DAY,
            expires_at=now - 3 * DAY + HOUR,
            logged_in_at=now - 9 * DAY,
        ),
    }


def main() -> None:
    """Make the home, record the command, and write the picture."""
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, ".databrickscfg")
        file.write_text(PROFILES)
        file.chmod(0o600)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "LAKEKEY_"))}
        environ = {**kept, "HOME": home, "LAKEKEY_KEY_SOURCE": "file", "TERM": "xterm-256color"}
        environ["LAKEKEY_CACHE_DIR"] = f"{home}/.local/state/lakekey"
        environ["DATABRICKS_CONFIG_FILE"] = str(file)
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environ.pop(name, None)
        cache = open_cache(environ)
        for name, entry in entries(environ).items():
            assert cache.put(entry_id(resolve(name, environ).cache_key_fields()), entry, replaces=None)
        command = [str(Path(sys.executable).with_name("lakekey")), "status"]
        screen = record(command, COLUMNS, environ=environ, renamed={home: "/home/ada"})
    Path(sys.argv[1]).write_text(svg(screen, "lakekey status", COLUMNS, ROWS), encoding="utf-8")


if __name__ == "__main__":
    main()
