"""Leases in Redis: a key each, judged by the server's clock in one script."""

from collections.abc import Callable
from typing import Any

from lakekey.cache.stores.alike import bytes_of, retried, understood
from lakekey.cache.stores.findings import shown

#: The store's clock, in milliseconds. Scripts that write after it need effects replication, which is the only kind
#: since Redis 7 and the default since 5.
NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
# A lease is a hash of nonce, holder and end. It ends by the comparison with the store's clock, and is removed by its
# time to live some time later. One that ends later than any could is of a time in which the clock was ahead.
TAKE = (
    NOW
    + """
local held = redis.call('HMGET', KEYS[1], 'nonce', 'expires')
local ends, lasts = tonumber(held[2] or '0'), tonumber(ARGV[3])
if held[1] and held[1] ~= ARGV[1] and held[1] ~= ARGV[4] and ends > now and ends <= now + lasts + 1000 then
  return held[1]
end
redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'holder', ARGV[2], 'expires', string.format('%.0f', now + lasts))
redis.call('PEXPIRE', KEYS[1], lasts * 10)
return ARGV[1]
"""
)
RELEASE = """
if redis.call('HGET', KEYS[1], 'nonce') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
_RENEW = (
    NOW
    + """
if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'expires', string.format('%.0f', now + tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) * 10)
return 1
"""
)
_HOLDER = (
    NOW
    + """
local held = redis.call('HMGET', KEYS[1], 'holder', 'expires')
if held[2] and tonumber(held[2]) > now then return held[1] end
return false
"""
)


class RedisLeases:
    """A `lakekey.cache.stores.lease.LeaseKeeper`.

    Args:
        run: Runs a script on a lease's key.
        before: Is called before a lease is taken, and refuses a server that must not be a store.
        where: `Store.where`.
    """

    def __init__(self, run: Callable[..., Any], before: Callable[[], None], where: str) -> None:
        self._run = run
        self._before = before
        self._where = where

    def take(self, name: str, nonce: bytes, holder: str, seconds: float, *, instead_of: bytes = b"") -> bytes:
        """See `LeaseKeeper.take`. Asked again after a lost reply, it recognises its own nonce."""
        self._before()
        whose = retried(lambda: self._run(TAKE, name, nonce, holder, int(seconds * 1000), instead_of))
        return understood(self._where, lambda: bytes_of(whose))

    def renew(self, name: str, nonce: bytes, seconds: float) -> bool:
        """See `LeaseKeeper.renew`."""
        return bool(self._run(_RENEW, name, nonce, int(seconds * 1000)) == 1)

    def release(self, name: str, nonce: bytes) -> None:
        """See `LeaseKeeper.release`."""
        self._run(RELEASE, name, nonce)

    def holder(self, name: str) -> str | None:
        """See `LeaseKeeper.holder`."""
        holder = self._run(_HOLDER, name)
        return understood(self._where, lambda: shown(holder.decode(errors="replace"))) if holder else None
