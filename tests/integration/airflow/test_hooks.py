"""The hooks, in process: what a connection means, and what becomes of the provider's own hooks."""

import asyncio
import base64
import importlib
import json
import logging
import os
import re
import subprocess
import sys
import types
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.plugins_manager import ensure_plugins_loaded, get_import_errors
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.hooks.databricks_base import BaseDatabricksHook
from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import redact

import lakekey
from lakekey.airflow import LakekeyDatabricksHook, LakekeyDatabricksSqlHook, connection, plugin
from lakekey.airflow.plugin import add_gates, after_import
from lakekey.airflow.provider_info import get_provider_info
from lakekey.providers import factory
from lakekey.providers.token import Token
from support.airflow_home import definition
from support.servers.postgresql import Postgresql

# Airflow's own warnings about its own modules are not this project's to fix; each of ours is asserted below.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::lakekey.ServicePrincipalMissingWarning"),
]


@pytest.fixture(autouse=True)
def plugins(airflow_settings):
    ensure_plugins_loaded()
    assert get_import_errors() == {}


@pytest.fixture
def connect(box, monkeypatch):
    """Defines the connection ``lakehouse``."""

    def connect(**changes):
        monkeypatch.setenv("AIRFLOW_CONN_LAKEHOUSE", definition(box, **changes))

    connect()
    return connect


def extras(box, **more):
    return {"http_path": box.http_path, "ca_file": box.ca_file, "enable_telemetry": False, **more}


def test_the_connections_hook_is_ours_and_says_who_is_signed_in(box, connect):
    hook = BaseHook.get_hook("lakehouse")
    assert isinstance(hook, LakekeyDatabricksSqlHook)
    fine, said = hook.test_connection()
    assert fine, said
    assert said == (f"signed in to {box.host} as {box.client_id} (oauth-m2m); {box.http_path} answers {box.client_id}")


def test_the_hooks_of_the_page_ask_and_run(box, connect):
    page = (Path(__file__).parents[3] / "docs" / "guides" / "airflow.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(from lakekey\.airflow .*?)^```$", page, re.MULTILINE | re.DOTALL)
    job = LakekeyDatabricksHook("lakehouse").create_job({"name": "of the page", "tasks": []})
    here = {}
    exec(example.replace("1001", str(job)), here)
    assert [tuple(row) for row in here["rows"]] == [(box.client_id,)]
    assert here["run_id"] > 0
    assert box.counters["token.client_credentials"] == 1


def test_a_connection_without_a_warehouse_is_tested_by_its_rest_api(box, connect):
    connect(extra={"ca_file": box.ca_file})
    fine, said = BaseHook.get_hook("lakehouse").test_connection()
    assert (fine, said.partition("; ")[2]) == (True, "no SQL warehouse is named")


def test_a_wrong_secret_is_told_without_it(box, connect):
    connect(password="dose-of-something-else")
    fine, said = LakekeyDatabricksHook("lakehouse").test_connection()
    assert not fine
    assert "invalid_client" in said or "refused" in said
    assert "dose-of-something-else" not in said


def test_a_password_without_a_login_is_a_configuration_error(connect):
    connect(login=None)
    with pytest.raises(lakekey.ConfigurationError) as caught:
        LakekeyDatabricksHook("lakehouse")._get_token()
    assert "application ID" in caught.value.hint


def test_a_connection_uri_gives_the_address_in_parts(box, monkeypatch):
    address = box.host.removeprefix("https://")
    uri = f"lakekey-databricks://{box.client_id}:{box.client_secret}@{address}/?ca_file={box.ca_file}"
    monkeypatch.setenv("AIRFLOW_CONN_LAKEHOUSE", uri)
    fine, said = LakekeyDatabricksHook("lakehouse").test_connection()
    assert fine, said


def test_a_profile_on_the_worker_serves_and_its_secret_is_masked(box, connect, tmp_path, monkeypatch):
    config = tmp_path / "databrickscfg"
    config.write_text(
        f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\nhttp_path = {box.http_path}\n"
        f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    connect(host=None, login=None, password=None, extra={"profile": "prod", "enable_telemetry": False})
    assert LakekeyDatabricksSqlHook("lakehouse").get_first("select current_user()") == (box.client_id,)
    assert redact(f"it is {box.client_secret}") == "it is ***"


def test_every_token_that_is_handed_out_is_masked(box, connect):
    hook = LakekeyDatabricksHook("lakehouse")
    first = hook._get_token()
    hook.provider.invalidate(first)
    second = hook.provider.headers()["Authorization"].removeprefix("Bearer ")
    assert first != second
    assert redact(f"{first} {second}") == "*** ***"


def test_token_is_made_known_to_airflow_once(monkeypatch):
    class Source:
        def headers(self):
            return {"Authorization": "Bearer dose-of-token"}

        def token(self):
            return Token("dose-of-token", "Bearer", datetime.now(UTC), ())

    told = []
    monkeypatch.setattr(connection, "mask_secret", told.append)
    masked = connection.Masked(Source())
    for _ in range(2):
        masked.headers()
        masked.token()
    assert told == ["dose-of-token"], "each is a message to the supervisor"


def test_secret_of_the_workers_profile_is_made_known_to_airflow(connect, tmp_path, monkeypatch):
    config, told = tmp_path / "databrickscfg", []
    config.write_text("[prod]\nhost = https://lake.example.com\nclient_id = app\nclient_secret = dose-of-client\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    monkeypatch.setattr(connection, "mask_secret", told.append)
    connect(host=None, login=None, password=None, extra={"profile": "prod"})
    assert LakekeyDatabricksHook("lakehouse").provider.target.client_id == "app"
    assert told == ["dose-of-client"]


def test_application_id_among_the_extras_is_a_login_as_well(box, connect):
    connect(login=None, extra=extras(box, client_id=box.client_id))
    assert LakekeyDatabricksHook("lakehouse").provider.target.client_id == box.client_id


@pytest.mark.parametrize(
    ("parts", "address"),
    [
        ({"host": None, "schema": "https"}, None),
        ({"host": "https://lake.example.com", "port": 1, "schema": "http"}, "https://lake.example.com"),
        ({"host": "lake.example.com", "port": 8443, "schema": "https"}, "https://lake.example.com:8443"),
        ({"host": "lake.example.com", "schema": "http"}, "http://lake.example.com"),
        ({"host": "lake.example.com", "schema": "sales"}, "lake.example.com"),
    ],
)
def test_address_is_put_together_from_its_parts(parts, address):
    assert connection._host(Connection(conn_id="lakehouse", conn_type="lakekey_databricks", **parts)) == address


@pytest.mark.parametrize(("value", "on"), [("Yes ", True), (1, True), (True, True), ("no", False), (None, False)])
def test_switch_is_on_where_its_extra_says_so(value, on):
    conn = Connection(conn_id="lakehouse", conn_type="lakekey_databricks", extra=json.dumps({"pass_through": value}))
    assert connection.switches_of(conn) == {"pass_through": on, "fixed_token": False}


def test_our_extras_do_not_reach_the_connector(box, connect):
    connect(extra=extras(box, profile="", pass_through=True, scopes="sql", lock_timeout=5))
    hook = LakekeyDatabricksSqlHook("lakehouse")
    assert hook._get_extra_config() == {"enable_telemetry": False}
    assert hook.get_first("select current_user()") == (box.client_id,)


@pytest.mark.parametrize("switch", ["pass_through", "kernel_only"])
def test_the_switches_of_sql_connections_can_be_set(box, connect, switch):
    connect(extra=extras(box, **{switch: "true"}))
    assert LakekeyDatabricksSqlHook("lakehouse").get_first("select current_user()") == (box.client_id,)


def test_the_operators_warehouse_goes_before_the_connections(connect):
    other = "/sql/1.0/warehouses/another"
    with pytest.raises(Exception, match="another does not exist"):
        LakekeyDatabricksSqlHook("lakehouse", http_path=other).get_first("select 1")


def test_session_settings_and_query_tags_of_connection_and_operator_are_kept(box, connect):
    connect(extra=extras(box, session_configuration={"ansi_mode": "true", "QUERY_TAGS": "a:b"}))
    hook = LakekeyDatabricksSqlHook("lakehouse", query_tags={"team": "lake", "none": None})
    assert hook._session_configuration() == {"ansi_mode": "true", "QUERY_TAGS": "a:b,team:lake"}
    assert hook.get_first("select 1") == (1,)


@pytest.mark.parametrize("kind", [DatabricksHook, LakekeyDatabricksHook])
def test_a_rest_call_that_is_refused_is_sent_once_more_with_a_new_token(box, connect, kind):
    hook = kind("lakehouse")
    run_id = hook.submit_run({"tasks": []})
    box.revoke(token=hook._get_token())
    assert hook.get_run_state(run_id).life_cycle_state == "PENDING"
    assert (box.counters["unauthorized"], box.counters["token.requests"]) == (1, 2)


@pytest.mark.parametrize("kind", [DatabricksHook, LakekeyDatabricksHook, LakekeyDatabricksSqlHook])
def test_rest_calls_say_which_workspace_they_are_for_where_that_is_known(box, connect, kind):
    assert kind("lakehouse")._get_aad_headers() == {}
    connect(extra=extras(box, workspace_id="123"))
    hook = kind("lakehouse")
    hook._get_token()  # a hook of the provider's own becomes ours with its first act
    expected = {"X-Databricks-Org-Id": "123", "X-Databricks-Workspace-Id": "123"}
    assert hook._get_aad_headers() == expected

    async def ask():
        await hook._a_cache_databricks_conn()
        return await hook._a_get_aad_headers()

    assert asyncio.run(ask()) == expected


def test_a_statement_that_is_refused_is_sent_once_more_with_a_new_token(box, connect):
    hook = DatabricksSqlHook("lakehouse")
    connection = hook.get_conn()
    box.revoke(token=hook._get_token())
    with connection.cursor() as cursor:
        cursor.execute("select current_user()")
        assert cursor.fetchone()[0] == box.client_id
    connection.close()


def test_a_refusal_that_is_not_a_refused_token_is_told_as_it_is(box, connect):
    with pytest.raises(Exception, match="Run 1 does not exist"):
        DatabricksHook("lakehouse").get_run_state(1)
    assert box.counters["token.requests"] == 1


@pytest.mark.parametrize("kind", [DatabricksHook, LakekeyDatabricksHook])
def test_the_asynchronous_calls_are_signed_in_and_renew(box, connect, kind):
    run_id = LakekeyDatabricksHook("lakehouse").submit_run({"tasks": []})

    async def watch():
        async with kind("lakehouse") as hook:
            first = await hook.a_get_run_state(run_id)
            box.revoke(token=await hook._a_get_token())
            return first.life_cycle_state, (await hook.a_get_run_state(run_id)).life_cycle_state

    assert asyncio.run(watch()) == ("PENDING", "RUNNING")
    assert (box.counters["unauthorized"], box.counters["token.requests"]) == (1, 2)


def test_the_event_loop_goes_on_while_a_token_is_fetched(box, connect):
    box.fault("token", delay=1)

    async def turns():
        hook = LakekeyDatabricksHook("lakehouse")
        await hook._a_cache_databricks_conn()
        fetching = asyncio.create_task(hook._a_get_token())
        taken = 0
        while not fetching.done():
            await asyncio.sleep(0.01)
            taken += 1
        await fetching
        return taken

    # A loop that was held up would have taken one turn, or two.
    assert asyncio.run(turns()) > 10


def test_the_providers_own_hooks_become_ours_for_our_connections_only(box, connect, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", box.ca_file)
    ours, kind = DatabricksSqlHook("lakehouse"), DatabricksSqlHook
    assert ours.get_first("select current_user()") == (box.client_id,)
    assert isinstance(ours, kind)
    assert type(ours).__name__ == "DatabricksSqlHook"
    connect(
        conn_type="databricks", host="127.0.0.1", port=int(box.host.rpartition(":")[2]), login=None, password="dapi0"
    )
    theirs = DatabricksHook("lakehouse")
    with pytest.raises(Exception, match="Invalid access token"):
        theirs.submit_run({"tasks": []})
    assert type(theirs) is DatabricksHook
    assert theirs._get_token() == "dapi0"
    assert box.counters["token.requests"] == 1


class FromVault(BaseDatabricksHook):
    """A company's own hook: its connection comes from elsewhere, and Airflow knows none."""

    @property
    def databricks_conn(self):
        return Connection(conn_id="vault", conn_type="databricks", host="https://h.example", password="a token")


def test_hook_with_a_connection_of_its_own_asks_airflow_for_none():
    assert FromVault("nowhere")._get_token() == "a token"
    assert asyncio.run(FromVault("nowhere")._a_get_token()) == "a token"


def test_without_a_service_principal_a_task_is_warned_and_never_opens_a_browser(
    box, connect, tmp_path, monkeypatch, attended
):
    opened = tmp_path / "opened"
    monkeypatch.setenv("BROWSER", f"touch {opened} #")
    connect(login=None, password=None)
    hook = LakekeyDatabricksHook("lakehouse")
    with pytest.warns(lakekey.ServicePrincipalMissingWarning, match="an Airflow task"):
        _ = hook.provider
    with pytest.raises(lakekey.LoginRequired) as caught:
        hook._get_token()
    assert caught.value.hint == f"run: lakekey login --host {box.host} --ca-file {box.ca_file}"
    assert not opened.exists()
    assert not [record for record in box.log if record.route == "authorize"]


def test_a_token_of_the_workspaces_own_can_be_named_and_is_masked(box, connect, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", box.ca_file)  # databricks-sdk's own request looks nowhere else
    token = LakekeyDatabricksHook("lakehouse").provider.token().access_token
    connect(login=None, password=None, extra=extras(box, auth_type="pat", token=token))
    hook = LakekeyDatabricksSqlHook("lakehouse")
    assert hook.get_first("select current_user()") == (box.client_id,)
    assert hook.test_connection()[0]
    assert redact(f"it is {token}") == "it is ***"


def test_a_task_may_use_the_session_of_a_person_who_has_signed_in(box, connect, monkeypatch, attended):
    monkeypatch.delenv("AIRFLOW_CONN_LAKEHOUSE")
    monkeypatch.setenv("BROWSER", box.person().command())
    lakekey.provider(host=box.host, ca_file=box.ca_file).login()
    connect(login=None, password=None)
    monkeypatch.setattr(factory, "_warned", {box.host})
    assert LakekeyDatabricksSqlHook("lakehouse").get_first("select current_user()") == ("ada@example.com",)


@pytest.mark.parametrize("where", ["extra", "profile"])
def test_connection_that_names_a_person_is_refused(box, connect, tmp_path, monkeypatch, where):
    profile = tmp_path / "databrickscfg"
    profile.write_text(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\nuser = ada@example.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profile))
    named = {"user": "ada@example.com"} if where == "extra" else {"profile": "prod"}
    connect(login=None, password=None, extra=extras(box, **named))
    with pytest.raises(lakekey.ConfigurationError, match=r"names a person, .*, and a task is automation"):
        LakekeyDatabricksSqlHook("lakehouse").get_first("select current_user()")
    assert box.log == []


def assert_workers_make_one_token_request(box, **environ):
    workers = [sys.executable, str(Path(__file__).with_name("workers.py"))]
    environ = {**os.environ, **environ}
    done = subprocess.run(workers, capture_output=True, text=True, timeout=110, check=True, env=environ)
    found = json.loads(done.stderr.splitlines()[-1])
    told = f"signed in to {box.host} as {box.client_id} (oauth-m2m)"
    assert found == [[True, told, box.client_id]] * 16
    assert box.counters["token.requests"] == 1


def test_16_worker_processes_make_one_token_request(box, connect):
    assert_workers_make_one_token_request(box)


def test_16_workers_with_homes_of_their_own_make_one_token_request_through_a_shared_store(box, connect, tmp_path):
    with Postgresql() as server:
        fleet = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}
        fleet["LAKEKEY_KEY"] = base64.b64encode(os.urandom(32)).decode()
        assert_workers_make_one_token_request(box, WORKERS_HOMES=str(tmp_path), **fleet)
        assert len(server.store().list()) >= 1


def test_the_plugin_costs_other_tasks_no_import_of_the_provider():
    code = (
        "import sys; from lakekey.airflow.plugin import LakekeyPlugin; LakekeyPlugin.on_load();"
        "print(sorted(name for name in sys.modules if 'databricks.hooks' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_module_is_watched_until_it_is_imported_and_is_then_its_own_loaders(tmp_path, monkeypatch):
    (tmp_path / "watched_by_lakekey.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []
    for _ in range(2):
        after_import("watched_by_lakekey", seen.append)
    import watched_by_lakekey

    assert seen == [watched_by_lakekey]
    assert watched_by_lakekey.value == 1, "its own loader has run it"
    assert type(watched_by_lakekey.__spec__.loader).__name__ == "SourceFileLoader"
    assert watched_by_lakekey.__spec__.loader is watched_by_lakekey.__loader__
    after_import("watched_by_lakekey", seen.append)
    assert len(seen) == 2


def test_a_watched_module_that_is_not_there_is_missing_as_ever():
    after_import("missing_from_lakekey", list)
    assert isinstance(sys.meta_path[0], plugin._Watch), "no other finder comes before it"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("missing_from_lakekey")
    assert not any(isinstance(finder, plugin._Watch) for finder in sys.meta_path)


def test_a_hook_gets_one_gate_however_often_it_is_asked_for():
    before = vars(BaseDatabricksHook)["_get_token"]
    add_gates(sys.modules[BaseDatabricksHook.__module__])
    assert vars(BaseDatabricksHook)["_get_token"] is before


def test_a_hook_that_becomes_ours_forgets_what_it_made_of_the_connections_host(box, connect):
    hook = DatabricksHook("lakehouse")
    assert hook.host == "127.0.0.1"
    hook._get_token()
    assert f"https://{hook.host}" == box.host


def test_a_provider_release_that_we_do_not_know_is_left_alone_with_a_warning(caplog):
    unknown = types.ModuleType("airflow.providers.databricks.hooks.databricks_base")
    with caplog.at_level(logging.WARNING, logger="lakekey.airflow"):
        add_gates(unknown)
    assert "use lakekey.airflow's hooks instead" in caplog.text


def test_the_form_never_names_a_field_that_airflow_takes_for_a_secret():
    (connection_type,) = get_provider_info()["connection-types"]
    for name in connection_type["conn-fields"]:
        assert redact({name: "shown"}) == {name: "shown"}
