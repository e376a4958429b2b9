"""Hosts that share a store: each a machine with a home of its own, and nothing in common but the store and the key."""

import base64
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import Target
from support.servers.oidc_server import OidcServer
from support.sessions import Child, Machine


class Host(Machine):
    """One host of a fleet.

    Attributes:
        address: Its address of the store.
        key: The key of the fleet, which each host is given.
    """

    def __init__(
        self, server: OidcServer, directory: Path, address: str, key: str, *, service: bool = False, **settings: Any
    ) -> None:
        """Describes a host; nothing is stored yet.

        Args:
            server: The OAuth server.
            directory: Its home.
            address: What its ``LAKEKEY_STORE`` says.
            key: What its ``LAKEKEY_KEY`` says.
            service: Sign in as the service principal instead of a person.
            **settings: Further settings of the profile.
        """
        self.address = address
        self.key = key
        super().__init__(server, directory, service=service, **settings)

    def resolve(self, **settings: Any) -> Target:
        """The target, on the fleet's store."""
        return super().resolve(**{"store": self.address, **settings})

    @property
    def own(self) -> dict[str, str]:
        """What the environment says of the cache."""
        return {
            "LAKEKEY_STORE": self.address,
            "LAKEKEY_KEY": self.key,
            "LAKEKEY_KEY_SOURCE": "env",
            "LAKEKEY_CACHE_DIR": str(self.directory / "cache"),
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory / "tmp"),  # so that the others find no marks of its processes
        }

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes this process one of the host's, for the rest of the test."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        for name, value in self.own.items():
            monkeypatch.setenv(name, value)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        (self.directory / "tmp").mkdir(mode=0o700, exist_ok=True)
        return {**super().environ, **self.own}

    @property
    def cache(self) -> Cache:
        """The cache, as a process that has just started opens it."""
        return open_cache({**os.environ, **self.own})

    def hurried(self, module: str, *arguments: str, **environ: str) -> Child:
        """A process with a lease of a second and little patience; see `support.programs.in_a_hurry`."""
        return self.started("in_a_hurry", module, *arguments, **environ)

    def started(self, module: str, *arguments: str, before: Sequence[str] = (), **environ: str) -> Child:
        """A process that runs a module of `support.programs`; a context manager.

        Args:
            module: Which.
            arguments: Its arguments.
            before: What stands before the command, such as another program that starts it.
            environ: Its environment, beside the host's.
        """
        command = [*before, sys.executable, "-m", f"support.programs.{module}", *arguments]
        return Child(command, {**self.environ, **environ})


class Fleet:
    """Hosts on one store.

    Args:
        server: The OAuth server.
        directory: Where their homes are.
        address: The store's address.
        service: Sign in as the service principal.
    """

    def __init__(self, server: OidcServer, directory: Path, address: str, *, service: bool = False) -> None:
        self._server = server
        self._directory = directory
        self._address = address
        self._service = service
        self._key = base64.b64encode(os.urandom(32)).decode()

    def host(self, name: str, *, address: str | None = None) -> Host:
        """A host, by its name; it may have another address of the same store."""
        return Host(self._server, self._directory / name, address or self._address, self._key, service=self._service)
