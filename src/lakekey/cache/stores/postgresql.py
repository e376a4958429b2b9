"""The PostgreSQL store: entries, leases and notes in one table, each operation one autocommit statement.

A connection lives for one operation, so nothing is held open while a process waits or talks to a token endpoint, and
every statement works through a pooler in transaction mode. What decides is the comparison of bytes in the statement
itself; a reply that was lost is settled by reading back.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakekey._imports import LOADING
from lakekey.cache.stores.alike import (
    BEGINNING,
    LONGEST,
    bytes_of,
    disobeyed,
    obeyed,
    page_of,
    reading_of,
    retried,
    understood,
)
from lakekey.cache.stores.findings import Finding, shown
from lakekey.cache.stores.lease import SECONDS, Leases
from lakekey.cache.stores.places import without_credentials
from lakekey.cache.stores.postgresql_leases import PostgresqlLeases
from lakekey.cache.stores.postgresql_table import SCHEMA, SCHEMA_VERSION, UPGRADE, create
from lakekey.cache.stores.server_store import OPERATION, ServerStore
from lakekey.cache.stores.store import Note, Reading
from lakekey.errors import CacheError

if TYPE_CHECKING:
    from lakekey.cache.stores.postgresql_server import Answer, Server

# What is far too long for an entry is seen by its beginning.
_SEEN = f"""
CASE WHEN kind = 'entry' AND octet_length(body) > {LONGEST} THEN substring(body FOR {BEGINNING}) ELSE body END
""".strip()
_READ = f"""
SELECT (SELECT {_SEEN} FROM lakekey_store WHERE kind = %s AND name = %s), extract(epoch FROM clock_timestamp())::float8
"""  # noqa: S608 - numbers of ours, as below
_INSERT = "INSERT INTO lakekey_store (kind, name, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING body"
_UPDATE = f"UPDATE lakekey_store SET body = %s WHERE kind = %s AND name = %s AND {_SEEN} = %s"  # noqa: S608
# The note is held while this writes, so that no other host changes it in between.
_UNDER = """
WITH note AS (SELECT 1 FROM lakekey_store WHERE kind = 'note' AND name = %s AND body = %s FOR SHARE)
"""
_INSERT_UNDER = """
WITH note AS (SELECT 1 FROM lakekey_store WHERE kind = 'note' AND name = %s AND body = %s FOR SHARE)
INSERT INTO lakekey_store (kind, name, body) SELECT %s::text, %s::text, %s::bytea FROM note ON CONFLICT DO NOTHING
RETURNING body
"""
_UPDATE_UNDER = f"{_UNDER}{_UPDATE} AND EXISTS (SELECT FROM note) RETURNING body"
_UPSERT = """
INSERT INTO lakekey_store (kind, name, body) VALUES (%s, %s, %s)
ON CONFLICT (kind, name) DO UPDATE SET body = EXCLUDED.body
"""
_DELETE = f"DELETE FROM lakekey_store WHERE kind = %s AND name = %s AND {_SEEN} = %s"  # noqa: S608
_REMOVE = "DELETE FROM lakekey_store WHERE kind = %s AND name = %s"
_SET_ASIDE = f"""
WITH moved AS (DELETE FROM lakekey_store WHERE kind = 'entry' AND name = %s AND {_SEEN} = %s
               RETURNING name, substring(body FOR {LONGEST}) AS body)
INSERT INTO lakekey_store (kind, name, body) SELECT 'bad', name, body FROM moved
ON CONFLICT (kind, name) DO UPDATE SET body = EXCLUDED.body
"""  # noqa: S608
_LIST = "SELECT name FROM lakekey_store WHERE kind = 'entry' AND name > %s ORDER BY name LIMIT %s"
_LIST_BODIES = f"""
SELECT name, {_SEEN}, extract(epoch FROM clock_timestamp())::float8
FROM lakekey_store WHERE kind = 'entry' AND name > %s ORDER BY name LIMIT %s
"""  # noqa: S608
# In the names' order, so that two of them take turns and never wait for each other.
_SWAP_PAGE = """
WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS given (name, old, new)),
     idle AS (
       SELECT stored.name FROM lakekey_store AS stored JOIN wanted ON wanted.name = stored.name
       WHERE stored.kind = 'entry' AND stored.body = wanted.old AND NOT EXISTS (
         SELECT FROM lakekey_store AS held
         WHERE held.kind = 'lease' AND held.name = stored.name AND held.expires > clock_timestamp())
       ORDER BY stored.name FOR UPDATE OF stored)
UPDATE lakekey_store AS entry SET body = wanted.new FROM wanted JOIN idle ON idle.name = wanted.name
WHERE entry.kind = 'entry' AND entry.name = wanted.name AND entry.body = wanted.old
"""
_SWAP_PAGE_UNDER = f"{_UNDER.rstrip()}, {_SWAP_PAGE.strip().removeprefix('WITH ')} AND EXISTS (SELECT FROM note)"
_SAME_PAGE = """
SELECT stored.name FROM unnest(%s::text[], %s::bytea[]) AS given (name, new)
JOIN lakekey_store AS stored ON stored.kind = 'entry' AND stored.name = given.name AND stored.body = given.new
"""


class PostgresqlStore(ServerStore):
    """A `lakekey.cache.stores.store.Store` in a PostgreSQL database.

    Args:
        address: ``postgresql://USER@HOST:PORT/DATABASE``, with libpq's parameters behind a ``?``.
        lease: How long a lock lasts whose holder has died, in seconds.
        operation: How long the server may take for one statement, in seconds.
    """

    def __init__(self, address: str, *, lease: float = SECONDS, operation: float = OPERATION) -> None:
        keeper = PostgresqlLeases(self._ask, self._require_known_table, without_credentials(address))
        super().__init__(address, Leases(keeper, lease))
        self._address = address
        self._operation = operation
        self._server: Server | None = None
        self._known = False

    def prepare(self) -> None:
        """See `Store.prepare`: the table is made by ``lakekey store init``, never by a worker."""

    def put(
        self,
        entry_id: str,
        envelope: bytes,
        *,
        replaces: bytes | None,
        synced: bool = True,  # noqa: ARG002 - what the server has confirmed is as durable as it gets
        under: Note | None = None,
    ) -> bool:
        """See `SharedStore.put`."""
        return self._swap("entry", entry_id, envelope, replaces, under)

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`."""

        def look() -> bool | None:
            now = self.get(entry_id)
            return None if now == replaces else now is None

        return obeyed(self.where, lambda: self._ask(_DELETE, ("entry", entry_id, replaces)).changed == 1, look)

    def set_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        """See `Store.set_aside`: it stays in the table, as a row of its own kind."""
        moved = envelope is not None and self._ask(_SET_ASIDE, (entry_id, envelope)).changed == 1
        return f"{self.place(entry_id)} of kind 'bad'" if moved else None

    def read_page(self, *, after: str, limit: int) -> Sequence[tuple[str, Reading]]:
        """See `SharedStore.read_page`."""
        rows = retried(lambda: self._ask(_LIST_BODIES, (after, limit)).rows)

        def page() -> Sequence[tuple[str, Reading]]:
            page_of([name for name, _, _ in rows], after)
            return [(name, reading_of(body, now)) for name, body, now in rows]

        return understood(self.where, page)

    def swap_page(self, swaps: Sequence[tuple[str, bytes, bytes]], *, under: Note | None = None) -> set[str]:
        """See `SharedStore.swap_page`. What is there afterwards tells what was done, also where a reply was lost."""
        names, olds, news = ([swap[place] for swap in swaps] for place in range(3))
        if under is None:
            retried(lambda: self._ask(_SWAP_PAGE, (names, olds, news)))
        else:
            retried(lambda: self._ask(_SWAP_PAGE_UNDER, (*under, names, olds, news)))
        rows = retried(lambda: self._ask(_SAME_PAGE, (names, news)).rows)
        return understood(self.where, lambda: {str(name) for (name,) in rows})

    def together(self) -> "contextlib.AbstractContextManager[None]":
        """See `Store.together`."""
        return self._loaded_server.together()

    # -- notes -----------------------------------------------------------------------------------------------------

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        retried(lambda: self._ask(_UPSERT, ("note", name, content)))

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`."""
        return self._swap("note", name, content, replaces)

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        retried(lambda: self._ask(_REMOVE, ("note", name)))

    # -- for administrators ----------------------------------------------------------------------------------------

    def schema(self) -> str:
        """See `Store.schema`."""
        return SCHEMA

    def set_up(self) -> None:
        """See `Store.set_up`."""
        create(self.where, self._ask)

    def examine(self) -> Iterator[Finding]:
        """See `Store.examine`."""
        with LOADING:
            from lakekey.cache.stores.postgresql_findings import findings

        found = findings(self.where, self._ask, lambda: self.read_note("schema"))
        while (finding := understood(self.where, lambda: next(found, None))) is not None:
            yield finding

    def _require_known_table(self) -> None:
        """Refuse the table of a later release before anything is written to it; asked once.

        Raises:
            CacheError: It is one.
        """
        if self._known:
            return
        version = (self.read_note("schema") or b"").decode(errors="replace")
        if version not in ("", SCHEMA_VERSION):
            what = f"has the table of a later release (version {shown(version[:20])})"
            raise CacheError(f"the store {self.where} {what}", hint=f"upgrade lakekey here: {UPGRADE}")
        self._known = True

    # -- inside ----------------------------------------------------------------------------------------------------

    def _ids(self, after: str, limit: int) -> list[str]:
        rows = self._ask(_LIST, (after, limit)).rows
        return understood(self.where, lambda: page_of([name for (name,) in rows], after))

    def _read(self, kind: str, name: str) -> Reading:
        rows = retried(lambda: self._ask(_READ, (kind, name))).rows

        def reading() -> Reading:
            [(body, now)] = rows
            return reading_of(body, now)

        return understood(self.where, reading)

    def _swap(self, kind: str, name: str, body: bytes, replaces: bytes | None, under: Note | None = None) -> bool:
        def write() -> bool:
            if replaces is None:
                insert = _INSERT if under is None else _INSERT_UNDER
                answer = self._ask(insert, (*(under or ()), kind, name, body))
            else:
                update = f"{_UPDATE} RETURNING body" if under is None else _UPDATE_UNDER
                answer = self._ask(update, (*(under or ()), body, kind, name, replaces))
            if answer.changed == 1 and understood(self.where, lambda: bytes_of(answer.rows[0][0])) != body:
                changed = disobeyed(self.where)
                changed.in_doubt = True  # what was to be replaced is gone all the same
                raise changed
            return answer.changed == 1

        def look() -> bool | None:
            now = self._read(kind, name).envelope
            if now == body:
                return True
            if now != replaces or (under is not None and self.read_note(under.name) != under.content):
                return False
            return None

        return obeyed(self.where, write, look)

    def _ask(self, statement: str, values: Sequence[Any]) -> "Answer":
        return self._loaded_server.ask(statement, values)

    @property
    def _loaded_server(self) -> "Server":
        if self._server is None:
            with LOADING:
                from lakekey.cache.stores.postgresql_server import server_at

            self._server = server_at(self._address, self.where, self._operation)
        return self._server
