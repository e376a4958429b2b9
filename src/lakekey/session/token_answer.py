"""From a token endpoint's answer to the entry that is stored."""

from typing import TYPE_CHECKING

from lakekey.session.expiry import replaced_before_its_time

if TYPE_CHECKING:
    from lakekey.cache.entry import Entry
    from lakekey.configuration.target import Target
    from lakekey.oauth.token_response import TokenResponse


def entry_from(target: "Target", entry: "Entry", response: "TokenResponse", sent_at: float) -> "Entry":
    """The entry with a new answer in it.

    Args:
        target: What was signed in to.
        entry: The entry so far.
        response: The answer.
        sent_at: When its request was sent, in seconds since the epoch (UTC).
    """
    if target.disable_oauth_refresh_token:  # a server may send one that was not asked for
        response = response._replace(refresh_token=None)
    return entry._replace(
        access_token=response.access_token,
        issued_at=sent_at,
        expires_at=sent_at + response.lifetime,
        # RFC 6749 §6: an answer without a refresh token leaves the old one valid.
        refresh_token=response.refresh_token or entry.refresh_token,
        scopes=response.scopes or entry.scopes or target.scopes,
        rotates=_rotates(entry, response),
        refused=None,
        failure=None,
        spending=None,
        proof=target.secret_digest,
        refresh_expires_at=_refresh_expires_at(target, entry, response, sent_at),
        on_trial=entry.proof == target.secret_digest
        and replaced_before_its_time(entry.issued_at, entry.expires_at, sent_at),
    )


def _rotates(entry: "Entry", response: "TokenResponse") -> bool | None:
    """Whether the server replaces refresh tokens. One that has done so once may do so again, whatever it did today."""
    if not entry.refresh_token:
        return None
    return entry.rotates is True or response.refresh_token not in (None, entry.refresh_token)


def _refresh_expires_at(target: "Target", entry: "Entry", response: "TokenResponse", sent_at: float) -> float:
    """When the refresh token expires: as the answer says, else as the configuration does; 0 if unknown."""
    if response.refresh_lifetime is not None:
        return sent_at + response.refresh_lifetime
    if response.refresh_token is None:
        return entry.refresh_expires_at  # the old one stays as it is
    configured = target.refresh_token_lifetime_in_minutes
    return sent_at + configured * 60 if configured else 0.0
