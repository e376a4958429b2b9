"""Processes that act for one person, time and again, until their standard input ends: the connection is over by then.

Arguments: the portal's address, the person, how many processes, and the seconds after which each looks at the store
again. Each says when it is served for the first time, and what it gets at the end.
"""

import contextlib
import os
import select
import sys

from lakekey.errors import LoginRequired
from lakekey.web import Portal, provider_cache


def act(url, user):
    portal = Portal(["prod"], url=url, user=lambda request: None)
    assert portal.provider(user, "prod").headers()
    os.write(1, b"served\n")
    while not select.select([0], [], [], 0.02)[0]:
        with contextlib.suppress(LoginRequired):
            portal.provider(user, "prod").headers()
    try:
        portal.provider(user, "prod").headers()
    except LoginRequired:
        os.write(1, b"refused\n")
    else:
        os.write(1, b"served after the bound\n")


def main():
    url, user, count, fresh = sys.argv[1:]
    provider_cache.FRESH = float(fresh)
    children = []
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            try:
                act(url, user)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
