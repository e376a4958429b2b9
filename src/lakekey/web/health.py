"""Whether the store can be read, as probes ask."""

import time
from collections.abc import Callable

from lakekey.errors import LakekeyError
from lakekey.web.threads import HEALTH, Threads

#: Seconds for which a good answer stands: anyone may ask, as often as they like, and the store is looked at once.
STANDS = 1.0


class Health:
    """What probes are told.

    Args:
        look: Looks at the store.
        threads: The portal's.
        stands: Seconds for which a good answer stands. A bad one does not, so that recovery shows at once.
    """

    def __init__(self, look: Callable[[], object], threads: Threads, *, stands: float = STANDS) -> None:
        self._look = look
        self._threads = threads
        self._stands = stands
        self._good_until = float("-inf")

    async def trouble(self) -> str | None:
        """The code of the error that the store answers with; ``None`` if it can be read.

        Raises:
            Busy: There was no turn in time.
        """
        if self._is_good():
            return None
        return await self._threads.run(HEALTH, self._ask)

    def _is_good(self) -> bool:
        return time.monotonic() < self._good_until

    def _ask(self) -> str | None:
        if self._is_good():  # another request has looked while this one waited
            return None
        try:
            self._look()
        except LakekeyError as error:
            return error.code
        self._good_until = time.monotonic() + self._stands
        return None
