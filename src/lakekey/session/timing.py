"""How long the steps of a session take, wait and pause. Handed in where a test cannot wait as long."""

from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds, but for `attempts`.

    Attributes:
        attempts: How often one exchange is tried.
        first_pause: Before the second attempt; each pause is twice the one before, and spread by half of it.
        exchange_deadline: For one exchange with all its attempts. Below the bound on waiting for the lock, so that
            waiters outlast a holder that retries.
        margin: What reading, storing and a slow machine may add before a waiter gives up.
        early_pause: How long an endpoint that failed is not asked ahead of time.
        login_cool_down: How long no other tab opens unasked after a sign-in that failed.
        wait_notice: How long a program waits for another process before it says so; a refresh is over by then.
        store_patience: How long an answer is tried to be stored in a store that is away.
        write_patience: How long it is tried to be written where the operating system refuses: a disk that is full, or a
            limit of open files, may be so for a moment.
        recheck: How long a near copy is enough; ``None``: `lakekey.cache.near.CHECKED`.
        stale_pause: Between two tries of a provider to replace a token that is stale but lives; doubled by failures.
    """

    attempts: int = 4
    first_pause: float = 0.25
    exchange_deadline: float = 45.0
    margin: float = 15.0
    early_pause: float = 10.0
    login_cool_down: float = 30.0
    wait_notice: float = 1.0
    stale_pause: float = 10.0
    store_patience: float = 20.0
    write_patience: float = 5.0
    recheck: float | None = None


USUAL = Timing()
