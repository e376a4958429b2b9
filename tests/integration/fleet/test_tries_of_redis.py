"""How often and how long a Redis is tried, by a clock that does not wait, and what each of its errors means."""

import itertools
from types import SimpleNamespace

import pytest
from redis import exceptions as refusals

from lakekey.cache.stores import redis_connection, redis_sentinel, redis_server
from lakekey.cache.stores.redis_server import Server, server_at
from lakekey.errors import CacheError, CacheWriteFailed, StoreUnavailable
from support.made_up_pauses import Pauses

HOST = "127.0.0.1"
DOUBLING = [0.02, 0.04, 0.08, 0.16, 0.32, 0.64]


class Network(Pauses):
    """Servers by port, and the pauses between the tries to reach them.

    Attributes:
        greetings: By port, the error with which a connection fails.
        replies: By port, what a command is answered, or the error that it is; of a list, one after the other.
        tried: The port of each connection, and the seconds that it was given.
        hung_up: The ports of the connections that were closed.
        sentinels: The ports to which a connection was made as to a sentinel.
    """

    def __init__(self):
        super().__init__()
        self.greetings, self.replies, self.tried, self.hung_up, self.sentinels = {}, {}, [], [], []

    def connection(self, _, node, seconds, *, of_sentinel=False):
        self.sentinels += [node[1]] if of_sentinel else []
        self.tried.append((node[1], seconds))
        return Connection(self, node[1], seconds)

    def ports(self):
        return [port for port, _ in self.tried]


class Connection:
    """A connection of the library's."""

    def __init__(self, network, port, seconds):
        self._network, self._port = network, port
        self.limit = SimpleNamespace(until=network.now + seconds)
        self.asked = []

    def connect(self):
        if error := self._network.greetings.get(self._port):
            raise error

    def send_command(self, *words):
        self.asked.append(words)

    def read_response(self):
        reply = self._network.replies[self._port]
        reply = reply.pop(0) if isinstance(reply, list) else reply
        if isinstance(reply, Exception):
            raise reply
        return reply

    def disconnect(self):
        self._network.hung_up.append(self._port)


@pytest.fixture
def network(monkeypatch):
    network = Network()
    monkeypatch.setattr(redis_server, "new_connection", network.connection)
    monkeypatch.setattr(redis_server, "random", network)
    for module in (redis_server, redis_connection, redis_sentinel):
        monkeypatch.setattr(module, "time", network)
    return network


def server(more="?connect_timeout=5", start="redis://"):
    return Server(f"{start}{HOST}:4/0{more}", "there", 15.0)


def test_command_that_is_not_done_yet_is_asked_again_in_growing_pauses_until_the_patience_is_over(network):
    network.replies = {4: refusals.BusyLoadingError("LOADING the data")}
    with pytest.raises(StoreUnavailable, match="cannot do that now"):
        server().ask("GET", "key")
    assert network.slept == pytest.approx([*DOUBLING, 1.0, 1.0, 1.0, 1.0])
    assert network.spread == {(0.5, 1.5)}


def test_server_that_cannot_be_reached_is_tried_until_the_patience_would_be_over(network):
    network.greetings = {4: refusals.ConnectionError("refused")}
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        server().ask("GET", "key")
    assert caught.value.hint == "try again; if it lasts, run: lakekey doctor"
    assert network.slept == pytest.approx([*DOUBLING, 1.0, 1.0, 1.0])
    assert network.spread == {(0.5, 1.5)}
    given = [seconds for _, seconds in network.tried]
    assert given[0] == 5.0
    assert given[-1] == 2.0  # no less, however little is left


def test_patience_is_ten_seconds_unless_the_address_says_otherwise(network):
    network.replies = {4: b"OK"}
    assert server("").ask("GET", "key") == b"OK"
    assert network.tried == [(4, 10.0)]


@pytest.mark.parametrize(("later", "tries"), [(0.0, 1), (2.9, 1), (3.1, 10)])
def test_server_that_was_away_a_moment_ago_is_tried_once(network, later, tries):
    network.greetings = {4: refusals.ConnectionError("refused")}
    asked = server()
    for _ in range(2):
        network.tried.clear()
        with pytest.raises(StoreUnavailable):
            asked.ask("GET", "key")
        network.now += later
    assert len(network.tried) == tries
    assert network.tried[0] == (4, 2.0 if tries == 1 else 5.0)


def test_first_operation_of_a_process_waits_even_where_the_clock_has_just_begun(network):
    network.now = 0.5
    network.greetings = {4: refusals.ConnectionError("refused")}
    with pytest.raises(StoreUnavailable):
        server().ask("GET", "key")
    assert len(network.tried) == 10


@pytest.mark.parametrize(
    "error",
    [refusals.AuthenticationError("WRONGPASS"), refusals.NoPermissionError("NOPERM"), OSError("no CERTIFICATE")],
)
def test_what_waiting_does_not_change_is_tried_once(network, error):
    network.greetings = {4: error}
    with pytest.raises(StoreUnavailable) as caught:
        server().ask("GET", "key")
    assert network.slept == []
    assert caught.value.hint.startswith("correct the user, the password or the certificate")
    assert caught.value.hint.endswith("; then run: lakekey doctor")


def test_node_that_cannot_be_reached_is_left_for_the_one_of_the_address(network):
    network.replies = {4: [refusals.MovedError(f"1 {HOST}:5"), b"OK"]}
    network.greetings = {5: refusals.ConnectionError("refused")}
    assert server().ask("GET", "key") == b"OK"
    assert network.ports() == [4, 5, 4]


def test_node_that_was_named_is_asked_from_then_on(network):
    network.replies = {4: refusals.MovedError(f"1 {HOST}:5"), 5: b"OK"}
    asked = server()
    assert [asked.ask("GET", "key") for _ in range(2)] == [b"OK", b"OK"]
    assert network.ports() == [4, 5, 5]


@pytest.mark.parametrize(("patience", "given"), [("0", 2.0), ("5", 5.0)])
def test_node_to_which_a_slot_moves_has_two_seconds_at_least_and_is_asked_for_one_command(network, patience, given):
    network.replies = {4: [refusals.AskError(f"1 {HOST}:5"), b"own"], 5: b"OK"}
    asked = server(f"?connect_timeout={patience}")
    assert [asked.ask("GET", "key"), asked.ask("GET", "key")] == [b"OK", b"own"]
    assert network.tried[1] == (5, given)
    assert network.ports() == [4, 5, 4]
    assert 5 in network.hung_up


@pytest.mark.parametrize(
    ("reply", "kind", "in_doubt", "said"),
    [
        ("LOADING the data", StoreUnavailable, False, "cannot do that now: LOADING the data"),
        ("READONLY a replica", StoreUnavailable, False, "cannot do that now"),
        ("BUSY a script runs", StoreUnavailable, False, "cannot do that now"),
        ("MASTERDOWN no link", StoreUnavailable, False, "cannot do that now"),
        ("CLUSTERDOWN no slots", StoreUnavailable, False, "cannot do that now"),
        ("NOREPLICAS not enough", StoreUnavailable, False, "cannot do that now"),
        ("max number of clients", StoreUnavailable, False, "cannot do that now"),
        ("ERR in script (f_1): -NOREPLICAS no", StoreUnavailable, False, "cannot do that now: NOREPLICAS no"),
        ("OOM no memory", CacheWriteFailed, False, "has no room: OOM no memory"),
        ("MISCONF no disk", CacheWriteFailed, False, "has no room: MISCONF no disk"),
        ("ERR in script (f_1): -OOM no", CacheWriteFailed, False, "has no room: OOM no"),
        ("NOPERM no right", CacheError, False, "denies access: NOPERM no right"),
        ("ERR what", CacheError, False, "refuses: ERR what"),
        ("", CacheError, False, "refuses: ResponseError"),
        ("ERR one\nERR two", CacheError, False, "refuses: ERR one"),
    ],
)
def test_each_error_of_a_server_is_its_kind(network, reply, kind, in_doubt, said):
    network.replies = {4: refusals.ResponseError(reply)}
    with pytest.raises(CacheError) as caught:
        server().ask("GET", "key")
    assert type(caught.value) is kind
    assert bool(network.slept) is (kind is StoreUnavailable)
    assert caught.value.in_doubt is in_doubt
    assert caught.value.message == f"the store there {said}" or caught.value.message.startswith(
        f"the store there {said}"
    )
    assert caught.value.hint


@pytest.mark.parametrize("error", [refusals.OutOfMemoryError("no memory"), refusals.NoPermissionError("no right")])
def test_errors_that_the_library_names_are_told_by_their_kind(network, error):
    network.replies = {4: error}
    with pytest.raises(CacheError, match=r"has no room|denies access") as caught:
        server("?connect_timeout=0").ask("GET", "key")
    assert type(caught.value) is (CacheWriteFailed if "memory" in str(error) else CacheError)


@pytest.mark.parametrize(("database", "selects"), [("0", False), ("3", True)])
def test_rule_of_a_user_of_another_database_lets_it_select_that(network, database, selects):
    network.replies = {4: refusals.NoPermissionError("no right")}
    with pytest.raises(CacheError) as caught:
        Server(f"redis://{HOST}:4/{database}?prefix=mine", "there", 15.0).ask("GET", "key")
    assert "ACL SETUSER NAME ~{mine}:* +get" in caught.value.hint
    assert caught.value.hint.endswith(" +select") is selects


@pytest.mark.parametrize("error", [refusals.TimeoutError("late"), OSError("reset"), refusals.ConnectionError("closed")])
def test_reply_that_did_not_come_is_a_doubt(network, error):
    network.replies = {4: error}
    with pytest.raises(StoreUnavailable, match="did not answer") as caught:
        server().ask("GET", "key")
    assert caught.value.in_doubt
    assert network.ports() == [4]


def test_login_that_is_refused_late_is_no_doubt(network):
    network.replies = {4: refusals.AuthenticationError("NOAUTH")}
    with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
        server().ask("GET", "key")
    assert not caught.value.in_doubt
    assert caught.value.hint.startswith("correct the user")


def info(**facts):
    return "".join(f"{name}:{value}\r\n" for name, value in facts.items()).encode()


def test_server_that_keeps_everything_is_looked_at_once(network):
    network.replies = {4: info(role="master", aof_enabled="1")}
    asked = server()
    for _ in range(2):
        asked.require_keeper()
    assert network.ports() == [4] * 3  # memory, persistence, replication


def test_primary_that_became_a_replica_is_refused_and_one_that_sentinels_still_name_passes(network, monkeypatch):
    network.replies = {4: info(role="slave", aof_enabled="1")}
    with pytest.raises(CacheError, match="must not be used: it is a replica") as caught:
        server().require_keeper()
    assert not isinstance(caught.value, StoreUnavailable)
    behind = server("?service=s", "redis+sentinel://")
    monkeypatch.setattr(behind, "_first_node", lambda _: (HOST, 4))
    with pytest.raises(StoreUnavailable, match="the sentinels name no other yet"):
        behind.require_keeper()
    network.replies = {4: info(role="master", aof_enabled="1", maxmemory_policy="allkeys-lru")}
    with pytest.raises(CacheError, match="must not be used: maxmemory-policy") as caught:
        behind.require_keeper()
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize("secret", ["of-the-server", "of-the-sentinels"])
def test_password_that_a_server_repeats_is_not_shown(network, monkeypatch, secret):
    asked = server(
        "?connect_timeout=0&sentinel_password=dose-of-the-sentinels", "redis+sentinel://:dose-of-the-server@"
    )
    monkeypatch.setattr(asked, "_first_node", lambda _: (HOST, 4))
    network.replies = {4: refusals.ResponseError(f"ERR dose-{secret} here")}
    with pytest.raises(CacheError, match="refuses: ERR … here"):
        asked.ask("GET", "key")


def test_threads_of_a_process_share_the_server_of_an_address_and_its_times(number=itertools.count()):  # noqa: B008
    address = f"redis://{HOST}:4/0?prefix=shared{next(number)}"
    first = server_at(address, "there", 15.0)
    assert server_at(address, "there", 15.0) is first
    assert server_at(address, "there", 16.0) is not first


@pytest.mark.parametrize("kind", [refusals.MovedError, refusals.AskError])
def test_redirection_that_is_not_followed_is_asked_for_once(network, kind):
    network.replies = {4: kind("1 203.0.113.9:5")}
    with pytest.raises(CacheError, match="in clear to another host"):
        server().ask("GET", "key")
    assert (network.ports(), network.slept) == ([4], [])


def test_sentinel_is_asked_as_one_and_followed_to_the_primary_that_it_names(network):
    network.replies = {4: [[HOST.encode(), b"5"]], 5: b"OK"}
    assert server(start="redis+sentinel://").ask("GET", "key") == b"OK"
    assert (network.ports(), network.sentinels) == ([4, 5], [4])


def test_sentinel_that_names_another_host_is_not_followed_by_a_clear_connection(network):
    network.replies = {4: [[b"203.0.113.9", b"6379"]]}
    with pytest.raises(CacheError, match=r"sends us to 203\.0\.113\.9, and would send everything in clear"):
        server(start="redis+sentinel://").ask("GET", "key")
    assert network.ports() == [4]


def test_connection_on_which_an_error_came_is_not_used_again(network):
    network.replies = {4: [refusals.ResponseError("ERR what"), b"OK"]}
    asked = server()
    with asked.together():
        with pytest.raises(CacheError):
            asked.ask("GET", "key")
        assert asked.ask("GET", "key") == b"OK"
    assert network.ports() == [4, 4]
