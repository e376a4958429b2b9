"""``lakekey doctor``: what is wrong with a profile, and what to do about it."""

import argparse
import os
import sys

from lakekey import _terminal
from lakekey.cli import style
from lakekey.cli.arguments import target_settings
from lakekey.cli.doctor.checks import Examination, examine
from lakekey.cli.doctor.configuration import settings
from lakekey.cli.doctor.finding import FAILED, OK, WARNING, Check
from lakekey.cli.output import print_json, print_table, print_text, step_lines

_INDENT = 25  # of the findings, in columns
_NARROW = 60  # columns: where fewer are there, a finding stands below its check


def doctor(arguments: argparse.Namespace) -> int:
    """Check the whole chain; exit status 1 where something failed, 3 where a login is all that it needs."""
    examination = Examination(arguments.profile, target_settings(arguments), os.environ)
    checks = []
    shown = arguments.json
    for check in examine(examination, connect=arguments.connect):
        checks.append(check)
        if not shown:
            shown = True
            _show_settings(examination)
        if not arguments.json:
            _show(check)
    broken = [check for check in checks if check.status == FAILED]
    if not arguments.json:
        _show_sum(checks)
    if arguments.json:
        target = examination.target
        print_json(
            {
                "profile": target.profile if target is not None else examination.profile,
                "host": target.host if target is not None else None,
                "ok": not broken,
                "settings": settings(target) if target is not None else [],
                "checks": [
                    {"name": done.name, "status": done.status, "finding": done.finding, "next_step": done.next_step}
                    for done in checks
                ],
            }
        )
    if not broken:
        return 0
    return 3 if all(check.login for check in broken) else 1


def _show_settings(examination: Examination) -> None:
    if examination.target is not None:
        rows = [(row["name"], row["value"], row["source"]) for row in settings(examination.target)]
        print_table(("SETTING", "VALUE", "SOURCE"), rows)
        print()


def _show(check: Check) -> None:
    # As they come: the network may take its time, and a person should see where it does.
    head = f"{style.painted_state(f'{check.status:<8}')}  {check.name:<13}"
    finding, room = style.clean(check.finding), _terminal.width(sys.stdout)
    if room is None or room >= _NARROW:
        print(f"{head}  ", end="")
        print_text(finding, _INDENT)
    else:
        print(f"{head.rstrip()}\n  ", end="")
        print_text(finding, 2)
    if check.next_step:
        indent = _INDENT if room is None or room >= _NARROW else 2
        print("\n".join(step_lines(check.next_step, sys.stdout, indent)), flush=True)


def _show_sum(checks: list[Check]) -> None:
    """How many of each, last, where the eye is."""
    counts = {status: sum(check.status == status for check in checks) for status in (FAILED, WARNING, OK)}
    names = {FAILED: "failed", WARNING: "warnings" if counts[WARNING] > 1 else "warning", OK: "ok"}
    colour = style.BAD if counts[FAILED] else style.WARN if counts[WARNING] else style.GOOD
    said = ", ".join(f"{number} {names[status]}" for status, number in counts.items() if number)
    print("\n" + style.paint(said, colour))
