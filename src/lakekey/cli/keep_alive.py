"""``lakekey keep-alive``: renew the sessions that would expire unused, and report which end when."""

import argparse
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from lakekey.cli.output import print_json, print_table, print_text
from lakekey.session.keep_alive import FAILED, SIGN_IN, KeptSession, Round, keep_alive

_UNITS = """\
# Save as ~/.config/systemd/user/lakekey-keep-alive.service, and what follows the next comment beside it;
# then: systemctl --user enable --now lakekey-keep-alive.timer
[Unit]
Description=Keep the sessions of lakekey alive

[Service]
Type=oneshot
ExecStart={program} keep-alive --once{arguments}

# Save as ~/.config/systemd/user/lakekey-keep-alive.timer
[Unit]
Description=Keep the sessions of lakekey alive

[Timer]
OnCalendar=hourly
RandomizedDelaySec=600
Persistent=true

[Install]
WantedBy=timers.target
"""


def keep(arguments: argparse.Namespace) -> int:
    """One round, or a round after the other; exit status 1 where a renewal failed, 3 where a named session is over."""
    if arguments.print_unit:
        print(_units(arguments.profiles), end="")
        return 0
    done = threading.Event()

    def finish(_signal: int, _frame: FrameType | None) -> None:
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, finish)
    while True:
        warn = arguments.warn_days * 86400.0
        found = keep_alive(*arguments.profiles, rate=arguments.rate, warn=warn, pause=done.wait)
        _show(found, arguments)
        if arguments.once or done.is_set():
            break
        if done.wait(arguments.every):
            return 0
    states = {kept.state for kept in found.sessions}
    if arguments.profiles and SIGN_IN in states:
        return 3
    return 1 if FAILED in states else 0


def _show(found: Round, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({"held_by": found.held_by, "sessions": [_facts(kept) for kept in found.sessions]})
    elif found.held_by is not None:
        print_text(f"{found.held_by} is at it, so nothing was done here.")
    elif not found.sessions:
        print_text("There is no person's session to keep alive. Begin with: lakekey login")
    else:
        rows = [
            (
                kept.profile or kept.workspace,
                kept.identity or "",
                kept.state,
                _date(kept.lapses_at),
                _date(kept.ends_at),
            )
            for kept in found.sessions
        ]
        print_table(("SESSION", "PERSON", "STATE", "LAPSES UNUSED", "SIGN IN AGAIN BY"), rows)
    sys.stdout.flush()


def _facts(kept: KeptSession) -> dict[str, Any]:
    times = {name: getattr(kept, name) for name in ("lapses_at", "ends_at")}
    return {**kept._asdict(), **{name: each.isoformat() if each is not None else None for name, each in times.items()}}


def _date(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment is not None else "unknown"


def _units(names: list[str]) -> str:
    from lakekey.cli.serving import own_files
    from lakekey.cli.serving.command import quoted

    program = os.path.abspath(sys.argv[0])
    own_files.check_unit(program)
    # A variable begins with ``$`` in arguments, and in them alone (systemd.service(5)).
    words = "".join(" " + quoted(name).replace("$", "$$") for name in names)
    return _UNITS.format(program=quoted(program), arguments=words)
