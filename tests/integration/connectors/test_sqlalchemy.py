"""databricks-sqlalchemy: engines whose pooled connections stay signed in."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import sqlalchemy as sa
from databricks.sql import client, exc
from sqlalchemy import orm

import lakekey
from lakekey.sandbox import Sandbox
from support.thrift_answers import refusal_of_thrift


@pytest.fixture
def engine(principal):
    engine = lakekey.sqlalchemy.create_engine(principal, connect_args={"enable_telemetry": False}, pool_pre_ping=True)
    yield engine
    engine.dispose()


def current_user(engine):
    with engine.connect() as connection:
        return connection.execute(sa.text("select current_user()")).scalar()


def test_an_engine_is_signed_in_without_a_token_in_its_url(engine, box):
    assert current_user(engine) == box.client_id
    assert engine.url.password is None
    assert box.client_secret not in repr(engine.url)


def test_a_pooled_connection_survives_the_end_of_its_token(engine, principal, box):
    assert current_user(engine) == box.client_id
    box.revoke(token=principal.token().access_token)
    assert current_user(engine) == box.client_id
    assert box.counters["token.client_credentials"] == 2


def test_error_that_the_program_is_handling_hides_none_of_the_connectors(engine, principal, box):
    current_user(engine)
    box.revoke(token=principal.token().access_token)
    try:
        raise lakekey.LockTimeout("old")
    except lakekey.LakekeyError:
        assert current_user(engine) == box.client_id
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="no_such_table"):
            connection.execute(sa.text("select * from no_such_table"))


def test_new_token_that_has_served_the_pool_is_replaced_when_it_is_refused(engine, principal, box):
    for expected in (2, 3, 4):
        box.revoke(token=principal.token().access_token)
        assert current_user(engine) == box.client_id
        assert box.counters["token.requests"] == expected


def test_without_a_ping_the_first_statement_fails_as_a_disconnect_and_the_next_one_serves(principal, box):
    engine = lakekey.sqlalchemy.create_engine(principal, connect_args={"enable_telemetry": False})
    current_user(engine)
    box.revoke(token=principal.token().access_token)
    with pytest.raises(sa.exc.DBAPIError) as caught:
        current_user(engine)
    assert caught.value.connection_invalidated
    assert current_user(engine) == box.client_id
    engine.dispose()


def cause_of(caught):
    """What explains the refusal, inside the connector's error inside SQLAlchemy's."""
    return getattr(caught.value, "orig", caught.value).__cause__


def test_refused_statement_has_not_run_and_says_so(engine, box):
    with engine.connect() as connection:
        box.fault("sql", status=401)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("select 1"))
    assert isinstance(cause_of(caught), lakekey.TokenRefused)
    assert "ExecuteStatement: the statement has not run" in cause_of(caught).message
    assert cause_of(caught).profile == box.host


def test_refusal_while_rows_are_fetched_says_that_the_statement_may_have_run(engine, box):
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("select unnest(range(0, 200000)) as n")
        rows.fetchone()
        box.fault("sql", status=401)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            rows.fetchall()
    assert "it may have run" in cause_of(caught).message
    assert caught.value.connection_invalidated


def test_refusal_in_a_batch_says_that_a_part_of_it_may_have_run(engine, box):
    with engine.begin() as connection:
        connection.execute(sa.text("create or replace table batch (n bigint)"))
    with engine.connect() as connection:
        box.fault("sql", times=1)
        box.fault("sql", status=401)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("insert into batch values (:n)"), [{"n": n} for n in range(5)])
    assert "a part of it may have run" in cause_of(caught).message


def test_statement_whose_answer_is_lost_is_not_sent_again(engine, box):
    with engine.connect() as connection:
        connection.exec_driver_sql("create table lost (n int)")
        box.fault("sql", drop_after=True)
        with pytest.raises(sa.exc.DBAPIError, match="the statement may have run, and was not sent again"):
            connection.exec_driver_sql("insert into lost values (1)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from lost").scalar_one() == 1


def test_refused_metadata_call_is_explained_and_the_token_replaced(engine, box):
    with engine.connect() as connection:
        box.fault("sql", status=401)
        with pytest.raises((exc.RequestError, sa.exc.DBAPIError)) as caught:
            sa.inspect(connection).get_columns("nothing", schema="default")
        assert isinstance(cause_of(caught), lakekey.TokenRefused)
    assert box.counters["token.requests"] == 2


def test_connection_that_is_refused_twice_is_explained(engine, box):
    box.fault("sql", status=401, times=2)
    with pytest.raises(sa.exc.DBAPIError) as caught:
        engine.connect()
    assert isinstance(cause_of(caught), lakekey.TokenRefused)
    assert "OpenSession: the statement has not run" in cause_of(caught).message


def test_connections_of_the_pool_count_as_the_connectors_own_classes(engine):
    raw = engine.raw_connection()
    with raw.cursor() as cursor:
        assert isinstance(cursor, client.Cursor)
        assert cursor.connection.open
        assert [list(row) for row in cursor.execute("select 1")] == [[1]]
    assert isinstance(raw.dbapi_connection, client.Connection)
    raw.close()


def test_an_engine_that_is_already_there_can_be_signed_in(principal, box):
    engine = sa.create_engine(
        f"databricks://token:none@{box.host.removeprefix('https://')}?http_path={box.http_path}",
        connect_args={"enable_telemetry": False},
    )
    lakekey.sqlalchemy.sign_in(engine, principal)
    assert current_user(engine) == box.client_id
    engine.dispose()


def test_an_engine_of_another_workspace_is_not_taken_to_this_one(principal, box):
    """A migration that was meant for staging must not run in production, whose profile was named by mistake."""
    engine = sa.create_engine(f"databricks://staging.cloud.databricks.com?http_path={box.http_path}")
    lakekey.sqlalchemy.sign_in(engine, principal)
    with pytest.raises(lakekey.ConfigurationError, match=r"the engine is for staging\.cloud\.databricks\.com, and"):
        current_user(engine)
    assert not [record for record in box.log if record.route == "sql"]


def test_an_engine_of_another_dialect_is_refused(principal):
    with pytest.raises(lakekey.ConfigurationError, match="the engine's dialect is sqlite"):
        lakekey.sqlalchemy.sign_in(sa.create_engine("sqlite://"), principal)


def test_unknown_setting_is_reported_when_an_engine_is_signed_in(principal, box):
    engine = sa.create_engine(f"databricks://{box.host.removeprefix('https://')}?http_path={box.http_path}")
    with pytest.raises(lakekey.ConfigurationError, match="there is no setting 'http_pth'"):
        lakekey.sqlalchemy.sign_in(engine, principal, http_pth=box.http_path)


def test_the_warehouse_of_an_engine_that_is_already_there_stays_its_own(box, monkeypatch):
    for name in ("DATABRICKS_WAREHOUSE_ID", "DATABRICKS_HTTP_PATH"):
        monkeypatch.delenv(name, raising=False)
    without = lakekey.provider(
        host=box.host, ca_file=box.ca_file, client_id=box.client_id, client_secret=box.client_secret
    )
    other = "/sql/1.0/warehouses/another"
    for path, found in ((box.http_path, box.client_id), (other, None)):
        url = f"databricks://{box.host.removeprefix('https://')}?http_path={path}"
        engine = sa.create_engine(url, connect_args={"enable_telemetry": False})
        lakekey.sqlalchemy.sign_in(engine, without)
        if found:
            assert current_user(engine) == found
        else:
            with pytest.raises(sa.exc.DBAPIError, match="another does not exist"):
                current_user(engine)
        engine.dispose()


def test_a_provider_that_is_shared_serves_several_warehouses_and_schemas(principal, box):
    engine = lakekey.sqlalchemy.create_engine(
        principal, http_path=box.http_path, schema="default", connect_args={"enable_telemetry": False}
    )
    assert dict(engine.url.query) == {"http_path": box.http_path, "schema": "default"}
    assert current_user(engine) == box.client_id
    engine.dispose()


def test_a_pool_of_32_threads_outlives_tokens_with_one_request_for_each():
    """Tokens end by themselves while pooled connections are held, and no ping looks after them."""
    with Sandbox(token_lifetime=4) as short:
        provider = lakekey.provider(
            host=short.host, ca_file=short.ca_file, http_path=short.http_path,
            client_id=short.client_id, client_secret=short.client_secret,
        )  # fmt: skip
        engine = lakekey.sqlalchemy.create_engine(
            provider, pool_size=8, max_overflow=0, connect_args={"enable_telemetry": False}
        )
        with ThreadPoolExecutor(32) as pool:
            tokens = set()
            while len(tokens) < 3:
                assert set(pool.map(current_user, [engine] * 32)) == {short.client_id}
                tokens.add(provider.token().access_token)
        assert short.counters["unauthorized"] == 0
        # A new token may have come between the last round and the counting.
        assert len(tokens) <= short.counters["token.requests"] <= len(tokens) + 1
        engine.dispose()


def test_a_sign_in_that_cannot_be_comes_out_as_our_own_error(box, unattended):
    with pytest.warns(lakekey.ServicePrincipalMissingWarning):
        engine = lakekey.sqlalchemy.create_engine(
            host=box.host, ca_file=box.ca_file, http_path=box.http_path, user="stranger@example.com"
        )
    with pytest.raises(lakekey.LoginRequired):
        current_user(engine)


# What a failed attempt leaves of the connector's connection complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_warehouse_for_the_kernel_alone_says_what_there_is_instead(principal, box):
    engine = lakekey.sqlalchemy.create_engine(
        principal, http_path="/sql/1.0/warehouses/kernel-alone", connect_args={"enable_telemetry": False}
    )
    box.fault("sql", status=200, body=refusal_of_thrift(), content_type="application/x-thrift", times=None)
    with pytest.raises(lakekey.ConfigurationError, match="refuses the Thrift protocol") as caught:
        current_user(engine)
    assert "fixed_token=True" in caught.value.hint
    del caught
    gc.collect()


class Base(orm.DeclarativeBase):
    pass


class Reading(Base):
    __tablename__ = "sqlalchemy_reading"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    place: orm.Mapped[str]
    value: orm.Mapped[float]


def test_reflection_an_orm_round_trip_and_pandas_work(engine, principal):
    Base.metadata.create_all(engine)
    try:
        with orm.Session(engine) as session:
            session.add_all([Reading(id=1, place="Oslo", value=2.5), Reading(id=2, place="Rome", value=18.0)])
            session.commit()
            warmest = session.scalars(sa.select(Reading).order_by(Reading.value.desc())).first()
            assert (warmest.id, warmest.place) == (2, "Rome")
        table = sa.Table("sqlalchemy_reading", sa.MetaData(), autoload_with=engine)
        assert sorted(column.name for column in table.columns) == ["id", "place", "value"]
        whole = lakekey.sqlalchemy.create_engine(
            principal, catalog="main", schema="default", connect_args={"enable_telemetry": False}
        )
        assert "sqlalchemy_reading" in sa.inspect(whole).get_table_names()
        whole.dispose()
        with engine.connect() as connection:
            frame = pd.read_sql(sa.text("select place, value from sqlalchemy_reading order by id"), connection)
        assert frame.to_dict("list") == {"place": ["Oslo", "Rome"], "value": [2.5, 18.0]}
    finally:
        Base.metadata.drop_all(engine)
