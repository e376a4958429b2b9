"""The Redis store, which serves Valkey as well.

Each operation is one Lua script, so that comparing and writing are one step. All keys of a store carry one hash tag, so
that a cluster keeps them in one slot. Entries have no time to live.

What Redis has confirmed may be lost in a fail-over or a crash: replication is asynchronous. A refresh token that is
single-use is better kept in PostgreSQL; here, what went back in time is noticed (`lakekey.cache.near`), not prevented.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakekey._imports import LOADING
from lakekey.cache.stores.alike import (
    BEGINNING,
    LONGEST,
    page_of,
    reach_and_clock,
    reading_of,
    retried,
    settled,
    understood,
)
from lakekey.cache.stores.findings import OK, Finding
from lakekey.cache.stores.lease import SECONDS, Leases
from lakekey.cache.stores.places import without_credentials
from lakekey.cache.stores.redis_leases import NOW, RedisLeases
from lakekey.cache.stores.server_store import OPERATION, ServerStore
from lakekey.cache.stores.store import Note, Reading

if TYPE_CHECKING:
    from lakekey.cache.stores.redis_server import Server

# Every script gets its keys by name, and is read-only or may be run twice without harm. `TIME` is the store's clock;
# scripts that write after it need effects replication, which is the only kind since Redis 7 and the default since 5.
_READ = NOW + "return {redis.call('GET', KEYS[1]), now}"
# What is far too long for an entry is seen by its beginning. Not by `STRLEN`, to which earlier releases' users have no
# right.
_SEEN = f"""
local function seen(body)
  return body and #body > {LONGEST} and string.sub(body, 1, {BEGINNING}) or body
end
"""
_READ_ENTRY = f"{_SEEN}{NOW}return {{seen(redis.call('GET', KEYS[1])), now}}"
_READ_PAGE = (
    _SEEN
    + NOW
    + """
local found = {now}
for i = 1, #KEYS do found[i + 1] = seen(redis.call('GET', KEYS[i])) end
return found
"""
)
# KEYS are pairs of an entry and its lease; ARGV are pairs of what is replaced and what replaces it. One more of both is
# a note, and what it has to say.
_SWAP_PAGE = (
    NOW
    + """
local done = {}
local same = #KEYS % 2 == 0 or redis.call('GET', KEYS[#KEYS]) == ARGV[#ARGV]
for i = 1, #KEYS - 1, 2 do
  local ends = tonumber(redis.call('HGET', KEYS[i + 1], 'expires') or '0')
  local have = redis.call('GET', KEYS[i])
  if same and have == ARGV[i] and ends <= now then redis.call('SET', KEYS[i], ARGV[i + 1]) have = ARGV[i + 1] end
  done[(i + 1) / 2] = have == ARGV[i + 1] and 1 or 0
end
return done
"""
)
# Of an entry, the index is written in the same step: KEYS[2] is a sorted set of all ids. KEYS[3] is a note that has to
# say ARGV[4].
_SWAP = (
    _SEEN
    + """
local have = redis.call('GET', KEYS[1])
if KEYS[2] then have = seen(have) end
if have == ARGV[1] then return 1 end
if KEYS[3] and redis.call('GET', KEYS[3]) ~= ARGV[4] then return 0 end
if (ARGV[2] == '' and have) or (ARGV[2] ~= '' and have ~= ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if KEYS[2] then redis.call('ZADD', KEYS[2], 0, ARGV[3]) end
return 1
"""
)
_DELETE = (
    _SEEN
    + """
local have = seen(redis.call('GET', KEYS[1]))
if ARGV[1] ~= '' and have ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if KEYS[2] then redis.call('ZREM', KEYS[2], ARGV[2]) end
return 1
"""
)
_SET_ASIDE = (
    _SEEN
    + """
local have = redis.call('GET', KEYS[1])
if seen(have) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[3], string.sub(have, 1, """
    + str(LONGEST)
    + """))
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""
)


class RedisStore(ServerStore):
    """A `lakekey.cache.stores.store.Store` in Redis or Valkey.

    Args:
        address: ``redis://`` or ``rediss://USER@HOST:PORT/DATABASE``; ``?prefix=`` names the hash tag of its keys.
        lease: How long a lock lasts whose holder has died, in seconds.
        operation: How long the server may take for one command, in seconds.
    """

    def __init__(self, address: str, *, lease: float = SECONDS, operation: float = OPERATION) -> None:
        keeper = RedisLeases(
            lambda script, name, *values: self._run(script, (self._key("lease", name),), *values),
            self.prepare,
            without_credentials(address),
        )
        super().__init__(address, Leases(keeper, lease))
        self._address = address
        self._operation = operation
        self._server: Server | None = None

    def prepare(self) -> None:
        """See `Store.prepare`: what must not be used as a store is refused here, once in a process."""
        self._loaded_server.require_keeper()

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
        keys = (self._key("entry", entry_id), self._index)
        if under is None:
            return self._swap(keys, envelope, replaces, entry_id)
        return self._swap((*keys, self._key("note", under.name)), envelope, replaces, entry_id, under.content)

    def delete(self, entry_id: str, *, replaces: bytes) -> bool:
        """See `Store.delete`. Where the reply was lost, what is there tells whether it was done."""
        keys = (self._key("entry", entry_id), self._index)

        def look() -> bool | None:
            now = self.get(entry_id)
            return None if now == replaces else now is None

        return settled(lambda: bool(self._run(_DELETE, keys, replaces, entry_id) == 1), look)

    def set_aside(self, entry_id: str, envelope: bytes | None) -> str | None:
        """See `Store.set_aside`."""
        keys = (self._key("entry", entry_id), self._index, self._key("bad", entry_id))
        moved = envelope is not None and self._run(_SET_ASIDE, keys, envelope, entry_id) == 1
        return f"{self._key('bad', entry_id)} in {self.where}" if moved else None

    def read_page(self, *, after: str, limit: int) -> Sequence[tuple[str, Reading]]:
        """See `SharedStore.read_page`. What the index has and the server lost is read as nothing."""
        with self.together():
            names = self.list(after=after, limit=limit)
            if not names:
                return []
            keys = tuple(self._key("entry", name) for name in names)
            reply = retried(lambda: self._run(_READ_PAGE, keys))

        def page() -> Sequence[tuple[str, Reading]]:
            now, *bodies = reply
            return [(name, reading_of(body, now / 1000)) for name, body in zip(names, bodies, strict=True)]

        return understood(self.where, page)

    def swap_page(self, swaps: Sequence[tuple[str, bytes, bytes]], *, under: Note | None = None) -> set[str]:
        """See `SharedStore.swap_page`. The script settles its own lost reply: what is there already is done."""
        keys = tuple(self._key(kind, name) for name, _, _ in swaps for kind in ("entry", "lease"))
        values = [value for _, old, new in swaps for value in (old, new)]
        if under is not None:
            keys, values = (*keys, self._key("note", under.name)), [*values, under.content]
        done = retried(lambda: self._run(_SWAP_PAGE, keys, *values))
        pairs = understood(self.where, lambda: list(zip(swaps, done, strict=True)))
        return {name for (name, _, _), swapped in pairs if swapped == 1}

    def together(self) -> "contextlib.AbstractContextManager[None]":
        """See `Store.together`."""
        return self._loaded_server.together()

    # -- notes -----------------------------------------------------------------------------------------------------

    def write_note(self, name: str, content: bytes) -> None:
        """See `KeyPlace.write_note`."""
        retried(lambda: self._command("SET", self._key("note", name), content))

    def swap_note(self, name: str, content: bytes, *, replaces: bytes | None) -> bool:
        """See `KeyPlace.swap_note`."""
        return self._swap((self._key("note", name),), content, replaces, name)

    def remove_note(self, name: str) -> None:
        """See `KeyPlace.remove_note`."""
        retried(lambda: self._command("DEL", self._key("note", name)))

    # -- for administrators ----------------------------------------------------------------------------------------

    def schema(self) -> str:
        """See `Store.schema`: nothing has to be made."""
        return ""

    def set_up(self) -> None:
        """See `Store.set_up`."""
        self.prepare()

    def examine(self) -> Iterator[Finding]:
        """See `Store.examine`."""
        yield from reach_and_clock(self.where, lambda: self._read("note", "").now or 0.0)
        yield from self._loaded_server.findings()
        yield Finding("entries", OK, str(self._command("ZCARD", self._index)))

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _loaded_server(self) -> "Server":
        if self._server is None:
            with LOADING:
                from lakekey.cache.stores.redis_server import server_at

            self._server = server_at(self._address, self.where, self._operation)
        return self._server

    @property
    def _index(self) -> str:
        return self._key("index", "")

    def _key(self, kind: str, name: str) -> str:
        return f"{{{self._loaded_server.prefix}}}:{kind}:{name}"

    def _ids(self, after: str, limit: int) -> list[str]:
        # From an index, since ``KEYS`` would look at everything that the server has.
        begin = f"({after}" if after else "-"
        reply = self._command("ZRANGEBYLEX", self._index, begin, "+", "LIMIT", 0, limit)
        return understood(self.where, lambda: page_of([name.decode() for name in reply], after))

    def _read(self, kind: str, name: str) -> Reading:
        script = _READ_ENTRY if kind == "entry" else _READ
        reply = retried(lambda: self._run(script, (self._key(kind, name),)))

        def reading() -> Reading:
            body, now = reply
            return reading_of(body, now / 1000)

        return understood(self.where, reading)

    def _swap(self, keys: tuple[str, ...], body: bytes, replaces: bytes | None, *rest: str | bytes) -> bool:
        # What is there already is a yes: so the script settles its own lost reply.
        return bool(retried(lambda: self._run(_SWAP, keys, body, replaces or b"", *rest)) == 1)

    def _run(self, script: str, keys: tuple[str, ...], *values: Any) -> Any:
        return self._loaded_server.ask("EVAL", script, len(keys), *keys, *values)

    def _command(self, *words: Any) -> Any:
        return self._loaded_server.ask(*words)
