"""Sign-ins that have begun: sealed rows in the store, one for each user, which any worker can take up.

A sign-in goes through its stages once: it is taken from one to the next by a compare-and-swap on the row, before
anything is sent (RFC 9700 §4.7). A reloaded page reads the stage that the first load left. Rows are bounded for each
user, and those that have expired are removed by whichever worker comes by.
"""

import hashlib
import hmac
import random
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeVar

from lakekey import _log
from lakekey.cache.cache import Cache
from lakekey.cache.entry import WEB_FLOWS, Entry, Stored
from lakekey.cache.refusals import Refusals
from lakekey.errors import CacheError, CacheWriteFailed, LoginFailed
from lakekey.web import one_connection

PREFIX = "web-flows-"
#: Seconds that a sign-in may take.
LIFETIME = 600.0
#: Sign-ins of one user that are kept; of more, the oldest is forgotten.
MOST_OF_A_USER = 16
#: Users who may have sign-ins open at once.
MOST_USERS = 20_000
#: Seconds after which a worker that redeems a code is taken for dead.
REDEMPTION = 60.0

# The stages of a sign-in.
OPEN, ANSWERED, REDEEMING, ASKING, DONE = "open", "answered", "redeeming", "asking", "done"

_PATIENCE = 20.0
_STATE = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{43}")
_HANDLE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")
_SWEEP_EVERY = 60.0
_SWEEP_AGAIN = 1.0  # while there are too many
_SWEPT_AT_ONCE = 64
T = TypeVar("T")


class Flow(NamedTuple):
    """One sign-in that has begun.

    Attributes:
        state: The digest of its ``state``.
        browser: The digest of the browser's cookie.
        user: Who began it, by the host application's name.
        user_id: That person's unchanging id, where the host application has one.
        profile: What is signed in to; ``""`` if no profile is named.
        host: The workspace.
        registration: The app's name, which is the last part of the redirect URI.
        client_id: The app's client id.
        redirect_uri: The redirect URI that was sent.
        verifier: The code verifier (RFC 7636), a secret.
        nonce: What the ID token must carry, or ``None``.
        issuer: The authorization server that it was sent to.
        iss_expected: Whether the answer must name the issuer (RFC 9207 §2.3).
        return_to: The page of the host application to go on to, or ``""``.
        expires_at: When it is too late, in epoch seconds.
        stage: One of the stages above.
        since: When it came to that stage, in epoch seconds.
        answer: The parameters of the authorization answer, from ``answered`` to ``redeeming``; secrets.
        tokens: What the person is asked about, while ``asking``; secrets.
        outcome: How it ended.
    """

    state: str
    browser: str
    user: str
    user_id: str
    profile: str
    host: str
    registration: str
    client_id: str
    redirect_uri: str
    verifier: str
    nonce: str | None
    issuer: str
    iss_expected: bool
    return_to: str
    expires_at: float
    stage: str = OPEN
    since: float = 0.0
    answer: dict[str, str] | None = None
    tokens: dict[str, Any] | None = None
    outcome: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Flow({self.profile or self.host}, {self.user}, {self.stage})"

    @property
    def handle(self) -> str:
        """What the second step is known by; it helps only the browser that began."""
        return f"{row_of(self.user, self.user_id)}.{self.state}"

    def ended(self, outcome: dict[str, Any]) -> "Flow":
        """The sign-in with its outcome, and without what only the exchange needed."""
        return self._replace(stage=DONE, outcome=outcome, answer=None, tokens=None, verifier="", nonce=None)


def row_of(user: str, user_id: str = "") -> str:
    """The row of a user's sign-ins: never the name itself, so that no name becomes a path or shows in an address.

    Two users of one name with different ids have a row each: neither pushes a sign-in of the other out.
    """
    whose = f"{user}\0{user_id}" if user_id else user
    return hashlib.sha256(f"lakekey flows\0{whose}".encode()).hexdigest()[:32]


def new_state(user: str, user_id: str = "") -> str:
    """A new ``state``: the user's row, and 256 random bits (RFC 6749 §10.12)."""
    return f"{row_of(user, user_id)}.{secrets.token_urlsafe(32)}"


def state_digest(state: str) -> str:
    """What a row keeps of a ``state``."""
    return hashlib.sha256(f"lakekey state\0{state}".encode()).hexdigest()


def handle_of_state(state: str) -> str | None:
    """The handle of the sign-in that a ``state`` belongs to; ``None`` if it is not one of ours."""
    match = _STATE.fullmatch(state)
    return f"{match[1]}.{state_digest(state)}" if match else None


class Seen(NamedTuple):
    """A sign-in as a look found it, if it did; and the row that it is in, which a change then need not read again."""

    flow: Flow | None
    row: Stored | None = None


class _Sweep:
    """When a store was last looked through in this process, and how many rows it has by what was begun here since."""

    at = 0.0
    rows = 0


_sweeps: dict[str, _Sweep] = {}


class FlowStore:
    """The sign-ins of a store.

    Args:
        cache: The store.
        clock: Seconds since the epoch; ``None`` for the store's.
        most_users: How many users may have sign-ins open.
    """

    def __init__(self, cache: Cache, *, clock: Callable[[], float] | None = None, most_users: int = MOST_USERS) -> None:
        self.cache = cache
        self._most_users = most_users
        self._clock = clock or cache.now
        self._sweep_of = _sweeps.setdefault(cache.store.where, _Sweep())

    def add(self, flow: Flow) -> None:
        """Keep a new sign-in.

        Raises:
            LoginFailed: Too many are open.
            CacheError: It could not be stored, or the other hosts could not open it.
        """
        self.cache.begin()
        self._sweep()
        row = row_of(flow.user, flow.user_id)

        def append(flows: list[Flow]) -> tuple[list[Flow], None]:
            # Of too many, those that are over go first, and then the oldest.
            self._sweep_of.rows += not flows
            kept = sorted(flows, key=lambda each: (each.stage != DONE, each.expires_at))[-(MOST_OF_A_USER - 1) :]
            return [*kept, flow], None

        self._change(row, append)

    def find(self, handle: str) -> Flow | None:
        """The sign-in of a handle, or ``None`` if there is none, or it has expired.

        Raises:
            CacheError: The row cannot be read.
        """
        return self.look(handle).flow

    def look(self, handle: str) -> Seen:
        """The same, with the row that it is in, for `change`."""
        match = _HANDLE.fullmatch(handle)
        if match is None:
            return Seen(None)
        row = self.cache.read(PREFIX + match[1])
        return Seen(_with_state(self._live(row.entry), match[2]), row)

    def change(self, handle: str, change: Callable[[Flow], Flow], *, seen: Stored | None = None) -> Flow | None:
        """Change a sign-in as one step: of two workers that try, the second sees what the first has left.

        Args:
            handle: Which.
            change: Gets the sign-in as it is, and returns it as it is to be.
            seen: The row as it was looked at just now; ``None`` to read it.

        Returns:
            The sign-in as it is now, or ``None`` if there is none.

        Raises:
            CacheError: It could not be stored; it is as it was.
        """
        match = _HANDLE.fullmatch(handle)
        if match is None:
            return None
        row, state = match[1], match[2]

        def replace(flows: list[Flow]) -> tuple[list[Flow], Flow | None]:
            found = _with_state(flows, state)
            if found is None:
                return flows, None
            changed = change(found)
            return [changed if each is found else each for each in flows], changed

        return self._change(row, replace, seen)

    def _change(self, row: str, change: Callable[[list[Flow]], tuple[list[Flow], T]], seen: Stored | None = None) -> T:
        name = PREFIX + row
        refusals = Refusals(self.cache.store, "took none of the steps of a sign-in", pause=one_connection.pause)
        while True:
            with self.cache.together(), self._row(name, seen) as stored:
                before = self._live(stored.entry)
                after, result = change(before)
                if after == before:
                    return result
                entry = Entry({"kind": WEB_FLOWS, "flows": [flow._asdict() for flow in after]}, issued_at=self._clock())
                # A row that a loss of power takes back costs its person one more sign-in, and no code is sent
                # twice: the connection says which sign-in it is of. Only tokens that are nowhere else outlast it.
                lasts = any(flow.tokens is not None for flow in after)
                if self.cache.put(name, entry, replaces=stored.envelope, synced=lasts) is not None:
                    self._be_durable(name)
                    return result
            refusals.wait()
            seen = None  # it was changed meanwhile

    def _row(self, name: str, seen: Stored | None) -> AbstractContextManager[Stored]:
        """A row, to be changed. In a store that hosts share, comparing and writing is one step, and needs no lease."""
        if self.cache.store.shared:
            return nullcontext(self.cache.read(name) if seen is None else seen)
        # No room is looked for first, as before a refresh: what cannot be stored is not begun, and costs nothing.
        return self.cache.locked(name, patience=_PATIENCE, to_write=False)

    def _be_durable(self, name: str) -> None:
        """Refuse a row that only this process would know of, since another worker would take the same step again."""
        if self.cache.volatile is None and not self.cache.keeps(name):
            raise CacheWriteFailed(
                f"a sign-in cannot be stored in {self.cache.store.where}", hint="free or fix that place"
            )

    def _live(self, entry: Entry | None) -> list[Flow]:
        if entry is None:
            return []
        now = self._clock()
        fields = entry.about.get("flows", [])
        flows = [Flow(**{name: each[name] for name in Flow._fields if name in each}) for each in fields]
        return [flow for flow in flows if now < flow.expires_at]

    def _sweep(self) -> None:
        """Remove rows in which nothing is left, now and then; without it each user who came once would leave one."""
        now, sweep = self._clock(), self._sweep_of
        over = sweep.rows > self._most_users
        if abs(now - sweep.at) < (_SWEEP_AGAIN if over else _SWEEP_EVERY):
            if over:
                raise _too_many()
            return
        sweep.at = now
        names = [name for name in self.cache.store.list(after=PREFIX) if name.startswith(PREFIX)]
        looked_at = random.sample(names, min(len(names), max(_SWEPT_AT_ONCE, len(names) // 8)))
        sweep.rows = len(names) - sum(self._remove_if_over(name) for name in looked_at)
        if sweep.rows > self._most_users:
            _log.warning("web", "%d users have sign-ins open; no more are begun", sweep.rows)
            raise _too_many()

    def _remove_if_over(self, name: str) -> bool:
        try:
            stored = self.cache.read(name)
            if stored.entry is None or self._live(stored.entry):
                return False
            with self.cache.lock(name, to_write=False) as held:
                return held and self.cache.delete(name, replaces=stored.envelope)
        except CacheError as error:
            _log.debug("web", "a row of sign-ins is left: %s", error.message)
            return False


def _too_many() -> LoginFailed:
    return LoginFailed("too many sign-ins are open", hint="try again in a few minutes")


def _with_state(flows: list[Flow], state: str) -> Flow | None:
    return next((flow for flow in flows if hmac.compare_digest(flow.state, state)), None)
