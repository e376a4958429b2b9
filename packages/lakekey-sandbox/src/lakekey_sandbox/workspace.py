"""``Sandbox``: the workspace, started and stopped as one object."""

import os
import secrets
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from flask import Flask

from lakekey_sandbox import authority, jobs, oidc, rest_routes, sql
from lakekey_sandbox.clients import SCOPES, Client, built_in
from lakekey_sandbox.control import Controls
from lakekey_sandbox.faults import FaultInjector
from lakekey_sandbox.https import HTTPSServer
from lakekey_sandbox.person import Decision, Person
from lakekey_sandbox.realm import Realm, Settings
from lakekey_sandbox.records import Recorder


class Sandbox(Controls):
    """A Databricks workspace on one HTTPS port of 127.0.0.1, with its own certificate authority.

    Use it as a context manager, or ``start`` and ``stop`` it; it starts once.

    Args:
        port: The port, or 0 for any free one.
        token_lifetime: Seconds that access tokens live.
        refresh_lifetime: Seconds that refresh tokens live.
        rotate: Refresh tokens are single-use, and using one twice revokes all tokens of that sign-in.
        users: Who can sign in.
        opaque_tokens: Access tokens are random strings, no JWTs.
        omit_refresh_token: Answers to a refresh carry no refresh token; the old one goes on.
        expired_status: The status for an expired access token, 401 or 403.
        engine: What runs SQL: ``duckdb``, or ``spark`` in process.
        directory: Where ``ca.pem`` goes; a temporary directory where ``None``, removed by ``stop``.

    Raises:
        ImportError: The engine is not installed.
        ValueError: No users, or no such engine.

    Attributes:
        host: The workspace's URL, such as ``https://127.0.0.1:43210``.
        ca_file: The authority's certificate (PEM) that clients have to trust.
        ca_bundle: That certificate and those that this machine trusts already, for variables that replace the latter.
        directory: Where the sandbox keeps its files.
        http_path: The SQL warehouse's HTTP path.
        warehouse_id: The SQL warehouse's id.
        cluster_id: The cluster's id.
        account_id: The account's id.
        workspace_id: The workspace's id.
        client_id: The built-in service principal's application id.
        client_secret: Its secret.
        users: Who can sign in.
        telemetry: What the connectors sent to the telemetry routes: ``path``, ``authorization`` (whether
            there was a header) and ``body`` of each message.
    """

    warehouse_id = sql.WAREHOUSE_ID
    cluster_id = rest_routes.CLUSTER_ID
    http_path = f"/sql/1.0/warehouses/{sql.WAREHOUSE_ID}"

    def __init__(
        self,
        *,
        port: int = 0,
        token_lifetime: int = 3600,
        refresh_lifetime: int = 7 * 24 * 3600,
        rotate: bool = True,
        users: Iterable[str] = ("ada@example.com", "grace@example.com"),
        opaque_tokens: bool = False,
        omit_refresh_token: bool = False,
        expired_status: int = 401,
        engine: str = "duckdb",
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.users = tuple(users)
        if not self.users:
            raise ValueError("users names at least one person")
        if engine not in ("duckdb", "spark"):
            raise ValueError("engine is duckdb or spark")
        sql.require_engine(engine)
        self._settings = Settings(
            token_lifetime=token_lifetime,
            refresh_lifetime=refresh_lifetime,
            rotate=rotate,
            omit_refresh_token=omit_refresh_token,
            opaque_tokens=opaque_tokens,
            expired_status=expired_status,
        )
        self._port = port
        self._requested_directory = None if directory is None else os.fspath(directory)
        self._warehouse = sql.LazyWarehouse(engine)
        self._server: HTTPSServer | None = None
        self._lock = threading.Lock()
        self.telemetry: list[dict[str, Any]] = []
        self.client_id = str(uuid.uuid4())
        # In the shape of Databricks' secrets, so that scanners that look for those find it in a leak.
        self.client_secret = f"dose{secrets.token_hex(16)}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Starts to serve; returns once connections are accepted.

        Raises:
            OSError: The port is taken, or the directory cannot be used.
            RuntimeError: The sandbox was started before.
        """
        with self._lock:
            if self._server is not None:
                raise RuntimeError("a sandbox starts once")
            self.directory = self._prepare_directory()
            self.ca_file = os.path.join(self.directory, "ca.pem")
            self.ca_bundle = os.path.join(self.directory, "bundle.pem")
            try:
                self._server = HTTPSServer(self._port, authority.issue(self.ca_file))
                authority.write_bundle(self.ca_file, self.ca_bundle)
            except BaseException:
                self._remove_files()
                raise
        self.host = f"https://127.0.0.1:{self._server.port}"
        self._realm = Realm(self.host, self.users, self._settings)
        self.account_id = self._realm.account_id
        self.workspace_id = self._realm.workspace_id
        for client in (*built_in(), self._service_principal()):
            self._realm.clients.add(client)
        app = Flask("lakekey.sandbox", static_folder=None, template_folder=None)
        oidc.mount(app, self._realm)
        rest_routes.mount(app, self._realm, self.telemetry.append)
        jobs.mount(app, self._realm)
        sql.mount(app, self._realm, self._warehouse)
        self._server.app = Recorder(FaultInjector(app.wsgi_app, self._faults), self._log)
        self._server.start()
        return self

    def stop(self) -> None:
        """Closes every connection, ends the warehouse's sessions and removes the sandbox's files."""
        with self._lock:
            if self._server is None:
                return
            self._faults.clear()
            self._server.stop()
            self._warehouse.close()
            self._remove_files()

    def _prepare_directory(self) -> str:
        if self._requested_directory is None:
            return tempfile.mkdtemp(prefix="lakekey-sandbox-")
        os.makedirs(self._requested_directory, mode=0o700, exist_ok=True)
        return os.path.abspath(self._requested_directory)

    def _remove_files(self) -> None:
        if self._requested_directory is None:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            for path in (self.ca_file, self.ca_bundle):
                if os.path.exists(path):
                    os.unlink(path)

    def _service_principal(self) -> Client:
        return Client(
            self.client_id,
            self.client_secret,
            scopes=tuple(scope for scope in SCOPES if scope != "offline_access"),
            grants=("client_credentials",),
            name="Sandbox service principal",
        )

    def connect_args(self) -> dict[str, Any]:
        """Arguments for ``databricks.sql.connect``, all but the credentials."""
        return {
            "server_hostname": self.host.removeprefix("https://"),
            "http_path": self.http_path,
            # With a port in the host name alone, the connector's Thrift client would go to port 443.
            "_connection_uri": self.host + self.http_path,
            "_tls_trusted_ca_file": self.ca_file,
            "enable_telemetry": False,
        }

    def environment(self) -> dict[str, str]:
        """Environment variables that point a child process at the sandbox; no secrets.

        Other servers stay trusted: the variables name a bundle, which has this machine's authorities, too.
        """
        ours = "127.0.0.1,localhost,::1"
        others = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
        without_proxy = f"{others},{ours}" if others else ours
        return {
            "DATABRICKS_HOST": self.host,
            "DATABRICKS_WAREHOUSE_ID": self.warehouse_id,
            "REQUESTS_CA_BUNDLE": self.ca_bundle,
            "SSL_CERT_FILE": self.ca_bundle,
            "NO_PROXY": without_proxy,
            "no_proxy": without_proxy,
        }

    def person(self, user: str | None = None, *, decision: Decision = "sign-in") -> Person:
        """A person who signs in, or cancels, at the sign-in page; the first user where none is named."""
        return Person(user or self.users[0], ca_file=self.ca_file, decision=decision)
