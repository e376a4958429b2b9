"""Addresses of shared stores: what is near, what may be shown, and what is refused before anything is sent."""

import socket
import traceback

import pytest

from lakekey.cache.stores import postgresql_server, redis_server
from lakekey.cache.stores.places import name_of, without_credentials
from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_server import settings_of
from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import ConfigurationError, StoreUnavailable
from support.store_contract import NAME


@pytest.mark.parametrize(
    ("address", "environ"),
    [
        ("postgresql://w@localhost/db?hostaddr=203.0.113.9", {}),
        ("postgresql://w@localhost/db", {"PGHOSTADDR": "203.0.113.9"}),
        ("postgresql://w@/db?host=/run/postgresql", {"PGHOSTADDR": "203.0.113.9"}),
        ("postgresql://w@localhost,localhost/db?hostaddr=127.0.0.1,203.0.113.9", {}),
        ("postgresql://w@/db?hostaddr=203.0.113.9", {}),
        ("postgresql://w@db.example.com/db?hostaddr=127.0.0.1", {}),
    ],
)
def test_connection_to_a_remote_address_is_verified_whatever_the_host_is_called(address, environ):
    assert settings_of(address, environ)["sslmode"] == "verify-full"
    with pytest.raises(ConfigurationError, match="does not check whose server it is"):
        settings_of(f"{address}{'&' if '?' in address else '?'}sslmode=prefer", environ)


@pytest.mark.parametrize(
    ("address", "environ"),
    [
        ("postgresql://w@localhost/db?hostaddr=127.0.0.1", {}),
        ("postgresql://w@localhost/db?hostaddr=127.0.0.1", {"PGHOSTADDR": "203.0.113.9"}),  # the address wins
        ("postgresql://w@localhost/db", {"PGHOSTADDR": "::1"}),
        ("postgresql://w@/db?host=/run/postgresql", {}),
    ],
)
def test_connection_to_a_near_address_needs_no_encryption(address, environ):
    assert settings_of(address, environ)["sslmode"] == "prefer"


def test_file_of_services_brings_no_address_that_was_not_judged(tmp_path, monkeypatch):
    file = tmp_path / "services"
    file.write_text("[far]\nhostaddr=127.0.0.1\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGSERVICE", "far")
    with socket.create_server(("127.0.0.1", 0)) as far:
        far.setblocking(False)
        port = far.getsockname()[1]
        with pytest.raises(StoreUnavailable):
            PostgresqlStore(f"postgresql://w@:{port}/db?host={tmp_path}&connect_timeout=0").get(NAME)
        with pytest.raises(BlockingIOError):
            far.accept()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://worker:s3c?ret@host/db",
        "postgresql://worker:s3c#ret@host/db",
        "rediss://:s3c#x@h",
        "redis://:s3c?x#y@h/0?prefix=p",
    ],
)
def test_password_with_an_unencoded_mark_is_not_shown(address):
    assert "s3c" not in without_credentials(address)
    assert without_credentials(address).endswith("://…")


@pytest.mark.parametrize(
    "address",
    [
        "rediss://s3c?ret@127.0.0.1/0",
        "rediss://s3c#ret@127.0.0.1/0",
        "rediss://s3c/?ret@127.0.0.1/0",
        "rediss://localhost?s3c=ret@127.0.0.1/0",
        "rediss+sentinel://s3c?ret@127.0.0.1/0",
        "postgresql://worker:s3c/ret@127.0.0.1/db",
        "postgresql://s3c/ret@127.0.0.1/db",
        "postgresql://worker:s3c/ret@127.0.0.1:s3c/db",
        "postgresql://worker@127.0.0.1:s3c/db",
    ],
)
def test_part_of_a_password_that_would_pass_for_the_place_is_looked_up_by_no_name_and_shown_in_no_error(
    address, monkeypatch
):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **_: asked.append(arguments) or [])
    store = RedisStore(address) if address.startswith("redis") else PostgresqlStore(address)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        store.get(NAME)
    shown = "".join(traceback.format_exception(caught.value)) + (caught.value.hint or "") + str(caught.value)
    assert "s3c" not in shown and not asked
    assert "percent-encode" in caught.value.hint or "%XX" in caught.value.hint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("redis://h/0?prefix=a", "redis://h/0?prefix=b"),
        ("redis+sentinel://h/0?service=a", "redis+sentinel://h/0?service=b"),
        ("postgresql:///db?host=/run/a", "postgresql:///db?host=/run/b"),
        ("postgresql://w:s3c#ret@one/db", "postgresql://w:s3c#ret@other/db"),  # which libpq can read
    ],
)
def test_stores_of_two_addresses_share_no_name(one, other):
    assert name_of(one) != name_of(other)
    assert "s3c" not in name_of(one) and "ret@" not in name_of(one)


def test_place_of_a_well_written_address_is_shown():
    assert without_credentials("postgresql://w:p@h:1/db?connect_timeout=3#x") == "postgresql://h:1/db"
    assert without_credentials("rediss://h/0") == "rediss://h/0"
    assert without_credentials("redis://h/0?password=p&prefix=a&connect_timeout=1") == "redis://h/0?prefix=a"
    assert name_of("redis://u:p@h/0?prefix=a") == "redis://h/0?prefix=a"


@pytest.mark.parametrize("seconds", ["abc", "nan", "inf", "-1", "1e999"])
@pytest.mark.parametrize("kind", ["postgresql", "redis"])
def test_connect_timeout_that_is_not_a_number_is_a_configuration_error(kind, seconds):
    stores = {"postgresql": PostgresqlStore, "redis": RedisStore}
    with pytest.raises(ConfigurationError, match="connect_timeout") as caught:
        stores[kind](f"{kind}://127.0.0.1:1/0?connect_timeout={seconds}").get(NAME)
    assert caught.value.hint


@pytest.mark.parametrize("module", [postgresql_server, redis_server], ids=["postgresql", "redis"])
def test_server_whose_driver_is_missing_can_be_shown_and_is_not_kept(module, monkeypatch):
    monkeypatch.setattr(module, "MISSING", ConfigurationError("there is no driver"))
    for _ in range(2):
        server = module.Server.__new__(module.Server)
        with pytest.raises(ConfigurationError, match="no driver") as raised:
            server.__init__("scheme://name:password@host", "scheme://host", 15.0)
        assert repr(server) == "Server(scheme://host)"
        assert [entry.name for entry in raised.traceback].count("__init__") == 1
