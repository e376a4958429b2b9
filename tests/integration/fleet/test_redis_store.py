"""The Redis store, on Redis and on Valkey: the contract of every store, and what a Redis may lose is told."""

import contextlib
import socket
import threading
import time

import pytest
from redis import RedisError

from lakekey.cache.stores import redis_connection, redis_server
from lakekey.cache.stores.redis import RedisStore
from lakekey.cache.stores.redis_address import address_of
from lakekey.errors import CacheError, CacheWriteFailed, ConfigurationError, StoreUnavailable
from support.servers.postgresql import free_port
from support.servers.redis import Redis, valkey
from support.store_contract import CONTRACT, NAME
from support.waiting import until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(params=["redis", "valkey_server"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def server(redis):
    return redis


@pytest.fixture
def through(redis, proxy):
    return RedisStore(redis.address_at(proxy.port, connect_timeout="3"))


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda check: check.__name__)
def test_the_contract_of_a_store(either, holds):
    holds(either.store())


def test_entries_have_no_time_to_live_and_all_keys_one_hash_tag(redis):
    store = redis.store()
    with store.lock(NAME):
        store.put(NAME, b"sealed", replaces=None)
        store.write_note("cache.json", b"note")
        keys = redis.command("KEYS", "*")
        assert {key.partition(b":")[0] for key in keys} == {b"{lakekey}"}
        assert {redis.command("TTL", key) for key in keys if b":lease:" not in key} == {-1}


def test_a31_lease_that_another_has_taken_over_is_not_released(redis):
    with redis.store().lock(NAME) as held:
        assert held
        redis.command("HSET", "{lakekey}:lease:" + NAME, "nonce", "of another")
    assert redis.leases() == [NAME]


def test_a28_lease_from_an_hour_in_the_future_is_taken_over(redis):
    ends = int(time.time() + 3600) * 1000
    redis.command("HSET", "{lakekey}:lease:" + NAME, "nonce", "of another", "holder", "host a", "expires", ends)
    with redis.store().lock(NAME) as held:
        assert held


def test_a13_lost_reply_of_a_swap_is_a_yes_where_it_was_done(through, redis, proxy):
    redis.store().put(NAME, b"first", replaces=None)
    through.get(NAME)
    proxy.cut_replies(lambda request: b"ZADD" in request)
    assert through.put(NAME, b"second", replaces=b"first")
    assert proxy.cuts == 1
    assert redis.store().get(NAME) == b"second"


def test_a13_lost_reply_of_a_removal_is_settled_by_looking(through, redis, proxy):
    redis.store().put(NAME, b"first", replaces=None)
    proxy.cut_replies(lambda request: b"ZREM" in request)
    assert through.delete(NAME, replaces=b"first")
    assert proxy.cuts == 1


def test_a14_lost_reply_of_taking_a_lease_leaves_it_ours(through, redis, proxy):
    proxy.cut_replies(lambda request: b"HMGET" in request)
    with through.lock(NAME) as held:
        assert held
        assert proxy.cuts == 1
        with redis.store().lock(NAME) as other:
            assert not other


def test_a15_library_sends_each_write_once(through, proxy):
    proxy.cut_replies(lambda request: b"\r\nSET\r\n" in request, times=99)
    with pytest.raises(StoreUnavailable):
        through.write_note("cache.json", b"content")
    assert proxy.cuts == 4  # our own tries, each on a connection of its own


def test_f11_server_without_an_append_only_file_is_used_with_one_warning(redis, caplog):
    redis.command("CONFIG", "SET", "appendonly", "no")
    try:
        store = RedisStore(redis.address_at(redis.port, prefix="f11"))  # which this process has asked nothing yet
        for _ in range(2):
            with store.lock(NAME) as held:
                assert held
    finally:
        redis.command("CONFIG", "SET", "appendonly", "yes")
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "a restart brings older refresh tokens back" in warning and "appendfsync always" in warning


def test_a21_server_that_evicts_entries_is_refused(redis, monkeypatch):
    monkeypatch.setattr(redis_server, "_servers", {})  # it is asked once in a process
    redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(CacheError, match="allkeys-lru") as caught, redis.store().lock(NAME):
            pass
        assert "noeviction" in caught.value.hint
    finally:
        redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a23_full_server_is_a_failed_write(redis):
    redis.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(CacheWriteFailed, match="no room"):
            redis.store().put(NAME, b"sealed", replaces=None)
    finally:
        redis.command("CONFIG", "SET", "maxmemory", "0")


def test_replica_is_refused_as_a_store(redis):
    with Redis(replica_of=redis) as replica:
        with pytest.raises(CacheError, match="replica") as caught, replica.store().lock(NAME):
            pass
        assert "primary" in caught.value.hint


def test_a26_server_that_is_not_there_is_an_error_that_names_it(redis):
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"redis://127.0.0.1:{port}/0 cannot be reached"):
        RedisStore(redis.address_at(port, connect_timeout="0")).get(NAME)


def test_a26_black_hole_is_an_error_within_the_connect_timeout(redis, proxy):
    proxy.black_hole()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        RedisStore(redis.address_at(proxy.port, connect_timeout="0.2"), operation=600.0).get(NAME)


def test_reply_that_pauses_for_longer_than_connecting_may_take_is_read():
    seconds = 0.5

    def serve():
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as asked:
            while header := asked.readline():
                words = [(asked.readline(), asked.readline())[1] for _ in range(int(header[1:]))]
                if words[0] == b"GET\r\n":
                    peer.sendall(b"$6\r\nsea")
                    threading.Event().wait(2 * seconds)
                peer.sendall(b"led\r\n" if words[0] == b"GET\r\n" else b"+OK\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        node = listener.getsockname()
        connection = redis_connection.new_connection(address_of(f"redis://{node[0]}:{node[1]}"), node, seconds)
        connection.connect()
        with contextlib.closing(redis_connection.Wire(connection, 15.0)) as wire:
            assert wire.ask("GET", NAME) == b"sealed"


def test_a38_ten_thousand_entries_cost_one_no_more_and_lists_page(redis):
    store, names = redis.store(), [f"{number:064x}" for number in range(10_000)]
    with redis.client() as client, client.pipeline(transaction=False) as fill:
        for name in names:
            fill.set(f"{{lakekey}}:entry:{name}", b"sealed")
        fill.zadd("{lakekey}:index:", dict.fromkeys(names, 0))
        fill.execute()
        client.execute_command("CONFIG", "RESETSTAT")
        assert store.get(names[5000]) == b"sealed"
        first = store.list(limit=100)
        asked = {name: told["calls"] for name, told in client.info("commandstats").items()}
    assert (asked["cmdstat_get"], asked["cmdstat_zrangebylex"]) == (1, 1)
    assert {"cmdstat_keys", "cmdstat_scan"} & set(asked) == set()
    assert first == names[:100]
    assert store.list(after=first[-1], limit=1) == names[100:101]
    assert store.list() == names


def test_a44_password_is_in_no_repr_and_no_error(redis):
    store = redis.store()
    store.get(NAME)
    assert redis.password not in "".join([store.where, repr(store), repr(store._server), store.place(NAME)])
    with pytest.raises(StoreUnavailable) as caught:
        RedisStore(redis.address.replace(redis.password, "dose-of-another")).get(NAME)
    assert "dose" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("login", "said"), [("", "Authentication required"), (":wrong@", "WRONGPASS|invalid username-password")]
)
def test_a45_login_that_is_lacking_or_wrong_is_no_lost_reply(redis, login, said):
    with pytest.raises(StoreUnavailable, match=said) as caught:
        RedisStore(f"redis://{login}127.0.0.1:{redis.port}/0").put(NAME, b"bytes", replaces=None)
    assert not caught.value.in_doubt
    assert "the password" in caught.value.hint


def test_a45_user_without_a_right_is_answered_with_the_rule(redis):
    redis.command("ACL", "SETUSER", "worker", "on", ">dose-of-worker", "~other:*", "+@all")
    store = RedisStore(f"redis://worker:dose-of-worker@127.0.0.1:{redis.port}/0")
    with pytest.raises(CacheError) as caught:
        store.get(NAME)
    assert "ACL SETUSER" in caught.value.hint


def test_a45_rule_of_the_hint_is_enough(redis):
    rights = redis_server._RIGHTS.format(prefix="lakekey").split()
    redis.command("ACL", "SETUSER", "frugal", "on", ">dose-of-frugal", "resetkeys", "-@all", *rights)
    for holds in CONTRACT:
        redis.clear()
        holds(RedisStore(f"redis://frugal:dose-of-frugal@127.0.0.1:{redis.port}/0"))


def test_a48_remote_server_without_tls_is_refused():
    with pytest.raises(ConfigurationError, match="in clear") as caught:
        RedisStore("redis://:secret@cache.example.com/0").get(NAME)
    assert "rediss://" in caught.value.hint


def test_a19_lease_lost_in_a_fail_over_leaves_one_presentation(fleet, signed_in, oidc_server, redis):
    with oidc_server.hold() as hold, signed_in.hurried("asks_once", OUTCOME_AFTER="50") as holder:
        hold.wait()
        redis.command("DEL", "{lakekey}:lease:" + signed_in.entry_id)
        with fleet.host("b").hurried("asks_once", OUTCOME_AFTER="50") as other:
            with pytest.raises(TimeoutError):  # it meets the intent
                other.next(timeout=1.5)
            hold.release()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert oidc_server.counters()["requests.token"] == 1
    signed_in.assert_session_is_whole()


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of a cluster, of which the first one has all slots."""
    bus = [free_port(), free_port()]
    clustered = [("--cluster-enabled", "yes", "--cluster-port", str(port)) for port in bus]
    with Redis(*clustered[0], program=valkey()) as owner, Redis(*clustered[1], program=valkey()) as other:
        owner.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        other.command("CONFIG", "SET", "requirepass", owner.password)
        other.password = owner.password
        other.command("CLUSTER", "MEET", "127.0.0.1", owner.port, bus[0])
        until(lambda: b"cluster_state:ok" in other.command("CLUSTER", "INFO"))
        yield owner, other


def test_a47_cluster_keeps_the_store_in_one_slot_and_moved_is_followed(cluster):
    owner, other = cluster
    for holds in CONTRACT:
        for store in (owner.store(), other.store()):  # the node that does not have the slot says who has it
            clear(cluster)
            holds(store)


def owns(node):
    with contextlib.suppress(RedisError):
        node.command("GET", "{lakekey}:entry:")
        return True
    return False


def clear(cluster):
    for node in cluster:
        node.command("FLUSHALL")


@pytest.fixture
def moving(cluster):
    """The node that has the store's slot and the one to which it moves; the slot; the names of both."""
    clear(cluster)
    source, target = cluster if owns(cluster[0]) else reversed(cluster)
    slot = source.command("CLUSTER", "KEYSLOT", "{lakekey}:entry:")
    yield source, target, slot, [node.command("CLUSTER", "MYID") for node in (source, target)]
    for node in cluster:
        node.command("CLUSTER", "SETSLOT", slot, "STABLE")


def begun_move(source, target, slot, names):
    """Lets the slot move, of which nothing has moved yet; what moves a key, but for its name."""
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
    return ["MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "AUTH", source.password, "KEYS"]


def test_a47_entry_that_has_moved_before_its_slot_is_read_from_the_other_node_at_once(moving):
    source, target, slot, names = moving
    store = RedisStore(source.address_at(source.port, connect_timeout="0"))  # which asks no second time
    assert store.put(NAME, b"sealed", replaces=None)
    move = begun_move(source, target, slot, names)
    source.command(*move, f"{{lakekey}}:entry:{NAME}")
    assert store.get(NAME) == b"sealed"
    with pytest.raises(StoreUnavailable, match="Multiple keys") as caught:  # its index is still with the source
        store.put(NAME, b"newer", replaces=b"sealed")
    assert "redis-cli --cluster fix" in caught.value.hint and not caught.value.in_doubt
    source.command(*move, "{lakekey}:index:")
    assert store.put(NAME, b"newer", replaces=b"sealed")
    assert target.command("CLUSTER", "COUNTKEYSINSLOT", slot) == 2


def test_a47_slot_that_moves_between_scripts_loses_no_write(moving):
    source, target, slot, names = moving
    store, done, errors = source.store(), [], []
    assert store.put(NAME, b"0", replaces=None)
    stop = threading.Event()

    def count():
        try:
            while not stop.is_set() or len(done) < 20:
                with store.lock(NAME) as held:
                    assert held
                    before = store.get(NAME)
                    assert store.put(NAME, str(int(before) + 1).encode(), replaces=before)
                done.append(before)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=count)
    thread.start()
    until(lambda: done or errors)
    one = begun_move(source, target, slot, names)
    source.command(*one, "{lakekey}:index:")  # the script of a write finds one of its keys, and not the other
    until(lambda: errors or set(source.command("INFO", "errorstats")) & {"errorstat_TRYAGAIN", "errorstat_ASK"})
    while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 10):
        source.command(*one, *keys)
    for node in (target, source):
        node.command("CLUSTER", "SETSLOT", slot, "NODE", names[1])
    stop.set()
    thread.join(60)
    assert errors == []
    assert target.store().get(NAME) == str(len(done)).encode()
