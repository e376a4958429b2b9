"""The main job: the unmodified connector and SDK, signed in as a person and as a service principal, over TLS."""

import contextlib
import json
import time

import pytest
from databricks import sql
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

import lakekey
from support import processes
from support.inside import session_of

ADA = "ada@example.com"
QUERY = """
import lakekey
with lakekey.sql.connect(enable_telemetry=False) as connection, connection.cursor() as cursor:
    cursor.execute("select current_user()")
    print(cursor.fetchone()[0])
"""
HEADER = "import lakekey; print(lakekey.provider().headers()['Authorization'])"


@pytest.fixture
def box(lakekey_environment):
    """A workspace that has issued nothing yet."""
    lakekey_environment.revoke()
    yield lakekey_environment
    lakekey_environment.set_lifetime(3600)


@pytest.fixture
def person(box):
    return lakekey.provider()


@pytest.fixture
def principal(box):
    return lakekey.provider(client_id=box.client_id, client_secret=box.client_secret)


@pytest.fixture(params=["external-browser", "oauth-m2m"])
def signed_in(request, box):
    """A provider, and who it signs in as."""
    if request.param == "external-browser":
        return request.getfixturevalue("person"), ADA
    return request.getfixturevalue("principal"), box.client_id


def current_user(connection):
    with connection.cursor() as cursor:
        cursor.execute("select current_user()")
        return cursor.fetchone()[0]


def wait_for_the_end_of(provider):
    """Until the access token that is stored has ended."""
    time.sleep(max(0.0, session_of(provider).peek().expires_at - time.time()) + 0.05)


def test_the_sql_connector_takes_the_provider_as_its_credentials_provider(box, signed_in):
    provider, who = signed_in
    with sql.connect(credentials_provider=provider, **box.connect_args()) as connection:
        assert current_user(connection) == who
    assert box.counters["token.requests"] == 1


def test_lakekeys_own_connect_fills_in_host_path_and_credentials(box, signed_in):
    provider, who = signed_in
    with lakekey.sql.connect(provider, enable_telemetry=False) as connection:
        assert current_user(connection) == who
    assert box.counters["unauthorized"] == 0


def test_the_sdk_takes_the_provider_as_its_credentials_strategy(box, signed_in):
    provider, who = signed_in
    config = Config(host=box.host, credentials_strategy=provider)
    assert WorkspaceClient(config=config).current_user.me().user_name == who
    assert config.auth_type == provider.auth_type()


def test_the_sdks_oauth_token_is_the_providers_token(box, signed_in):
    provider, _ = signed_in
    token = Config(host=box.host, credentials_strategy=provider).oauth_token()
    assert token.access_token == provider.token().access_token
    assert token.valid


def test_lakekeys_own_sdk_config_serves_a_workspace_client(box, signed_in):
    provider, who = signed_in
    config = lakekey.sdk.config(provider)
    assert WorkspaceClient(config=config).current_user.me().user_name == who
    assert config.warehouse_id == box.warehouse_id


def test_connector_and_sdk_share_one_login(box, person):
    with sql.connect(credentials_provider=person, **box.connect_args()) as connection:
        current_user(connection)
    WorkspaceClient(config=lakekey.sdk.config()).current_user.me()
    assert (box.counters["logins"], box.counters["token.requests"]) == (1, 1)


def test_two_processes_that_start_together_share_one_login(box):
    programs = [processes.start(QUERY) for _ in range(2)]
    assert [processes.finish(program) for program in programs] == [ADA, ADA]
    assert (box.counters["logins"], box.counters["token.requests"]) == (1, 1)


def test_a_later_process_finds_the_token_of_a_service_principal(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", box.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", box.client_secret)
    assert [processes.run(QUERY) for _ in range(2)] == [box.client_id] * 2
    assert box.counters["token.requests"] == 1


def test_token_that_expires_during_a_connection_is_renewed_without_a_prompt(box, signed_in):
    provider, who = signed_in
    box.set_lifetime(2)
    first = provider.token()
    box.set_lifetime(3600)
    with contextlib.closing(lakekey.sql.connect(provider, enable_telemetry=False)) as connection:
        time.sleep(max(0.0, first.expires_at.timestamp() - time.time()) + 0.05)
        assert current_user(connection) == who
    assert provider.token().access_token != first.access_token
    assert (box.counters["unauthorized"], box.counters["token.requests"]) == (0, 2)
    assert box.counters["logins"] == (1 if provider.target.is_person else 0)


def test_a_token_that_a_server_refuses_is_renewed_once_invalidated(box, signed_in):
    provider, who = signed_in
    client = WorkspaceClient(config=lakekey.sdk.config(provider))
    client.current_user.me()
    box.expire()
    provider.invalidate(provider.token().access_token)
    assert client.current_user.me().user_name == who


def test_each_of_three_processes_in_turn_rotates_the_refresh_token(box, person):
    box.set_lifetime(1)
    seen = {person.headers()["Authorization"]}
    for _ in range(3):
        wait_for_the_end_of(person)
        seen.add(processes.run(HEADER))
        assert box.stored_refresh_tokens(ADA) == [session_of(person).peek().refresh_token]
    assert len(seen) == 4
    assert (box.counters["logins"], box.counters["token.refresh_token"], box.counters["reuses"]) == (1, 3, 0)


def test_three_processes_that_meet_an_expired_token_together_refresh_once(box, person):
    box.set_lifetime(1)
    person.headers()
    box.set_lifetime(3600)
    wait_for_the_end_of(person)
    programs = [processes.start(HEADER) for _ in range(3)]
    assert len({processes.finish(program) for program in programs}) == 1
    assert (box.counters["token.refresh_token"], box.counters["reuses"]) == (1, 0)


def test_a_reply_without_a_refresh_token_keeps_the_old_one(box, person):
    person.headers()
    kept = session_of(person).peek().refresh_token
    answer = {"access_token": "a-new-token", "token_type": "Bearer", "expires_in": 3600}
    box.fault("token", status=200, body=answer)
    person.invalidate(person.token().access_token)
    assert (person.token().access_token, session_of(person).peek().refresh_token) == ("a-new-token", kept)


def test_nothing_of_a_session_is_in_clear_in_the_cache(box, signed_in, bare_machine, tmp_path):
    provider, _ = signed_in
    provider.headers()
    entry = session_of(provider).peek()
    files = [path for path in (tmp_path / "lakekey").rglob("*") if path.is_file()]
    secrets = [token for token in (entry.access_token, entry.refresh_token, box.client_secret) if token]
    written = b"".join(path.read_bytes() for path in files)
    assert len(files) >= 2
    assert not [secret for secret in secrets if secret.encode() in written]


def test_the_profiles_person_and_service_principal_are_apart(box, tmp_path):
    common = f"host = {box.host}\nwarehouse_id = {box.warehouse_id}\n"
    job = f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    (tmp_path / "databrickscfg").write_text(f"[me]\n{common}auth_type = external-browser\n[job]\n{common}{job}")
    who = [WorkspaceClient(config=lakekey.sdk.config(profile)).current_user.me().user_name for profile in ("me", "job")]
    assert who == [ADA, box.client_id]


def test_the_sdks_token_command_prints_what_the_process_uses(box, person):
    person.headers()
    printed = json.loads(processes.lakekey("token", "--json").stdout)
    assert printed["access_token"] == person.token().access_token
