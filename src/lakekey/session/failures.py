"""From an error to the failure that the entry keeps, and back; and the errors that a session itself raises.

A failure is kept in the entry, so that a waiting process reads it there instead of trying again.
"""

import time

from lakekey.cache.entry import Entry, Failure
from lakekey.configuration.target import Target
from lakekey.errors import (
    CredentialsRefused,
    LakekeyError,
    LockTimeout,
    LoginFailed,
    TokenEndpointError,
)
from lakekey.session.timing import USUAL, Timing


class Failures:
    """The failures of one credential.

    Args:
        target: What it signs in to.
        timing: How long endpoints and people are left alone after a failure.
    """

    def __init__(self, target: Target, timing: Timing = USUAL) -> None:
        self._target = target
        self._timing = timing

    def of(self, error: LakekeyError) -> Failure:
        """An error as the entry keeps it."""
        detail = getattr(error, "status", None) or getattr(error, "error", None)
        return Failure(
            code=error.code,
            message=error.message,
            at=time.time(),
            hint=error.hint,
            detail=str(detail) if detail is not None else None,
            retry_after=getattr(error, "retry_after", None),
            proof=self._target.secret_digest,
        )

    def in_backoff(self, failure: Failure | None) -> bool:
        """Whether the endpoint failed so recently, or asked for so long a pause, that it is not asked ahead of time."""
        if failure is None or failure.proof != self._target.secret_digest:
            return False
        return 0 <= time.time() - failure.at < max(self._timing.early_pause, failure.retry_after or 0.0)

    def in_login_cooldown(self, failure: Failure) -> bool:
        """Whether a sign-in failed so recently that no other tab should open unasked."""
        kinds = (LoginFailed, CredentialsRefused)
        return issubclass(_kind(failure.code), kinds) and 0 <= time.time() - failure.at < self._timing.login_cool_down

    def to_error(self, failure: Failure) -> LakekeyError:
        """A kept failure as the error that it was."""
        error = _kind(failure.code)(failure.message, hint=failure.hint, profile=self._target.name)
        if isinstance(error, TokenEndpointError) and failure.detail and failure.detail.isdigit():
            error.status = int(failure.detail)
            error.retry_after = failure.retry_after
        elif isinstance(error, CredentialsRefused):
            error.error = failure.detail
        return error

    def abandoned(self) -> LoginFailed:
        """The error of a sign-in that every caller has stopped waiting for."""
        return LoginFailed("the sign-in was given up", hint=f"run: {self._target.login_command}")

    def lock_timeout(self, holder: str, entry_id: str, where: str) -> LockTimeout:
        """The error of a wait for an entry's lock that has lasted too long."""
        return LockTimeout(
            f"{holder} has held entry {entry_id[:12]} of {where} for more than {self._target.lock_timeout:g} s",
            hint="wait for it, or allow longer with LAKEKEY_LOCK_TIMEOUT (seconds)",
            profile=self._target.name,
        )

    def busy(self) -> LockTimeout:
        """The error of a caller that cannot wait for the renewal, since the renewal waits for that caller."""
        return LockTimeout(
            "asked from inside a renewal, by code that interrupts one, or as Python ends, and no token is live",
            hint="ask again when it has ended; a finalizer or a log handler should do without",
            profile=self._target.name,
        )

    def overdue(self, patience: float) -> LockTimeout:
        """The error of a renewal in this process that does not end."""
        return LockTimeout(
            f"the renewal that this process began did not end within {patience:g} s",
            hint=f"run: {self._target.doctor_command}",
            profile=self._target.name,
        )

    def ended(self, entry: Entry, why: str) -> Entry:
        """The entry of a session that is over: without the refresh token, and with the reason for all to read."""
        return entry._replace(
            refresh_token="",
            spending=None,
            refused=Failure("login_required", f"the session is over ({why})", time.time()),
            failure=None,
        )


def _kind(code: str) -> type[LakekeyError]:
    """The error class of a stored code; codes of later releases read as a transient failure."""
    kinds = [LakekeyError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.code == code), TokenEndpointError)
