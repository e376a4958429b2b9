"""``lakekey keep-alive``: renew the sessions that would expire unused, and report which end when."""

import argparse
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from lakekey.cli.output import print_json_rows, print_table, print_text
from lakekey.session.keep_alive import round_of
from lakekey.session.keep_alive_outcomes import FAILED, SIGN_IN, KeptSession

_ROWS = 1000  # of a table

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
        status = _round(arguments, done.wait)
        if arguments.once or done.is_set():
            break
        if done.wait(arguments.every):
            return 0
    return status


def _round(arguments: argparse.Namespace, pause: Callable[[float], object]) -> int:
    """One round, which is shown. Returns the exit status.

    A store may have a hundred thousand sessions: as JSON each is printed when it is done; a table has the first ones.
    """
    states: set[str] = set()
    held_by: list[str | None] = [None]

    def rows() -> Iterator[KeptSession]:
        warn = arguments.warn_days * 86400.0
        each = round_of(*arguments.profiles, rate=arguments.rate, warn=warn, pause=pause)
        while True:
            try:
                kept = next(each)
            except StopIteration as end:
                held_by[0] = end.value
                return
            states.add(kept.state)
            yield kept

    found = rows()
    first = list(itertools.islice(found, 1))  # which also finds out whether there can be a round
    found = itertools.chain(first, found)
    status = 0
    if arguments.json:
        status = print_json_rows({}, "sessions", map(_facts, found), lambda: {"held_by": held_by[0]})
    else:
        _show(list(itertools.islice(found, _ROWS)), sum(1 for _ in found), held_by[0])
    sys.stdout.flush()
    if arguments.profiles and SIGN_IN in states:
        return status or 3
    return status or (1 if FAILED in states else 0)


def _show(sessions: list[KeptSession], more: int, held_by: str | None) -> None:
    if sessions:
        rows = [
            (
                kept.profile or kept.workspace,
                kept.identity or "",
                kept.state,
                _date(kept.lapses_at),
                _date(kept.ends_at),
            )
            for kept in sessions
        ]
        print_table(("SESSION", "PERSON", "STATE", "EXPIRES UNUSED", "SIGN IN AGAIN BY"), rows)
        if more:
            print_text(f"There were {more} more; with --json all are printed.")
    if held_by is not None:
        print_text(f"{held_by} is making a round, so nothing {'more ' if sessions else ''}was done here.")
    elif not sessions:
        print("There is no person's session to keep alive. Start with: lakekey login")


def _facts(kept: KeptSession) -> dict[str, Any]:
    times = {name: getattr(kept, name) for name in ("lapses_at", "ends_at")}
    return {**kept._asdict(), **{name: each.isoformat() if each is not None else None for name, each in times.items()}}


def _date(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment is not None else "unknown"


def _units(names: list[str]) -> str:
    from lakekey.cli.serving import own_files
    from lakekey.cli.serving.command import quoted

    own_files.require_systemd("lakekey keep-alive --once", "/sc hourly")
    program = os.path.abspath(sys.argv[0])
    own_files.check_unit(program)
    # A variable begins with ``$`` in arguments, and in them alone (systemd.service(5)).
    words = "".join(" " + quoted(name).replace("$", "$$") for name in names)
    return _UNITS.format(program=quoted(program), arguments=words)
