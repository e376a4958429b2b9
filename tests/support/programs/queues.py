"""A process that asks for a header, and reports when it first comes to the entry's lock.

Whatever fails after that report has failed while it was waiting.
"""

import itertools

import lakekey
from lakekey.cache.cache import Cache
from support.reports import outcome, report

_lock = Cache.lock
_tries = itertools.count()


def _reporting_lock(cache, entry_id, **named):
    if next(_tries) == 0:
        report("queued")
    return _lock(cache, entry_id, **named)


if __name__ == "__main__":
    Cache.lock = _reporting_lock
    provider = lakekey.provider()
    report("result", **outcome(lambda: provider.headers()["Authorization"]))
