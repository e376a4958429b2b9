"""A process that is stopped while it connects to a Redis, and servers that are silent: told apart by each limit."""

import itertools
from types import SimpleNamespace

import pytest
from redis import exceptions as refusals

from lakekey.cache.stores import redis_connection, redis_sentinel, redis_server
from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import CacheError, StoreUnavailable
from support.store_contract import NAME

HOST = "127.0.0.1"


class Network:
    """Servers by port, and a clock that their connections let go on.

    Attributes:
        connects: By port, how long each connection takes to be made, in seconds; the last one without end.
        replies: By port, what a command is answered, or the error that it is.
        tried: The ports, in order.
        now: The time.
    """

    def __init__(self):
        self.connects, self.replies, self.tried, self.now = {}, {}, [], 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def connection(self, _, node, seconds, **__):
        return Connection(self, node[1], seconds)


class Connection:
    """A connection of the library's, to a server that may take longer than there is time."""

    def __init__(self, network, port, seconds):
        self._network, self._port, self._seconds = network, port, seconds
        self.limit = SimpleNamespace(until=network.now + seconds)

    def connect(self):
        network = self._network
        network.tried.append(self._port)
        takes = network.connects.get(self._port, [0.0])
        takes = takes.pop(0) if len(takes) > 1 else takes[0]
        network.now += min(takes, self._seconds) if takes == float("inf") else takes
        if takes > self._seconds:
            raise refusals.TimeoutError("it took too long")

    def send_command(self, *_):
        """It is on its way at once."""

    def read_response(self):
        reply = self._network.replies[self._port]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def disconnect(self):
        """There is nothing to hang up."""


@pytest.fixture
def network(monkeypatch):
    network = Network()
    monkeypatch.setattr(redis_server, "new_connection", network.connection)
    for module in (redis_server, redis_connection, redis_sentinel):
        monkeypatch.setattr(module, "time", network)
    return network


def store(address, number=itertools.count()):  # noqa: B008 - each has a server of its own
    return RedisStore(f"{address}connect_timeout=5", operation=100.0 + next(number))


def test_silent_sentinels_are_each_asked_once(network):
    network.connects = {port: [float("inf")] for port in (1, 2, 3)}
    with pytest.raises(StoreUnavailable, match="no sentinel names a primary"):
        store(f"redis+sentinel://{HOST}:1,{HOST}:2,{HOST}:3/0?").get(NAME)
    assert network.tried == [1, 2, 3]
    assert network.now == pytest.approx(1005.0)  # for all of them together


def test_silent_sentinels_leave_time_for_the_one_that_answers(network):
    network.connects = {1: [float("inf")], 2: [0.5], 3: [2.0]}
    network.replies = {2: None, 3: [HOST.encode(), b"4"], 4: [b"sealed", 7000]}
    assert store(f"redis+sentinel://{HOST}:1,{HOST}:2,{HOST}:3/0?").get(NAME) == b"sealed"
    assert network.tried == [1, 2, 3, 4]


def test_sentinel_is_asked_once_more_by_a_process_that_was_stopped_meanwhile(network):
    network.connects = {1: [60.0, 0.1]}
    network.replies = {1: [HOST.encode(), b"4"], 4: [b"sealed", 7000]}
    assert store(f"redis+sentinel://{HOST}:1/0?").get(NAME) == b"sealed"
    assert network.tried == [1, 1, 4]


def test_server_is_tried_once_more_by_a_process_that_was_stopped_meanwhile(network):
    network.connects, network.replies = {4: [60.0, 0.1]}, {4: [b"sealed", 7000]}
    assert store(f"redis://{HOST}:4/0?").get(NAME) == b"sealed"
    assert network.tried == [4, 4]


@pytest.mark.parametrize(("takes", "tries"), [([60.0, 60.0, 0.1], 2), ([5.5, 0.1], 1), ([float("inf")], 1)])
def test_server_is_given_up_that_had_its_time_whether_or_not_the_process_was_stopped(network, takes, tries):
    network.connects = {4: takes}
    with pytest.raises(StoreUnavailable, match="too long"):
        store(f"redis://{HOST}:4/0?").get(NAME)
    assert len(network.tried) == tries


def test_next_node_is_tried_once_more_by_a_process_that_was_stopped_meanwhile(network):
    network.connects = {5: [60.0, 0.1]}
    network.replies = {4: refusals.AskError(f"1 {HOST}:5"), 5: [b"sealed", 7000]}
    assert store(f"redis://{HOST}:4/0?").get(NAME) == b"sealed"
    assert network.tried == [4, 5, 5]


@pytest.mark.parametrize("port", [4, 5])
def test_refusal_is_told_without_what_a_terminal_would_act_on(network, port):
    network.replies = {4: refusals.ResponseError("ERR \x1b[2Jno"), 5: refusals.ConnectionError("\x1b]0;title")}
    with pytest.raises(CacheError) as caught:
        store(f"redis://{HOST}:{port}/0?").get(NAME)
    assert r"\x1b" in caught.value.message
    assert caught.value.message.isprintable()
