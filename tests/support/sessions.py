"""A machine's cache in a directory of its own, and child processes that use it."""

import hashlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from lakekey.cache.cache import Cache
from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import Target, resolve
from lakekey.providers.provider import Provider
from lakekey.session.timing import Timing
from support.pace import SLOWER
from support.servers.oidc_server import DEFAULT_USER, OidcServer
from support.strikes import Striker
from support.tiny_client import TinyClient

PATIENCE = 30.0 * SLOWER  # seconds before a test says that an event did not come
HOUR = 3600.0
QUICK = Timing(first_pause=0.01, write_patience=0.1)  # for tests of what fails: the pauses are short


class Machine:
    """What the processes of one machine share: a host to sign in to, and a cache directory.

    Attributes:
        server: The OAuth server.
        target: What its providers sign in to.
        entries: The folder that the cache keeps its files in.
        timing: How long the steps of its providers in this process take; ``None`` for the usual.
    """

    def __init__(
        self,
        server: OidcServer,
        directory: Path,
        *,
        service: bool = False,
        timing: Timing | None = None,
        **settings: Any,
    ) -> None:
        """Describes a machine; nothing is stored yet.

        Args:
            server: The OAuth server.
            directory: Where its cache is.
            service: Sign in as the service principal instead of a person.
            timing: How long the steps of its providers in this process take.
            **settings: Further settings of the profile.
        """
        self.server = server
        self.directory = directory
        self.entries = directory / "entries"
        self.timing = timing
        self._service = service
        self._settings = settings
        self.target = self.resolve()

    def resolve(self, **settings: Any) -> Target:
        """The target, with settings changed."""
        principal = self.server.service_principal
        service = {"client_id": principal.client_id, "client_secret": principal.client_secret} if self._service else {}
        place = {"host": self.server.host, "ca_file": self.server.ca_file, "store": f"file:{self.directory}"}
        return resolve(None, {}, **{**place, **service, **self._settings, **settings})

    def provider(self, *, timing: Timing | None = None, **settings: Any) -> Provider:
        """A provider in this process, which knows nothing of others in it."""
        return Provider(self.resolve(**settings), timing=timing or self.timing)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of child processes. No person is there to sign in."""
        mine = {
            "DATABRICKS_HOST": self.server.host,
            "REQUESTS_CA_BUNDLE": self.server.ca_file,
            "LAKEKEY_CACHE_DIR": str(self.directory),
            "LAKEKEY_INTERACTIVE": "never",
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", ""))),
            # An unattended run warns of it, which is not what these tests are about.
            "PYTHONWARNINGS": "ignore",
        }
        if self._service:
            principal = self.server.service_principal
            mine["DATABRICKS_CLIENT_ID"] = principal.client_id
            mine["DATABRICKS_CLIENT_SECRET"] = principal.client_secret
        return {**os.environ, **mine}

    # The stored session

    @property
    def cache(self) -> Cache:
        """The cache, as a process that has just started opens it."""
        return open_cache({"LAKEKEY_KEY_SOURCE": "file"}, place=f"file:{self.directory}")

    @property
    def entry_id(self) -> str:
        """The name of the session's entry."""
        from lakekey.session.session import Session

        return Session(self.target).entry_id

    def stored(self) -> Entry:
        """The session as it is stored."""
        entry = self.cache.get(self.entry_id)
        assert entry is not None, "nothing is stored"
        return entry

    def sign_in(self, user: str = DEFAULT_USER, *, left: float = -60.0) -> Entry:
        """Stores a person's session as an earlier sign-in left it.

        Args:
            user: Who signed in.
            left: Seconds that its access token, made for an hour, still lives; it expired long ago where negative.
        """
        tokens = TinyClient(self.server).login(user)
        return self.store(
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"], identity=user, left=left
        )

    def store(self, *, left: float, access_token: str = "an old token", **fields: Any) -> Entry:
        """Stores an entry whose access token, made for an hour, has so many seconds left."""
        now = time.time()
        before = self.cache.read(self.entry_id)
        entry = Entry(
            about=self.target.description(),
            generation=(before.entry.generation if before.entry else 0) + 1,
            access_token=access_token,
            issued_at=now + left - HOUR,
            expires_at=now + left,
            scopes=self.target.scopes,
            logged_in_at=now + left - HOUR,
            proof=self.target.secret_digest,
        )._replace(**fields)
        assert self.cache.put(self.entry_id, entry, replaces=before.envelope)
        return entry

    def assert_session_is_whole(self) -> None:
        """The stored refresh token is the server's current one, and the server has no other."""
        self.server.settle()
        token = self.stored().refresh_token
        assert self.server.token_state(token) == "current"
        assert hashlib.sha256(token.encode()).hexdigest() in self.server.current_refresh_tokens()

    def repair(self) -> None:
        """Signs in again while other processes are at the session: under its lock, as a sign-in of theirs would."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self.cache.lock(self.entry_id) as held:
                if held:
                    self.sign_in()
                    return
        raise TimeoutError("the lock was never free")

    def token_requests(self) -> int:
        """How many requests the token endpoint has received since the server's log was cleared."""
        return self.server.counters()["requests.token"]

    # Processes

    def ends_of_a_queue(self, number: int) -> list[dict[str, Any]]:
        """How processes end of which one asks the server, while the others wait for it."""
        with self.server.hold("token") as hold, ExitStack() as stack:
            children = [stack.enter_context(self.child("queues")) for _ in range(number)]
            for child in children:
                child.until("queued")
            hold.wait()
            hold.release()
            return [child.result() for child in children]

    @contextmanager
    def child(self, module: str, *arguments: str, **environ: str) -> Iterator["Child"]:
        """A Python process that runs a module of `support.programs`; it is gone when the block ends."""
        with Child(
            [sys.executable, "-m", f"support.programs.{module}", *arguments], {**self.environ, **environ}
        ) as child:
            yield child

    def fresh_process(self, **environ: str) -> dict[str, Any]:
        """What a new process that asks for a header gets: ``{"ok": …, "error": …, "seconds": …}``."""
        with self.child("asks_once", **environ) as child:
            return child.result()


class Child:
    """A process that reports lines of JSON on its standard output, and goes on when it is told to."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._striker = None if os.name == "posix" else Striker()
        self.process = subprocess.Popen(
            command,
            env={**environ, **(self._striker.environ if self._striker else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C of the developer who runs the tests is not one of these
        )
        self._unread = b""
        self._lines: list[dict[str, Any]] = []
        self._read = self._read_pipe if os.name == "posix" else _Chunks(self.process.stdout).read

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def next(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Its next report.

        Raises:
            EOFError: It ended without one.
            TimeoutError: None came in time.
        """
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            chunk = self._read(max(0.0, deadline - time.monotonic()))
            if chunk is None:
                raise TimeoutError(f"no report in {timeout:g} s; so far: {self._lines}")
            if not chunk:
                raise EOFError(f"it ended; so far: {self._lines}; its stderr:\n{self.complaints()}")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        self._lines.append(json.loads(line))
        return self._lines[-1]

    def _read_pipe(self, timeout: float) -> bytes | None:
        readable, _, _ = select.select([self.process.stdout], [], [], timeout)
        return os.read(self.process.stdout.fileno(), 65536) if readable else None

    def until(self, event: str) -> dict[str, Any]:
        """Its next report of this event; those before it are passed over."""
        while True:
            report = self.next()
            if report.get("event") == event:
                return report

    def result(self) -> dict[str, Any]:
        """Its report of how it ended, and then its end."""
        report = self.until("result")
        self.wait()
        return report

    def go_on(self) -> None:
        """Lets it go on from where it has paused."""
        self.process.stdin.write(b".")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal; on Windows, one that it raises itself, if it uses `support.reports`."""
        if self._striker:
            self._striker.strike(number)
        else:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kills it, and waits for its death."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for its end; its exit status."""
        return self.process.wait(timeout)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def complaints(self) -> str:
        """What it wrote to its standard error, once it has ended."""
        self.process.wait(PATIENCE)
        return self.process.stderr.read().decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive():
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        if self._striker:
            self._striker.close()


class _Chunks:
    """A pipe that is read with a time limit on Windows, where `select` knows only sockets."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._chunks: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        chunk = b"?"
        while chunk:
            try:
                chunk = os.read(self._pipe.fileno(), 65536)
            except (OSError, ValueError):  # the test is over
                chunk = b""
            self._chunks.put(chunk)

    def read(self, timeout: float) -> bytes | None:
        """What has come, ``b""`` at its end, ``None`` where nothing comes in time."""
        try:
            return self._chunks.get(timeout=timeout)
        except queue.Empty:
            return None
