"""What comes of an exchange: what is kept of it in the entry, and what the callers are told.

An outcome is written down in the entry, so that a waiter in another process reads it there instead of
trying again.
"""

import time
from typing import TYPE_CHECKING

from lakekey.cache.entry import Entry, Failure
from lakekey.configuration.target import Target
from lakekey.errors import (
    CredentialsRefused,
    LakekeyError,
    LockTimeout,
    LoginFailed,
    LoginRequired,
    TokenEndpointError,
)
from lakekey.session.expiry import replaced_before_its_time

if TYPE_CHECKING:
    from lakekey.oauth.token_response import TokenResponse

LOGIN_COOL_DOWN = 30.0
EARLY_PAUSE = 10.0


class Outcomes:
    """The outcomes of one credential's exchanges.

    Args:
        target: What it signs in to.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def filled(self, entry: Entry, response: "TokenResponse", sent_at: float) -> Entry:
        """The entry with a new answer in it, sent for at ``sent_at`` (epoch seconds, UTC)."""
        if self._target.disable_oauth_refresh_token:  # a server may send one that was not asked for
            response = response._replace(refresh_token=None)
        return entry._replace(
            generation=entry.generation + 1,
            access_token=response.access_token,
            issued_at=sent_at,
            expires_at=sent_at + response.lifetime,
            # RFC 6749 §6: an answer without a refresh token leaves the old one valid.
            refresh_token=response.refresh_token or entry.refresh_token,
            scopes=response.scopes or entry.scopes or self._target.scopes,
            rotates=response.refresh_token not in (None, entry.refresh_token) if entry.refresh_token else None,
            refused=None,
            failure=None,
            proof=self._target.proof,
            refresh_expires_at=self._refresh_expires_at(entry, response, sent_at),
            on_trial=entry.proof == self._target.proof
            and replaced_before_its_time(entry.issued_at, entry.expires_at, sent_at),
        )

    def _refresh_expires_at(self, entry: Entry, response: "TokenResponse", sent_at: float) -> float:
        """When the refresh token lapses: as the answer says, else as the configuration does; 0 if unknown."""
        if response.refresh_lifetime is not None:
            return sent_at + response.refresh_lifetime
        if response.refresh_token is None:
            return entry.refresh_expires_at  # the old one stays as it is
        configured = self._target.refresh_token_lifetime_in_minutes
        return sent_at + configured * 60 if configured else 0.0

    def failure(self, error: LakekeyError) -> Failure:
        """A failure as the entry keeps it."""
        detail = getattr(error, "status", None) or getattr(error, "error", None)
        return Failure(
            code=error.code,
            message=error.message,
            at=time.time(),
            hint=error.hint,
            detail=str(detail) if detail is not None else None,
            retry_after=getattr(error, "retry_after", None),
            proof=self._target.proof,
        )

    def resting(self, failure: Failure | None) -> bool:
        """Whether the endpoint failed so lately, or asked for so long a pause, that it is not asked ahead of time."""
        if failure is None or failure.proof != self._target.proof:
            return False
        return 0 <= time.time() - failure.at < max(EARLY_PAUSE, failure.retry_after or 0.0)

    def cooling(self, failure: Failure) -> bool:
        """Whether a sign-in failed so lately that no other tab should open unasked."""
        kinds = (LoginFailed, CredentialsRefused)
        return issubclass(_kind(failure.code), kinds) and 0 <= time.time() - failure.at < LOGIN_COOL_DOWN

    def revived(self, failure: Failure) -> LakekeyError:
        """A kept failure as the error that it was."""
        error = _kind(failure.code)(failure.message, hint=failure.hint, profile=self._target.name)
        if isinstance(error, TokenEndpointError) and failure.detail and failure.detail.isdigit():
            error.status = int(failure.detail)
            error.retry_after = failure.retry_after
        elif isinstance(error, CredentialsRefused):
            error.error = failure.detail
        return error

    def given_up(self) -> LoginFailed:
        """The error of a sign-in that all who wanted it have walked away from."""
        return LoginFailed("the sign-in was given up", hint=f"run: {self._target.login_command}")

    def lock_timeout(self, holder: str, entry_id: str, where: str) -> LockTimeout:
        """The error of a wait for an entry's lock that has lasted too long."""
        return LockTimeout(
            f"{holder} holds entry {entry_id[:12]} of {where} for more than {self._target.lock_timeout:g} s",
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
            f"the renewal that this process has begun did not end within {patience:g} s",
            hint=f"run: {self._target.doctor_command}",
            profile=self._target.name,
        )

    def login_required(self, entry: Entry | None) -> LoginRequired:
        """The error of a session that is over, or never began, where no person is there to sign in."""
        if entry is not None and entry.refused is not None:
            message = entry.refused.message
        else:
            message = "not signed in, and this run cannot prompt for a sign-in"
        return LoginRequired(message, hint=f"run: {self._target.login_command}", profile=self._target.name)


def _kind(code: str) -> type[LakekeyError]:
    """The error class of a stored code; codes of later releases read as a transient failure."""
    kinds = [LakekeyError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.code == code), TokenEndpointError)
