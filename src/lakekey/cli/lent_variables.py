"""What an earlier ``lakekey env`` or ``run`` has left in the environment, told apart from what the person has set.

A variable goes before a profile. What was lent for one profile must not: the next one's secret would be sent to the
first one's host.
"""

import hashlib
from collections.abc import Collection, Mapping

RECORD = "LAKEKEY_LENT"  # the variables that were lent, each with a digest of its value


def record(variables: Mapping[str, str], environ: Mapping[str, str], place: Collection[str]) -> str:
    """The record of what is lent: what the environment has already is the person's own, unless it was lent before.

    Args:
        variables: What is lent.
        environ: Where it is lent to.
        place: Those that go before a profile: what is lent is then the person's own, if in another spelling.
    """
    before = left(environ)

    def is_own(name: str, value: str) -> bool:
        return name not in before and name in environ and (name in place or environ[name] == value)

    return ",".join(f"{name}:{_digest(value)}" for name, value in variables.items() if not is_own(name, value))


def left(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables that are still as they were lent."""
    recorded = (each.partition(":") for each in environ.get(RECORD, "").split(","))
    return frozenset(name for name, _, digest in recorded if name in environ and _digest(environ[name]) == digest)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]
