"""Sessions that other tools keep in plain text: databricks-sdk for Python, and the Databricks CLI.

databricks-sdk (as its released source has it): one JSON file a session in ``~/.config/databricks-sdk-py/oauth``, named
by the SHA-256 of host, client, scopes, profile and role; inside ``{"token": {…}}``, with the expiry in local time.

The CLI (as documented): ``~/.databricks/token-cache.json``, ``{"version": 1, "tokens": {KEY: {…}}}``, where a key is a
profile's name, a workspace's host or an account's issuer; always of the client ``databricks-cli`` with ``all-apis``.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from lakekey import _json
from lakekey._imports import expanded
from lakekey.cache import durable_files, safe_path
from lakekey.cache.entry import Entry
from lakekey.configuration.target import DEFAULT_CLIENT, DEFAULT_SCOPES, Target
from lakekey.errors import UnsafeCache
from lakekey.oauth.discovery import default_issuer

SDK = "databricks-sdk"
CLI = "Databricks CLI"
_SDK_DIRECTORY = "~/.config/databricks-sdk-py/oauth"
_CLI_FILE = "~/.databricks/token-cache.json"
_MOST = 4 << 20
_USUAL_LIFETIME = 3600.0
_LONGEST_LIFETIME = 86400.0  # as of a token that comes from a server


class PlainSession(NamedTuple):
    """A session in a plain-text file.

    Attributes:
        tool: Whose it is.
        path: The file.
        key: Its key in the file, where that holds several.
        access_token: The bearer token.
        refresh_token: The refresh token, or ``""``.
        expires_at: When the access token ends, in epoch seconds.
    """

    tool: str
    path: str
    key: str | None
    access_token: str
    refresh_token: str
    expires_at: float

    def __repr__(self) -> str:
        return f"PlainSession({self.tool}, {self.path})"

    def entry(self, target: Target) -> Entry:
        """The session as an entry of our cache."""
        now = time.time()
        return Entry(
            about=target.description(),
            access_token=self.access_token,
            # When it was issued is not written down; what counts is that it was not in the future.
            issued_at=min(now, self.expires_at - _USUAL_LIFETIME),
            expires_at=self.expires_at,
            refresh_token=self.refresh_token,
            scopes=target.scopes,
        )


def find(target: Target) -> list[PlainSession]:
    """The sessions for a target, best first. None for a service principal.

    A profile that names its user gets none: the files do not say whose sessions they hold.
    """
    if not target.is_person or target.user:
        return []
    found = [*_of_the_sdk(target), *_of_the_cli(target)]
    return sorted(found, key=lambda session: (bool(session.refresh_token), session.expires_at), reverse=True)


def hosts() -> list[tuple[str, str | None]]:
    """The hosts that the CLI has sessions for under no profile's name, with the account where there is one."""
    found = []
    for key in _cli_tokens():
        host, separator, account = key.partition("/oidc/accounts/")
        if host.startswith("https://"):
            found.append((host, account if separator else None))
    return found


def delete(session: PlainSession) -> None:
    """Delete a session from its file, and the file where it holds no other.

    Raises:
        OSError: It cannot be deleted.
    """
    path = os.path.realpath(session.path)  # the file and not a link to it, which would leave the secret where it is
    if session.key is None:
        durable_files.remove(path)
        return
    content = _read(path)
    tokens = content.get("tokens") if content else None
    if content is None or not isinstance(tokens, dict):
        return
    tokens.pop(session.key, None)
    if tokens:
        durable_files.replace(path, json.dumps(content, indent=2).encode() + b"\n")
    else:
        durable_files.remove(path)


def _of_the_sdk(target: Target) -> Iterator[PlainSession]:
    scopes = [*target.scopes, "offline_access"]
    for profile in dict.fromkeys((target.profile or "", "", "DEFAULT")):
        named = {"host": target.host, "client_id": target.client_id, "scopes": scopes, "profile": profile}
        if target.group_id:
            named["group_id"] = target.group_id
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
        path = os.path.join(expanded(_SDK_DIRECTORY), f"{digest}.json")
        content = _read(path)
        if content is not None:
            yield from _session(SDK, path, None, content.get("token"))


def _of_the_cli(target: Target) -> Iterator[PlainSession]:
    if (target.client_id, target.scopes, target.group_id) != (DEFAULT_CLIENT, DEFAULT_SCOPES, None):
        return
    names = {target.profile, target.host, default_issuer(target.host, target.account_id)}
    if target.account_id and not default_issuer(target.host, target.account_id).endswith(target.account_id):
        names.add(f"{target.host}/oidc/accounts/{target.account_id}")
    for key, token in _cli_tokens().items():
        if key.rstrip("/") in names:
            yield from _session(CLI, expanded(_CLI_FILE), key, token)


def _cli_tokens() -> dict[str, Any]:
    content = _read(expanded(_CLI_FILE))
    tokens = content.get("tokens") if content is not None and content.get("version") == 1 else None
    return tokens if isinstance(tokens, dict) else {}


def _session(tool: str, path: str, key: str | None, token: Any) -> Iterator[PlainSession]:
    if not isinstance(token, dict):
        return
    texts = [token.get(name) or "" for name in ("access_token", "refresh_token", "expiry", "token_type")]
    if not all(isinstance(text, str) for text in texts):
        return
    access_token, refresh_token, expiry, token_type = texts
    try:
        # Without a zone it is local time, as the SDK writes it.
        expires_at = datetime.fromisoformat(expiry).timestamp()
    except (ValueError, OverflowError, OSError):
        expires_at = 0.0
    expires_at = max(0.0, min(expires_at, time.time() + _LONGEST_LIFETIME))
    # RFC 6750 §2.1: visible characters only, or it could smuggle a second header into a request.
    if not (access_token.isascii() and access_token.isprintable() and " " not in access_token):
        return
    if access_token and (token_type or "Bearer").lower() == "bearer" and (refresh_token or expires_at > time.time()):
        yield PlainSession(tool, path, key, access_token, refresh_token, expires_at)


def _read(path: str) -> dict[str, Any] | None:
    """A file of ours as a JSON object; ``None`` if there is none, or another user owns it or can write to it.

    A session that another user hands us would be theirs, and we would work in it.
    """
    try:
        real = safe_path.resolve_file(path)
        descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, UnsafeCache):
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not safe_path.is_ours_alone(status):
            return None
        text = file.read(_MOST)
    try:
        content = _json.loads(text, longest=_MOST)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
