"""The ports that a sign-in listens on for its answer, and how a profile names others."""

import re
from collections.abc import Sequence

from lakekey.configuration.target import DEFAULT_CLIENT

#: Whichever is free.
ANY_PORT = 0
FIRST = 8020
_USUAL = range(FIRST, 8041)
# The ports that the platform registered for its built-in public clients.
_BUILT_IN = {DEFAULT_CLIENT: _USUAL, "databricks-sql-python": range(FIRST, 8025)}


def is_built_in(client_id: str) -> bool:
    """Whether the platform itself registered a client."""
    return client_id in _BUILT_IN


def default_ports(client_id: str) -> Sequence[int]:
    """The ports of a client that the configuration names none for."""
    return _BUILT_IN.get(client_id, _USUAL)


def ports_of(text: str) -> list[int]:
    """Ports from ``any`` or a list such as ``8020-8024, 8030``; empty where the text names none, or not only ports."""
    if text.strip().lower() == "any":
        return [ANY_PORT]
    ports: list[int] = []
    for part in text.replace(",", " ").split():
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 65535 or last - first > 1000:
            return []
        ports += range(first, last + 1)
    return ports
