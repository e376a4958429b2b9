"""``lakekey status``: who is signed in where, until when, and where it is kept."""

import argparse
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

from lakekey import _commands
from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import (
    ends_in_words,
    in_words,
    kept_in,
    print_error,
    print_facts,
    print_json,
    print_json_rows,
    print_step,
    print_table,
    print_text,
    when,
)
from lakekey.cli.provider import target_of
from lakekey.cli.style import clean
from lakekey.configuration import databrickscfg
from lakekey.errors import ConfigurationError
from lakekey.session import inventory
from lakekey.session.expiry import nears_end
from lakekey.session.inventory import BY_ITSELF, BY_THE_SDK, NEEDS_LOGIN, Found
from lakekey.session.session import Session

_PAGE = 200  # sessions that are shown at once
_END = 250_000_000_000  # seconds: the year 9892, beyond which some time zones have no date
_WHAT_IT_MEANS = {
    BY_ITSELF: "No token is kept yet: the first use fetches one.",
    BY_THE_SDK: "The SDK's own strategy signs in; nothing of it is kept here.",
}


def status(arguments: argparse.Namespace) -> int:
    """Show the sessions of the cache, or the one of a profile; exit status 3 where that needs a login."""
    named = arguments.profile is not None or bool(target_settings(arguments))
    return _one(arguments) if named else _all(arguments)


def _one(arguments: argparse.Namespace) -> int:
    session = Session(target_of(arguments))
    # What the SDK signs in does not enter the cache, which then is not even opened.
    cache = None if session.target.is_delegated else session.cache
    entry = session.peek() if cache is not None else None
    facts = _facts(session.entry_id, entry or Entry(session.target.description()))
    state, place = facts["state"], _place(cache)
    in_memory = place["key_source"] == "memory"
    facts["profile"] = session.target.profile  # as it was named here, not at the sign-in
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
                "state": _shown_state(facts),
                "last error": _error(facts),
                "access token ends": when(facts["expires_at"]),
                "refresh token ends": when(facts["refresh_expires_at"]),
                "session ends": when(facts["session_ends_at"]),
                "last renewed": when(facts["renewed_at"]),
                "signed in": when(facts["signed_in_at"]),
                "kept in": "the memory of this process only" if in_memory else place["store"],
                "key": f"{place['key_source']} {place['key']}" if place["key_source"] and not in_memory else None,
                "because": place["key_reason"] or None,
                "entry": facts["entry"][:12] if cache is not None else None,
            }
        )
        if state in _WHAT_IT_MEANS:
            print()
            print_text(_WHAT_IT_MEANS[state])
        if facts["nears_end"]:
            print()
            print_text(f"The session ends soon. Sign in ahead with: {session.target.login_command}")
        if state in NEEDS_LOGIN:
            # A service principal whose secret is refused would sign in by itself: only its configuration can be fixed.
            fix = None if session.target.is_person else facts["next_step"]
            print()
            print_text(f"Next: {fix}" if fix else f"Sign in with: {session.target.login_command}")
    return 3 if state in NEEDS_LOGIN else 0


def _all(arguments: argparse.Namespace) -> int:
    cache = open_cache()
    _report_unusable_profiles()
    rows = (_row(each) for each in inventory.walk(cache, after=arguments.after or ""))
    if arguments.json:
        return _all_as_json(cache, rows, arguments.limit)
    limit = arguments.limit or _PAGE
    found = list(itertools.islice(rows, limit + 1))
    more, found = found[limit:], found[:limit]
    place = _place(cache)
    if found:
        header = ("PROFILE", "HOST", "IDENTITY", "GRANT", "STATE", "TOKEN", "SESSION ENDS", "ENTRY")
        print_table(header, [_cells(facts) for facts in found])
        _print_troubles(found)
    elif arguments.after:
        print_text("There are no more sessions.")
    else:
        print_step("No session yet. Start with:", "lakekey login")
    if more:
        size = f" --limit {arguments.limit}" if arguments.limit else ""
        print()
        print_step("There are more:", f"lakekey status --after {found[-1]['entry'][:12]}{size}")
    if place["key_source"] is None:  # nothing has been sealed yet
        print()
        print_text(f"Sessions will be kept in {place['store']}.")
        return 0
    print()
    print_text(kept_in(place["store"] or "", place["key_source"], place["key"]))
    if place["key_reason"]:
        print_text(f"Why there: {place['key_reason']}.")
    return 0


def _report_unusable_profiles() -> None:
    """Say that the file of profiles cannot be used: the sessions are there all the same, without their profiles."""
    configured = os.environ.get("DATABRICKS_CONFIG_FILE", "").strip()
    try:
        databrickscfg.profiles(configured or None)
    except ConfigurationError as error:
        print_error(error.message, error.hint)
        return
    path = databrickscfg.location(configured)
    if configured and not os.path.lexists(path):
        hint = "correct the variable, or have the file made: lakekey login NAME --host https://…"
        print_error(f"there is no file {path} (DATABRICKS_CONFIG_FILE)", hint)


def _all_as_json(cache: Cache, rows: Iterator[dict[str, Any]], limit: int | None) -> int:
    """All of them, or so many; each is printed as it is read. ``next`` is the entry to go on after."""
    last: list[str] = []

    def shown() -> Iterator[dict[str, Any]]:
        for facts in itertools.chain(first, itertools.islice(rows, limit - 1 if limit else None)):
            last[:] = [facts["entry"]]
            yield facts

    first = list(itertools.islice(rows, 1))  # which also finds out where the key is
    return print_json_rows(
        _place(cache), "sessions", shown(), lambda: {"next": last[0] if limit and next(rows, None) else None}
    )


def _row(found: Found) -> dict[str, Any]:
    if found.entry is None:
        assert found.trouble is not None
        reason = found.trouble.message
        return {"entry": found.entry_id, "state": found.trouble.code, "host": "", "auth_type": "", "reason": reason}
    facts = _facts(found.entry_id, found.entry)
    return {
        **facts,
        "profile": found.profiles[0] if found.profiles else None,
        "profiles": list(found.profiles),
        "profile_at_login": facts["profile"],
    }


def _cells(facts: dict[str, Any]) -> tuple[str, ...]:
    return (
        ", ".join(facts.get("profiles", ())),
        facts["host"],
        facts.get("identity") or "",
        facts["auth_type"],
        _shown_state(facts),
        _from_now(facts.get("expires_at")) or "",
        _from_now(facts.get("session_ends_at") or facts.get("refresh_expires_at")) or "",
        facts["entry"][:12],
    )


def _shown_state(facts: dict[str, Any]) -> str:
    ends = facts.get("session_ends_at") or facts.get("refresh_expires_at")
    if facts.get("nears_end") and ends:
        return ends_in_words(_seconds(ends), time.time())
    return str(facts["state"])


def _facts(entry_id: str, entry: Entry) -> dict[str, Any]:
    trouble = inventory.trouble_of(entry)
    return {
        "entry": entry_id,
        "host": entry.about.get("host", ""),
        "profile": entry.about.get("profile"),
        "auth_type": entry.about.get("auth_type", ""),
        "client_id": entry.about.get("client_id"),
        "identity": inventory.identity_of(entry),
        "scopes": list(entry.scopes),
        "state": inventory.state_of(entry),
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
            print()
            print_text(f"{name}: {_error(facts)}")
        if facts.get("nears_end"):
            profile = facts.get("profile")
            where = _commands.profile(profile) if profile else f"--host {facts['host']}"
            print()
            print_step(clean(f"{name}: the session ends soon. Sign in ahead with:"), clean(f"lakekey login {where}"))


def _error(facts: dict[str, Any]) -> str | None:
    if not facts["reason"]:
        return None
    at = when(facts.get("failed_at"))
    return f"{facts['reason']}, {at}" if at else str(facts["reason"])


def _place(cache: Cache | None) -> dict[str, str | None]:
    if cache is None:
        return dict.fromkeys(("store", "key_source", "key", "key_reason"))
    return {
        "store": cache.store.where,
        "key_source": cache.ring.source or None,
        "key": cache.ring.where or None,
        "key_reason": cache.ring.why or None,
    }


def _iso(seconds: float) -> str | None:
    from lakekey import _moments

    return _moments.utc(seconds).isoformat(timespec="seconds") if 0 < seconds < _END else None


def _from_now(iso: str | None) -> str | None:
    return in_words(_seconds(iso) - time.time()) if iso is not None else None


def _seconds(iso: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(iso).timestamp()
