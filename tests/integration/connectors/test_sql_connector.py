"""The unmodified databricks-sql-connector, signed in through `lakekey.sql`, in every release that people run."""

import gc
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
from databricks import sql

import lakekey
from lakekey.sandbox import Sandbox
from support.thrift_answers import refusal_of_thrift

from .conftest import service_principal

RELEASE = tuple(int(part) for part in version("databricks-sql-connector").split(".")[:2])


def connect(provider, **options):
    return lakekey.sql.connect(provider, enable_telemetry=False, **options)


def one(cursor, statement="select current_user()"):
    cursor.execute(statement)
    return cursor.fetchone()[0]


@pytest.mark.on_windows
def test_a_person_is_signed_in(box):
    person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
    with connect(person) as connection, connection.cursor() as cursor:
        assert one(cursor) == "ada@example.com"
    assert box.counters["logins"] == 1


@pytest.mark.on_windows
@pytest.mark.parametrize("pass_through", [False, True])
def test_an_idle_connection_whose_token_was_revoked_goes_on_with_the_next_statement(box, principal, pass_through):
    with connect(principal, pass_through=pass_through) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id
        box.revoke(token=principal.token().access_token)
        assert one(cursor) == box.client_id
        with connection.cursor() as another:
            assert one(another, "select 2") == 2
    assert box.counters["token.client_credentials"] == 2


def test_a_token_that_is_refused_again_and_again_is_an_error_after_one_retry(box, principal):
    with connect(principal) as connection, connection.cursor() as cursor:
        one(cursor)
        box.fault("sql", status=401, times=None)
        box.reset_log()
        with pytest.raises(sql.exc.RequestError) as caught:
            one(cursor)
        asked = sum(record.route == "sql" for record in box.log)
        box.clear_faults()
    assert caught.value.context["http-code"] == 401
    assert asked == 2  # the statement, and a new session for it, with a new token
    assert box.counters["token.requests"] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "use schema elsewhere",
        "-- where to\n/* and\nwhy */ USE elsewhere",
        "set ansi_mode = true",
        "create or replace temporary view v as select 1 as one",
    ],
)
def test_a_statement_is_not_sent_again_on_a_session_that_lacks_what_it_depends_on(box, principal, statement):
    """On a new session, ``delete from t`` would find the ``t`` of another schema."""
    with connect(principal) as connection, connection.cursor() as cursor:
        cursor.execute("create schema if not exists elsewhere")
    with connect(principal) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        box.revoke(token=principal.token().access_token)
        before = box.counters["statements"]
        with pytest.raises(sql.exc.RequestError) as caught:
            one(cursor)
        assert caught.value.context["http-code"] == 401
        assert box.counters["statements"] == before
    with connect(principal) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id
    assert box.counters["token.requests"] == 2


def test_a_statement_is_not_sent_again_outside_its_transaction(box, principal):
    with connect(principal, ignore_transactions=False) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        box.revoke(token=principal.token().access_token)
        with pytest.raises(sql.exc.RequestError):
            one(cursor)


def test_a_statement_that_failed_for_another_reason_is_not_sent_again(box, principal):
    with connect(principal) as connection, connection.cursor() as cursor:
        one(cursor)
        before = box.counters["statements"]
        with pytest.raises(sql.exc.ServerOperationError):
            cursor.execute("select * from nothing_of_that_name")
    assert box.counters["statements"] - before <= 1
    assert box.counters["token.client_credentials"] == 1


def test_an_error_of_ours_comes_out_of_the_connector_as_it_is(box, person_leaves):
    person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
    with connect(person, pass_through=True) as connection, connection.cursor() as cursor:
        one(cursor)
        person.logout()
        person_leaves()
        with pytest.raises(lakekey.LoginRequired) as caught:
            one(cursor)
    assert caught.value.hint == f"run: lakekey login --host {box.host} --ca-file {box.ca_file}"


@pytest.mark.parametrize("read", ["fetchmany", "rows"])
def test_an_error_of_ours_comes_out_as_it_is_in_the_midst_of_reading_too(box, person_leaves, read):
    person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
    # Few rows to a fetch, since the connector takes a millisecond to hand out each.
    with connect(person, pass_through=True) as connection, connection.cursor(arraysize=100) as cursor:
        cursor.execute("select id from range(300) t(id)")
        cursor.fetchmany(50)
        person.logout()
        person_leaves()
        with pytest.raises(lakekey.LoginRequired):
            if read == "fetchmany":
                while cursor.fetchmany(100_000):
                    pass
            else:
                list(cursor)


@pytest.mark.parametrize(
    ("who", "opaque"),
    [("person", False), ("principal", False), ("principal", True)],
    ids=["person", "principal", "opaque"],
)
def test_a_query_outlives_its_tokens_which_end_by_themselves(monkeypatch, attended, who, opaque):
    with Sandbox(token_lifetime=2, opaque_tokens=opaque) as box:
        monkeypatch.setenv("BROWSER", box.person().command())
        person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
        provider = person if who == "person" else service_principal(box)
        with connect(provider, pass_through=opaque) as connection, connection.cursor() as cursor:
            cursor.execute("select id from range(300000) t(id)")
            rows = 0
            for size in (1000, 100_000, 300_000):
                rows += len(cursor.fetchmany(size))
                outlive(provider.token())
            assert one(cursor) == ("ada@example.com" if who == "person" else box.client_id)
        assert rows == 300_000
        assert box.counters["unauthorized"] == 0
        assert box.counters["token.requests"] >= 4
        assert box.counters["logins"] == (1 if who == "person" else 0)
        assert box.counters["reuses"] == 0


def outlive(token):
    time.sleep(max((token.expires_at - datetime.now(UTC)).total_seconds(), 0) + 0.1)


def test_opaque_tokens_are_renewed_in_pass_through_though_the_connector_would_keep_them_for_an_hour():
    """The connector's treatment of header names is undocumented: a release that changes it turns this red."""
    with Sandbox(token_lifetime=3600, opaque_tokens=True) as box:
        provider = service_principal(box)
        with connect(provider, pass_through=True) as connection, connection.cursor() as cursor:
            one(cursor)
            old = provider.token().access_token
            provider.invalidate(old)
            box.revoke(token=old)
            unauthorized = box.counters["unauthorized"]
            assert one(cursor) == box.client_id
            assert box.counters["unauthorized"] == unauthorized


def test_a_token_of_another_issuer_is_exchanged_by_the_connector_and_serves(box):
    """The connector compares host names: reached as localhost, the workspace is not the issuer at 127.0.0.1.

    Releases before 4.2 exchange nothing and send the token as it is.
    """
    provider = lakekey.provider(
        host=box.host.replace("127.0.0.1", "localhost"),
        ca_file=box.ca_file,
        http_path=box.http_path,
        client_id=box.client_id,
        client_secret=box.client_secret,
        discovery_url=f"{box.host}/oidc/.well-known/oauth-authorization-server",
    )
    with connect(provider) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id
    assert box.counters["token.token_exchange"] == (1 if RELEASE >= (4, 2) else 0)
    assert box.counters["token.client_credentials"] == 1


@pytest.mark.on_windows
def test_32_threads_with_their_own_connections_share_one_token(box, principal):
    start = threading.Barrier(32)

    def work(_):
        start.wait()
        with connect(principal) as connection, connection.cursor() as cursor:
            return one(cursor)

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(work, range(32))) == {box.client_id}
    assert box.counters["token.requests"] == 1


# What a failed attempt leaves of the connector's connection complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_warehouse_for_the_kernel_alone_says_what_to_ask_for_each_time(box, principal):
    """Once the connector knows such a warehouse, its own error no longer says why it went to the kernel."""
    box.fault("sql", status=200, body=refusal_of_thrift(), content_type="application/x-thrift", times=None)
    for _ in range(2):
        with pytest.raises((lakekey.ConfigurationError, sql.exc.DatabaseError)) as caught:
            connect(principal, http_path="/sql/1.0/warehouses/kernel-only")
        if RELEASE >= (4, 9):
            assert "refuses the Thrift protocol (SQLSTATE KP001)" in caught.value.message
            assert caught.value.hint.startswith("lakekey.sql.connect(…, fixed_token=True)")
            assert caught.value.profile == box.host
        else:  # these have no kernel: what the server says is all that there is to say
            assert "Thrift is not supported here" in str(caught.value)
    box.clear_faults()
    del caught
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_asks_for_the_kernel_is_not_told_of_the_warehouse(box, principal):
    if RELEASE < (4, 4):  # these know no such option
        connect(principal, use_kernel=True).close()
        return
    with pytest.raises(lakekey.ConfigurationError) as caught:
        connect(principal, use_kernel=True)
    assert caught.value.message == "the connector's kernel takes no credentials provider"
    assert caught.value.hint.startswith("lakekey.sql.connect(…, fixed_token=True)")
    assert not [record for record in box.log if record.route == "sql"]
    del caught
    gc.collect()


def test_a_fixed_token_serves_until_it_ends_and_a_new_connection_has_another(box, principal):
    with connect(principal, fixed_token=True) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id
        box.revoke(token=principal.token().access_token)
        with pytest.raises(sql.exc.RequestError) as caught:
            one(cursor)
        assert caught.value.context["http-code"] == 401
        assert isinstance(caught.value.__cause__, lakekey.TokenRefused)
        assert "has not run" in caught.value.__cause__.message
        with pytest.raises(sql.exc.RequestError):
            one(cursor)
    with connect(principal, fixed_token=True) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id
    assert box.counters["token.requests"] == 2


def test_connection_with_a_fixed_token_is_opened_although_that_was_revoked(box, principal):
    box.revoke(token=principal.token().access_token)
    with connect(principal, fixed_token=True) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id


def test_connection_that_is_refused_twice_says_why(box, principal):
    box.fault("sql", status=401, times=2)
    with pytest.raises(sql.exc.RequestError) as caught:
        connect(principal)
    assert isinstance(caught.value.__cause__, lakekey.TokenRefused)
    assert "lack rights" in caught.value.__cause__.hint


_TELLS = """
import json, sys
import lakekey
from databricks import sql
from databricks.sql.telemetry.telemetry_client import TelemetryClientFactory

TelemetryClientFactory.DEFAULT_BATCH_SIZE = 1  # each event is sent at once
settings = json.load(sys.stdin)
p = lakekey.provider(**settings)
with lakekey.sql.connect(p, force_enable_telemetry=True) as connection, connection.cursor() as cursor:
    try:
        cursor.execute("select * from nothing_of_that_name")
    except sql.exc.ServerOperationError:
        pass
wrong = lakekey.provider(**{**settings, "client_id": "another-app"})
try:
    sql.connect(credentials_provider=wrong, **lakekey.sql.connect_arguments(wrong.target))
except sql.exc.Error as error:
    assert isinstance(lakekey.sql.unwrap(error), lakekey.CredentialsRefused)
else:
    sys.exit("a wrong client was let in")
"""


def test_nothing_secret_is_in_what_the_connector_tells_of_itself_and_of_our_errors(box):
    del box.telemetry[:]
    settings = {name: getattr(box, name) for name in ("host", "ca_file", "http_path", "client_id", "client_secret")}
    done = subprocess.run(
        [sys.executable, "-c", _TELLS],
        input=json.dumps(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    posted = json.dumps(box.telemetry)
    # It does tell: of the statement that failed, and, without a header, in our own words of the sign-in that did.
    assert "nothing_of_that_name" in posted
    anonymous = [told["body"] for told in box.telemetry if not told["authorization"]]
    assert any("does not accept the client id or its secret" in body for body in anonymous)
    tokens = box._realm.ledger._tokens
    assert tokens
    assert [secret for secret in (box.client_secret, *tokens) if secret in posted] == []


def test_a_profile_without_a_warehouse_says_which_setting_is_missing(box, monkeypatch):
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID", raising=False)
    monkeypatch.delenv("DATABRICKS_HTTP_PATH", raising=False)
    provider = lakekey.provider(host=box.host, client_id=box.client_id, client_secret=box.client_secret)
    with pytest.raises(lakekey.ConfigurationError, match="no http_path") as caught:
        lakekey.sql.connect(provider)
    assert caught.value.hint == "set warehouse_id or http_path in the profile"
