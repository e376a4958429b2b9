"""What the examination of a Redis store finds in what its server says of itself."""

import pytest

from lakekey.cache.stores.findings import FAILED, OK, WARNING
from lakekey.cache.stores.redis_findings import findings
from lakekey.errors import CacheError, StoreUnavailable

GOOD = {
    "memory": "maxmemory_policy:volatile-lru\r\n",
    "persistence": "aof_enabled:1\r\n",
    "replication": "role:master\r\nconnected_slaves:0\r\n",
}
PROMISES = {"eviction": OK, "writes": OK, "durability": OK, "replication": OK, "encryption": OK}


def found(*, encrypted=True, **said):
    """What is found where the server says this beside what is good, by its name."""

    def ask(command, section):
        assert command == "INFO"
        return f"# A comment\r\n{ {**GOOD, **said}[section] }".encode()

    return {each.name: each for each in findings(ask, encrypted=encrypted)}


def test_primary_that_keeps_everything_on_disk_is_as_it_should_be():
    everything = found()
    assert {name: each.status for name, each in everything.items()} == PROMISES
    assert [each.finding for each in everything.values()] == [
        "maxmemory-policy is volatile-lru", "it is the primary", "append-only file", "none", "TLS",
    ]  # fmt: skip
    assert not any(each.next_step for each in everything.values())


@pytest.mark.parametrize(
    ("said", "name", "status", "finding", "step"),
    [
        ({"memory": "maxmemory_policy:allkeys-lru"}, "eviction", FAILED, "maxmemory-policy is allkeys-lru", "noeviction"),
        ({"replication": "role:slave"}, "writes", FAILED, "it is a replica", "name the primary in LAKEKEY_STORE"),
        ({"persistence": "aof_enabled:0"}, "durability", WARNING, "no append-only file: a restart", "appendfsync always"),
        ({"persistence": ""}, "durability", WARNING, "no append-only file: a restart", "appendfsync always"),
    ],
)  # fmt: skip
def test_promise_that_is_missing_has_its_next_step(said, name, status, finding, step):
    everything = found(**said)
    assert {name: each.status for name, each in everything.items()} == {**PROMISES, name: status}
    assert everything[name].finding.startswith(finding)
    assert step in everything[name].next_step


def test_server_that_leaves_facts_out_is_taken_for_a_usual_one():
    everything = found(memory="", replication="")
    assert everything["eviction"][1:] == (OK, "maxmemory-policy is noeviction", None)
    assert everything["writes"][1:3] == (OK, "it is the primary")
    assert everything["replication"].finding == "none"


def test_replicas_are_counted_and_what_a_fail_over_costs_is_said():
    assert found(replication="role:master\r\nconnected_slaves:2")["replication"].finding.startswith(
        "2 replicas; a fail"
    )
    assert found(replication="role:master\r\nconnected_slaves:")["replication"].finding == "none"


def test_what_a_terminal_would_act_on_is_not_shown_as_it_is():
    red, reset = "\x1b[31m", "\u202e"
    everything = found(
        memory=f"maxmemory_policy:allkeys-{red}{'x' * 1000}", replication=f"role:master\r\nconnected_slaves:7{reset}"
    )
    texts = [text for each in everything.values() for text in each if text]
    assert all(text.isprintable() and len(text) < 400 for text in texts)
    assert everything["eviction"].finding.startswith(r"maxmemory-policy is allkeys-\x1b[31mxxx")
    assert everything["replication"].finding.startswith(r"7\u202e replicas")


def test_connection_in_clear_is_told():
    assert found(encrypted=False)["encryption"][1:3] == (OK, "none, to loopback")


def test_reply_that_is_text_is_read_as_well():
    everything = {each.name: each for each in findings(lambda *_: "maxmemory_policy:allkeys-lfu", encrypted=True)}
    assert everything["eviction"].status == FAILED


def test_server_that_does_not_say_is_one_warning_and_one_that_is_away_an_error():
    def ask(error):
        def fail(*_):
            raise error

        return list(findings(fail, encrypted=True))

    assert ask(CacheError("no permissions")) == [
        ("server", WARNING, "its settings cannot be read: no permissions", "allow INFO")
    ]
    with pytest.raises(StoreUnavailable, match="it is away"):
        ask(StoreUnavailable("it is away"))
