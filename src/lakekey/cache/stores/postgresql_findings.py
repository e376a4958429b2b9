"""What `lakekey store check` looks at in a PostgreSQL store."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakekey.cache.stores.alike import reach_and_clock
from lakekey.cache.stores.findings import FAILED, OK, WARNING, Finding
from lakekey.cache.stores.postgresql_table import SCHEMA_VERSION, UPGRADE

if TYPE_CHECKING:
    from lakekey.cache.stores.postgresql_server import Answer

_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_WRITES = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"
_DURABLE = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
_RIGHTS = """
SELECT name, has_table_privilege('lakekey_store', name)
FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS name
"""
_Ask = Callable[[str, Sequence[Any]], "Answer"]


def findings(where: str, ask: _Ask, schema: Callable[[], bytes | None]) -> Iterator[Finding]:
    """See `Store.examine`.

    Args:
        where: The store's place, for people.
        ask: Sends a statement with its values.
        schema: Reads the note about the table's version.
    """
    yield from reach_and_clock(where, lambda: float(ask(_CLOCK, ()).rows[0][0]))
    standby, read_only = ask(_WRITES, ()).rows[0]
    primary = not standby and read_only == "off"
    yield Finding(
        "writes",
        OK if primary else FAILED,
        "it takes writes" if primary else "it is a standby" if standby else "it is read-only",
        None if primary else "name the primary server in LAKEKEY_STORE",
    )
    yield _durability(ask)
    yield _encryption(ask)
    yield from _table(ask, schema)


def _durability(ask: _Ask) -> Finding:
    values = dict(ask(_DURABLE, ()).rows)
    off = [name for name, value in values.items() if value == "off"]
    if off:
        step = f"switch {' and '.join(off)} on; without it a crash brings older refresh tokens back"
        return Finding("durability", WARNING, f"{' and '.join(off)} is off", step)
    return Finding("durability", OK, "a write that was confirmed survives a crash of the server")


def _encryption(ask: _Ask) -> Finding:
    rows = ask("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", ()).rows
    if rows and rows[0][0]:
        return Finding("encryption", OK, str(rows[0][1]))
    return Finding("encryption", OK, "none, which only a socket, loopback or a pooler there may do")


def _table(ask: _Ask, schema: Callable[[], bytes | None]) -> Iterator[Finding]:
    if ask("SELECT to_regclass('lakekey_store')", ()).rows[0][0] is None:
        yield Finding("table", FAILED, "there is none", "an administrator runs: lakekey store init")
        return
    rights = dict(ask(_RIGHTS, ()).rows)
    lacking = sorted(name for name, granted in rights.items() if not granted)
    if lacking:
        role = ask("SELECT current_user", ()).rows[0][0]
        step = f"an administrator runs there: GRANT {', '.join(lacking)} ON lakekey_store TO {role}"
        yield Finding("rights", FAILED, f"lacking: {', '.join(lacking)}", step)
        return
    yield Finding("rights", OK, "SELECT, INSERT, UPDATE and DELETE on lakekey_store")
    version = (schema() or b"").decode(errors="replace")
    known = version in ("", SCHEMA_VERSION)
    upgrade = None if known else f"upgrade lakekey here: {UPGRADE}"
    yield Finding("table", OK if known else FAILED, f"version {version or SCHEMA_VERSION}", upgrade)
    count = ask("SELECT count(*) FROM lakekey_store WHERE kind = 'entry'", ()).rows[0][0]
    yield Finding("entries", OK, str(count))
