"""What happens to one credential, told in one place.

Every record has the entry's id, cut to 12 characters, by which it can be followed through the logs of all processes
that share the entry. None has a token, a code or a secret. docs/observability.md lists them.
"""

from lakekey import _log
from lakekey.cache import Entry
from lakekey.errors import CredentialsRefused, LakekeyError, LoginFailed
from lakekey.target import Target


class Events:
    """Tells what happens to one credential.

    Args:
        target: What it signs in to.
        entry_id: Its entry.
    """

    def __init__(self, target: Target, entry_id: str) -> None:
        self._name = target.name
        self._auth_type = target.auth_type
        self._entry = entry_id[:12]

    # -- what was brought about ---------------------------------------------------------------------------------

    def refreshed(self) -> None:
        """The token endpoint gave a new token, and it is stored."""
        _log.info("session", "%s: token renewed (%s), entry %s", self._name, self._auth_type, self._entry)

    def adopted(self) -> None:
        """A sibling had stored a newer token, which is taken into use instead of asking for another."""
        _log.info("session", "%s: a sibling's token is taken into use, entry %s", self._name, self._entry)

    def signed_in(self, who: str | None) -> None:
        """A person has signed in, and the session is stored."""
        _log.info("login", "%s: signed in as %s, entry %s", self._name, who or "somebody", self._entry)

    def signed_out(self, removed: Entry | None, revocation: str | None) -> None:
        """The entry was removed, if there was one."""
        if removed is not None:
            at_server = revocation or "nothing to revoke"
            _log.info("login", "%s: signed out (%s), entry %s", self._name, at_server, self._entry)

    # -- what went wrong ----------------------------------------------------------------------------------------

    def session_ended(self) -> None:
        """The server refused the refresh token (``invalid_grant``), which ends the session for everybody."""
        _log.warning("session", "%s: the server refused the session's refresh token, entry %s", self._name, self._entry)

    def failed(self, error: LakekeyError, *, again: bool = False) -> None:
        """An exchange or a sign-in brought no token.

        Args:
            error: Why.
            again: Whether it failed in the same way before: then the record is no warning, so that a service
                principal whose secret has ended does not warn at each try while its token lives.
        """
        refused = isinstance(error, CredentialsRefused)
        part = "login" if isinstance(error, LoginFailed) else "session"
        # Trouble that passes is no warning: where it does not pass, the caller is told, or the provider warns once.
        report = _log.warning if (refused or part == "login") and not again else _log.info
        what = {"login": "not signed in", "session": "refused" if refused else "not renewed"}[part]
        report(part, "%s: %s: %s, entry %s", self._name, what, error.message, self._entry)

    def retries(self, error: LakekeyError, seconds: float) -> None:
        """A request failed, and is sent again after a pause."""
        _log.debug(
            "session", "%s: entry %s: %s; again in %.1f s", self._name, self._entry, error.message, seconds
        )  # fmt: skip

    def unwritten(self, error: LakekeyError) -> None:
        """What siblings should have been told could not be written."""
        _log.warning("session", "%s: %s, entry %s", self._name, error.message, self._entry)

    def waits(self, what: str) -> None:
        """Another process has been at the entry for a while."""
        _log.info("session", "%s: waiting for %s, entry %s", self._name, what, self._entry)
