"""What events and spans are about."""

from typing import NamedTuple


class Subject(NamedTuple):
    """The credential that events are about; nothing of it is secret.

    Attributes:
        name: What messages call it.
        auth_type: The grant, by the SDK's name.
        host: What it signs in to.
        profile: The profile, or ``None``.
        who: The person or the service principal, where the configuration names one.
        entry_id: Its entry.
        store: Where that is kept, for people.
    """

    name: str
    auth_type: str
    host: str
    profile: str | None
    who: str | None
    entry_id: str
    store: str = ""
