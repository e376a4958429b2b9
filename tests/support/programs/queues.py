"""A process that asks for a header, and reports when it first comes to the entry's lock.

Whatever fails after that report has failed while it was waiting.
"""

import itertools
from contextlib import contextmanager

import lakekey
from lakekey.cache.stores.file import FileStore
from support.reports import outcome, report

_lock = FileStore.lock
_tries = itertools.count()


@contextmanager
def _reporting_lock(store, entry_id, **named):
    if next(_tries) == 0:
        report("queued")
    with _lock(store, entry_id, **named) as held:
        yield held


if __name__ == "__main__":
    FileStore.lock = _reporting_lock
    provider = lakekey.provider()
    report("result", **outcome(lambda: provider.headers()["Authorization"]))
