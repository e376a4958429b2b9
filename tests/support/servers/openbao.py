"""OpenBao, the real server, in development mode: unsealed, in memory, on loopback."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from support.program import free_port

_START_LIMIT = 60  # seconds; it takes about one where nothing else runs
_POLICY = 'path "{mount}/encrypt/{key}" {{ capabilities = ["update"] }} path "{mount}/decrypt/{key}" {{ capabilities = ["update"] }}'


class OpenBao:
    """A running server with a transit engine and one key; a context manager.

    Attributes:
        url: Where it listens.
        root: Its root token.
    """

    root = "root-of-the-test-0f3b5c"

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory()
        self.log = Path(self._directory.name) / "log"
        command = [
            os.path.join(os.path.dirname(sys.executable), "bao"), "server", "-dev", "-dev-no-store-token",
            f"-dev-root-token-id={self.root}", f"-dev-listen-address={self.url.removeprefix('http://')}",
        ]  # fmt: skip
        with self.log.open("wb") as log:
            environ = {"PATH": os.environ["PATH"], "HOME": self._directory.name}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        self._until_it_serves(deadline=time.monotonic() + _START_LIMIT)
        self.call("POST", "sys/mounts/transit", type="transit")
        self.call("POST", "transit/keys/lakekey")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def _until_it_serves(self, deadline: float) -> None:
        while True:
            try:
                if self.call("GET", "sys/health")["initialized"]:
                    return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                assert self._process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def call(self, method: str, path: str, /, **fields: Any) -> dict[str, Any]:
        """A request as the administrator; an answer without content is an empty object."""
        body = json.dumps(fields).encode() if fields else None
        request = urllib.request.Request(f"{self.url}/v1/{path}", body, {"X-Vault-Token": self.root}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            error.add_note(error.read().decode())
            raise
        return json.loads(content) if content else {}

    @contextlib.contextmanager
    def sealed(self) -> Iterator[None]:
        """Within it, the server is sealed, as after a restart; then it is unsealed again."""
        deadline = time.monotonic() + _START_LIMIT
        while not (printed := re.search(r"Unseal Key: (\S+)", self.log.read_text())):  # some time after it answers
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        self.call("PUT", "sys/seal")
        try:
            yield
        finally:
            assert not self.call("PUT", "sys/unseal", key=printed[1])["sealed"]
            self._until_it_serves(deadline=time.monotonic() + _START_LIMIT)

    def token(self, *, key: str = "lakekey", mount: str = "transit") -> str:
        """A token that may do what the page says and nothing else."""
        self.call("PUT", "sys/policies/acl/lakekey", policy=_POLICY.format(mount=mount, key=key))
        return str(self.call("POST", "auth/token/create", policies=["lakekey"])["auth"]["client_token"])

    def accessors(self) -> int:
        """How many tokens there are."""
        return len(self.call("LIST", "auth/token/accessors")["data"]["keys"])
