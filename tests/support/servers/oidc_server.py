"""oidc-provider, a certified OAuth server that this project did not write, in Databricks' shape."""

import json
import os
import secrets
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from support.node_packages import OIDC_DIRECTORY, ensure_installed, node
from support.programs import person_oidc
from support.servers.oidc_control import Control
from support.tls import write_certificates

_START_LIMIT = 30  # seconds; it takes under one where nothing else runs
DEFAULT_USER = "ada@example.com"


@dataclass(frozen=True)
class Application:
    """A registered confidential client."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...] = ()


class OidcServer(Control):
    """A running server; a context manager.

    Attributes:
        host: ``https://127.0.0.1:PORT``, what a profile names.
        issuer: The OAuth issuer, ``{host}/oidc``.
        ca_file: PEM file that a client has to trust.
        cli_client_id: The public native client ``databricks-cli``: any loopback port, no path.
        sql_client_id: The public native client ``databricks-sql-python``.
        custom_app: A confidential application with fixed redirect addresses.
        service_principal: Client credentials by HTTP Basic.
        workload_client_id: A service principal that signs in by token exchange, without a secret.
    """

    cli_client_id = "databricks-cli"
    sql_client_id = "databricks-sql-python"

    def __init__(
        self,
        *,
        rotate: bool = True,
        access_ttl: int = 3600,
        refresh_ttl: int = 7 * 86_400,
        session_ttl: int | None = None,
        device_flow: bool = False,
        account_id: str | None = None,
        custom_redirects: tuple[str, ...] = ("http://localhost:8030/callback",),
        clients: tuple[dict[str, Any], ...] = (),
        port: int = 0,
    ) -> None:
        """Describes a server; entering the context starts it.

        Args:
            rotate: Single-use refresh tokens with reuse detection, or reusable ones.
            access_ttl: Seconds that an access token lives.
            refresh_ttl: Seconds that a refresh token lives.
            session_ttl: Seconds that a login lives, whatever is refreshed.
            device_flow: Offer the device grant (RFC 8628) in the metadata.
            account_id: Be an account console with this id instead of a workspace.
            custom_redirects: Redirect addresses of the custom application.
            clients: More clients by their RFC 7591 metadata.
            port: Of the host; 0 for any free one.
        """
        self.custom_app = Application("lakekey-custom-app", secrets.token_urlsafe(24), custom_redirects)
        self.service_principal = Application("9a4c9e52-service-principal", f"dose{secrets.token_hex(16)}")
        self.workload_client_id = "4b1d77c3-workload"
        self.account_id = account_id
        self._settings = {
            "rotate": rotate,
            "access_ttl": access_ttl,
            "refresh_ttl": refresh_ttl,
            "session_ttl": session_ttl,
        }
        self._more = {"device_flow": device_flow, "more_clients": list(clients), "port": port}
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def running_elsewhere(cls, facts: str) -> Self:
        """The server that another process has started and goes on owning; `facts` are what its own `facts` gave."""
        known = json.loads(facts)
        server = cls()
        server.custom_app = Application(**known["custom_app"])
        server.service_principal = Application(**known["service_principal"])
        server.host, server.issuer, server.ca_file = known["host"], known["issuer"], known["ca_file"]
        Control.__init__(server, known["control"])
        return server

    def facts(self, *, ca_file: str) -> str:
        """What `running_elsewhere` needs, with the path of the certificate as that process names it."""
        applications = {name: asdict(getattr(self, name)) for name in ("custom_app", "service_principal")}
        return json.dumps(
            {"host": self.host, "issuer": self.issuer, "ca_file": ca_file, "control": self.url, **applications}
        )

    def start(self) -> Self:
        """Starts the server and waits until it listens."""
        program = node()
        if program is None:
            raise RuntimeError("Node.js is needed to run the OAuth server of the tests")
        ensure_installed()
        self._owner = os.getpid()
        self._directory = Path(tempfile.mkdtemp(prefix="lakekey-oidc-"))
        self._errors = self._directory / "stderr"
        certificates = write_certificates(self._directory)
        self.ca_file = str(certificates.ca)
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [program, "server.mjs"],
                cwd=OIDC_DIRECTORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # A Ctrl-C that a test sends to its own group must not take the server with it.
                start_new_session=True,
            )
        try:
            options = self._options(certificates.key, certificates.cert)
            self._process.stdin.write(json.dumps(options).encode() + b"\n")
            self._process.stdin.flush()
            ready = self._ready_line()
        except BaseException:
            self.stop()
            raise
        self.host: str = ready["host"]
        self.issuer: str = ready["issuer"]
        super().__init__(ready["control"])
        return self

    def _options(self, key: Path, cert: Path) -> dict[str, Any]:
        return {
            "key": str(key),
            "cert": str(cert),
            "account_id": self.account_id,
            "settings": self._settings,
            "clients": {
                "custom_app": {
                    "client_id": self.custom_app.client_id,
                    "client_secret": self.custom_app.client_secret,
                    "redirect_uris": list(self.custom_app.redirect_uris),
                },
                "service_principal": {
                    "client_id": self.service_principal.client_id,
                    "client_secret": self.service_principal.client_secret,
                },
                "federation": ["account-federation", self.workload_client_id],
            },
            **self._more,
        }

    def _ready_line(self) -> dict[str, str]:
        deadline = time.monotonic() + _START_LIMIT
        line = b""
        while not line.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._process.stdout], [], [], left)
            chunk = os.read(self._process.stdout.fileno(), 4096) if readable else b""
            if not chunk:
                raise RuntimeError(f"the OAuth server did not start:\n{self.stderr()}")
            line += chunk
        return json.loads(line)

    def stderr(self) -> str:
        """What the server has complained about so far."""
        if self._process is None:
            return ""
        return self._errors.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """Ends the server and removes its files; a fork of the owner leaves both alone."""
        process, self._process = self._process, None
        if process is None or os.getpid() != self._owner:
            return
        process.stdin.close()  # which the server takes for its end
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *exception: object) -> None:
        if kind is not None and os.getpid() == self._owner:
            sys.stderr.write(f"the OAuth server's stderr:\n{self.stderr()}")
        self.stop()

    def sign_in(
        self, url: str, user: str = DEFAULT_USER, *, decline: bool = False, deliver: bool = True
    ) -> person_oidc.SignIn:
        """Plays the person; see `support.programs.person_oidc.sign_in`."""
        return person_oidc.sign_in(url, user=user, ca_file=self.ca_file, decline=decline, deliver=deliver)

    def browser(
        self,
        user: str = DEFAULT_USER,
        *,
        decline: bool = False,
        after: float = 0,
        tabs: str | Path | None = None,
    ) -> str:
        """A value for ``BROWSER`` that signs in, in the background as a real browser does.

        Args:
            user: Who signs in.
            decline: Press Cancel.
            after: Seconds that the person thinks first.
            tabs: File that gets a line for each tab opened.
        """
        command = [sys.executable, person_oidc.__file__, "--user", user, "--ca-file", self.ca_file]
        if decline:
            command.append("--decline")
        if after:
            command += ["--after", str(after)]
        if tabs:
            command += ["--tabs", str(tabs)]
        return f"{shlex.join(command)} %s &"

    def environment(self, user: str = DEFAULT_USER, **browser: Any) -> dict[str, str]:
        """What a child process needs to find the host, trust it and have a person sign in."""
        return {
            "DATABRICKS_HOST": self.host,
            "REQUESTS_CA_BUNDLE": self.ca_file,
            "SSL_CERT_FILE": self.ca_file,
            "BROWSER": self.browser(user, **browser),
        }
