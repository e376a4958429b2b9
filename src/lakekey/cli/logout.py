"""``lakekey logout``: of a profile, of a row that status shows, or of everything."""

import argparse
import contextlib
import itertools
import os
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from lakekey._single_flight import Cancelled, Waiter, on
from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import print_error, print_json, print_json_rows, print_step, print_text
from lakekey.cli.provider import nothing_is_there, target_of
from lakekey.configuration import databrickscfg
from lakekey.configuration.target import Target, normalize_host
from lakekey.errors import ConfigurationError, LakekeyError, StoreUnavailable
from lakekey.session import inventory, removal
from lakekey.session.inventory import Found
from lakekey.session.renewal import SignedOut
from lakekey.session.session import Session

_LOOKED_AT = 1000  # entries among which others of the same name are looked for: enough for those of one person
_SLICE = 0.25  # seconds: a wait without a limit could not be interrupted on Windows
_AT_A_TIME = 8  # sessions that --all signs out of: what an authorization server hardly notices
_AT_THE_SERVER = {
    "revoked": "The server has revoked it, too.",
    "not offered": "The server offers no revocation: copies of the token stay valid until it expires.",
    "refused": "The server refused to revoke it: copies of the token stay valid until it expires.",
    "failed": "The server did not confirm revocation: copies of the token stay valid until it expires.",
}


class _Done(NamedTuple):
    """One sign-out.

    Attributes:
        profile: The profile that leads to it, or ``None``.
        host: The host.
        removed: Whether there was a session.
        revocation: What became of it at the server, or ``None``.
    """

    profile: str | None
    host: str
    removed: bool
    revocation: str | None


def logout(arguments: argparse.Namespace) -> int:
    """Forget a session, or all."""
    if arguments.all:
        return _all(arguments)
    if arguments.forget_key:
        raise ConfigurationError("--forget-key works with --all", hint="lakekey logout --all --forget-key")
    if nothing_is_there(arguments):
        return _nothing(arguments)
    row = _row(arguments)
    done = _of_row(row) if row is not None else _of_target(_target(arguments))
    if arguments.json:
        print_json(done._asdict())
        return 0
    _tell(done, row)
    for other in _others(arguments, done) if row is None else ():
        whose = f" of {other.info.identity}" if other.info.identity else ""
        print_step(f"There is another session{whose} at {other.info.host}:", f"lakekey logout {other.entry_id[:12]}")
    return 0


def _target(arguments: argparse.Namespace) -> Target:
    try:
        return target_of(arguments)
    except ConfigurationError as error:
        if arguments.profile is not None and arguments.profile not in _profile_names():
            # What a profile led to that is gone is still there, as a row without a name.
            error.hint = f"{error.hint}; sessions without a profile are rows of: lakekey status"
        raise


def _nothing(arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(_Done(None, "", removed=False, revocation=None)._asdict())
    else:
        print_text("No person is signed in, so there is nothing to sign out of. All rows: lakekey status")
    return 0


def _tell(done: _Done, row: Found | None) -> None:
    if not done.removed:
        print_text(f"There was no session for {done.host}.")
    elif row is not None and row.entry is None:
        print_text(f"Removed the entry {row.entry_id[:12]}, which could not be opened.")
    elif row is not None and row.info.state == inventory.FAILED:
        print_text(f"Removed what was stored of the failed sign-in to {done.host}.")
    else:
        print_text(f"Signed out of {done.host}.")
        print_text(f"The session is removed from {open_cache().store.where}, for every process.")
        if done.revocation is not None:
            print_text(_AT_THE_SERVER[done.revocation])


def _of_target(target: Target) -> _Done:
    try:
        done: SignedOut = Session(target).sign_out()
    except LakekeyError as error:
        error.profile = error.profile or target.name
        raise
    return _Done(target.profile, target.host, done.removed is not None, done.revocation)


def _row(arguments: argparse.Namespace) -> Found | None:
    """The row that is meant: by its entry, or by host and identity where the configuration does not lead there."""
    named, settings = arguments.profile, target_settings(arguments)
    if named is not None and not settings:
        if named in _profile_names():
            return None
        rows = inventory.by_prefix(open_cache(), named)
        if len(rows) > 1:
            ids = ", ".join(each.entry_id[:16] for each in rows)
            raise ConfigurationError(f"several entries begin with {named}", hint=f"type more characters: {ids}")
        return rows[0] if rows else None
    if named is None and "host" in settings:
        host = normalize_host(settings["host"])
        wanted: dict[str, Any] = {
            name: settings[name] for name in ("client_id", "user", "auth_type") if name in settings
        }
        rows = [each for each in inventory.walk(open_cache()) if _fits(each, host, wanted)]
        # A service principal's row, which would need its secret to be named otherwise.
        if len(rows) == 1 and rows[0].entry is not None and rows[0].entry.about.get("auth_type") != "external-browser":
            return rows[0]
    return None


def _fits(row: Found, host: str, wanted: dict[str, Any]) -> bool:
    about = row.entry.about if row.entry is not None else {}
    return about.get("host") == host and all(about.get(name) == value for name, value in wanted.items())


def _of_row(row: Found) -> _Done:
    """Sign out of a row; one that the configuration cannot lead to is removed as it is."""
    info = row.info
    if info.auth_type == "external-browser" and (target := inventory.target_of(row)) is not None:
        return _of_target(target)._replace(profile=info.profile)
    return _Done(info.profile, info.host, removal.remove(open_cache(), row.entry_id), None)


def _others(arguments: argparse.Namespace, done: _Done) -> list[Found]:
    """What else there is under the name that was typed, so that no row is thought to be gone that is not."""
    name = arguments.profile
    if name is None:
        return []
    return [
        each
        for each in itertools.islice(inventory.walk(open_cache()), _LOOKED_AT)
        if each.entry is not None
        and (each.entry.about.get("profile") == name or (not done.removed and each.info.host == done.host))
    ]


def _profile_names() -> list[str]:
    found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)
    return [str(each.name) for each in found]


def _all(arguments: argparse.Namespace) -> int:
    if arguments.profile is not None or target_settings(arguments):
        raise ConfigurationError(
            "--all means every session: do not name a profile with it", hint="lakekey logout --all"
        )
    cache = open_cache()
    rows = iter(inventory.walk(cache))
    first = list(itertools.islice(rows, 1))
    if arguments.forget_key and not first and not cache.ring.where and not os.path.lexists(cache.store.where):
        if arguments.json:
            print_json({"sessions": [], "key_forgotten": False, "secrets_removed": 0})
        else:
            print_text("There was no session and no key.")
        return 0
    ended = _Ended(itertools.chain(first, rows))
    secrets: list[str] = []

    def key() -> dict[str, Any]:
        if arguments.forget_key and not ended.failed:
            secrets.extend(_forget(cache))
        return {"key_forgotten": arguments.forget_key and not ended.failed, "secrets_removed": len(secrets)}

    if arguments.json:
        with contextlib.closing(iter(ended)) as done:
            status = print_json_rows({}, "sessions", (each._asdict() for each in done), key)
        return status or (1 if ended.failed else 0)
    with contextlib.closing(iter(ended)) as done:
        for each in done:
            said = f" {_AT_THE_SERVER[each.revocation]}" if each.revocation is not None else ""
            print_text(f"Signed out of {each.host}.{said}" if each.host else "Removed an entry that cannot be opened.")
    if not ended.seen:
        print_text("There was no session.")
    if key()["key_forgotten"]:
        beside = f", with {len(secrets)} sealed secret{'s' if len(secrets) > 1 else ''}" if secrets else ""
        place = cache.ring.where
        print_text(f"The key is removed from {place}{beside}." if place else f"There was no key{beside}.")
        print_text(f"What is left contains no secret: {cache.store.where}")
    return 1 if ended.failed else 0


class _Ended:
    """Signs out of several rows at a time; one that cannot be ended is reported, and keeps no other from it.

    What a sign-out takes is mostly the wait for the authorization server, once for its metadata and once for the
    revocation. Each is reported when it ends. When this is interrupted, those that wait for a session's lock leave, and
    those that have begun are completed, and reported, before the interruption goes on.

    Attributes:
        seen: How many rows there were.
        failed: How many of them are still there.
    """

    def __init__(self, rows: Iterator[Found]) -> None:
        self._rows = rows
        self._under_way: dict[Future[_Done], tuple[Found, Waiter]] = {}
        self.seen = self.failed = 0

    def __iter__(self) -> Generator[_Done, None, None]:
        with ThreadPoolExecutor(_AT_A_TIME) as threads:
            try:
                for row in self._rows:
                    self.seen += 1
                    waiter = Waiter()
                    self._under_way[threads.submit(_as_waiter, waiter, row)] = row, waiter
                    yield from self._until_fewer_than(_AT_A_TIME)
                yield from self._until_fewer_than(1)
            except GeneratorExit:  # closed, as what was reported could not be printed: it may be the reader has gone
                self._cancel()
                for done in self._until_fewer_than(1, cancelled=True):
                    print_error(f"signed out of {done.host}" if done.host else "removed an entry", None)
                raise
            except BaseException:
                self._cancel()
                yield from self._until_fewer_than(1, cancelled=True)
                raise

    def _cancel(self) -> None:
        for _, waiter in self._under_way.values():
            waiter.cancel()

    def _until_fewer_than(self, number: int, *, cancelled: bool = False) -> Iterator[_Done]:
        """Report those that end, until fewer are under way."""
        while len(self._under_way) >= number:
            for done in wait(self._under_way, _SLICE, FIRST_COMPLETED).done:
                row, _ = self._under_way[done]
                try:
                    yield done.result(0)
                except (Cancelled, StoreUnavailable):
                    if not cancelled:
                        raise
                except LakekeyError as error:
                    self.failed += 1
                    name = row.info.profile or row.info.host or row.entry_id[:12]
                    print_error(f"{name}: {error.message}", error.hint)
                del self._under_way[done]  # not before it is reported


def _as_waiter(waiter: Waiter, row: Found) -> _Done:
    try:
        with on(waiter):
            return _of_row(row)
    except Cancelled:
        begun = waiter.commitment is not None and waiter.commitment.committed
        if not begun and open_cache().store.get(row.entry_id) is not None:
            raise
    # It is being removed, or its revocation is under way: a second call joins that.
    done = _of_row(row)
    return done._replace(removed=True, revocation=done.revocation or "failed")


def _forget(cache: Cache) -> list[str]:
    """Remove what is left in a cache, and its key. Returns the entries that held sealed secrets."""
    from lakekey.cache.keys.first_use import forget

    left = cache.list()
    for name in cache.store.list():
        removal.remove(cache, name)
    if cache.keys is not None:
        forget(cache.keys.place, cache.keys.environ)
    return left
