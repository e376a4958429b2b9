"""A connection to a Redis: what the library is told, and how each of its waits ends, by a clock that does not wait."""

from types import SimpleNamespace

import pytest
from redis import exceptions as refusals

from lakekey.cache.stores import late, redis_connection
from lakekey.cache.stores.late import Limit
from lakekey.cache.stores.redis_address import address_of
from lakekey.cache.stores.redis_connection import Wire, new_connection, opened


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)
    for module in (redis_connection, late):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Library:
    """A connection of the library's, which fails so often, each time after so many seconds."""

    def __init__(self, clock, fails=(), takes=0.0):
        self.clock, self.fails, self.takes = clock, list(fails), takes
        self.limit = Limit(clock.now + 5.0)
        self.asked, self.disconnected = [], 0

    def connect(self):
        self.clock.now += self.takes
        if self.fails:
            raise self.fails.pop(0)

    def send_command(self, *words):
        self.asked.append((words, self.limit.until - self.clock.now))

    def read_response(self):
        return b"OK"

    def disconnect(self):
        self.disconnected += 1
        raise refusals.ConnectionError("it is broken")


def test_each_command_has_its_own_time_and_says_first_where_its_keys_are_moving(clock):
    library = Library(clock)
    wire = Wire(library, 15.0)
    assert wire.ask("GET", "key") == b"OK"
    clock.now += 7.0
    assert wire.ask("GET", "key", moving=True) == b"OK"
    assert library.asked == [(("GET", "key"), 15.0), (("ASKING",), 15.0), (("GET", "key"), 15.0)]
    assert not wire.closed


def test_connection_is_hung_up_whatever_the_library_says(clock):
    library = Library(clock)
    wire = Wire(library, 15.0)
    wire.close()
    assert (wire.closed, library.disconnected) == (True, 1)


def test_first_question_is_asked_where_there_is_one(clock):
    library = Library(clock)
    assert opened(lambda: library) == (library, None)
    assert opened(lambda: library, "PING") == (library, b"OK")
    assert [words for words, _ in library.asked] == [("PING",)]


@pytest.mark.parametrize(("takes", "tries"), [(5.9, 1), (6.0, 2), (6.1, 2), (60.0, 2)])
def test_process_that_was_stopped_for_a_second_beyond_the_limit_connects_once_more(clock, takes, tries):
    made = []

    def make():
        made.append(Library(clock, [refusals.ConnectionError("refused")], takes))
        return made[-1]

    with pytest.raises(refusals.ConnectionError, match="refused"):
        opened(make)
    assert [library.disconnected for library in made] == [1] * tries


@pytest.mark.parametrize("error", [OSError("reset"), refusals.InvalidResponse("what"), KeyError("map")])
def test_connection_that_fails_in_any_way_is_hung_up(clock, error):
    library = Library(clock, [error])
    with pytest.raises((OSError, redis_connection.Unreadable)):
        opened(lambda: library)
    assert library.disconnected == 1


SERVER = address_of("redis://ada:dose-of-server@127.0.0.1:4/3")
SENTINELS = address_of(
    "redis+sentinel://ada:dose-of-server@127.0.0.1:4/3?sentinel_user=eve&sentinel_password=dose-of-sentinel"
)


@pytest.mark.parametrize(
    ("address", "of_sentinel", "told"),
    [
        (SERVER, False, (3, "ada", "dose-of-server")),
        (SENTINELS, False, (3, "ada", "dose-of-server")),
        (SENTINELS, True, (0, "eve", "dose-of-sentinel")),
    ],
)
def test_library_is_told_who_signs_in_and_tries_nothing_itself(clock, address, of_sentinel, told):
    made = new_connection(address, ("localhost", 5), 7.0, of_sentinel=of_sentinel)
    assert (made.db, made.username, made.password) == told
    assert (made.host, made.port, made.protocol, made.socket_keepalive) == ("localhost", 5, 2, True)
    assert made.retry.get_retries() == 0
    assert made.socket_connect_timeout == made.socket_timeout == 7.0
    clock.now += 3.0
    assert made.socket_connect_timeout == made.socket_timeout == 4.0
    made.socket_connect_timeout = made.socket_timeout = 600.0  # as the library does
    assert made.socket_connect_timeout == made.socket_timeout == 4.0


def test_user_of_the_server_is_no_user_of_its_sentinels():
    made = new_connection(
        address_of("redis+sentinel://ada:dose-of-server@127.0.0.1/0"), ("localhost", 5), 7.0, of_sentinel=True
    )
    assert (made.username, made.password) == (None, None)


@pytest.mark.parametrize(
    ("tail", "files"), [("", (None, None)), ("?ssl_ca_certs=/ca&ssl_certfile=/mine", ("/ca", "/mine"))]
)
def test_connection_by_tls_checks_the_certificate_and_the_name(tail, files):
    made = new_connection(address_of(f"rediss://ada@db.example.com/3{tail}"), ("db.example.com", 5), 7.0)
    assert (made.db, made.username) == (3, "ada")
    assert (made.cert_reqs.name, made.check_hostname) == ("CERT_REQUIRED", True)
    assert (made.ca_certs, made.certfile) == files


class Raw:
    """A socket that sends a few bytes at once, and notes its time limits."""

    def __init__(self):
        self.sent, self.limits = b"", []

    def settimeout(self, seconds):
        self.limits.append(seconds)

    def send(self, data):
        self.sent += bytes(data[:3])
        return min(3, len(data))

    def recv(self, size):
        return b"r" * size

    def recv_into(self, room):
        room[:2] = b"in"
        return 2

    def fileno(self):
        return 7


def test_each_call_of_a_socket_has_what_is_left(clock):
    raw = Raw()
    connected = redis_connection._Socket(raw, Limit(clock.now + 9.0))
    room = bytearray(4)
    assert connected.recv(2) == b"rr"
    clock.now += 1.0
    assert (connected.recv_into(room), room[:2]) == (2, b"in")
    clock.now += 1.0
    connected.sendall(b"seven b")
    assert raw.sent == b"seven b"
    assert raw.limits == [9.0, 8.0, 7.0, 7.0, 7.0]
    assert connected.fileno() == 7
