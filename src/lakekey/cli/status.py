"""``lakekey status``: who is signed in where, until when, and where it is kept."""

import argparse
import time
from typing import Any

from lakekey.cache.cache import Cache, open_cache
from lakekey.cache.client_secrets import is_secret
from lakekey.cache.entry import Entry
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import in_words, print_facts, print_json, print_table
from lakekey.cli.provider import provider_of
from lakekey.configuration.settings import DELEGATED, U2M
from lakekey.errors import CacheError
from lakekey.session.expiry import is_live, nears_end

_SIGNED_IN, _RENEWABLE, _OVER = "signed in", "renews itself", "over"
_BY_ITSELF, _BY_THE_SDK = "signs in by itself", "signed in by the SDK"
_WHAT_IT_MEANS = {
    _BY_ITSELF: "No token is kept yet: the first use fetches one.",
    _BY_THE_SDK: "The SDK's own strategy signs in; nothing of it is kept here.",
}


def status(arguments: argparse.Namespace) -> int:
    """Show the sessions of the cache, or the one of a profile; exit status 3 where that needs a login."""
    named = arguments.profile is not None or bool(target_settings(arguments))
    return _one(arguments) if named else _all(arguments)


def _one(arguments: argparse.Namespace) -> int:
    session = provider_of(arguments).session
    # What the SDK signs in does not enter the cache, which then is not even opened.
    cache = None if session.target.is_delegated else session.cache
    entry = session.peek() if cache is not None else None
    facts = _facts(session.entry_id, entry or Entry(session.target.about()))
    state, place = facts["state"], _place(cache)
    if arguments.json:
        print_json({**place, **facts})
    else:
        print_facts(
            {
                "profile": facts["profile"],
                "host": facts["host"],
                "grant": facts["auth_type"],
                "identity": facts["identity"],
                "role": f"group {facts['group_id']}" if facts["group_id"] else None,
                "state": state,
                "last error": _error(facts),
                "access token ends": _when(facts["expires_at"]),
                "refresh token ends": _when(facts["refresh_expires_at"]),
                "session ends": _when(facts["session_ends_at"]),
                "last renewed": _when(facts["renewed_at"]),
                "signed in": _when(facts["signed_in_at"]),
                "kept in": place["store"],
                "key": f"{place['key_source']} {place['key']}" if cache is not None else None,
                "because": place["key_reason"] or None,
                "entry": facts["entry"][:12] if cache is not None else None,
            }
        )
        if state in _WHAT_IT_MEANS:
            print(f"\n{_WHAT_IT_MEANS[state]}")
        if facts["nears_end"]:
            print(f"\nThe session ends soon. Sign in ahead with: {session.target.login_command}")
        if state == _OVER:
            # A service principal whose secret is refused would sign in by itself: only its configuration can be mended.
            mend = None if session.target.is_person else facts["next_step"]
            print(f"\nNext: {mend}" if mend else f"\nSign in with: {session.target.login_command}")
    return 3 if state == _OVER else 0


def _all(arguments: argparse.Namespace) -> int:
    cache = open_cache()
    found = []
    for entry_id in cache.list():
        try:
            entry = cache.get(entry_id)
        except CacheError as error:
            found.append({"entry": entry_id, "state": error.code, "host": "", "auth_type": "", "reason": error.message})
            continue
        if entry is not None and not is_secret(entry):
            found.append(_facts(entry_id, entry))
    place = _place(cache)
    if arguments.json:
        print_json({**place, "sessions": found})
        return 0
    if found:
        header = ("PROFILE", "HOST", "GRANT", "IDENTITY", "STATE", "TOKEN ENDS", "SESSION ENDS")
        rows = [
            (
                facts.get("profile") or "",
                facts["host"],
                facts["auth_type"],
                facts.get("identity") or ("" if facts["auth_type"] == U2M else facts.get("client_id")) or "",
                facts["state"],
                _when(facts.get("expires_at")) or "",
                _when(facts.get("session_ends_at") or facts.get("refresh_expires_at")) or "",
            )
            for facts in found
        ]
        print_table(header, rows)
        _print_troubles(found)
    else:
        print("No session yet. Begin with: lakekey login")
    print(f"\nKept in {place['store']}, sealed under the key from {place['key_source']} {place['key']}.")
    if place["key_reason"]:
        print(f"Why there: {place['key_reason']}.")
    return 0


def _facts(entry_id: str, entry: Entry) -> dict[str, Any]:
    live = bool(entry.access_token) and is_live(entry.issued_at, entry.expires_at, time.time())
    person = entry.about.get("auth_type") == U2M
    renewable = bool(entry.refresh_token) or (bool(entry.access_token) and not person)
    trouble = entry.refused or entry.failure
    if entry.about.get("auth_type") in DELEGATED:
        state = _BY_THE_SDK
    elif live or renewable:
        state = _SIGNED_IN if live else _RENEWABLE
    else:
        state = _OVER if person or trouble is not None else _BY_ITSELF
    return {
        "entry": entry_id,
        "host": entry.about.get("host", ""),
        "profile": entry.about.get("profile"),
        "auth_type": entry.about.get("auth_type", ""),
        "client_id": entry.about.get("client_id"),
        "identity": entry.identity,
        "scopes": list(entry.scopes),
        "state": state,
        "group_id": entry.about.get("group_id"),
        "reason": trouble.message if trouble is not None else None,
        "failed_at": _iso(trouble.at) if trouble is not None else None,
        "next_step": trouble.hint if trouble is not None else None,
        "refresh_expires_at": _iso(entry.refresh_expires_at if entry.refresh_token else 0.0),
        "session_ends_at": _iso(entry.session_ends_at if entry.refresh_token else 0.0),
        "nears_end": nears_end(entry, time.time()),
        "expires_at": _iso(entry.expires_at),
        "renewed_at": _iso(entry.issued_at),
        "signed_in_at": _iso(entry.logged_in_at),
    }


def _print_troubles(found: list[dict[str, Any]]) -> None:
    for facts in found:
        name = facts.get("profile") or facts["host"] or facts["entry"][:12]
        if facts.get("reason"):
            print(f"\n{name}: {_error(facts)}")
        if facts.get("nears_end"):
            print(f"\n{name}: the session ends soon; sign in ahead with lakekey login")


def _error(facts: dict[str, Any]) -> str | None:
    if not facts["reason"]:
        return None
    at = _when(facts.get("failed_at"))
    return f"{facts['reason']}, {at}" if at else str(facts["reason"])


def _place(cache: Cache | None) -> dict[str, str | None]:
    if cache is None:
        return dict.fromkeys(("store", "key_source", "key", "key_reason"))
    return {
        "store": cache.store.where,
        "key_source": cache.ring.source,
        "key": cache.ring.where,
        "key_reason": cache.ring.why,
    }


def _iso(seconds: float) -> str | None:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def _when(iso: str | None) -> str | None:
    if iso is None:
        return None
    from datetime import datetime

    moment = datetime.fromisoformat(iso)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} ({in_words(moment.timestamp() - time.time())})"
