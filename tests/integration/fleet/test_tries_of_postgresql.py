"""How often and how long a PostgreSQL is tried, by a clock that does not wait, and what each of its errors means."""

import itertools
import selectors
import socket
from types import SimpleNamespace

import psycopg
import pytest

from lakekey.cache.stores import late, postgresql_server
from lakekey.cache.stores.postgresql_server import Answer, Server, server_at, settings_of
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, StoreUnavailable
from support.made_up_pauses import Pauses

DOUBLING = [0.02, 0.04, 0.08, 0.16, 0.32, 0.64]
AWAY = psycopg.OperationalError("connection failed: connection refused")


class Network(Pauses):
    """A server, and the pauses between the tries to reach it.

    Attributes:
        greeting: The error with which a connection fails.
        reply: What a statement is answered, or the error that it is.
        given: What each connection was made with.
        made: The connections.
    """

    def __init__(self):
        super().__init__()
        self.greeting, self.reply, self.given, self.made = None, None, [], []

    def connect(self, **given):
        self.given.append(given)
        if self.greeting:
            raise self.greeting
        self.made.append(Connection(self))
        return self.made[-1]

    def timeouts(self):
        return [given["connect_timeout"] for given in self.given]


class Connection:
    """A connection of ours."""

    def __init__(self, network):
        self._network, self.closed = network, False

    def answer(self, *asked):
        self.left, self.asked = self.limit.left(), asked
        if isinstance(self._network.reply, Exception):
            raise self._network.reply
        return self._network.reply

    def close(self):
        self.closed = True


@pytest.fixture
def network(monkeypatch):
    network = Network()
    monkeypatch.setattr(postgresql_server._Connection, "connect", network.connect)
    monkeypatch.setattr(postgresql_server, "random", network)
    for module in (postgresql_server, late):
        monkeypatch.setattr(module, "time", network)
    return network


def server(more="?connect_timeout=5", who="worker:dose-of-sesame@"):
    return Server(f"postgresql://{who}127.0.0.1:4/store{more}", "there", 15.0)


def test_server_that_cannot_be_reached_is_tried_in_growing_pauses_until_the_patience_would_be_over(network):
    network.greeting = AWAY
    with pytest.raises(StoreUnavailable, match="there cannot be reached: connection refused") as caught:
        server().ask("SELECT")
    assert caught.value.hint == "try again; if it lasts, run: lakekey doctor"
    assert not caught.value.in_doubt
    assert network.slept == pytest.approx([*DOUBLING, 1.0, 1.0, 1.0])
    assert network.spread == {(0.5, 1.5)}
    assert (network.timeouts()[0], network.timeouts()[-1]) == (5, 2)  # libpq takes no less


@pytest.mark.parametrize(
    "said",
    ["sorry, too many clients", "remaining connection slots are", "starting up", "shutting down", "in recovery mode"],
)
def test_server_that_lives_and_has_no_room_is_tried_for_three_times_as_long(network, said):
    network.greeting = psycopg.OperationalError(f"connection failed: FATAL:  {said}")
    with pytest.raises(StoreUnavailable, match=said):
        server().ask("SELECT")
    assert network.slept == pytest.approx(DOUBLING + 13 * [1.0])


@pytest.mark.parametrize(
    "said",
    [
        'password authentication failed for user "worker"', "no pg_hba.conf entry", 'database "store" does not exist',
        "certificate verify failed", "server does not support SSL", "fe_sendauth: no password supplied",
        "permission denied for database",
    ],
)  # fmt: skip
def test_what_waiting_does_not_change_is_tried_once(network, said):
    network.greeting = psycopg.OperationalError(said)
    with pytest.raises(StoreUnavailable) as caught:
        server().ask("SELECT")
    assert network.slept == []
    assert caught.value.message == f"the store there cannot be reached: {said}"
    wrong = "correct the user, the password, the database or the certificate of LAKEKEY_STORE"
    assert caught.value.hint == f"{wrong}; then run: lakekey doctor"


@pytest.mark.parametrize(("later", "tries"), [(0.0, 1), (2.9, 1), (3.1, 10)])
def test_server_that_was_away_a_moment_ago_is_tried_once(network, later, tries):
    network.greeting = AWAY
    asked = server()
    for _ in range(2):
        network.given.clear()
        with pytest.raises(StoreUnavailable):
            asked.ask("SELECT")
        network.now += later
    assert len(network.given) == tries
    assert network.timeouts()[0] == (2 if tries == 1 else 5)


def test_first_operation_of_a_process_waits_even_where_the_clock_has_just_begun(network):
    network.now, network.greeting = 0.5, AWAY
    with pytest.raises(StoreUnavailable):
        server().ask("SELECT")
    assert len(network.given) == 10


def test_connection_is_made_for_a_pooler_in_ten_seconds_and_for_one_statement(network):
    network.reply = Answer(1, [])
    assert server("").ask("SELECT %s", (7,)) == Answer(1, [])
    [given], [connection] = network.given, network.made
    assert (given["connect_timeout"], given["prepare_threshold"], given["autocommit"]) == (10, None, True)
    assert (connection.asked, connection.left, connection.closed) == (("SELECT %s", (7,)), 15.0, True)


def failed(state, text="FATAL:  what it says"):
    return psycopg.errors.lookup(state)(text)


@pytest.mark.parametrize(
    ("state", "kind", "said", "hint"),
    [
        ("25006", CacheWriteFailed, "is read-only", "name the primary server in LAKEKEY_STORE, and not a standby"),
        ("53100", CacheWriteFailed, "has no room: what it says", "free space on that server"),
        ("53200", CacheWriteFailed, "has no room: what it says", "free space on that server"),
        ("42P01", CacheError, "has no table yet", "an administrator runs: lakekey store init"),
        ("3F000", CacheError, "has no table yet", "an administrator runs: lakekey store init"),
        (
            "42501",
            CacheError,
            "denies access: what it says",
            "an administrator runs there: GRANT SELECT, INSERT, UPDATE, DELETE ON lakekey_store TO worker",
        ),
        ("42703", CacheError, "has the table of another release: what it says", "pip install --upgrade lakekey"),
        ("42804", CacheError, "has the table of another release: what it says", "pip install --upgrade lakekey"),
        ("22003", CacheError, "refuses: what it says (22003)", "run: lakekey doctor"),
    ],
)
def test_each_error_of_a_server_is_its_kind_and_leaves_the_connection(network, state, kind, said, hint):
    network.reply = failed(state)
    asked = server()
    with asked.together():
        for _ in range(2):
            with pytest.raises(CacheError) as caught:
                asked.ask("SELECT")
        assert len(network.made) == 1
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == (f"the store there {said}", hint)
    assert not caught.value.in_doubt


@pytest.mark.parametrize("state", ["08006", "40P01", "53300", "53400", "55P03", "57014", None])
def test_error_that_passes_is_a_doubt_and_costs_the_connection(network, state):
    network.reply = failed(state) if state else psycopg.OperationalError("what it says")
    asked = server()
    with asked.together():
        with pytest.raises(StoreUnavailable, match="the store there did not answer: what it says") as caught:
            asked.ask("SELECT")
        assert network.made[0].closed
    assert caught.value.in_doubt


def test_role_that_the_address_does_not_name_is_left_to_be_filled_in(network):
    network.reply = failed("42501")
    with pytest.raises(CacheError) as caught:
        server(who="").ask("SELECT")
    assert caught.value.hint.endswith("ON lakekey_store TO ROLE")


@pytest.mark.parametrize(
    ("function", "hint"), [("ExecWithCheckOptions", "DISABLE ROW LEVEL SECURITY"), ("aclcheck_error", "GRANT SELECT")]
)
def test_policy_that_refuses_a_row_is_told_from_a_right_that_is_lacking(network, function, hint):
    class Refused(psycopg.errors.InsufficientPrivilege):
        diag = type("Diagnostic", (), {"source_function": function})

    network.reply = Refused("no")
    with pytest.raises(CacheError, match="denies access") as caught:
        server().ask("SELECT")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("connection to server failed: FATAL:  no\nDETAIL: more", "no"),
        ("connection failed: one failed: two", "two"),
        ("FATAL:", "FATAL:"),
        ("", "OperationalError"),
        ("it repeats dose-of-sesame to us", "it repeats … to us"),
    ],
)
def test_reason_is_the_last_part_of_the_first_line_without_the_password(network, text, said):
    network.reply = psycopg.OperationalError(text)
    with pytest.raises(StoreUnavailable) as caught:
        server().ask("SELECT")
    assert caught.value.message == f"the store there did not answer: {said}"


def test_threads_of_a_process_share_the_server_of_an_address_and_its_times(number=itertools.count()):  # noqa: B008
    address = f"postgresql://worker{next(number)}@127.0.0.1:4/store"
    first = server_at(address, "there", 15.0)
    assert server_at(address, "there", 15.0) is first
    assert server_at(address, "there", 16.0) is not first


NEAR = {
    "host": "localhost", "port": "4", "dbname": "store", "user": "worker", "hostaddr": "", "sslmode": "prefer",
    "application_name": "lakekey", "gssencmode": "disable", "keepalives": 1, "keepalives_idle": 5,
    "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
}  # fmt: skip
FAR = {**NEAR, "host": "db.example.com", "sslmode": "verify-full", "sslrootcert": "system"}


@pytest.mark.parametrize(
    ("host", "tail", "environ", "settings"),
    [
        ("localhost", "", {}, NEAR),
        ("localhost", "", {"PGSSLROOTCERT": "/ca"}, NEAR),
        ("localhost", "?gssencmode=prefer", {}, {**NEAR, "gssencmode": "prefer"}),
        ("localhost", "?sslmode=require", {}, {**NEAR, "sslmode": "require"}),
        ("localhost", "?sslmode=verify-full", {}, {**NEAR, "sslmode": "verify-full", "sslrootcert": "system"}),
        ("db.example.com", "", {}, FAR),
        ("db.example.com", "?sslmode=verify-full", {"PGSSLROOTCERT": "/ca"}, {**FAR, "sslrootcert": "/ca"}),
        ("db.example.com", "?sslrootcert=/mine", {"PGSSLROOTCERT": "/ca"}, {**FAR, "sslrootcert": "/mine"}),
    ],
)
def test_parameters_of_a_connection(host, tail, environ, settings):
    assert settings_of(f"postgresql://worker@{host}:4/store{tail}", environ) == settings


@pytest.mark.parametrize("host", ["/run/postgresql", "@abstract", "127.0.0.1", "localhost,/run/postgresql"])
def test_socket_of_this_host_is_near(host):
    assert settings_of(f"postgresql:///store?host={host}", {})["sslmode"] == "prefer"


@pytest.mark.parametrize("address", ["postgresql:///store", "postgresql://localhost,/store", "postgresql:///"])
def test_address_without_a_host_is_refused(address):
    with pytest.raises(ConfigurationError, match="names no host") as caught:
        settings_of(address, {})
    assert "write the host" in caught.value.hint


@pytest.mark.parametrize("tail", ["options=-c", "application_name=mine&service=far", "service=far"])
def test_parameter_that_is_not_taken_is_named(tail):
    named = tail.partition("=")[0]
    with pytest.raises(ConfigurationError, match=f"has the parameter '{named}'") as caught:
        settings_of(f"postgresql://localhost/store?{tail}", {})
    assert caught.value.hint == f"remove {named}"


@pytest.mark.parametrize("address", ["postgresql://localhost:4,5/store", "postgresql://localhost,::1/store?x"])
def test_address_that_libpq_cannot_read_is_not_quoted(address):
    with pytest.raises(ConfigurationError) as caught:
        settings_of(f"{address}%", {})
    assert address not in str(caught.value)


@pytest.fixture
def waiting():
    """What a connection's waits look at: a socket that can be written to, and from which a byte can be read."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"x")
        finished = []
        pgconn = SimpleNamespace(socket=near.fileno(), finish=lambda: finished.append(True))
        yield SimpleNamespace(pgconn=pgconn, limit=SimpleNamespace(left=lambda: 0.001), near=near, finished=finished)


def test_wait_is_for_what_is_wanted_next(waiting):
    def wants():
        return [(yield selectors.EVENT_WRITE), (yield selectors.EVENT_READ)]

    ready = postgresql_server._Connection.wait(waiting, wants())
    assert ready == [selectors.EVENT_WRITE, selectors.EVENT_READ]
    assert not waiting.finished


def test_wait_that_is_too_long_ends_with_the_connection(waiting):
    def wants():
        yield selectors.EVENT_READ

    waiting.near.recv(1)
    with pytest.raises(TimeoutError):
        postgresql_server._Connection.wait(waiting, wants())
    assert waiting.finished
