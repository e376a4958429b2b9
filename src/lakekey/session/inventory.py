"""All sessions of a cache: whose they are, how they stand, and which profile leads to each *today*.

An entry remembers the profile under which it was signed in. The configuration may have changed since, so a row is named
by the profile that resolves to it now, if there is one.
"""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from lakekey import _moments
from lakekey.cache.cache import Cache
from lakekey.cache.client_secrets import is_secret
from lakekey.cache.entry import Entry, Failure, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration import databrickscfg
from lakekey.configuration.settings import DELEGATED, U2M
from lakekey.configuration.target import DEFAULT_CLIENT, DEFAULT_SCOPES, Target, resolve
from lakekey.errors import CacheError, ConfigurationError, LakekeyError, StoreUnavailable
from lakekey.session.expiry import is_live, session_end

SIGNED_IN, RENEWABLE = "signed in", "renews itself"
SIGNED_OUT, EXPIRED, FAILED = "signed out", "expired", "failed"
BY_ITSELF, BY_THE_SDK = "signs in by itself", "signed in by the SDK"
#: The states in which a person has to do something first.
NEEDS_LOGIN = (SIGNED_OUT, EXPIRED, FAILED)

_ALIKE = 20  # entries that begin alike, of which a message may name some
_END = 250_000_000_000  # seconds: the year 9892, beyond which some time zones have no date
# What an entry remembers of its target, by the settings' names.
_REMEMBERED = (
    "host",
    "auth_type",
    "client_id",
    "user",
    "group_id",
    "account_id",
    "scopes",
    "discovery_url",
    "authorization_details",
    "ca_file",
)


class SessionInfo(NamedTuple):
    """One session of this machine's cache; it holds no secret.

    Attributes:
        entry: The id of its entry, which ``lakekey logout`` takes (12 characters of it will do).
        host: The workspace, or the account console.
        profile: The profile that leads to it today, or ``None``.
        auth_type: The SDK's name of the grant.
        identity: The person, or the service principal's application id, where it is known.
        state: ``signed in``, ``renews itself``, ``signs in by itself``, ``signed out``, ``expired`` or ``failed``.
        expires_at: When its access token expires, in UTC, or ``None``.
        ends_at: When a person has to sign in again at the latest, in UTC, or ``None``: that is not known.
    """

    entry: str
    host: str
    profile: str | None
    auth_type: str
    identity: str | None
    state: str
    expires_at: datetime | None
    ends_at: datetime | None


class Found(NamedTuple):
    """An entry of the cache, as it was found.

    Attributes:
        entry_id: Its id.
        entry: What it says, or ``None`` if it cannot be opened.
        profiles: The profiles that lead to it today.
        trouble: Why it cannot be opened.
    """

    entry_id: str
    entry: Entry | None
    profiles: tuple[str, ...] = ()
    trouble: CacheError | None = None

    @property
    def info(self) -> SessionInfo:
        """What there is to say about it."""
        entry = self.entry or Entry({})
        return SessionInfo(
            entry=self.entry_id,
            host=entry.about.get("host", ""),
            profile=self.profiles[0] if self.profiles else None,
            auth_type=entry.about.get("auth_type", ""),
            identity=identity_of(entry),
            state=state_of(entry) if self.entry is not None else FAILED,
            expires_at=moment(entry.expires_at),
            ends_at=moment(session_end(entry)),
        )


def sessions() -> list[SessionInfo]:
    """The sessions of this machine's cache, as ``lakekey status`` lists them. Nothing is sent.

    Raises:
        CacheError: The cache cannot be read.
    """
    return [each.info for each in find(open_cache())]


def find(cache: Cache, environ: Mapping[str, str] | None = None) -> list[Found]:
    """All sessions of a cache. Secrets that are sealed beside them are not among them.

    Args:
        cache: The cache.
        environ: The environment, which names the profiles' file; ``None`` for this process's.
    """
    return list(walk(cache, environ))


def walk(cache: Cache, environ: Mapping[str, str] | None = None, *, after: str = "") -> Iterator[Found]:
    """The same, one after the other: a shared store may hold a hundred thousand, of which this keeps a page.

    Args:
        cache: The cache.
        environ: The environment, as above.
        after: Begin behind the entry whose id begins so.
    """
    leads: dict[str, list[str]] | None = None
    for name, stored in cache.walk(after=f"{after.lower()}~" if after else ""):
        if isinstance(stored, CacheError):
            entry, trouble = None, stored
        elif stored.entry is None or is_secret(stored.entry):
            continue
        else:
            entry, trouble = stored.entry, None
        if leads is None:
            leads = _profiles_by_entry(os.environ if environ is None else environ)
        yield Found(name, entry, tuple(leads.get(name, ())), trouble)


def state_of(entry: Entry) -> str:
    """How a session stands, in words."""
    person = entry.about.get("auth_type") == U2M
    if entry.about.get("auth_type") in DELEGATED:
        return BY_THE_SDK
    if entry.access_token and is_live(entry.issued_at, entry.expires_at, time.time()):
        return SIGNED_IN
    if entry.refresh_token or (entry.access_token and not person):
        return RENEWABLE
    if trouble_of(entry) is not None:
        return EXPIRED if person and entry.refused is not None else FAILED
    if person:
        return EXPIRED if entry.access_token else SIGNED_OUT
    return BY_ITSELF


def trouble_of(entry: Entry) -> Failure | None:
    """What went wrong last."""
    return entry.refused or entry.failure


def identity_of(entry: Entry) -> str | None:
    """The person who signed in, or the service principal."""
    return entry.identity or (None if entry.about.get("auth_type") == U2M else entry.about.get("client_id"))


def profiles_of(target: Target, environ: Mapping[str, str]) -> dict[str, Target]:
    """The profiles that lead to the same credential as a target, in the file's order, and the target of each."""
    wanted = entry_id(target.cache_key_fields())
    return {name: one for name, one in _targets(_of_the_file(environ)) if entry_id(one.cache_key_fields()) == wanted}


def target_of(found: Found, environ: Mapping[str, str] | None = None) -> Target | None:
    """The target that leads to an entry, from the profile of today or else from what the entry remembers.

    Returns:
        The target; ``None`` if neither leads to this very entry, or a secret would be needed that is not here.
    """
    environ = os.environ if environ is None else environ
    about = dict((found.entry or Entry({})).about)
    for name in found.profiles:
        return resolve(name, _of_the_file(environ))
    given = {name: about[name] for name in _REMEMBERED if about.get(name)}
    if given.get("client_id") == DEFAULT_CLIENT and given.get("auth_type") == U2M:
        del given["client_id"], given["auth_type"]  # what is the default need not stand in the command to sign in
    own = {name: value for name, value in environ.items() if name.startswith("LAKEKEY_")}
    for scopes in dict.fromkeys((tuple(about.get("scopes", ())), (), (found.entry or Entry({})).scopes)):
        given["scopes"] = scopes if scopes not in ((), DEFAULT_SCOPES) else None
        try:
            target = resolve(None, own, **given)
        except ConfigurationError:
            continue
        if entry_id(target.cache_key_fields()) == found.entry_id:
            return target
    return None


def _profiles_by_entry(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Entry id → the names of the profiles that lead to it, in the file's order."""
    leads: dict[str, list[str]] = {}
    for name, target in _targets(_of_the_file(environ)):
        leads.setdefault(entry_id(target.cache_key_fields()), []).append(name)
    return leads


def _targets(environ: Mapping[str, str]) -> Iterator[tuple[str, Target]]:
    try:
        profiles, _ = databrickscfg.profiles(environ.get("DATABRICKS_CONFIG_FILE"))
    except ConfigurationError:
        return  # a file that cannot be read is doctor's matter; the sessions are there all the same
    for profile in profiles:
        try:
            yield str(profile.name), resolve(profile.name, environ)
        except LakekeyError:
            continue


def _of_the_file(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the settings that it has of its own: what the file alone says."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("DATABRICKS_", "ARM_"))}
    file = environ.get("DATABRICKS_CONFIG_FILE", "").strip()
    return {**kept, "DATABRICKS_CONFIG_FILE": file} if file else kept


def moment(seconds: float) -> datetime | None:
    """A time of an entry, in UTC; ``None`` if it is not known, or has no date."""
    return _moments.utc(seconds) if 0 < seconds < _END else None


def by_prefix(cache: Cache, text: str, environ: Mapping[str, str] | None = None) -> list[Found]:
    """The sessions whose id begins with a text of 6 or more hexadecimal digits. Only these are read."""
    short = text.lower()
    if len(short) < 6 or any(digit not in "0123456789abcdef" for digit in short):
        return []
    # What begins with the text comes right behind it; a whole id is found by itself.
    names = [short, *cache.store.list(after=short, limit=_ALIKE)]
    found = [_found(cache, name) for name in names if name.startswith(short)]
    kept = [each for each in found if each is not None]
    if not kept:
        return []
    leads = _profiles_by_entry(os.environ if environ is None else environ)
    return [each._replace(profiles=tuple(leads.get(each.entry_id, ()))) for each in kept]


def _found(cache: Cache, name: str) -> Found | None:
    try:
        entry = cache.get(name)
    except StoreUnavailable:
        raise
    except CacheError as error:
        return Found(name, None, trouble=error)
    return Found(name, entry) if entry is not None and not is_secret(entry) else None
