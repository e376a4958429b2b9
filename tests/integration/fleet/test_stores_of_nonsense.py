"""Servers whose answers are none that their protocol knows: each is an answer that did not come."""

import struct
from urllib.parse import quote

import pytest

from lakekey.cache.stores import postgresql_server, redis_server
from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.redis import RedisStore
from lakekey.errors import CacheError, StoreUnavailable
from support.servers.fault_proxy import FaultProxy
from support.servers.spoken import listening, message
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(120)
SECRET = "dose-of-sesame"


def row(*values, form=0):
    """The answer to a statement: a row of values, each with the number of its type; ``form`` 1 is binary."""
    columns = [b"a\0" + struct.pack("!ihihih", 0, 0, kind, -1, -1, form) for _, kind in values]
    fields = [struct.pack("!i", len(text)) + text for text, _ in values]
    count = struct.pack("!h", len(values))
    return (
        message(b"T", count + b"".join(columns))
        + message(b"D", count + b"".join(fields))
        + message(b"C", b"SELECT 1\0")
    )


READY = message(b"Z", b"I")


def whole(answer):
    """An answer, with what stands before and behind it."""
    return message(b"1") + message(b"2") + answer + READY


def redis_saying(nonsense, at):
    """A Redis that says so to some commands, hangs up then, and is a good primary otherwise."""
    info = b"role:master\r\naof_enabled:1\r\n"

    def handle(asked, said):
        while line := asked.readline():
            words = [asked.read(int(asked.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
            if words[0] in at:
                said.write(nonsense)
                return
            said.write(b"$%d\r\n%b\r\n" % (len(info), info) if words[0] == b"INFO" else b"+OK\r\n")

    return listening(handle)


def postgresql_saying(nonsense, greeting=b"", settings=None):
    """A PostgreSQL that lets everyone in, unless it greets otherwise, and answers every statement so."""
    said_first = {b"client_encoding": b"UTF8", b"server_version": b"15.0"} | (settings or {})

    def handle(asked, said):
        (length, _) = struct.unpack("!ii", asked.read(8))
        asked.read(length - 8)
        if greeting:
            said.write(greeting)
            return
        said.write(message(b"R", struct.pack("!i", 0)))
        said.write(b"".join(message(b"S", name + b"\0" + value + b"\0") for name, value in said_first.items()))
        said.write(READY)
        while kind := asked.read(1):
            (length,) = struct.unpack("!i", asked.read(4))
            asked.read(length - 4)
            if kind in b"SQ":
                said.write(whole(nonsense) if kind == b"S" else nonsense + READY)

    return listening(handle)


NESTED = b"*1\r\n" * 5000
NUMBERS = b"9" * 5000  # more digits than Python takes
REDIS = [
    b"$abc\r\n", b":x\r\n", b"$%b\r\n" % NUMBERS, b"*\xff\r\n", NESTED, b"?what\r\n", b"\r\n", b"-ASK 1\r\n",
    b"*2\r\n$3\r\nab", b"$dose-of-sesame\r\n", b"%1\r\n+a\r\n+b\r\n",
]  # fmt: skip
IN_REDIS = [
    "no length",
    "no number",
    "digits",
    "bytes",
    "nested",
    "unknown",
    "empty",
    "nowhere",
    "cut off",
    "echo",
    "map",
]
TEXT, NUMBER, DECIMAL, TIME, HOST, RECORD = 25, 701, 1700, 1184, 869, 2249
ROWS = [
    row((b"\xff\xfe", TEXT)), row((b"zz", NUMBER), (b"1", NUMBER)), row((b"(,", DECIMAL)), row((b"2020-99-99", TIME)),
    row((b"here", HOST)), row((b"\0\0", RECORD), form=1), row((b"(x", RECORD)), row((b"7", TEXT), form=7),
    message(b"A", b"\0\0\0\1\xff\0\xff\0") + message(b"I"), message(b"D", b"\0\1\0\0\0\7x"), b"\x80" * 60,
]  # fmt: skip
IN_POSTGRESQL = [
    "text", "number", "decimal", "time", "host", "record", "text of a record", "form", "notification", "row alone", "bytes",
]  # fmt: skip


def assert_no_answer(ask, *, in_doubt):
    with pytest.raises(StoreUnavailable) as caught:
        ask()
    assert (caught.value.in_doubt, "try again" in caught.value.hint) == (in_doubt, True)
    assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value.__cause__} {caught.value.__context__}"


def at_redis(port):
    return RedisStore(f"redis://:{SECRET}@127.0.0.1:{port}/1?connect_timeout=0", operation=5.0)


def at_postgresql(port):
    store = PostgresqlStore(
        f"postgresql://worker:{SECRET}@127.0.0.1:{port}/store?sslmode=disable&connect_timeout=0", operation=5.0
    )
    store._known = True  # what the note says of the table is asked for first, and would be the same
    return store


@pytest.mark.parametrize("nonsense", REDIS, ids=IN_REDIS)
def test_redis_that_greets_with_nonsense_cannot_be_reached(nonsense):
    with redis_saying(nonsense, at=(b"AUTH",)) as port:
        assert_no_answer(lambda: at_redis(port).get(NAME), in_doubt=False)


def test_redis_that_repeats_the_password_in_nonsense_has_nothing_of_it_shown():
    password = "dose'of\"sés\\ame"  # no text has it as it is
    with redis_saying(b"?%b\r\n" % password.encode(), at=(b"AUTH",)) as port:
        store = RedisStore(f"redis://:{quote(password)}@127.0.0.1:{port}/1?connect_timeout=0")
        with pytest.raises(StoreUnavailable, match="what it says cannot be read") as caught:
            store.get(NAME)
    assert "dose" not in str(caught.value)


@pytest.mark.parametrize("nonsense", REDIS, ids=IN_REDIS)
def test_redis_that_replies_with_nonsense_has_not_answered(nonsense):
    with redis_saying(nonsense, at=(b"EVAL",)) as port:
        store = at_redis(port)
        assert_no_answer(lambda: store.get(NAME), in_doubt=True)
        assert_no_answer(lambda: store.put(NAME, b"sealed", replaces=None), in_doubt=True)


@pytest.mark.parametrize(
    "nonsense", [NESTED, b"$abc\r\n", b"*2\r\n:1\r\n:2\r\n", b":7\r\n", b"*1\r\n+a\r\n", b"-ASK 1\r\n"]
)
def test_sentinel_that_answers_with_nonsense_names_no_primary(nonsense):
    with redis_saying(nonsense, at=(b"SENTINEL",)) as port:
        address = f"redis+sentinel://:{SECRET}@127.0.0.1:{port}/0?connect_timeout=0&sentinel_password={SECRET}"
        assert_no_answer(lambda: RedisStore(address).get(NAME), in_doubt=False)


def test_redis_that_counts_its_replicas_in_words_can_be_a_store():
    info = b"role:master\r\naof_enabled:1\r\nconnected_slaves:\xffmany\r\n"
    with redis_saying(b"$%d\r\n%b\r\n" % (len(info), info), at=(b"INFO",)) as port:
        at_redis(port).prepare()


@pytest.mark.parametrize("nonsense", ROWS, ids=IN_POSTGRESQL)
def test_postgresql_that_answers_with_nonsense_has_not_answered(nonsense):
    with postgresql_saying(nonsense) as port:
        store = at_postgresql(port)
        assert_no_answer(lambda: store.get(NAME), in_doubt=True)
        assert_no_answer(lambda: store.put(NAME, b"sealed", replaces=None), in_doubt=True)


@pytest.mark.parametrize("length", [0, 3, -5, 0x7FFFFFFF])
def test_postgresql_whose_greeting_has_a_wrong_length_cannot_be_reached(length):
    with postgresql_saying(b"", greeting=b"R" + struct.pack("!i", length) + b"\0" * 40) as port:
        assert_no_answer(lambda: at_postgresql(port).get(NAME), in_doubt=False)


@pytest.mark.parametrize(
    ("name", "value"), [(b"TimeZone", b"\xff"), (b"DateStyle", b"\xff"), (b"client_encoding", b"\xff")]
)
def test_postgresql_with_a_setting_that_is_no_text_is_an_error_of_the_store(name, value):
    answer = row((b"\\x00", 17), (b"2020-01-01 00:00:00+00", TIME))
    with postgresql_saying(answer, settings={name: value}) as port, pytest.raises(CacheError) as caught:
        at_postgresql(port).get(NAME)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("nonsense", [row((b"\\x00", 17)), message(b"n"), row((b"zz", TEXT)), row(*[(b"1", TEXT)] * 3)])
def test_check_of_a_postgresql_that_lies_is_an_error_of_the_store(nonsense):
    with postgresql_saying(nonsense) as port, pytest.raises(CacheError):
        list(at_postgresql(port).examine())


@pytest.mark.parametrize("nonsense", [b"$abc\r\n", whole(row((b"zz", NUMBER)))], ids=["redis", "postgresql"])
def test_write_whose_reply_is_nonsense_is_settled_by_reading_back(nonsense, request):
    """As one whose reply is lost: it is no refusal, for the token that it stores cannot be had again."""
    server = request.getfixturevalue("redis" if nonsense.startswith(b"$") else "postgresql")
    with FaultProxy(server.port) as proxy:
        proxy.garble_reply(lambda asked: any(mark in asked for mark in (b"INSERT INTO", b"dose-of-envelope")), nonsense)
        store = type(server.store())(server.readable_at(proxy.port))
        assert store.put(NAME, b"dose-of-envelope", replaces=None)
        assert proxy.cuts == 1
    assert server.store().get(NAME) == b"dose-of-envelope"


def test_fault_of_ours_beside_the_library_is_no_answer_of_a_server(monkeypatch):
    def fault(*_, **__):
        raise TypeError("a fault of ours")

    with monkeypatch.context() as faulty, pytest.raises(TypeError, match="of ours"):
        faulty.setattr(redis_server.Server, "_first_node", fault)
        at_redis(1).get(NAME)
    with monkeypatch.context() as faulty, pytest.raises(TypeError, match="of ours"):
        faulty.setattr(redis_server, "Wire", fault)
        with redis_saying(b"", at=()) as port:
            at_redis(port).get(NAME)
    with monkeypatch.context() as faulty, pytest.raises(TypeError, match="of ours"):
        faulty.setattr(postgresql_server, "Limit", fault)
        with postgresql_saying(whole(row((b"7", TEXT)))) as port:
            at_postgresql(port).get(NAME)
