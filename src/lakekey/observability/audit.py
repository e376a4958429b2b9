"""Audit records: who did what to which session, on which host. docs/reference/audit.md has the schema.

Each is a record of the logger ``lakekey.audit`` whose attributes ``lakekey.…`` are the schema's fields. Where
``LAKEKEY_AUDIT`` names a file, it is a line of JSON there as well. It is made after the fact: what happens inside a
renewal is recorded by a thread that waits for it (`lakekey._single_flight`), so neither a log handler nor a slow disk
holds a token up. No field holds a secret, and a record that cannot be made costs no token.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from lakekey import _log
from lakekey._imports import LOADING, expanded, libraries
from lakekey.errors import LakekeyError, with_home

VARIABLE = "LAKEKEY_AUDIT"
SCHEMA = 1
SIGN_IN, RENEWAL, ADOPTION, REFUSAL, SIGN_OUT = "sign_in", "renewal", "adoption", "refusal", "sign_out"
KEY_CHANGE, ADMINISTRATION = "key_change", "administration"
DONE, FAILED, REFUSED = "done", "failed", "refused"
#: The fields of a record, in order. A later release may add some; none goes, and none changes its meaning.
FIELDS = (
    "schema", "time", "event", "outcome", "action", "detail", "who", "actor", "auth_type", "workspace", "profile",
    "entry", "store", "host", "process", "program", "os_user",
)  # fmt: skip
_LONGEST = 500  # characters of one field
_reported: set[str] = set()


def record(
    event: str,
    *,
    environ: Mapping[str, str] | None = None,
    outcome: str = DONE,
    action: str | None = None,
    detail: str | None = None,
    who: str | None = None,
    actor: str | None = None,
    auth_type: str | None = None,
    workspace: str | None = None,
    profile: str | None = None,
    entry: str | None = None,
    store: str | None = None,
) -> None:
    """Make an audit record, now or as soon as it can hold nothing up.

    Args:
        event: One of the events above.
        environ: The environment, for ``LAKEKEY_AUDIT``; ``None`` for this process's.
        outcome: ``done``, ``failed`` or ``refused``.
        action: What was done, for a change of the key and an administrator's act.
        detail: An error's code, what became of a session at the server, a key's id; never a message of a server.
        who: The person, or the service principal's application id, whose session it is.
        actor: Who did it, where that is neither ``who`` nor the user of the process: an administrator of a portal.
        auth_type: The grant, by the SDK's name.
        workspace: The host that it signs in to.
        profile: The profile, where there is one.
        entry: The entry's id.
        store: Where it is kept, without credentials.
    """
    path = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if not path and "logging" not in sys.modules:
        return  # nothing is configured, and nothing would see it
    given = {
        "event": event, "outcome": outcome, "action": action, "detail": detail, "who": who, "actor": actor,
        "auth_type": auth_type, "workspace": workspace, "profile": profile, "entry": entry, "store": store,
    }  # fmt: skip
    fields = {**_here(), **{name: _short(value) for name, value in given.items()}}
    ordered = {name: fields[name] for name in FIELDS}

    def make() -> None:
        _write(ordered, path)

    _log.later(make)


def _here() -> dict[str, Any]:
    """When and where it happened."""
    with LOADING:
        import socket
        from datetime import UTC, datetime

    return {
        "schema": SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "program": _short(os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else None),
        "os_user": _os_user(),
    }


def _os_user() -> str | None:
    if os.name != "posix":
        return os.environ.get("USERNAME") or None
    with LOADING:
        import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a random uid, as containers have it
        return str(os.geteuid())


def _short(value: str | None) -> str | None:
    """A field of one line, of bounded length, without what a terminal would act on."""
    if not value:
        return None
    return "".join(character if character.isprintable() else "?" for character in value[:_LONGEST])


def _write(fields: Mapping[str, Any], path: str) -> None:
    """To the logger, and to the file. Whatever goes wrong is logged once, and goes no further."""
    if "logging" in sys.modules:
        with libraries():
            import logging

        said = " ".join(f"{name}={fields[name]}" for name in ("action", "who", "workspace", "detail") if fields[name])
        entry = f", entry {fields['entry'][:12]}" if fields["entry"] else ""
        attributes = {f"lakekey.{name}": value for name, value in fields.items() if value is not None}
        logging.getLogger("lakekey.audit").info(
            "%s %s: %s%s", fields["event"], fields["outcome"], said, entry, extra=attributes, stacklevel=4
        )
    if path:
        try:
            _append(path, to_line(fields) + "\n")
        except (OSError, ValueError, LakekeyError) as error:
            _complain(path, getattr(error, "strerror", None) or str(error))


def to_line(fields: Mapping[str, Any]) -> str:
    """A record as one line of JSON."""
    with LOADING:
        import json

    return json.dumps(dict(fields), separators=(", ", ": "))


def _append(path: str, line: str) -> None:
    """Append a line in one write, so that lines of several processes do not mix; the file is private to its owner.

    It is opened for each line: a log rotation may have moved it away.
    """
    path = with_home(expanded(path), VARIABLE)
    descriptor = _open_to_append(path)
    try:
        _refuse_unsafe(os.fstat(descriptor))
        _write_to_end(path, descriptor, line.encode())
    finally:
        os.close(descriptor)


def _write_to_end(path: str, descriptor: int, line: bytes) -> None:
    if sys.platform == "win32":
        with LOADING:
            from lakekey.observability.appending import write_in_turn

        write_in_turn(path, descriptor, line)
    else:
        os.write(descriptor, line)


def _open_to_append(path: str) -> int:
    if sys.platform == "win32":
        with LOADING:
            from lakekey.observability.appending import open_to_append

        return open_to_append(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)  # so that a pipe that no one reads is an error, and no wait
    return os.open(path, flags, 0o600)


def _refuse_unsafe(found: os.stat_result) -> None:
    with LOADING:
        import stat

    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a regular file")
    if os.name == "posix" and found.st_uid not in (os.geteuid(), 0):
        raise ValueError("it belongs to another user")
    if os.name == "posix" and found.st_mode & 0o022:
        raise ValueError("others can write to it")


def _complain(path: str, reason: str) -> None:
    if path not in _reported:
        _reported.add(path)
        _log.warning("telemetry", "audit records cannot be written to %s (%s): %s", path, VARIABLE, reason)
