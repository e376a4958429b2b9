"""Where sessions are kept, under which key, and the state of this one."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from lakekey._commands import look_at, quoted
from lakekey.cache import keys_of_entries
from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.cli.doctor.finding import FAILED, OK, WARNING, Check
from lakekey.cli.output import in_words
from lakekey.configuration.target import Target
from lakekey.session.expiry import is_live
from lakekey.session.session import Session

if TYPE_CHECKING:
    from lakekey.cache.access_list import Access


def check_cache(target: Target | None, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the cache can be used: its place, its permissions, its key.

    Raises:
        ConfigurationError, CacheError: It cannot.
    """
    settings = environ if target is None else target.cache_environment(environ)
    cache = open_cache(settings, place=target.store if target is not None else None)
    place = cache.store.where
    if cache.store.shared:
        yield from _check_shared(cache)
        return
    if os.path.isdir(place):
        yield _check_directory(place, _entries(cache))
    else:
        yield Check("cache", OK, f"{place} {_entries(cache)}")
    ring = cache.ring
    if ring.keys:
        yield Check("key", OK, f"from {ring.source} {ring.where}, current {ring.current.hex()}")
    else:
        yield Check("key", OK, "none yet: it is chosen with the first sign-in")


def _check_shared(cache: Cache) -> Iterator[Check]:
    failed = False
    for finding in cache.store.examine():
        failed |= finding.status == FAILED
        yield Check(f"store {finding.name}", finding.status, finding.finding, finding.next_step)
    for finding in () if failed else keys_of_entries.findings(cache):
        yield Check(finding.name, finding.status, finding.finding, finding.next_step)


def _check_directory(place: str, entries: str) -> Check:
    if sys.platform == "win32":  # modes mean nothing there
        from lakekey.cache.access_list import who_may_enter

        return _check_access_list(place, entries, who_may_enter)
    mode = f"mode {stat.S_IMODE(os.lstat(place).st_mode):04o}"
    if os.access(place, os.W_OK):
        return Check("cache", OK, f"{place}, {mode}, {entries}")
    step = f"chmod u+w {quoted(place)}, or set LAKEKEY_CACHE_DIR to another place"
    return Check("cache", FAILED, f"{place} cannot be written to ({mode})", step)


def _check_access_list(place: str, entries: str, who_may_enter: "Callable[[str], Access]") -> Check:
    try:
        access = who_may_enter(place)
    except OSError as error:
        said = f"its access-control list cannot be read ({error.strerror})"
        return Check("cache", WARNING, f"{place}, {said}, {entries}", look_at(place))
    if access.others:
        said = f"its access-control list lets in others than you: {', '.join(access.others)}"
        return Check("cache", WARNING, f"{place}, {said}, {entries}", access.close)
    said = "its access-control list lets in you, the system and administrators only"
    return Check("cache", OK, f"{place}, {said}, {entries}")


def check_session(target: Target, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether there is a session, whose, and for how long.

    Raises:
        CacheError: The cache cannot be read.
    """
    session = Session(target, environ=environ)
    entry = session.peek()
    now = time.time()
    if entry is not None and session.credential.has_seen_newer(entry):
        said = "the store went back in time: this host has seen a newer session than it has (fail-over, or restored)"
        yield Check("store time", WARNING, said, f"run: {target.login_command}")
    if entry is not None and entry.refused is not None:
        step = f"run: {target.login_command}"
        yield Check("session", FAILED, entry.refused.message, step, login=True)
    elif entry is not None and entry.access_token and is_live(entry.issued_at, entry.expires_at, now):
        who = entry.identity or target.client_id or target.subject
        trouble = f"; the last renewal failed: {entry.failure.message}" if entry.failure else ""
        said = f"{who}, token ends {in_words(entry.expires_at - now)}{trouble}"
        yield Check("session", WARNING if trouble else OK, said, entry.failure.hint if entry.failure else None)
    elif entry is not None and entry.refresh_token:
        yield Check("session", OK, f"{entry.identity or 'a person'}, renewed with the next use")
    elif target.is_person:
        step = f"run: {target.login_command}"
        yield Check("session", FAILED, "not signed in", step, login=True)
    elif entry is not None and entry.failure is not None:
        yield Check("session", FAILED, entry.failure.message, entry.failure.hint)
    else:
        yield Check("session", OK, "none; the first use fetches a token")


def _entries(cache: Cache) -> str:
    count = len(cache.list())
    return f"{count} entry" if count == 1 else f"{count} entries"
