"""A real PostgreSQL server on loopback, with few connections; and PgBouncer before it."""

import contextlib
import getpass
import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psycopg

from lakekey.cache.stores.postgresql import SCHEMA, TABLE, PostgresqlStore

_PATIENCE = 60.0  # seconds for a start on a busy machine
ROLE, DATABASE, OWNER = "worker", "fleet", "owner"
CONNECTIONS = 20


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str) -> str:
    """A program of PostgreSQL's, which Debian keeps out of the way."""
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found


def as_user() -> list[str]:
    """Before a command that refuses to be root's: be another user."""
    if os.name != "posix" or os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def private_directory(prefix: str) -> Path:
    """A directory of the user that the servers run as."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    if as_user():
        shutil.chown(directory, "postgres", "postgres")
    return directory


class Postgresql:
    """A running server; a context manager.

    Attributes:
        port: Its port on 127.0.0.1.
        password: Of the role that workers use.
    """

    def __init__(self, *, connections: int = CONNECTIONS, tls: tuple[Path, Path] | None = None) -> None:
        """Describes a server; entering the context starts it.

        Args:
            connections: How many it takes, three of them for its owner.
            tls: The files of its key and its certificate.
        """
        self.port = free_port()
        self.password = f"dose{secrets.token_hex(16)}"
        self._connections = connections
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._root = private_directory("lakekey-postgresql-")
        self._data = self._root / "data"
        try:
            self._run(
                "initdb", "-D", str(self._data), "-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"
            )
            self._configure()
            self.start()
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def address(self) -> str:
        """What a worker's ``LAKEKEY_STORE`` says."""
        return self.address_at(self.port)

    def address_at(self, port: int, **parameters: str) -> str:
        """The same by way of another port, such as a proxy's."""
        tail = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{port}/{DATABASE}{'?' if tail else ''}{tail}"

    def store(self, **options: Any) -> PostgresqlStore:
        """A store as a process that has just started opens it."""
        return PostgresqlStore(self.address, **options)

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*as_user(), program("postgres"), "-D", str(self._data)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self.owner():
                    return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline and self._process.poll() is None, self.log()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT as an administrator does, SIGQUIT as a crash does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What the server has written."""
        return (self._root / "log").read_text(errors="replace")[-4000:]

    @contextlib.contextmanager
    def owner(self, database: str = "postgres") -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A connection of the administrator's."""
        with psycopg.connect(
            host=str(self._root), port=self.port, user=OWNER, dbname=database, autocommit=True, connect_timeout=5
        ) as connection:
            yield connection

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Runs a statement as the administrator."""
        with self.owner(DATABASE) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def clear(self) -> None:
        """As it was at first."""
        self.sql(f"DELETE FROM {TABLE} WHERE (kind, name) <> ('note', 'schema')")

    def lose_leases(self) -> None:
        """Ends all leases, as time would."""
        self.sql(f"DELETE FROM {TABLE} WHERE kind = 'lease'")

    def leases(self) -> list[str]:
        """The names of the leases that are there."""
        return [name for (name,) in self.sql(f"SELECT name FROM {TABLE} WHERE kind = 'lease'")]

    def _prepare(self) -> None:
        with self.owner() as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'")
            connection.execute(f"CREATE DATABASE {DATABASE}")
        self.sql(SCHEMA)
        self.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {ROLE}")

    def _configure(self) -> None:
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": self.port,
            "unix_socket_directories": f"'{self._root}'",
            "max_connections": self._connections,
            "fsync": "off",  # no test here cuts the power
            "shared_buffers": "'16MB'",
            "timezone": "'UTC'",
        }
        if self._tls:
            for source, name in zip(self._tls, ("server.key", "server.crt"), strict=True):
                shutil.copy(source, self._data / name)
                (self._data / name).chmod(0o600)
                if as_user():
                    shutil.chown(self._data / name, "postgres", "postgres")
            settings |= {"ssl": "on"}
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(lines)
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self._data / "pg_hba.conf").write_text(rules)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user(), program(name), *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


class Pgbouncer:
    """PgBouncer in transaction mode before a server; a context manager.

    Args:
        server: The server.
        pool: How many connections it keeps there.
    """

    def __init__(self, server: Postgresql, *, pool: int = 4) -> None:
        self.port = free_port()
        self._server = server
        self._pool = pool

    @property
    def address(self) -> str:
        """What a worker's ``LAKEKEY_STORE`` says."""
        return self._server.address_at(self.port)

    def __enter__(self) -> Self:
        self._root = private_directory("lakekey-pgbouncer-")
        (self._root / "users").write_text(f'"{ROLE}" "{self._server.password}"\n')
        (self._root / "ini").write_text(
            f"[databases]\n{DATABASE} = host=127.0.0.1 port={self._server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\npool_mode = transaction\n"
            f"auth_type = scram-sha-256\nauth_file = {self._root}/users\ndefault_pool_size = {self._pool}\n"
            "max_client_conn = 500\n"
        )
        user = as_user()
        mine = getpass.getuser() if not user else "postgres"
        for name in ("users", "ini"):
            if user:
                shutil.chown(self._root / name, mine, mine)
        self._process = subprocess.Popen(
            [*user, shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-q", str(self._root / "ini")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            assert time.monotonic() < deadline and self._process.poll() is None, "PgBouncer did not start"
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        shutil.rmtree(self._root, ignore_errors=True)
