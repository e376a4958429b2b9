"""What happens to one credential, reported in one place: to the log, and to OpenTelemetry where that is switched on.

Every record has the entry's id, cut to 12 characters, by which it can be followed through the logs of all processes
that share the entry. None has a token, a code or a secret. docs/reference/observability.md lists them.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from lakekey import _log
from lakekey._imports import libraries
from lakekey.errors import CredentialsRefused, LakekeyError, LoginFailed
from lakekey.observability import audit
from lakekey.observability.subject import Subject

if TYPE_CHECKING:
    from lakekey.observability.telemetry import Answer, Span, Telemetry

T = TypeVar("T")
R = TypeVar("R", bound="Answer")
A = TypeVar("A")
Context = contextlib.AbstractContextManager[object]

_ON = ("1", "true", "yes", "on")
_OFF = ("", "0", "false", "no", "off")
_NOTHING = contextlib.nullcontext()
_reported: set[str] = set()


class Events:
    """Reports what happens to one credential.

    Args:
        subject: The credential.
        environ: The environment, for ``LAKEKEY_OTEL`` and ``LAKEKEY_AUDIT``.
    """

    def __init__(self, subject: Subject, environ: Mapping[str, str]) -> None:
        self._name = subject.name
        self._auth_type = subject.auth_type
        self._entry = subject.entry_id[:12]
        self._telemetry = _telemetry(subject, environ)
        self._environ = environ
        self._who = subject.who
        self._audited = {
            "auth_type": subject.auth_type,
            "workspace": subject.host,
            "profile": subject.profile,
            "entry": subject.entry_id,
            "store": subject.store,
        }

    # -- what was brought about ---------------------------------------------------------------------------------

    def refreshed(self, who: str | None = None) -> None:
        """The token endpoint gave a new token, and it is stored."""
        _log.info("session", "%s: token renewed (%s), entry %s", self._name, self._auth_type, self._entry)
        self._count("refreshes")
        self._audit(audit.RENEWAL, who)

    def adopted(self, who: str | None = None) -> None:
        """A sibling had stored a newer token, which is taken into use instead of asking for another."""
        _log.info("session", "%s: the token of another process is used, entry %s", self._name, self._entry)
        self._count("adoptions")
        self._audit(audit.ADOPTION, who)

    def signed_in(self, who: str | None) -> None:
        """A person has signed in, and the session is stored."""
        _log.info("login", "%s: signed in as %s, entry %s", self._name, who or "a person", self._entry)
        self._count("logins")
        self._audit(audit.SIGN_IN, who)

    def signed_out(self, who: str | None, revocation: str | None) -> None:
        """The entry was removed."""
        at_server = revocation or "nothing to revoke"
        _log.info("login", "%s: signed out (%s), entry %s", self._name, at_server, self._entry)
        self._audit(audit.SIGN_OUT, who, detail=at_server)

    # -- what went wrong ----------------------------------------------------------------------------------------

    def session_ended(self, who: str | None = None) -> None:
        """The server refused the refresh token (``invalid_grant``), which ends the session for all."""
        _log.warning("session", "%s: the server refused the session's refresh token, entry %s", self._name, self._entry)
        self._count("refusals", "invalid_grant")
        self._audit(audit.REFUSAL, who, outcome=audit.REFUSED, detail="invalid_grant")

    def failed(self, error: LakekeyError) -> None:
        """An exchange or a sign-in brought no token. No warning: the caller is told, or the provider warns once."""
        refused = isinstance(error, CredentialsRefused)
        part = "login" if isinstance(error, LoginFailed) else "session"
        what = {"login": "not signed in", "session": "refused" if refused else "not renewed"}[part]
        _log.info(part, "%s: %s: %s, entry %s", self._name, what, error.message, self._entry)
        self._count("refusals" if refused else "failures", error.code)
        if refused:
            self._audit(audit.REFUSAL, outcome=audit.REFUSED, detail=error.code)
        else:
            self._audit(audit.SIGN_IN if part == "login" else audit.RENEWAL, outcome=audit.FAILED, detail=error.code)

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

    # -- what is under way: a span each, and nothing at all where OpenTelemetry is off -----------------------------

    def exchange(self, work: Callable[[], R]) -> R:
        """Make a request to the token endpoint."""
        return work() if self._telemetry is None else self._telemetry.exchange(work)

    def login(self) -> Context:
        """A person's sign-in."""
        return _NOTHING if self._telemetry is None else self._telemetry.login()

    def wait(self) -> "Span | None":
        """A wait for another process at the entry."""
        return None if self._telemetry is None else self._telemetry.wait()

    def carried(self, work: Callable[[A], T]) -> Callable[[A], T]:
        """The work, as a part of what the caller has under way, whichever thread does it."""
        return work if self._telemetry is None else self._telemetry.carried(work)

    def _audit(self, event: str, who: str | None = None, *, outcome: str = audit.DONE, detail: str = "") -> None:
        audit.record(
            event, environ=self._environ, outcome=outcome, detail=detail, who=who or self._who, **self._audited
        )

    def _count(self, name: str, error_type: str | None = None) -> None:
        if self._telemetry is not None:
            self._telemetry.count(name, error_type)


def sessions_kept(kept: Mapping[tuple[str, str], int], next_end: float | None, environ: Mapping[str, str]) -> None:
    """What a round of keep-alive found (`lakekey.session.keep_alive`), as metrics.

    Args:
        kept: How many sessions there are, by workspace and state.
        next_end: Seconds until a person has to sign in again, or ``None`` if unknown.
        environ: The environment, for ``LAKEKEY_OTEL``.
    """

    def load() -> "Callable[[Mapping[tuple[str, str], int], float | None], None]":
        with libraries():
            from lakekey.observability.session_metrics import report

        return report

    report = _loaded(environ, load)
    if report is not None:
        report(kept, next_end)


def _telemetry(subject: Subject, environ: Mapping[str, str]) -> "Telemetry | None":
    def load() -> "Telemetry":
        with libraries():
            from lakekey.observability.telemetry import Telemetry

        return Telemetry(subject)

    return _loaded(environ, load)


def _loaded(environ: Mapping[str, str], load: Callable[[], T]) -> T | None:
    """OpenTelemetry, where ``LAKEKEY_OTEL`` is on; if it cannot be had, that is logged once and changes nothing."""
    value = environ.get("LAKEKEY_OTEL", "").strip().lower()
    if value in _OFF:
        return None
    if value not in _ON:
        _without(f"LAKEKEY_OTEL is {value!r}", "set it to 1 or 0")
        return None
    try:
        return load()
    except ImportError:
        _without("opentelemetry-api is missing", "pip install 'lakekey[otel]'")
    except Exception as error:  # noqa: BLE001 - an SDK that the environment names may fail in any way as it is loaded
        _without(f"it fails to load ({type(error).__name__})", "pip install --upgrade 'lakekey[otel]'")
    return None


def _without(reason: str, remedy: str) -> None:
    if reason not in _reported:
        _reported.add(reason)
        _log.warning("telemetry", "OpenTelemetry is not used: %s (%s)", reason, remedy)
