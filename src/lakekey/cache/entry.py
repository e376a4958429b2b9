"""What the cache keeps for one credential, as plain data."""

from __future__ import annotations

import hashlib
import json

from lakekey import _json
from lakekey._named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

_FORMAT = 1
_MOST = 8 << 20  # as `lakekey.cache.private_files` has it
# Of an entry whose refresh token is being spent: a release that does not know this leaves it alone, instead of sending
# the token a second time.
_SPENDING_FORMAT = 2

# What an entry is (`Entry.kind`). All but the first two have names that begin with a prefix, so that a list of sessions
# opens none of them.
SESSION, CLIENT_SECRET, DISCOVERY = "session", "client-secret", "discovery"
WEB_APPS, WEB_FLOWS = "web-apps", "web-flows"
DISCOVERY_PREFIX, WEB_PREFIX = "discovery-", "web-"


class NewerEntry(ValueError):
    """A later release wrote this. It is not damaged, and is to be left as it is."""


class Failure(NamedTuple):
    """How the last attempt went wrong, so that siblings learn it from the entry instead of repeating it.

    Attributes:
        code: The code of the error that was raised (`lakekey.errors.LakekeyError.code`).
        message: Its message, which holds no secret.
        at: When, in seconds since the epoch (UTC).
        hint: Its hint.
        detail: The server's status or error code, where there was one.
        retry_after: Seconds that the server asked to wait, where it did.
        proof: Whose failure it was, as `Entry.proof` has it: a wrong secret does not fail for the right one.
    """

    code: str
    message: str
    at: float
    hint: str | None = None
    detail: str | None = None
    retry_after: float | None = None
    proof: str = ""


class Entry(NamedTuple):
    """One credential: its tokens, whose they are, and how its last refresh went. Times are epoch seconds (UTC).

    Attributes:
        about: What a person needs to recognise it: host, auth_type, client_id, scopes, profile, …; no secrets.
        generation: Counts the stored versions, from 1; a higher one is newer.
        access_token: The bearer token, or ``""`` if there is none.
        token_type: ``Bearer``.
        issued_at: When its request was sent, by this machine's clock.
        expires_at: ``issued_at`` and the lifetime that the server named.
        refresh_token: The token for the next refresh, or ``""``: none was given, or it was refused.
        scopes: The scopes granted.
        identity: Who signed in (U2M), by user name or mail address, where the server says.
        logged_in_at: When a person last signed in (U2M).
        refused: Why the session is over; siblings do not try its dead token again.
        failure: How the last attempt failed, until the next success.
        rotates: Whether a refresh since the sign-in has replaced the refresh token; ``None`` before the first.
        proof: The digest of the secret that fetched an M2M token (`Target.secret_digest`), under its stored name.
        refresh_expires_at: When the refresh token expires, or 0 if unknown.
        session_ends_at: When the session ends whatever is refreshed, or 0 if unknown.
        client_secret: The secret of an OAuth app, in an entry that holds nothing else (`lakekey.cache.client_secrets`).
        on_trial: Whether the access token replaced one that a server had refused. If it is refused as well, the token
            is probably not what is wrong.
        spending: The intent to spend the refresh token, in a store that hosts share (`lakekey.session.intent.Intent`):
            written before the token is sent, and replaced by the answer.
    """

    about: dict[str, Any]
    generation: int = 0
    access_token: str = ""
    token_type: str = "Bearer"
    issued_at: float = 0.0
    expires_at: float = 0.0
    refresh_token: str = ""
    scopes: tuple[str, ...] = ()
    identity: str | None = None
    logged_in_at: float = 0.0
    refused: Failure | None = None
    failure: Failure | None = None
    rotates: bool | None = None
    proof: str = ""
    refresh_expires_at: float = 0.0
    session_ends_at: float = 0.0
    client_secret: str = ""
    on_trial: bool = False
    spending: tuple[Any, ...] | None = None

    @property
    def kind(self) -> str:
        """What it is: `SESSION`, `CLIENT_SECRET` or `DISCOVERY`. An entry that does not say is a session."""
        return str(self.about.get("kind", SESSION))

    def __repr__(self) -> str:
        held = " and ".join(
            name for name, token in (("access", self.access_token), ("refresh", self.refresh_token)) if token
        )
        return f"Entry({self.about.get('host')}, generation {self.generation}, tokens: {held or 'none'})"

    def to_bytes(self) -> bytes:
        """The plaintext that is sealed."""
        version = _FORMAT if self.spending is None else _SPENDING_FORMAT
        return json.dumps({"format": version, **self._asdict()}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, plaintext: bytes) -> Self:
        """Read a plaintext back. Fields of later releases are ignored, missing ones take their defaults.

        Raises:
            NewerEntry: A later release wrote it.
            ValueError: It is not an entry.
        """
        fields = _json.loads(plaintext, longest=_MOST)
        version = fields.get("format") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > _SPENDING_FORMAT:
            raise NewerEntry(f"entry format {version} is of a later release")
        if version not in (_FORMAT, _SPENDING_FORMAT):
            raise ValueError("not an entry of this release")
        known = {name: fields[name] for name in cls._fields if name in fields}
        for name, value in known.items():
            if not isinstance(value, _KINDS[name]):
                raise ValueError(f"{name} is of the wrong kind")  # noqa: TRY004 - of the content, not of a caller
        if not _can_be_shown(known.get("about", {}), known.get("scopes", [])):
            raise ValueError("what it is of is of the wrong kind")
        known["scopes"] = tuple(known.get("scopes", ()))
        for name in ("refused", "failure"):
            if known.get(name) is not None:
                known[name] = Failure(*known[name][: len(Failure._fields)])
        if known.get("spending") is not None:
            known["spending"] = tuple(known["spending"])
        return cls(**known)


class Stored(NamedTuple):
    """An entry as it was read: what it says, and the very bytes that a write has to replace.

    Attributes:
        entry: The entry, or ``None`` if there is none that opens.
        envelope: The bytes read, or ``None``.
        damaged: Whether there was one that does not open, which is not the same as none.
    """

    entry: Entry | None
    envelope: bytes | None
    damaged: bool = False


def _kind(default: object) -> type | tuple[type, ...]:
    """What JSON makes of a value like this one."""
    if isinstance(default, tuple):
        return list
    return (int, float) if isinstance(default, float) else type(default)


def _can_be_shown(about: dict[str, Any], granted: list[Any]) -> bool:
    """Whether what a list of entries says of one is text: an entry that cannot be shown must not spoil the others'."""
    scopes = about.get("scopes", [])
    client = about.get("client_id")
    texts = [about.get("host", ""), about.get("auth_type", ""), "" if client is None else client, *granted]
    return isinstance(scopes, list) and all(isinstance(each, str) for each in (*texts, *scopes))


# What a default cannot say is said here; of every other field, also of one that is added later, it can.
_KINDS: dict[str, type | tuple[type, ...]] = {
    **{name: _kind(default) for name, default in Entry._field_defaults.items()},
    **dict.fromkeys(("refused", "failure", "spending"), (list, type(None))),
    "about": dict,
    "identity": (str, type(None)),
    "rotates": (bool, type(None)),
}


def entry_id(identity: Mapping[str, Any]) -> str:
    """The name of a credential's entry: SHA-256 of its identity as canonical JSON, in hexadecimal."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
