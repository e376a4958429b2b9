"""The PostgreSQL store keeps the contract of every store, also through a pooler, and its errors say what to do."""

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, StoreUnavailable
from support.servers.postgresql import ROLE, Pgbouncer, free_port
from support.store_contract import CONTRACT, NAME


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda check: check.__name__)
def test_the_contract_of_a_store(postgresql, holds):
    holds(postgresql.store())


def test_the_contract_holds_through_a_pooler_in_transaction_mode(postgresql):
    with Pgbouncer(postgresql) as pooler:
        for holds in CONTRACT:
            holds(PostgresqlStore(pooler.address))
            postgresql.clear()
    assert postgresql.leases() == []


def test_f21_a_connection_that_is_dead_is_given_up_by_our_limits_whatever_libpq_would_do(postgresql):
    server = postgresql.store()._loaded_server
    with server._connection() as connection:
        used = {each.keyword.decode(): each.val.decode() for each in connection.pgconn.info if each.val is not None}
    limits = ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
    assert [used[name] for name in limits] == ["1", "5", "2", "3", "10000"]
    assert used["application_name"] == "lakekey"


def test_a31_lease_that_another_has_taken_over_is_not_released(postgresql):
    store = postgresql.store()
    with store.lock(NAME) as held:
        assert held
        postgresql.sql(f"UPDATE {TABLE} SET body = 'of another' WHERE kind = 'lease'")
    assert postgresql.leases() == [NAME]


def test_a28_lease_from_an_hour_in_the_future_is_taken_over(postgresql):
    store = postgresql.store()
    postgresql.sql(
        f"INSERT INTO {TABLE} VALUES ('lease', %s, 'of another', 'host a', clock_timestamp() + interval '1 hour')", NAME
    )
    with store.lock(NAME) as held:
        assert held


def test_a44_password_is_in_no_repr_and_no_place(postgresql):
    store = postgresql.store()
    shown = [store.where, repr(store), store.place(NAME), store.note_place("cache.json"), store.removal(NAME)]
    store.get(NAME)
    assert all(postgresql.password not in text for text in (*shown, repr(store._server)))
    assert store.where == f"postgresql://127.0.0.1:{postgresql.port}/fleet"


def test_a44_password_is_in_no_error(postgresql):
    wrong = postgresql.address.replace(postgresql.password, "dose-of-another")
    for address in (wrong, postgresql.address_at(free_port(), connect_timeout="0")):
        with pytest.raises(StoreUnavailable) as caught:
            PostgresqlStore(address).get(NAME)
        assert "dose" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(ConfigurationError) as caught:
        PostgresqlStore("postgresql://worker:dose%zz@127.0.0.1/fleet").get(NAME)
    assert "dose" not in str(caught.value)


def test_a26_server_that_is_not_there_is_an_error_that_names_it(postgresql):
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"postgresql://127.0.0.1:{port}/fleet cannot be reached"):
        PostgresqlStore(postgresql.address_at(port, connect_timeout="0")).get(NAME)


def test_a45_missing_table_names_the_command(postgresql):
    postgresql.sql(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
    try:
        with pytest.raises(CacheError) as caught:
            postgresql.store().get(NAME)
        assert "lakekey store init" in caught.value.hint
    finally:
        postgresql.sql(f"ALTER TABLE elsewhere RENAME TO {TABLE}")


def test_a45_table_of_a_later_release_is_not_written_to(postgresql):
    postgresql.sql(f"UPDATE {TABLE} SET body = '2' WHERE kind = 'note' AND name = 'schema'")
    try:
        with pytest.raises(CacheError, match="later release") as caught, postgresql.store().lock(NAME):
            pass
        assert "pip install --upgrade lakekey" in caught.value.hint
        assert postgresql.leases() == []
    finally:
        postgresql.sql(f"UPDATE {TABLE} SET body = '1' WHERE kind = 'note' AND name = 'schema'")


def test_a45_role_without_update_names_the_statement(postgresql):
    postgresql.sql(f"REVOKE UPDATE ON {TABLE} FROM {ROLE}")
    try:
        with pytest.raises(CacheError) as caught, postgresql.store().lock(NAME):
            pass
        assert f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {ROLE}" in caught.value.hint
    finally:
        postgresql.sql(f"GRANT UPDATE ON {TABLE} TO {ROLE}")


def test_a23_read_only_server_is_a_failed_write(postgresql):
    postgresql.sql(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    try:
        with pytest.raises(CacheWriteFailed, match="read-only"), postgresql.store().lock(NAME):
            pass
    finally:
        postgresql.sql(f"ALTER ROLE {ROLE} RESET default_transaction_read_only")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
def test_a48_mode_that_verifies_nothing_is_refused_for_a_remote_host(mode):
    with pytest.raises(ConfigurationError) as caught:
        PostgresqlStore(f"postgresql://worker@db.example.com/fleet?sslmode={mode}").get(NAME)
    assert "sslmode=verify-full" in caught.value.hint


@pytest.mark.parametrize("address", ["postgresql:///fleet", "postgresql://worker@a,/fleet"])
def test_address_that_names_no_host_is_refused(address):
    with pytest.raises(ConfigurationError, match="names no host"):
        PostgresqlStore(address).get(NAME)
