"""Reading all entries of a store, one after the other.

A store that hosts share is asked for pages: a hundred thousand entries are a few hundred questions, and no more than
one page of them is in memory. A store of one machine is asked for each; there a question costs next to nothing.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from lakekey.cache.stores.store import Reading
from lakekey.errors import CacheError

if TYPE_CHECKING:
    from lakekey.cache.stores.store import SharedStore, Store

_PAGE = 500  # entries of a few kilobytes each


def all_entries(
    store: "Store", *, after: str = "", observe: Callable[[float | None, float, float], None] | None = None
) -> Iterator[tuple[str, Reading | CacheError]]:
    """All entries in order, sealed; where one cannot be read, what that raises.

    Args:
        store: The store.
        after: Begin behind this id.
        observe: Is told the store's time in a page, and this machine's before and after the question.

    Raises:
        CacheError: The store cannot be read at all.
    """
    if not store.shared:
        for entry_id in store.list(after=after):
            try:
                reading = store.read(entry_id)
            except CacheError as error:
                yield entry_id, error
            else:
                yield entry_id, reading
        return
    while True:
        asked_at = time.time()
        page = cast("SharedStore", store).read_page(after=after, limit=_PAGE)
        if observe is not None and page:
            observe(page[0][1].now, asked_at, time.time())
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]
