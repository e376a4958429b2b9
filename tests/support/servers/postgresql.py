"""A real PostgreSQL server on loopback, with few connections; a standby of it; and PgBouncer before it."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_table import SCHEMA, TABLE

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

    def __init__(
        self,
        *,
        connections: int = CONNECTIONS,
        tls: tuple[Path, Path] | None = None,
        namespace: str | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        """Describes a server; entering the context starts it.

        Args:
            connections: How many it takes, three of them for its owner.
            tls: The files of its key and its certificate.
            namespace: The network namespace that it runs in, on all addresses there.
            environ: More of its environment.
        """
        self.port = free_port()
        self.password = f"dose{secrets.token_hex(16)}"
        self._connections = connections
        self._tls = tls
        self._namespace = namespace
        self._environ = [f"{name}={value}" for name, value in (environ or {}).items()]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._root = private_directory("lakekey-postgresql-")
        self._data = self._root / "data"
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._root, ignore_errors=True)

    def _make(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", OWNER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        self._configure()
        self.start()
        self._prepare()

    @property
    def address(self) -> str:
        """What a worker's ``LAKEKEY_STORE`` says."""
        return self.address_at(self.port)

    def address_at(self, port: int, **parameters: str) -> str:
        """The same by way of another port, such as a proxy's."""
        return self.address_of(port, **parameters)

    def address_of(self, *ports: int, **parameters: str) -> str:
        """One address of several servers with the same role and password."""
        tail = "&".join(f"{name}={value}" for name, value in parameters.items())
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://{ROLE}:{self.password}@{hosts}/{DATABASE}{'?' if tail else ''}{tail}"

    def readable_at(self, port: int, **parameters: str) -> str:
        """The same without TLS, so that a proxy can tell one statement from another."""
        return self.address_at(port, sslmode="disable", **parameters)

    def store(self, **options: Any) -> PostgresqlStore:
        """A store as a process that has just started opens it."""
        return PostgresqlStore(self.address, **options)

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        self._launch()
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with self.owner():
                    return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log()
            if self._process.poll() is not None:
                # After a crash, a process that the server has just forked may hold its memory for a moment.
                assert "pre-existing shared memory block" in self.log().splitlines()[-2], self.log()
                self._launch()
            time.sleep(0.05)

    def _launch(self) -> None:
        inside = ["nsenter", f"--net=/run/netns/{self._namespace}", "--"] if self._namespace else []
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*inside, *as_user(), "env", *self._environ, program("postgres"), "-D", str(self._data)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

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

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to every process of the server, as to a machine that dies, or stands still and goes on."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()  # each has a process group of its own
        for each in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)

    def crash(self) -> None:
        """Kills all of it at once, as a machine that loses power."""
        self.signal(signal.SIGKILL)
        self.stop(signal.SIGKILL)

    def log(self, last: int | None = 4000) -> str:
        """What the server has written: its last characters, or all."""
        return (self._root / "log").read_text(errors="replace")[-last if last else None :]

    @contextlib.contextmanager
    def watched(self) -> Iterator[Callable[[], str]]:
        """Within it, the server logs all that it is sent; the function gives that, and what its views show."""
        began = (self._root / "log").stat().st_size
        for setting in ("log_statement = 'all'", "log_duration = on", "log_connections = on"):
            self.sql(f"ALTER SYSTEM SET {setting}")
        self.sql("SELECT pg_reload_conf()")

        def shown() -> str:
            activity = self.sql("SELECT * FROM pg_stat_activity")
            return (self._root / "log").read_bytes()[began:].decode(errors="replace") + repr(activity)

        try:
            yield shown
        finally:
            self.sql("ALTER SYSTEM RESET ALL")
            self.sql("SELECT pg_reload_conf()")

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

    def back_up(self, place: Path) -> None:
        """Copies all that the server has on disk, while it is stopped."""
        self.stop()
        subprocess.run(["cp", "-a", str(self._data), str(place)], check=True, timeout=_PATIENCE)
        self.start()

    def restore(self, place: Path) -> None:
        """Goes on from such a copy."""
        self.stop()
        shutil.rmtree(self._data)
        subprocess.run(["cp", "-a", str(place), str(self._data)], check=True, timeout=_PATIENCE)
        self.start()

    def clear(self) -> None:
        """As it was at first."""
        self.sql(f"DELETE FROM {TABLE} WHERE (kind, name) <> ('note', 'schema')")

    def lose_leases(self) -> None:
        """Ends all leases, as time would."""
        self.sql(f"DELETE FROM {TABLE} WHERE kind = 'lease'")

    def leases(self) -> list[str]:
        """The names of the leases that are there."""
        return [name for (name,) in self.sql(f"SELECT name FROM {TABLE} WHERE kind = 'lease'")]

    def worker_connections(self) -> int:
        """How many connections workers have open at the moment."""
        [(number,)] = self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", ROLE)
        return int(number)

    def entries(self) -> dict[str, bytes]:
        """The stored entries, by their names."""
        return dict(self.sql(f"SELECT name, body FROM {TABLE} WHERE kind = 'entry'"))

    def put_back(self, entries: dict[str, bytes]) -> None:
        """Stores entries as they were, whatever is there now."""
        for name, body in entries.items():
            self.sql(
                f"INSERT INTO {TABLE} (kind, name, body) VALUES ('entry', %s, %s) "
                "ON CONFLICT (kind, name) DO UPDATE SET body = EXCLUDED.body",
                name, body,
            )  # fmt: skip

    def set_aside(self) -> dict[str, bytes]:
        """The bad entries that were set aside, by their names."""
        return dict(self.sql(f"SELECT name, body FROM {TABLE} WHERE kind = 'bad'"))

    def _prepare(self) -> None:
        with self.owner() as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'")
            connection.execute(f"CREATE DATABASE {DATABASE}")
        self.sql(SCHEMA)
        self.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {ROLE}")

    def _configure(self) -> None:
        settings = {
            "listen_addresses": "'*'" if self._namespace else "'127.0.0.1'",
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
        rules = (
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
            f"host replication {OWNER} 127.0.0.1/32 trust\nhostssl all all 10.77.0.0/16 scram-sha-256\n"
        )
        (self._data / "pg_hba.conf").write_text(rules)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user(), program(name), *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


class Standby(Postgresql):
    """An asynchronous standby of a server; a context manager.

    Args:
        primary: The server that it follows.
        port: The way to it on 127.0.0.1, which may be a proxy's.
    """

    def __init__(self, primary: Postgresql, port: int) -> None:
        super().__init__()
        self.password = primary.password
        self._primary_port = port

    def _make(self) -> None:
        way = f"host=127.0.0.1 port={self._primary_port} user={OWNER} sslmode=disable"
        self._run("pg_basebackup", "-D", str(self._data), "-d", way, "-R", "--checkpoint=fast", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:  # of two settings, the later one holds
            file.write(f"port = {self.port}\nunix_socket_directories = '{self._root}'\n")
            file.write("wal_retrieve_retry_interval = 100ms\n")
        self.start()

    def has(self, body: bytes, name: str) -> None:
        """Waits until the entry of a name has these bytes here."""
        deadline = time.monotonic() + _PATIENCE
        while self.sql(f"SELECT body FROM {TABLE} WHERE kind = 'entry' AND name = %s", name) != [(body,)]:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def promote(self) -> None:
        """Makes it a primary, as an administrator does."""
        self._run("pg_ctl", "promote", "-D", str(self._data), "-w", "-t", str(int(_PATIENCE)))


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
