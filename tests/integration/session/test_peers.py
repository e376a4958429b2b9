"""What docs/explanation/comparison.md says of databricks-sdk and databricks-sql-connector, shown by running them.

Each test holds for the release that the page names and that this environment has: one that turns red with a new release
is a cell of the page to change, and may be good news. What the page says of our side is shown by tests of ours.
"""

import base64
import json
import logging
import os
import shlex
import socket
import stat
import threading
import time
import webbrowser
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from databricks import sql
from databricks.sdk import oauth
from databricks.sdk.core import Config
from databricks.sql.auth import authenticators
from databricks.sql.auth.common import ClientContext
from databricks.sql.auth.endpoint import InHouseOAuthEndpointCollection
from databricks.sql.auth.oauth import OAuthManager
from databricks.sql.common.unified_http_client import UnifiedHttpClient
from databricks.sql.experimental.oauth_persistence import DevOnlyFilePersistence, OAuthToken
from databricks.sql.types import SSLOptions

import lakekey
from support import processes
from support.inside import session_of
from support.waiting import until

# What they leave to the garbage collector is theirs to answer for.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SCOPES = ["all-apis", "offline_access"]
PATIENCE = 30.0
ASKS_THE_SDK = """
from databricks.sdk.core import Config
print(Config(auth_type="external-browser").authenticate()["Authorization"][:7])
"""


@pytest.fixture
def box(lakekey_environment, monkeypatch, tmp_path):
    """The sandbox, with a home of one's own. No person sits at the browser; that it was opened is written down."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BROWSER", f"sh -c {shlex.quote(f'echo >> {tmp_path}/tabs')} %s")
    return lakekey_environment


def tabs(directory):
    path = directory / "tabs"
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture
def tokens(box, monkeypatch):
    """A new person's session for a peer to begin with."""
    with monkeypatch.context() as there:
        there.setenv("BROWSER", box.person().command())
        provider = lakekey.provider(scopes=SCOPES)
        provider.headers()
        entry = session_of(provider).peek()
    box.reset_log()
    return entry


def sdk_cache(box, tokens, *, left):
    """The SDK's cache file for a session, written by its own code, whose access token has so many seconds left."""
    endpoints = oauth.OidcEndpoints(f"{box.host}/oidc/v1/authorize", f"{box.host}/oidc/v1/token")
    cache = oauth.TokenCache(box.host, endpoints, "databricks-cli", scopes=SCOPES)
    now = datetime.now()  # noqa: DTZ005 - the SDK's times are local ones, without their zone
    token = oauth.Token(tokens.access_token, "Bearer", tokens.refresh_token, now + timedelta(hours=1))
    cache.save(oauth.SessionCredentials(token, endpoints.token_endpoint, "databricks-cli"))
    path = Path(cache.filename)
    stored = json.loads(path.read_text())
    # Saving refreshes a token that has expired, so its end is set in the file.
    stored["token"]["expiry"] = (now + timedelta(seconds=left)).isoformat()
    path.write_text(json.dumps(stored))
    return path


@contextmanager
def waited_for(process):
    """A process that may wait for a person who never comes, and is ended."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port():
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


# databricks-sdk


def test_the_sdk_keeps_the_refresh_token_in_plain_json(box, tokens):
    path = sdk_cache(box, tokens, left=3600)
    assert json.loads(path.read_text())["token"]["refresh_token"] == tokens.refresh_token
    assert processes.run(ASKS_THE_SDK) == "Bearer"  # it is the file that the SDK uses
    assert box.counters["token.requests"] == 0


def test_the_sdk_loses_a_rotated_refresh_token_to_the_next_process(box, tokens, tmp_path):
    path = sdk_cache(box, tokens, left=-60)
    assert processes.run(ASKS_THE_SDK) == "Bearer"
    assert box.counters["token.requests"] == 1
    assert json.loads(path.read_text())["token"]["refresh_token"] == tokens.refresh_token  # the spent one
    assert tabs(tmp_path) == 0
    with waited_for(processes.start(ASKS_THE_SDK)):
        until(lambda: tabs(tmp_path))
    assert box.counters["token.requests"] == 2
    assert box.counters["reuses"] == 1


def test_two_configurations_of_the_sdk_fetch_a_service_principals_token_each(box):
    for _ in range(2):
        config = Config(client_id=box.client_id, client_secret=box.client_secret)
        for _ in range(2):
            assert config.authenticate()["Authorization"].startswith("Bearer ")
    assert box.counters["token.client_credentials"] == 2


def test_the_threads_of_one_configuration_of_the_sdk_share_a_request(box):
    config = Config(client_id=box.client_id, client_secret=box.client_secret)
    threads = [threading.Thread(target=config.authenticate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert box.counters["token.client_credentials"] == 1


def test_a_503_of_the_token_endpoint_is_an_error_of_the_sdk_at_once(box):
    box.fault("token", status=503, times=1)
    with pytest.raises(ValueError, match="fault"):
        Config(client_id=box.client_id, client_secret=box.client_secret).authenticate()


def consent(port, box=None):
    """The SDK's sign-in, at a port of this test's own; its own is 8020, always."""
    host = box.host if box else "https://127.0.0.1:9"
    endpoints = oauth.OidcEndpoints(f"{host}/oidc/v1/authorize", f"{host}/oidc/v1/token")
    return oauth.OAuthClient(endpoints, f"http://localhost:{port}", "databricks-cli", SCOPES).initiate_consent()


def visits(port, path):
    """A browser that asks for a path as soon as a process listens."""

    def ask():
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with closing(HTTPConnection("localhost", port, timeout=5)) as connection:
                try:
                    connection.request("GET", path)
                    connection.getresponse().read()
                except ConnectionRefusedError:
                    time.sleep(0.01)
                else:
                    return

    def open_new(_url):
        threading.Thread(target=ask, daemon=True).start()
        return True

    return open_new


def test_one_stray_request_ends_the_sdks_sign_in(monkeypatch):
    port = free_port()
    monkeypatch.setattr(webbrowser, "open_new", visits(port, "/favicon.ico"))
    with pytest.raises(ValueError, match="No data received in callback"):
        consent(port).launch_external_browser()


def test_the_sdk_checks_the_state_and_sends_a_challenge_by_s256(monkeypatch):
    port = free_port()
    asked = consent(port)
    assert "code_challenge_method=S256" in asked.authorization_url
    monkeypatch.setattr(webbrowser, "open_new", visits(port, "/?code=a&state=another"))
    with pytest.raises(ValueError, match="state mismatch"):
        asked.launch_external_browser()


def test_the_sdk_writes_the_authorization_code_to_its_debug_log(monkeypatch, caplog):
    port = free_port()
    caplog.set_level(logging.DEBUG, "databricks.sdk")
    monkeypatch.setattr(webbrowser, "open_new", visits(port, "/?code=of-another&state=another"))
    with pytest.raises(ValueError, match="state mismatch"):
        consent(port).launch_external_browser()
    assert "of-another" in caplog.text


def test_the_sdk_does_not_look_at_the_issuer_of_an_answer(box, monkeypatch):
    port = free_port()
    asked = consent(port, box)
    state = asked.as_dict()["state"]
    monkeypatch.setattr(webbrowser, "open_new", visits(port, f"/?code=a&state={state}&iss=https://attacker.example"))
    with pytest.raises(ValueError, match="invalid_grant"):  # it has sent the code
        asked.launch_external_browser()
    assert box.counters["token.requests"] == 1


def test_the_sdk_opens_the_browser_before_it_listens(monkeypatch):
    port, found = free_port(), []

    def open_new(_url):
        with closing(socket.socket()) as knocks:
            found.append(knocks.connect_ex(("127.0.0.1", port)))
        return visits(port, "/")("")

    monkeypatch.setattr(webbrowser, "open_new", open_new)
    with pytest.raises(ValueError, match="No data received"):
        consent(port).launch_external_browser()
    assert found != [0]


def test_a_configuration_of_the_sdk_signs_the_connector_in(box):
    config = Config(client_id=box.client_id, client_secret=box.client_secret)
    signed_in = sql.connect(credentials_provider=lambda: config.authenticate, **box.connect_args())
    with signed_in as connection, connection.cursor() as cursor:
        cursor.execute("select current_user()")
        assert cursor.fetchone()[0] == box.client_id


# databricks-sql-connector


@pytest.fixture
def connector(box, monkeypatch, caplog):
    """The provider that ``auth_type="databricks-oauth"`` makes for each connection, at the sandbox."""
    caplog.set_level(logging.CRITICAL)  # it logs errors with a template that has no place for them, which pytest minds
    monkeypatch.setattr(authenticators, "get_oauth_endpoints", lambda *_: InHouseOAuthEndpointCollection())
    client = UnifiedHttpClient(ClientContext(box.host, ssl_options=SSLOptions(tls_trusted_ca_file=box.ca_file)))

    def provider(*, persistence=None, port=None):
        # Two of the arguments are the connector's own: its client and its scopes.
        name, ports = box.host.removeprefix("https://"), [port or free_port()]
        scopes = ["sql", "offline_access"]
        return authenticators.DatabricksOAuthProvider(name, persistence, ports, "databricks-sql-python", scopes, client)

    return provider


@pytest.fixture
def addresses_opened(box, monkeypatch):
    """A person signs in at the connector's browser."""
    opened = []

    def open_new(url):
        opened.append(url)
        # The address on the host leads to the server's, as on the platform.
        there = url.replace("/oidc/oauth2/v2.0/authorize", "/oidc/v1/authorize")
        threading.Thread(target=box.person(), args=(there,), daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open_new", open_new)
    return opened


def test_the_connector_asks_for_a_sign_in_with_each_connection(connector, addresses_opened, box):
    for _ in range(2):
        headers = {}
        connector().add_headers(headers)
        assert headers["Authorization"].startswith("Bearer ")
    assert len(addresses_opened) == box.counters["logins"] == 2
    assert all("code_challenge_method=S256" in url for url in addresses_opened)


def test_the_connector_listens_on_every_address(connector, monkeypatch):
    port, found = free_port(), []
    # From another loopback address than the one that the browser is sent to, where nothing answers that keeps to it.
    with closing(socket.socket()) as stranger:

        def open_new(_url):
            found.append(stranger.connect_ex(("127.0.0.2", port)))
            stranger.sendall(b"GET /?error=access_denied HTTP/1.0\r\n\r\n")
            return True

        monkeypatch.setattr(webbrowser, "open_new", open_new)
        with pytest.raises(Exception, match="CSRF"):
            connector(port=port)
    assert found == [0]


def test_one_stray_request_ends_the_connectors_sign_in(connector, monkeypatch):
    port = free_port()
    monkeypatch.setattr(webbrowser, "open_new", visits(port, "/favicon.ico"))
    with pytest.raises(Exception, match="CSRF"):
        connector(port=port)


def unsigned(left):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + left}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def test_the_connector_hands_out_a_token_in_its_last_seconds():
    dying = unsigned(left=5)
    manager = OAuthManager([8020], "databricks-sql-python", InHouseOAuthEndpointCollection(), None)
    assert manager.check_and_refresh_access_token("host", dying, "refresh") == (dying, "refresh", False)


def test_what_the_connector_can_keep_is_plain_json_with_the_masks_mode(tmp_path):
    path = tmp_path / "dev.json"
    mask = os.umask(0o022)
    try:
        DevOnlyFilePersistence(str(path)).persist("host", OAuthToken("access", "refresh"))
    finally:
        os.umask(mask)
    assert json.loads(path.read_text())["refresh_token"] == "refresh"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
