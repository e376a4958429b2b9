"""Identity tokens that the platform has put here: in a variable, in a file, or in a Kubernetes pod."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from lakekey import _plain_files
from lakekey._imports import LOADING
from lakekey.errors import ConfigurationError
from lakekey.oauth import jwt

if TYPE_CHECKING:
    from lakekey.oauth.transport import Transport

_DEFAULT_VARIABLE = "DATABRICKS_OIDC_TOKEN"
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Variable:
    """A token in an environment variable."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.place = f"the variable {name}"
        self._name = name
        self._environ = environ

    @classmethod
    def detect(cls, environ: Mapping[str, str], name: str | None) -> Self | None:
        """The source; ``None`` if none is configured.

        Args:
            environ: The environment.
            name: ``oidc_token_env``; ``None`` for ``DATABRICKS_OIDC_TOKEN``.

        Raises:
            ConfigurationError: The configured variable is not set, or what is in it is not a JWT.
        """
        if not environ.get(name or _DEFAULT_VARIABLE, "").strip():
            if name is None:
                return None
            raise ConfigurationError(
                f"{cls.missing(name)}, though oidc_token_env names it", hint=f"set {name}, or unset oidc_token_env"
            )
        source = cls(name or _DEFAULT_VARIABLE, environ)
        source.subject()
        return source

    @staticmethod
    def missing(name: str | None) -> str:
        """What to say where it is not set."""
        return f"the variable {name or _DEFAULT_VARIABLE} is not set"

    def subject(self) -> str:
        """See `IdentityTokens.subject`."""
        return jwt.subject(self._read())

    def fetch(self, transport: "Transport", audience: str, *, deadline: float) -> str:  # noqa: ARG002 - no request
        """See `IdentityTokens.fetch`."""
        return self._read()

    def _read(self) -> str:
        return jwt.checked(self._environ.get(self._name, ""), self.place)


class File:
    """A token in a file that the platform keeps fresh, such as a projected volume. Read again for each exchange."""

    def __init__(self, path: str) -> None:
        self.place = f"the file {path}"
        self._path = path

    def subject(self) -> str:
        """See `IdentityTokens.subject`."""
        return jwt.subject(self._read())

    def fetch(self, transport: "Transport", audience: str, *, deadline: float) -> str:  # noqa: ARG002 - no request
        """See `IdentityTokens.fetch`."""
        return self._read()

    def _read(self) -> str:
        try:
            text = _plain_files.content(self._path, 1 << 20).decode()
        except (OSError, ValueError) as error:
            with LOADING:
                from lakekey._commands import look_at

            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigurationError(
                f"the identity token's file {self._path} cannot be read: {reason}", hint=look_at(self._path)
            ) from None
        return jwt.checked(text, self.place)


def service_account(environ: Mapping[str, str]) -> File | None:
    """The service account's token of the pod that this runs in; ``None`` outside of Kubernetes.

    Only where ``file-oidc`` is named: every pod has such a token, mostly for the cluster's own API alone.

    Raises:
        ConfigurationError: The pod has none.
    """
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    # Where a Windows host-process container finds its volumes; empty everywhere else.
    path = environ.get("CONTAINER_SANDBOX_MOUNT_POINT", "").rstrip("/\\") + _SERVICE_ACCOUNT
    if not os.path.exists(path):
        raise ConfigurationError(
            f"this pod has no service account token at {path}",
            hint="project one for the workspace, and set oidc_token_filepath to it",
        )
    return File(path)
