"""Leases in PostgreSQL: rows of the store's table, each judged by the server's clock in one statement."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lakekey.cache.stores.alike import TRIES, bytes_of, disobeyed, retried, understood
from lakekey.cache.stores.findings import shown

if TYPE_CHECKING:
    from lakekey.cache.stores.postgresql_server import Answer

# A lease that ends later than any could is of a time in which the server's clock was ahead. Where it is not ours, the
# second half says whose it was when the statement began, unless it was free then.
TAKE = """
WITH taken AS (
  INSERT INTO lakekey_store AS held (kind, name, body, holder, expires)
  VALUES ('lease', %s, %s, %s, clock_timestamp() + %s * interval '1 second')
  ON CONFLICT (kind, name) DO UPDATE SET body = EXCLUDED.body, holder = EXCLUDED.holder, expires = EXCLUDED.expires
  WHERE held.body = EXCLUDED.body OR held.body = %s OR held.expires <= clock_timestamp()
     OR held.expires > clock_timestamp() + %s * interval '1 second'
  RETURNING body)
SELECT body, true AS taken FROM taken UNION ALL
SELECT body, false FROM lakekey_store WHERE kind = 'lease' AND name = %s AND NOT EXISTS (SELECT FROM taken)
   AND expires > clock_timestamp() AND expires <= clock_timestamp() + %s * interval '1 second'
"""
RELEASE = "DELETE FROM lakekey_store WHERE kind = 'lease' AND name = %s AND body = %s"
_RENEW = """
UPDATE lakekey_store SET expires = clock_timestamp() + %s * interval '1 second'
WHERE kind = 'lease' AND name = %s AND body = %s
"""
_HOLDER = "SELECT holder FROM lakekey_store WHERE kind = 'lease' AND name = %s AND expires > clock_timestamp()"


class PostgresqlLeases:
    """A `lakekey.cache.stores.lease.LeaseKeeper`.

    Args:
        ask: Sends a statement with its values.
        before: Is called before a lease is taken, and refuses a store that must not be written to.
        where: `Store.where`.
    """

    def __init__(self, ask: "Callable[[str, Sequence[Any]], Answer]", before: Callable[[], None], where: str) -> None:
        self._ask = ask
        self._before = before
        self._where = where

    def take(self, name: str, nonce: bytes, holder: str, seconds: float, *, instead_of: bytes = b"") -> bytes:
        """See `LeaseKeeper.take`. Asked again after a lost reply, it recognises its own nonce.

        Raises:
            CacheWriteFailed: The table does not keep leases as they are given.
        """
        self._before()
        longest = seconds + 1.0
        values = (name, nonce, holder, seconds, instead_of, longest, name, longest)
        for _ in range(TRIES):
            rows = retried(lambda: self._ask(TAKE, values)).rows
            if not rows:
                continue  # another took it after this statement began; or the table drops what it is given
            whose, taken = understood(self._where, lambda: (bytes_of(rows[0][0]), bool(rows[0][1])))  # noqa: B023
            if taken and whose != nonce:
                break
            return whose
        raise disobeyed(self._where)

    def renew(self, name: str, nonce: bytes, seconds: float) -> bool:
        """See `LeaseKeeper.renew`."""
        return self._ask(_RENEW, (seconds, name, nonce)).changed == 1

    def release(self, name: str, nonce: bytes) -> None:
        """See `LeaseKeeper.release`."""
        self._ask(RELEASE, (name, nonce))

    def holder(self, name: str) -> str | None:
        """See `LeaseKeeper.holder`."""
        rows = self._ask(_HOLDER, (name,)).rows
        return understood(self._where, lambda: shown(str(rows[0][0]))) if rows else None
