"""What `lakekey store check` looks at in a PostgreSQL store."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakekey.cache.stores.alike import reach_and_clock
from lakekey.cache.stores.findings import FAILED, OK, WARNING, Finding, shown
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
# What makes the table another than the one of `lakekey store init`, each with the statement that undoes it.
_ALTERED = """
WITH ours AS (SELECT * FROM pg_class WHERE oid = to_regclass('lakekey_store'))
SELECT 'the trigger ' || tgname || ' may change what is stored', format('DROP TRIGGER %%I ON lakekey_store', tgname)
FROM pg_trigger JOIN ours ON tgrelid = ours.oid WHERE NOT tgisinternal AND tgenabled <> 'D'
UNION ALL
SELECT 'the rule ' || rulename || ' may change what is stored', format('DROP RULE %%I ON lakekey_store', rulename)
FROM pg_rewrite JOIN ours ON ev_class = ours.oid WHERE relkind <> 'v'
UNION ALL
SELECT 'its row security may hide what is stored', 'ALTER TABLE lakekey_store DISABLE ROW LEVEL SECURITY'
FROM ours WHERE relrowsecurity
UNION ALL
SELECT 'it is unlogged: a crash of the server empties it', 'ALTER TABLE lakekey_store SET LOGGED'
FROM ours WHERE relpersistence = 'u'
UNION ALL
SELECT 'the one in the schema ' || here.nspname || ' hides another in ' || there.nspname,
       format('ALTER ROLE %%I SET search_path = %%I (if that is the right one)', current_user, there.nspname)
FROM ours JOIN pg_namespace AS here ON here.oid = ours.relnamespace
JOIN pg_class AS other ON other.relname = ours.relname AND other.oid <> ours.oid
JOIN pg_namespace AS there ON there.oid = other.relnamespace AND there.nspname = ANY (current_schemas(false))
"""
_TOO_MUCH = """
WITH ours AS (SELECT * FROM pg_class WHERE oid = to_regclass('lakekey_store'))
SELECT 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
UNION ALL
SELECT 'owns the table' FROM ours WHERE pg_has_role(relowner, 'USAGE')
UNION ALL
SELECT 'has ' || name || ' on it' FROM unnest(ARRAY['TRUNCATE', 'TRIGGER']) AS name
WHERE has_table_privilege('lakekey_store', name)
UNION ALL
SELECT DISTINCT 'shares the table with every role (PUBLIC)' FROM ours, aclexplode(relacl) AS granted
WHERE granted.grantee = 0
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
        return Finding("encryption", OK, shown(str(rows[0][1])))
    return Finding("encryption", OK, "none, which is safe only on a socket, on loopback or to a pooler there")


def _table(ask: _Ask, schema: Callable[[], bytes | None]) -> Iterator[Finding]:
    if ask("SELECT to_regclass('lakekey_store')", ()).rows[0][0] is None:
        yield Finding("table", FAILED, "it does not exist", "an administrator runs: lakekey store init")
        return
    rights = dict(ask(_RIGHTS, ()).rows)
    lacking = sorted(name for name, granted in rights.items() if not granted)
    if lacking:
        role = shown(str(ask("SELECT current_user", ()).rows[0][0]))
        step = f"an administrator runs there: GRANT {', '.join(lacking)} ON lakekey_store TO {role}"
        yield Finding("rights", FAILED, f"lacking: {', '.join(lacking)}", step)
        return
    more = [what for (what,) in ask(_TOO_MUCH, ()).rows]
    if more:
        step = "give the workers a role of their own, with SELECT, INSERT, UPDATE and DELETE on lakekey_store only"
        yield Finding("rights", WARNING, f"more than it needs: the role {more[0]}", step)
    else:
        yield Finding("rights", OK, "SELECT, INSERT, UPDATE and DELETE on lakekey_store")
    altered = ask(_ALTERED, ()).rows
    if altered:
        what, statement = (shown(str(each)) for each in altered[0])
        yield Finding("table", FAILED, what, f"an administrator runs there: {statement}")
        return
    version = shown((schema() or b"").decode(errors="replace"))
    known = version in ("", SCHEMA_VERSION)
    upgrade = None if known else f"upgrade lakekey here: {UPGRADE}"
    yield Finding("table", OK if known else FAILED, f"version {version or SCHEMA_VERSION}", upgrade)
    count = ask("SELECT count(*) FROM lakekey_store WHERE kind = 'entry'", ()).rows[0][0]
    yield Finding("entries", OK, shown(str(count)))
