"""The wrapped ring by itself: what it writes and keeps, and what it tells of a service that fails."""

import errno
import json
import os
import threading
import warnings
from types import SimpleNamespace

import pytest

from lakekey.cache.keys.choice import ChangedElsewhere
from lakekey.cache.keys.kms import wrapped_ring
from lakekey.cache.keys.kms.ring_note import Record, records_in, to_bytes
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.cache.keys.kms.wrapped_ring import NOTE, KmsRing
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import KeyUnavailable
from support.process_state import forget_unwrapped

ONE, TWO = "first-key\n", "second-key\nfirst-key\n"


class Service:
    """A service that wraps by turning round.

    Attributes:
        asked: What it was asked.
        error: What it fails with.
        answer: What it unwraps everything to.
    """

    where = "the service"

    def __init__(self):
        self.hints = {Kind.DENIED: "ask for it"}
        self.asked = []
        self.error = None
        self.answer = None

    def wrap(self, key, context):
        self.asked.append(("wrap", context))
        return key[::-1]

    def unwrap(self, wrapped, context):
        self.asked.append(("unwrap", context))
        if self.error is not None:
            raise self.error
        return wrapped[::-1] if self.answer is None else self.answer


@pytest.fixture
def service(monkeypatch):
    found = Service()
    monkeypatch.setattr(wrapped_ring, "open_service", lambda *_: found)
    forget_unwrapped()
    yield found
    forget_unwrapped()


@pytest.fixture
def ring(service, place):
    """Make the ring of a cache, as another process would have it."""
    return lambda cache="cache-a", kms="one": KmsRing(place, {}, kms, cache)


def refusal(call):
    with pytest.raises(KeyUnavailable) as caught:
        call()
    return caught.value.message, caught.value.hint


def note(place):
    return records_in(place.read_note(NOTE))


def test_ring_is_wrapped_for_its_cache_and_opens_again(ring, service, place):
    assert ring().read() is None
    ring().write(ONE)
    context = "lakekey ring v2 kms cache-a"
    assert service.asked == [("wrap", context), ("unwrap", context)]
    (record,) = note(place)
    assert record[:3] == (2, "one", "cache-a")
    assert len(record.wrapped) == 32
    assert len(record.sealed) == 12 + len(ONE) + 16
    assert ring().read() == ONE
    assert len(service.asked) == 2  # this process has it
    forget_unwrapped()
    assert ring().read() == ring().read() == ONE
    assert service.asked[2:] == [("unwrap", context)]
    assert ring().where == "the service"


def test_ring_that_only_loses_keys_keeps_its_wrapping_key_and_one_that_gains_does_not(ring, place):
    writer = ring()
    writer.write(TWO)
    first = note(place)[0].wrapped
    writer.write(ONE)
    assert note(place)[0].wrapped == first
    assert ring().read() == ONE
    writer.write(TWO)
    assert note(place)[0].wrapped != first
    second = note(place)[0].wrapped
    forget_unwrapped()  # what this process has not unwrapped, it cannot keep
    writer.write(ONE)
    assert note(place)[0].wrapped != second


def test_rings_of_others_are_kept_beside_it_until_it_is_written_again(ring, place):
    others = [Record(2, f"other-{number}", "cache-a", b"w", b"s") for number in range(9)]
    place.write_note(NOTE, to_bytes(others))
    writer = ring()
    writer.write(ONE)
    assert [record.kms for record in note(place)] == ["one", *(f"other-{number}" for number in range(8))]
    assert ring().read() == ONE
    second = ring("cache-b")
    second.write(ONE)
    assert [record.cache for record in note(place)][:3] == ["cache-b", "cache-a", "cache-a"]
    second.write(ONE)
    assert [record.cache for record in note(place)] == ["cache-b"]


def test_note_that_changed_since_it_was_seen_is_not_overwritten(ring, place):
    writer, other = ring(), ring("cache-b")
    assert writer.read() is None
    other.write(ONE)
    with pytest.raises(ChangedElsewhere):
        writer.write(ONE)
    assert [record.cache for record in note(place)] == ["cache-b"]


def test_ring_that_is_gone_damaged_or_anothers_is_told_apart(ring, place):
    restore = "restore it from a backup, or start over with an empty cache"
    assert (ring().lost().message, ring().lost().hint) == (
        f"the key ring memory:{NOTE} cannot be used: it is gone", restore,
    )  # fmt: skip
    place.write_note(NOTE, b"{")
    assert refusal(ring().read) == (f"the key ring memory:{NOTE} cannot be used: it is damaged", restore)
    place.write_note(NOTE, to_bytes([Record(2, "one", "cache-b", b"w", b"s")]))
    message, hint = refusal(ring().read)
    assert message.endswith("belongs to another cache, or to another service than the service")
    assert hint == "restore this cache's own from a backup, or start over with an empty cache"
    place.write_note(NOTE, json.dumps({"format": 3}).encode())
    assert refusal(ring().read)[0] == f"the key ring memory:{NOTE} was written by a later release of lakekey"
    ring().erase()
    assert place.read_note(NOTE) is None


@pytest.mark.parametrize(("error", "reason"), [(OSError(errno.EIO, "it failed"), "it failed"), (OSError(), "OSError")])
def test_note_that_cannot_be_read_is_told_with_its_reason(service, error, reason):
    class Failing(MemoryStore):
        def read_note(self, name):
            raise error

    message, hint = refusal(KmsRing(Failing(), {}, "one", "cache-a").read)
    assert message == f"the key ring memory:{NOTE} cannot be read: {reason}"
    assert hint


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (KmsTrouble(Kind.DENIED), "which this process may not use", "ask for it"),
        (KmsTrouble(Kind.DENIED, "CODE", "its own"), "which this process may not use (CODE)", "its own"),
        (KmsTrouble(Kind.SEALED), "which is sealed", "check that service, and this machine's access to its key"),
    ],
)
def test_trouble_of_the_service_has_its_next_step(ring, service, error, message, hint):
    ring().write(ONE)
    forget_unwrapped()
    service.error = error
    assert refusal(ring().read) == (f"the key ring is wrapped by the service, {message}", hint)


def test_error_of_a_package_is_not_quoted(ring, service):
    ring().write(ONE)
    forget_unwrapped()
    service.error = RuntimeError("dose-of-salts")
    message, hint = refusal(ring().read)
    assert message == "the key management service the service did not open the key ring (RuntimeError)"
    assert hint == "check that service, and this machine's access to its key"


def test_failure_is_repeated_for_a_moment_and_forgotten_with_the_next_success(ring, service, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(wrapped_ring, "time", SimpleNamespace(monotonic=lambda: now[0]))
    ring().write(ONE)
    forget_unwrapped()
    service.asked.clear()
    service.error = KmsTrouble(Kind.AWAY, "once")
    first = refusal(ring().read)
    service.error = KmsTrouble(Kind.AWAY, "twice")
    now[0] += 4.9
    assert refusal(ring().read) == first
    assert len(service.asked) == 1
    now[0] += 0.1
    assert "twice" in refusal(ring().read)[0]
    service.error = None
    now[0] += 5.0
    assert ring().read() == ONE
    assert wrapped_ring._failed == {}


@pytest.mark.parametrize("answer", [b"k" * 32, b"k", "k" * 32])
def test_service_that_answers_with_another_key_is_not_begun_with(ring, service, place, answer):
    service.answer = answer
    message, hint = refusal(lambda: ring().write(ONE))
    assert message == "the service did not give back the key that it was given"
    assert hint == "check that service, and this machine's access to its key"
    assert place.read_note(NOTE) is None


@pytest.mark.parametrize("answer", [b"k" * 32, b"k", 1])
def test_key_that_does_not_open_is_not_kept(ring, service, monkeypatch, answer):
    ring().write(ONE)
    forget_unwrapped()
    service.answer = answer
    message, hint = refusal(ring().read)
    assert message.endswith("damaged, or belongs to another cache, or the service has answered with another key")
    assert hint == "try again in 5 s; if it lasts, restore it from a backup, or start over with an empty cache"
    service.answer = None
    wrapped_ring._failed.clear()
    assert ring().read() == ONE


@pytest.mark.parametrize("answer", [None, b"\xff", 1.5])
def test_ring_of_the_first_releases_is_the_text_itself(ring, service, place, answer):
    place.write_note(NOTE, to_bytes([Record(1, "one", "", ONE.encode()[::-1], b"")]))
    service.answer = answer
    if answer is None:
        assert ring("").read() == ONE
        assert service.asked == [("unwrap", "")]
        ring("").write(ONE)
        assert note(place)[0].format == 2
    else:
        assert "has answered with another key" in refusal(ring("").read)[0]


def test_turn_is_waited_for_a_second_longer_than_the_call_and_given_back(monkeypatch):
    class Turn:
        def __init__(self, comes):
            self.comes, self.did = comes, []

        def acquire(self, timeout):
            self.did.append(timeout)
            return self.comes

        def release(self):
            self.did.append("released")

    for comes, did in ((True, [4.0, "released"]), (False, [4.0])):
        turn = Turn(comes)
        monkeypatch.setattr(wrapped_ring, "_turn", turn)
        with wrapped_ring._one_at_a_time(3.0):
            pass
        assert turn.did == did
    wrapped_ring._new_turn()
    assert wrapped_ring._turn is not turn


@pytest.mark.fork
def test_forked_child_waits_for_no_thread_that_stayed_behind():
    holds, over = threading.Event(), threading.Event()

    def hold():
        with wrapped_ring._one_at_a_time(30):
            holds.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holds.wait(30)
        with warnings.catch_warnings(action="ignore"):
            child = os.fork()
        if child == 0:
            os._exit(0 if wrapped_ring._turn.acquire(blocking=False) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not wrapped_ring._turn.acquire(blocking=False)
    finally:
        over.set()
        thread.join()
