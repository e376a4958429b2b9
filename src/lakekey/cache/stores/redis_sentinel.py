"""Which Redis server is the primary, as its sentinels say.

A primary that was replaced may not know it yet. So the sentinels are asked for each connection, in the order of the
address until one answers (https://redis.io/docs/latest/develop/reference/sentinel-clients/). What a server reads that
has become a replica may be old; a write on the strength of it is refused by the primary, which compares the bytes.
"""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from redis import exceptions as refusals

from lakekey.cache.stores.alike import Unreadable, spoken
from lakekey.cache.stores.redis_address import Address, Node
from lakekey.cache.stores.redis_connection import opened

_QUESTION = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME")


def primary_of(address: Address, connection_to: Callable[[Node, float], Any], seconds: float) -> Node:
    """Ask the sentinels, one after the other, where the primary is.

    Args:
        address: The store's, with its sentinels.
        connection_to: Makes a connection of the library's to a sentinel, which ends after so many seconds.
        seconds: How long that may take, for all of them together. Each gets its share of what is left, so that a silent
            one leaves time for the next.

    Raises:
        ConnectionError: None of them knows.
    """
    reasons, until = [], time.monotonic() + seconds
    for asked, sentinel in enumerate(address.sentinels):
        # No less than an equal part, which a process has that was stopped meanwhile.
        share = max((until - time.monotonic()) / (len(address.sentinels) - asked), seconds / len(address.sentinels))
        try:
            connection, answer = opened(partial(connection_to, sentinel, share), *_QUESTION, address.service)
            with contextlib.suppress(Exception):
                connection.disconnect()
            if answer:
                return spoken(lambda: (answer[0].decode(), int(answer[1])))  # noqa: B023 - called at once
            reasons.append(f"{sentinel[0]}:{sentinel[1]} knows no {address.service!r}")
        except (refusals.RedisError, OSError, Unreadable) as error:
            reasons.append(f"{sentinel[0]}:{sentinel[1]}: {error}")
    raise refusals.ConnectionError(f"no sentinel names a primary: {'; '.join(reasons)}")
