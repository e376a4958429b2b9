"""Which Redis server is the primary, as its sentinels say.

A primary that was replaced may not know it yet. So the sentinels are asked for each connection, in the order of the
address until one answers (https://redis.io/docs/latest/develop/reference/sentinel-clients/). What a server reads that
has become a replica may be old; a write on the strength of it is refused by the primary, which compares the bytes.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from redis import exceptions as refusals

from lakekey.cache.stores.alike import unreadable
from lakekey.cache.stores.redis_address import Address, Node
from lakekey.cache.stores.redis_connection import UNREADABLE


def primary_of(address: Address, connect: Callable[[Node], Any]) -> Node:
    """Ask the sentinels, one after the other, where the primary is.

    Args:
        address: The store's, with its sentinels.
        connect: Makes a connection of the library's to a sentinel.

    Raises:
        ConnectionError: None of them knows.
    """
    reasons = []
    for sentinel in address.sentinels:
        connection = connect(sentinel)
        try:
            connection.connect()
            connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
            answer = connection.read_response()
            if answer:
                return answer[0].decode(), int(answer[1])
            reasons.append(f"{sentinel[0]}:{sentinel[1]} knows no {address.service!r}")
        except UNREADABLE as error:
            reasons.append(f"{sentinel[0]}:{sentinel[1]}: {unreadable(error)}")
        except (refusals.RedisError, OSError) as error:
            reasons.append(f"{sentinel[0]}:{sentinel[1]}: {error}")
        finally:
            with contextlib.suppress(Exception):
                connection.disconnect()
    raise refusals.ConnectionError(f"no sentinel names a primary: {'; '.join(reasons)}")
