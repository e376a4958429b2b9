"""Network namespaces: hosts with a cable of their own to the store, which can be pulled, or lose one way's packets."""

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
import threading
from dataclasses import dataclass
from typing import Self

from support.servers.fault_proxy import FaultProxy

_NOWHERE = "02:00:00:00:00:01"  # a hardware address that no host has
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def inside(namespace: str) -> list[str]:
    """Before a command: run it in a namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def listener_in(namespace: str, port: int) -> socket.socket:
    """A socket that listens on a port of the loopback of a namespace."""
    made: list[socket.socket] = []

    def make() -> None:  # of this thread alone, which ends in the other namespace
        descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NETWORK) == 0:
                made.append(socket.create_server(("127.0.0.1", port), backlog=256))
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


@dataclass(frozen=True)
class Cable:
    """What connects a host with the store.

    Attributes:
        namespace: The host's.
        store: The store's address, as the host sees it.
    """

    namespace: str
    store: str
    _store_namespace: str
    _end: str
    _host: str

    def pull(self) -> None:
        """Nothing comes through any more, and neither end is told."""
        _ip("-n", self._store_namespace, "link", "set", self._end, "down")

    def plug_in(self) -> None:
        """The end of `pull`."""
        _ip("-n", self._store_namespace, "link", "set", self._end, "up")

    def lose_answers(self) -> None:
        """What the host sends arrives; what the store sends does not."""
        neighbour = ("lladdr", _NOWHERE, "dev", self._end, "nud", "permanent")
        _ip("-n", self._store_namespace, "neigh", "replace", self._host, *neighbour)

    def find_answers(self) -> None:
        """The end of `lose_answers`."""
        _ip("-n", self._store_namespace, "neigh", "del", self._host, "dev", self._end)


class Network:
    """A namespace for the store and one for each host; a context manager.

    Attributes:
        store: The store's namespace.
    """

    def __init__(self) -> None:
        self._name = f"lakekey-{secrets.token_hex(3)}"
        self.store = f"{self._name}-store"
        self._namespaces: list[str] = []
        self._stack = contextlib.ExitStack()

    @staticmethod
    def allowed() -> bool:
        """Whether this user may make namespaces here."""
        try:
            with Network():
                return True
        except (OSError, subprocess.CalledProcessError):
            return False

    def host(self, *ports: int) -> Cable:
        """A new host.

        Args:
            *ports: Those of the loopback here that it reaches on its own loopback.
        """
        number = len(self._namespaces)
        namespace = self._make(f"{self._name}-{number}")
        end, other = f"lk{number}s", f"lk{number}h"
        _ip("-n", self.store, "link", "add", end, "type", "veth", "peer", "name", other, "netns", namespace)
        for where, name, last in ((self.store, end, 1), (namespace, other, 2)):
            _ip("-n", where, "address", "add", f"10.77.{number}.{last}/30", "dev", name)
            _ip("-n", where, "link", "set", name, "up")
        for port in ports:
            self._stack.enter_context(FaultProxy(port, listener=listener_in(namespace, port)))
        return Cable(namespace, f"10.77.{number}.1", self.store, end, f"10.77.{number}.2")

    def _make(self, namespace: str) -> str:
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        _ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def __enter__(self) -> Self:
        try:
            self._make(self.store)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for namespace in self._namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True, timeout=30)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
