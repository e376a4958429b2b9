"""The one error tree of lakekey.

::

    LakekeyError
    ├── ConfigurationError           a setting is missing, wrong, or contradicts another
    ├── LoginRequired                no session, and the run cannot prompt for a sign-in
    ├── LoginFailed                  the sign-in was tried and did not succeed
    │   ├── LoginTimeout             it was not finished in time
    │   ├── LoginDenied              the person or the server said no
    │   └── WrongIdentity            another person signed in than the profile names
    ├── TokenEndpointError           transient: the token endpoint did not give a usable answer
    ├── CredentialsRefused           wrong client or secret, or a scope that is not allowed
    ├── TokenRefused                 a server refused a token in the course of a statement
    └── CacheError                   the token cache cannot be used as it is
        ├── KeyUnavailable           the master key cannot be read
        ├── UnsafeCache              permissions or owners that would expose tokens
        ├── LockTimeout              another process holds the entry for too long
        ├── CacheWriteFailed         a new token could not be stored
        └── StoreUnavailable         the store that hosts share cannot be reached; it may pass

None is an ``OSError``: databricks-sql-connector retries those up to thirty times.
No message holds a secret: the connector posts the text of a failed connect to an unauthenticated route.
"""

from lakekey._imports import LOADING

TYPE_CHECKING = False  # as `typing` has it, which `import lakekey` does without
if TYPE_CHECKING:
    from typing import Any, ClassVar


class LakekeyError(Exception):
    """Anything that lakekey reports.

    Args:
        message: What happened, in one sentence, without secrets.
        hint: The one next command or setting that helps.
        profile: The profile (or host) that it happened to, where known.

    Attributes:
        code: A stable, machine-readable name of the kind of error.
    """

    code: "ClassVar[str]" = "error"

    def __init__(self, message: str, *, hint: str | None = None, profile: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.profile = profile

    def __str__(self) -> str:
        where = f"{self.profile}: " if self.profile else ""
        tail = f" ({self.hint})" if self.hint else ""
        return _shown(f"{where}{self.message}{tail}")

    def __reduce__(self) -> "tuple[Any, ...]":
        return _revive, (type(self), self.__dict__.copy())

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the caller's own lines and the sentence, without the frames of this library."""
        with LOADING:
            from lakekey import _cells

        return _cells.shown(self)


def _shown(text: str) -> str:
    """A text that commands no terminal: a profile's name, a path, and what a server says may stand in it."""
    if text.isprintable():
        return text
    kept = "\n\N{NO-BREAK SPACE}"
    return "".join(
        each if each.isprintable() or each in kept else each.encode("unicode_escape").decode() for each in text
    )


def _revive(cls: type[LakekeyError], state: "dict[str, Any]") -> LakekeyError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class ConfigurationError(LakekeyError):
    """A setting is missing, wrong, or contradicts another."""

    code = "configuration"


class LoginRequired(LakekeyError):
    """There is no session, and the run cannot prompt for a sign-in.

    Attributes:
        url: The page where the person connects, where a portal signs people in; otherwise ``None``.
    """

    code = "login_required"

    def __init__(
        self, message: str, *, hint: str | None = None, profile: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, profile=profile)
        self.url = url


class LoginFailed(LakekeyError):
    """The sign-in was tried and did not succeed."""

    code = "login_failed"


class LoginTimeout(LoginFailed):
    """The sign-in was not finished in time."""

    code = "login_timeout"


class LoginDenied(LoginFailed):
    """The person or the authorization server refused the sign-in (RFC 6749 §4.1.2.1)."""

    code = "login_denied"


class WrongIdentity(LoginFailed):
    """Another person signed in than the profile names."""

    code = "wrong_identity"


class TokenEndpointError(LakekeyError):
    """The token endpoint gave no usable answer; trying again later may help.

    Attributes:
        status: The HTTP status of the answer, or ``None`` if there was none.
        retry_after: Seconds that the server asked to wait (RFC 9110 §10.2.3), or ``None``.
        retryable: Whether retrying the same request may succeed. False if configuration must change first, or if the
            server processed the request and returned an unusable response.
    """

    code = "token_endpoint"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        retryable: bool = True,
        hint: str | None = None,
        profile: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, profile=profile)
        self.status = status
        self.retry_after = retry_after
        self.retryable = retryable


class CredentialsRefused(LakekeyError):
    """The server refused the client, its secret or the scopes (RFC 6749 §5.2); trying again cannot help.

    Attributes:
        error: The server's error code, such as ``invalid_client``.
    """

    code = "credentials_refused"

    def __init__(
        self, message: str, *, error: str | None = None, hint: str | None = None, profile: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, profile=profile)
        self.error = error


class TokenRefused(LakekeyError):
    """A server refused the access token in the course of a statement; the message says whether it may have run.

    It is the ``__cause__`` of the connector's own error, which is the one that is raised.
    """

    code = "token_refused"


class CacheError(LakekeyError):
    """The token cache cannot be used as it is.

    Attributes:
        in_doubt: Whether it is not known if what was sent to the store was done: no answer came to it, or to an
            earlier try of the same.
    """

    code = "cache"
    in_doubt = False


class KeyUnavailable(CacheError):
    """The master key of the cache cannot be read."""

    code = "key_unavailable"


class UnsafeCache(CacheError):
    """The cache's owner, permissions or links would expose its tokens."""

    code = "unsafe_cache"


class LockTimeout(CacheError):
    """Another process holds an entry of the cache for longer than the bound on the wait."""

    code = "lock_timeout"


class CacheWriteFailed(CacheError):
    """A new token could not be stored."""

    code = "cache_write_failed"


class StoreUnavailable(CacheError):
    """The store that several hosts share cannot be reached, or does not answer. Trying again later may help.

    It says nothing of the session: that is as it was.
    """

    code = "store_unavailable"


def with_home(path: str, setting: str, *, profile: str | None = None) -> str:
    """A path whose ``~`` was replaced by a home directory, as `lakekey._imports.expanded` does.

    Args:
        path: The path.
        setting: The setting that has it.
        profile: The profile (or host) that it is of, where known.

    Raises:
        ConfigurationError: The home was not known. It would be a path below the current directory.
    """
    if not path.startswith("~"):
        return path
    user = path.replace("\\", "/").partition("/")[0]
    raise ConfigurationError(
        f"{setting} begins with {user}, but there is no such home directory on this machine",
        hint=f"write it in full, as in /home/you/…; a name that begins with ~ is ./{user}",
        profile=profile,
    )


def raise_if_replaced(error: "ImportError | AttributeError") -> None:
    """Say what a late import of ours has failed of, where that is another release, or none, in this one's place.

    The modules that are loaded stay what they were. One that is loaded now is of the other release, or gone.

    Args:
        error: What the import has raised; anything else is left to the caller.

    Raises:
        ConfigurationError: It was an import of ours. The program has to be restarted.
    """
    # By its text: a copy of an AttributeError, as each caller of shared work gets one, does not name the module.
    is_ours = (
        f"{error.name}.".startswith("lakekey.")
        if isinstance(error, ImportError)
        else "module 'lakekey." in str(error) or "module 'lakekey'" in str(error)
    )
    # A circular import is a fault of the program or of lakekey, which a restart does not end.
    if is_ours and "circular import" not in str(error):
        raise ConfigurationError(
            "lakekey was changed or removed on this machine since this program started", hint="restart this program"
        ) from error


class ServicePrincipalMissingWarning(UserWarning):
    """An unwatched run uses a person's session because no service-principal credentials are configured.

    Args:
        message: What the run is, and what it does.
        hint: The two settings that end it.
        profile: The profile (or host) that it is about, where known.

    Attributes:
        code: A stable, machine-readable name, as errors have one.
    """

    code: "ClassVar[str]" = "service_principal_missing"

    def __init__(self, message: str, *, hint: str | None = None, profile: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.profile = profile

    def __str__(self) -> str:
        where = f"{self.profile}: " if self.profile else ""
        tail = f" {self.hint}." if self.hint else ""
        return _shown(f"{where}{self.args[0]}.{tail}")
