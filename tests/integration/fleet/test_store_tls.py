"""A store over TLS is verified: by its authority, by its name, and by the time of its certificate."""

import datetime as dt
import socket

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import StoreUnavailable
from support.servers.postgresql import Postgresql, free_port
from support.servers.redis import Redis
from support.store_contract import NAME
from support.tls import write_certificates

pytestmark = pytest.mark.timeout(120)
NOT_YET = dt.timedelta(days=-1)


class OverPostgresql:
    """A server with TLS for 127.0.0.1."""

    def __init__(self, certificates):
        self.server = Postgresql(tls=(certificates.key, certificates.cert))

    def store(self, authority, host=None):
        named = {"host": host, "hostaddr": "127.0.0.1"} if host else {}
        trusts = {"sslmode": "verify-full", "connect_timeout": "0"} | ({"sslrootcert": authority} if authority else {})
        return PostgresqlStore(self.server.address_at(self.server.port, **trusts, **named))


class OverRedis:
    """A server with TLS for 127.0.0.1."""

    def __init__(self, certificates):
        self.port = free_port()
        files = ("--tls-cert-file", certificates.cert, "--tls-key-file", certificates.key)
        tls = ("--tls-port", self.port, *files, "--tls-ca-cert-file", certificates.ca, "--tls-auth-clients", "no")
        self.server = Redis(*map(str, tls))

    def store(self, authority, host="127.0.0.1"):
        trusts = {"connect_timeout": "0"} | ({"ssl_ca_certs": authority} if authority else {})
        address = self.server.address_at(self.port, **trusts)
        return RedisStore(address.replace("redis://", "rediss://").replace("@127.0.0.1:", f"@{host}:"))


@pytest.fixture(scope="module", params=[OverPostgresql, OverRedis])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def secured(kind, tmp_path_factory):
    """A server, and the file of its authority."""
    certificates = write_certificates(tmp_path_factory.mktemp("tls"))
    secured = kind(certificates)
    with secured.server:
        yield secured, str(certificates.ca)


@pytest.fixture
def elsewhere(monkeypatch):
    """A name that leads to loopback."""
    name, look_up = "store.example.com", socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **named: look_up("127.0.0.1" if host == name else host, *rest, **named),
    )
    return name


def test_a48_server_is_verified_by_its_authority_and_its_name(secured, elsewhere, tmp_path):
    server, authority = secured
    store = server.store(authority)
    assert store.put(NAME, b"sealed", replaces=None)
    encryption = next(finding for finding in store.examine() if finding.name == "encryption")
    assert encryption.finding.startswith("TLS")
    other = str(write_certificates(tmp_path).ca)
    for refused in (server.store(other), server.store(None), server.store(authority, elsewhere)):
        with pytest.raises(StoreUnavailable, match="certificate") as caught:
            refused.get(NAME)
        assert "the certificate" in caught.value.hint
        assert not caught.value.in_doubt


def test_a48_certificate_outside_of_its_time_is_refused(kind, tmp_path):
    certificates = write_certificates(tmp_path, skew=NOT_YET)
    server = kind(certificates)
    with server.server, pytest.raises(StoreUnavailable, match="certificate"):
        server.store(str(certificates.ca)).get(NAME)
