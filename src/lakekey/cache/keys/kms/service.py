"""What a key management service has to do for us, and how it may fail."""

from enum import Enum
from typing import Protocol

GROUP = "lakekey.key_sources"


class Kind(Enum):
    """What happened: each is the end of "the key ring is wrapped by SERVICE, …"."""

    DENIED = "which this process may not use"
    CREDENTIALS = "for which there are no usable credentials here"
    THROTTLED = "which is throttling requests"
    AWAY = "which did not answer"
    SEALED = "which is sealed"
    DISABLED = "which is disabled"
    PENDING_DELETION = "which is scheduled for deletion"
    MISSING = "which does not exist, or was deleted"
    CONTEXT = "which refuses the wrapped key: it belongs to another cache or another key, or is damaged"
    UNUSABLE = "which cannot be used as it is configured"


class KmsTrouble(Exception):
    """A service did not wrap or unwrap.

    Args:
        kind: What happened.
        detail: The service's own short code, for a search; never its text, which may quote what was sent.
        hint: The next step, where it is another than the kind's.
    """

    def __init__(self, kind: Kind, detail: str = "", hint: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.hint = hint


class KeyWrapper(Protocol):
    """What a package has to provide that brings a service by an entry point of the group `GROUP`.

    Attributes:
        where: The service's key, for people: an alias or an address, without credentials.
    """

    where: str

    def wrap(self, plaintext: bytes) -> bytes:
        """Encrypt 32 bytes under the service's key."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt what `wrap` returned. Raises where the service refuses or is not there."""


class KeyService(Protocol):
    """A service as the ring uses it: it wraps a key, and binds it to a context where it can.

    Attributes:
        where: The service and its key, for people; no credentials.
        hints: The next step for each kind of trouble.
    """

    where: str
    hints: dict[Kind, str]

    def wrap(self, key: bytes, context: str) -> bytes:
        """Encrypt 32 bytes. Raises `KmsTrouble`."""

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` returned for the same context. Raises `KmsTrouble`."""
