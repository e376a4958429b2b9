"""Patterns with wildcards, matched without a regular expression: that tries all ways to share a text among several."""

from collections.abc import Callable, Sequence

ANY = "any characters"  # no single character, and so never one of a pattern
ONE = "one character"


def matcher(parts: Sequence[str]) -> Callable[[str], bool]:
    """Whether a name is as a pattern says, without regard to case.

    Args:
        parts: The pattern's characters, with `ANY` and `ONE` among them.
    """
    runs: list[list[str]] = [[]]
    for part in parts:
        if part == ANY:
            runs.append([])
        else:
            runs[-1].append(part if part == ONE else part.lower())
    return lambda name: _matches(runs, [character.lower() for character in name])


def _matches(runs: list[list[str]], name: list[str]) -> bool:
    """Whether a name begins with the first run, ends with the last, and has the others in between, in order.

    Each is taken where it is first found, which leaves the others the most room: nothing is tried twice.
    """
    if len(runs) == 1:
        return len(runs[0]) == len(name) and _stands(runs[0], name, 0)
    at, end = len(runs[0]), len(name) - len(runs[-1])
    if at > end or not _stands(runs[0], name, 0) or not _stands(runs[-1], name, end):
        return False
    for run in runs[1:-1]:
        found = next((place for place in range(at, end - len(run) + 1) if _stands(run, name, place)), None)
        if found is None:
            return False
        at = found + len(run)
    return True


def _stands(run: list[str], name: list[str], at: int) -> bool:
    return all(wanted in (ONE, name[at + place]) for place, wanted in enumerate(run))
