"""What an earlier ``lakekey env`` or ``run`` has left in the environment, told apart from what the person has set.

A variable goes before a profile. What was lent for one profile must not: the next one's secret would be sent to the
first one's host.
"""

import hashlib
from collections.abc import Mapping

RECORD = "LAKEKEY_LENT"  # the variables that were lent, each with a digest of its value


def record(variables: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The record of what is lent: what the environment has already is the person's own, unless it was lent before.

    Args:
        variables: What is lent.
        environ: Where it is lent to.
    """
    before = left(environ)
    return ",".join(
        f"{name}:{_digest(value)}" for name, value in variables.items() if name in before or environ.get(name) != value
    )


def left(environ: Mapping[str, str]) -> frozenset[str]:
    """The variables that are still as they were lent."""
    recorded = (each.partition(":") for each in environ.get(RECORD, "").split(","))
    return frozenset(name for name, _, digest in recorded if name in environ and _digest(environ[name]) == digest)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]
