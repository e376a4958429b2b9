"""A process of greenlets: gevent patches it ``first``, or ``late``, when a token was fetched over TLS before."""

import sys
import warnings

if "first" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

import lakekey
from support.reports import report


def first():
    import gevent

    provider = lakekey.provider()
    asking = [gevent.spawn(provider.token) for _ in range(10)]
    gevent.sleep(0.2)
    for _ in range(5):
        gevent.sleep(0.01)
    report("beats")
    gevent.joinall(asking, raise_error=True)
    report("result", tokens=[greenlet.value.access_token for greenlet in asking])


def late():
    provider = lakekey.provider()
    token = provider.token().access_token
    warnings.simplefilter("ignore")  # gevent's own word about it
    from gevent import monkey

    monkey.patch_all()
    live = provider.token().access_token
    provider.served(token)
    try:
        provider.invalidate(token)
    except Exception as error:
        report("result", live=live, error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    first() if "first" in sys.argv else late()
