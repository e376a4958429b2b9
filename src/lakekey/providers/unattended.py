"""One log record with the identity that an unattended run signs in as."""

import os
from typing import TYPE_CHECKING

from lakekey._imports import LOADING

if TYPE_CHECKING:
    from lakekey.cache.entry import Entry
    from lakekey.configuration.target import Target


def announce(target: "Target", entry: "Entry | None") -> None:
    """Log the identity that an unattended run signs in as, once.

    Args:
        target: What is signed in to.
        entry: The session in use, which knows who the person is.
    """
    with LOADING:
        from lakekey import _log
        from lakekey.configuration.presence import why_unattended

    run = why_unattended(os.environ)
    if run is None:
        return
    identity = entry.identity if entry is not None else None
    who = identity or target.user or target.client_id or target.subject or "the identity that the SDK's strategy finds"
    if target.is_person:
        who = f"{identity or target.user or 'a person'}, with a person's session"
    _log.info("automation", "%s: %s signs in to %s as %s (%s)", target.name, run, target.host, who, target.auth_type)
