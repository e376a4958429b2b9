"""The unmodified databricks-sql-connector, signed in through `lakekey.sql`, in every release that people run."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest
from databricks import sql

import lakekey
from lakekey.sandbox import Sandbox

RELEASE = tuple(int(part) for part in version("databricks-sql-connector").split(".")[:2])


@pytest.fixture
def box(lakekey_environment):
    return lakekey_environment


@pytest.fixture
def principal(box):
    return service_principal(box)


def service_principal(box, **settings):
    return lakekey.provider(
        host=box.host,
        ca_file=box.ca_file,
        http_path=box.http_path,
        client_id=box.client_id,
        client_secret=box.client_secret,
        **settings,
    )


def connect(provider, **options):
    return lakekey.sql.connect(provider, enable_telemetry=False, **options)


def one(cursor, statement="select current_user()"):
    cursor.execute(statement)
    return cursor.fetchone()[0]


def test_a_person_is_signed_in(box):
    person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
    with connect(person) as connection, connection.cursor() as cursor:
        assert one(cursor) == "ada@example.com"
    assert box.counters["logins"] == 1


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
        with pytest.raises(sql.exc.RequestError) as caught:
            one(cursor)
        box.clear_faults()
    assert caught.value.context["http-code"] == 401


def test_a_statement_that_failed_for_another_reason_is_not_sent_again(box, principal):
    with connect(principal) as connection, connection.cursor() as cursor:
        one(cursor)
        before = box.counters["statements"]
        with pytest.raises(sql.exc.ServerOperationError):
            cursor.execute("select * from nothing_of_that_name")
    assert box.counters["statements"] - before <= 1
    assert box.counters["token.client_credentials"] == 1


def test_an_error_of_ours_comes_out_of_the_connector_as_it_is(box, monkeypatch):
    person = lakekey.provider(host=box.host, ca_file=box.ca_file, http_path=box.http_path)
    with connect(person, pass_through=True) as connection, connection.cursor() as cursor:
        one(cursor)
        person.logout()
        monkeypatch.setenv("LAKEKEY_INTERACTIVE", "never")
        monkeypatch.setattr(person.session, "_renewal", None)
        with pytest.raises(lakekey.LoginRequired) as caught:
            one(cursor)
    assert caught.value.hint == f"run: lakekey login --host {box.host}"


def test_a_query_whose_rows_are_fetched_after_its_token_ended_is_read_to_the_end():
    with Sandbox(token_lifetime=3) as box:
        provider = service_principal(box)
        with connect(provider) as connection, connection.cursor() as cursor:
            cursor.execute("select id from range(300000) t(id)")
            rows = len(cursor.fetchmany(1000))
            first = provider.token()
            box.expire(token=first.access_token)
            provider.invalidate(first.access_token)
            while more := cursor.fetchmany(100_000):
                rows += len(more)
        assert rows == 300_000


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


def test_32_threads_with_their_own_connections_share_one_token(box, principal):
    start = threading.Barrier(32)

    def work(_):
        start.wait()
        with connect(principal) as connection, connection.cursor() as cursor:
            return one(cursor)

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(work, range(32))) == {box.client_id}
    assert box.counters["token.requests"] == 1


def test_a_kernel_only_warehouse_is_served_with_a_fixed_token_where_that_is_asked_for(box, principal):
    with connect(principal, fixed_token=True) as connection, connection.cursor() as cursor:
        assert one(cursor) == box.client_id


def test_nothing_secret_reaches_the_connectors_telemetry(box, principal):
    with lakekey.sql.connect(principal, enable_telemetry=True) as connection, connection.cursor() as cursor:
        one(cursor)
        token = principal.token().access_token
    box.fault("sql", status=401, times=None)
    with pytest.raises(sql.exc.Error):
        lakekey.sql.connect(principal, enable_telemetry=True)
    box.clear_faults()
    posted = json.dumps([str(item) for item in box.telemetry])
    for secret in (token, principal.token().access_token, box.client_secret):
        assert secret not in posted


def test_a_profile_without_a_warehouse_says_which_setting_is_missing(box, monkeypatch):
    monkeypatch.delenv("DATABRICKS_WAREHOUSE_ID", raising=False)
    monkeypatch.delenv("DATABRICKS_HTTP_PATH", raising=False)
    provider = lakekey.provider(host=box.host, client_id=box.client_id, client_secret=box.client_secret)
    with pytest.raises(lakekey.ConfigurationError, match="no http_path") as caught:
        lakekey.sql.connect(provider)
    assert caught.value.hint == "set warehouse_id or http_path in the profile"
