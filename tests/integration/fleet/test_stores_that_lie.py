"""Servers that answer something else than they were asked for: another program, another table, or a liar."""

import struct
import threading
from contextlib import contextmanager

import pytest

from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import CacheError, StoreUnavailable
from support.servers.spoken import listening, message
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(120)
LIE = "answers with something that lakekey has not put there"
BYTEA, TEXT, FLOAT = 17, 25, 701  # PostgreSQL's types, by their numbers
NOW = ("1800000000.5", FLOAT)


@contextmanager
def postgresql_that_says(*rows, notices=0):
    """A server that lets everyone in, and has these rows for every statement; values are pairs of text and type."""

    def answer():
        yield from (message(b"N", b"SNOTICE\0MNo news\0\0") for _ in range(notices))
        yield message(b"1") + message(b"2")
        if rows:
            columns = [b"a\0" + struct.pack("!ihihih", 0, 0, kind, -1, -1, 0) for _, kind in rows[0]]
            yield message(b"T", struct.pack("!h", len(columns)) + b"".join(columns))
        else:
            yield message(b"n")
        for row in rows:
            values = [struct.pack("!i", -1 if text is None else len(text)) + (text or "").encode() for text, _ in row]
            yield message(b"D", struct.pack("!h", len(values)) + b"".join(values))
        yield message(b"C", b"SELECT %d\0" % len(rows)) + message(b"Z", b"I")

    def handle(asked, said):
        (length, code) = struct.unpack("!ii", asked.read(8))
        if code == 80877103:  # for TLS
            said.write(b"N")
            (length, code) = struct.unpack("!ii", asked.read(8))
        asked.read(length - 8)
        said.write(message(b"R", struct.pack("!i", 0)))
        said.write(message(b"S", b"client_encoding\0UTF8\0") + message(b"S", b"server_version\x0015.0\0"))
        said.write(message(b"Z", b"I"))
        while kind := asked.read(1):
            (length,) = struct.unpack("!i", asked.read(4))
            asked.read(length - 4)
            if kind == b"S":
                for part in answer():
                    said.write(part)

    with listening(handle) as port:
        yield PostgresqlStore(f"postgresql://worker@127.0.0.1:{port}/lakekey?sslmode=disable&connect_timeout=5")


@contextmanager
def redis_that_says(reply):
    """A server that has one reply to every script and to every list, and is a good primary otherwise."""
    info = b"role:master\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n"

    def handle(asked, said):
        while line := asked.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int(asked.readline()[1:])
                words.append(asked.read(length + 2)[:-2])
            if words[0] in (b"EVAL", b"ZRANGEBYLEX"):
                said.write(reply)
            elif words[0] == b"INFO":
                said.write(b"$%d\r\n%s\r\n" % (len(info), info))
            else:
                said.write(b"+OK\r\n")

    with listening(handle) as port:
        yield RedisStore(f"redis://127.0.0.1:{port}/0?connect_timeout=0")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[("\\x00", BYTEA)]],
        [[("some text", TEXT), NOW]],
        [[("\\x00", BYTEA), (None, FLOAT)]],
        [[("\\x00", BYTEA), ("NaN", FLOAT)]],
        [[("\\x00", BYTEA), ("yesterday", TEXT)]],
        [[("\\x00", BYTEA), NOW], [("\\x01", BYTEA), NOW]],
        [[("\\x00", BYTEA), NOW, NOW]],
    ],
    ids=["no row", "one column", "text", "no time", "no number", "another time", "two rows", "three columns"],
)
def test_rows_of_another_kind_are_an_error_with_a_next_step(rows):
    with postgresql_that_says(*rows) as store, pytest.raises(CacheError, match=LIE) as caught:
        store.read(NAME)
    assert "lakekey store check" in caught.value.hint
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize("value", [(None, BYTEA), ("some text", TEXT), ("7", 23)], ids=["nothing", "text", "number"])
def test_lease_of_another_kind_is_not_taken_for_ours(value):
    with postgresql_that_says([value]) as store:
        store._known = True  # what the note says of the table is asked for first, and would be the same
        with pytest.raises(CacheError, match=LIE), store.lock(NAME):
            pass


def test_pages_that_never_end_are_an_error():
    with postgresql_that_says(*[[("a" * 64, TEXT)]] * 1000) as store, pytest.raises(CacheError, match=LIE):
        store.list()


def test_flood_of_notices_changes_no_answer():
    with postgresql_that_says([("\\x6f6e65", BYTEA), NOW], notices=10_000) as store:
        assert store.read(NAME) == (b"one", 1_800_000_000.5)


def test_web_server_under_the_address_of_a_store_is_an_error_that_names_it():
    def web(asked, said):
        asked.read(8)
        said.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(web) as port:
        store = PostgresqlStore(
            f"postgresql://worker:hunter2@127.0.0.1:{port}/lakekey?sslmode=disable&connect_timeout=0"
        )
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}") as caught:
            store.get(NAME)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        b":1000000000\r\n",
        b"+OK\r\n",
        b"*-1\r\n",
        b"*1\r\n:1\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*2\r\n:5\r\n:1\r\n",
    ],
    ids=["number", "word", "nothing", "one value", "no time", "no bytes"],
)
def test_redis_reply_of_another_kind_is_an_error_with_a_next_step(reply):
    with redis_that_says(reply) as store, pytest.raises(CacheError, match=LIE) as caught:
        store.read(NAME)
    assert "lakekey store check" in caught.value.hint


@pytest.mark.parametrize("reply", [b":1000000000\r\n", b"*0\r\n", b"$-1\r\n"], ids=["number", "array", "nothing"])
def test_redis_lease_of_another_kind_is_not_taken_for_ours(reply):
    with redis_that_says(reply) as store, pytest.raises(CacheError, match=LIE), store.lock(NAME):
        pass


@pytest.mark.parametrize("reply", [b":7\r\n", b"*1000\r\n" + b"$1\r\na\r\n" * 1000], ids=["number", "always the same"])
def test_redis_list_that_is_none_or_never_ends_is_an_error(reply):
    with redis_that_says(reply) as store, pytest.raises(CacheError, match=LIE):
        store.list()


@pytest.mark.parametrize(
    "said",
    [
        b"BUSY Redis is busy running a script.",
        b"NOREPLICAS Not enough good replicas to write.",
        b"ERR Error running script (call to f_1): @user_script:1: @user_script: 7: -NOREPLICAS Not enough replicas.",
        b"LOADING Redis is loading the dataset in memory",
        b"READONLY You can't write against a read only replica.",
        b"ERR max number of clients reached",
    ],
)
def test_redis_that_cannot_do_it_now_is_an_error_that_passes(said):
    with redis_that_says(b"-" + said + b"\r\n") as store, pytest.raises(StoreUnavailable) as caught:
        store.put(NAME, b"bytes", replaces=None)
    assert not caught.value.in_doubt


def test_write_waits_for_the_replica_that_the_server_wants(redis):
    redis.command("CONFIG", "SET", "min-replicas-to-write", "1")
    back = threading.Timer(0.5, redis.command, ("CONFIG", "SET", "min-replicas-to-write", "0"))
    try:
        back.start()
        assert redis.store().put(NAME, b"bytes", replaces=None)
    finally:
        back.join()
        redis.command("CONFIG", "SET", "min-replicas-to-write", "0")
