"""``lakekey import``: import the sessions that other tools keep in plain text."""

import argparse
from typing import Any, NamedTuple

from lakekey._commands import remove
from lakekey.cache.cache import Cache
from lakekey.cache.entry import entry_id
from lakekey.cache.opening import open_cache
from lakekey.cli.importing import plaintext_sessions
from lakekey.cli.importing.plaintext_sessions import PlainSession
from lakekey.cli.output import print_error, print_json, print_table, print_text
from lakekey.configuration import databrickscfg
from lakekey.configuration.target import U2M, Target, resolve
from lakekey.errors import CacheWriteFailed, ConfigurationError, LakekeyError
from lakekey.observability import audit

_PATIENCE = 30.0


class _Outcome(NamedTuple):
    target: Target
    taken: bool
    sessions: list[PlainSession]

    @property
    def words(self) -> str:
        return "taken over" if self.taken else "lakekey has a session of its own"


def imports(arguments: argparse.Namespace) -> int:
    """Import what matches a profile or host; with ``--delete``, delete the plain text."""
    cache = open_cache()
    outcomes = [outcome for target in _targets(arguments) if (outcome := _take_over(cache, target)) is not None]
    plain = {(session.path, session.key): session for outcome in outcomes for session in outcome.sessions}
    deleted = [_delete(session) for session in plain.values()] if arguments.delete else []
    if arguments.json:
        print_json({"sessions": [_facts(outcome) for outcome in outcomes], "deleted": sorted(set(deleted))})
        return 0
    if not outcomes:
        print_text("No session of databricks-sdk or the Databricks CLI matches a profile or a host.")
        return 0
    rows = [
        (outcome.target.profile or "", outcome.target.host, outcome.sessions[0].tool, outcome.words)
        for outcome in outcomes
    ]
    print_table(("PROFILE", "HOST", "FROM", "OUTCOME"), rows)
    if deleted:
        print()
        print_text(f"Deleted from {', '.join(sorted(set(deleted)))}.")
    elif plain:
        files = ", ".join(sorted({session.path for session in plain.values()}))
        print()
        print_text(f"Their plain text is still in {files}.")
        print_text(
            "A refresh token that two tools use may end the session for both. Delete it with: lakekey import --delete"
        )
    return 0


def _targets(arguments: argparse.Namespace) -> list[Target]:
    """The profiles that were named, or all that there are and the hosts under no profile's name.

    One of all of them that cannot be used is left out: the others are imported all the same.
    """
    names = arguments.profiles or [found.name for found in databrickscfg.profiles(arguments.config_file)[0]]
    targets = []
    for name in names:
        try:
            target = _person(name, arguments.config_file)
        except LakekeyError as error:
            if arguments.profiles:
                raise
            # A profile that is wrong in itself is not ours to judge; a store that is away may hold its client secret.
            if not isinstance(error, ConfigurationError):
                _say_skipped(f"profile {name}", error)
            continue
        if target is not None:
            targets.append(target)
    if not arguments.profiles:
        targets += _hosts_under_no_name()
    return list({entry_id(target.cache_key_fields()): target for target in reversed(targets)}.values())[::-1]


def _person(name: str | None, config_file: str | None) -> Target | None:
    """The target of a person's profile; ``None`` for another."""
    try:
        target = resolve(name, config_file=config_file)
    except ConfigurationError:
        pass  # maybe a profile of the CLI's own
    else:
        if target.auth_type != "databricks-cli":
            return target if target.is_person else None
    # The CLI's own sessions (auth_type = databricks-cli) are a person's, too.
    return resolve(name, config_file=config_file, auth_type=U2M)


def _hosts_under_no_name() -> list[Target]:
    targets = []
    for host, account in plaintext_sessions.hosts():
        try:
            targets.append(resolve(None, environ={}, host=host, account_id=account, auth_type=U2M))
        except LakekeyError as error:
            _say_skipped(f"the Databricks CLI's session of {host.rpartition('@')[2]}", error)
    return targets


def _say_skipped(what: str, error: LakekeyError) -> None:
    print_error(f"{what} is left out: {error.message}", None)


def _take_over(cache: Cache, target: Target) -> _Outcome | None:
    sessions = plaintext_sessions.find(target)
    if not sessions:
        return None
    name = entry_id(target.cache_key_fields())
    with cache.locked(name, patience=_PATIENCE) as stored:
        if stored.entry is not None and stored.entry.refresh_token:
            return _Outcome(target, taken=False, sessions=sessions)
        if cache.put(name, sessions[0].entry(target), replaces=stored.envelope) is None:
            raise CacheWriteFailed(f"another program wrote to {cache.store.place(name)}", hint="run it again")
        _require_kept(cache, name)
    audit.record(
        audit.ADMINISTRATION,
        action="session_imported",
        detail=sessions[0].tool,
        who=target.user,
        auth_type=target.auth_type,
        workspace=target.host,
        profile=target.profile,
        entry=name,
        store=cache.store.where,
    )
    return _Outcome(target, taken=True, sessions=sessions)


def _require_kept(cache: Cache, name: str) -> None:
    if not cache.keeps(name):
        raise CacheWriteFailed(
            cache.volatile or f"cannot write to the token cache at {cache.store.where}",
            hint="set LAKEKEY_CACHE_DIR to a directory of yours that can be written to",
        )


def _delete(session: PlainSession) -> str:
    try:
        plaintext_sessions.delete(session)
    except OSError as error:
        raise CacheWriteFailed(
            f"{session.path} cannot be changed: {error.strerror or type(error).__name__}", hint=remove(session.path)
        ) from None
    return session.path


def _facts(outcome: _Outcome) -> dict[str, Any]:
    return {
        "profile": outcome.target.profile,
        "host": outcome.target.host,
        "taken_over": outcome.taken,
        "from": [{"tool": session.tool, "path": session.path} for session in outcome.sessions],
    }
