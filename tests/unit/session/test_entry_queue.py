"""Waiting for one's turn: what ends the wait, and what it ends in."""

import logging
import threading
import time
from types import SimpleNamespace

import pytest

from lakekey._single_flight import Commitment, Flights
from lakekey.cache.entry import Entry, Failure
from lakekey.cache.entry_lock import LONGEST_POLL
from lakekey.cache.stores.memory import MemoryStore
from lakekey.configuration.target import resolve
from lakekey.errors import LockTimeout, TokenEndpointError
from lakekey.session import entry_queue
from lakekey.session.credential import Credential
from lakekey.session.entry_queue import EntryQueue, NotYet
from lakekey.session.timing import Timing
from support.memory_stores import Shared
from support.model_providers import TARGET, cache_over
from support.noted_commitment import NotedCommitment

pytestmark = pytest.mark.usefixtures("unattended")


def queue_over(cache, *, lock_timeout=60.0, timing=None, target=None):
    target = target or resolve(None, {}, host="https://model.example.com", lock_timeout=lock_timeout)
    return EntryQueue(Credential(target, cache=cache, timing=timing))


@pytest.fixture(params=[MemoryStore, Shared], ids=["one machine", "hosts"])
def cache(request):
    return cache_over(request.param())


def entry_of(cache, **fields):
    """An entry as another process stores it."""
    target = resolve(None, {}, host="https://model.example.com")
    credential = Credential(target, cache=cache)
    now = time.time()
    stored = cache.read(credential.entry_id)
    before = stored.entry or Entry({})
    entry = before._replace(**{"access_token": "new", "issued_at": now, "expires_at": now + 60, **fields})
    assert cache.put(credential.entry_id, entry, replaces=stored.envelope)
    return credential.entry_id


def never(*_):
    raise AssertionError("it is not our turn")


def test_result_of_another_process_is_taken_and_no_work_is_done(cache):
    entry_of(cache)
    assert queue_over(cache).run("x", None, lambda entry: entry.access_token == "new", never).access_token == "new"


def test_result_is_taken_while_the_lock_is_held(cache):
    seen = []

    def is_done(entry):
        seen.append(entry.access_token)
        if len(seen) == 1:
            entry_of(cache)
        return seen[-1] == "new"

    with cache.lock(entry_of(cache, access_token="old")):
        done = queue_over(cache).run("x", None, is_done, never)
    assert done.access_token == "new"
    assert seen == ["old", "new"]


def test_lock_that_is_held_for_too_long_is_an_error_that_names_its_holder(cache):
    queue = queue_over(cache, lock_timeout=0.05)
    with cache.lock(queue._entry_id), pytest.raises(LockTimeout, match="this process has held entry"):
        queue.run("x", None, lambda _: False, never)


def test_work_that_is_not_possible_yet_is_tried_again_until_the_patience_ends(cache, monkeypatch):
    tries, passed = [], [0.0]
    monkeypatch.setattr(entry_queue, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

    def work(*_):
        tries.append(None)
        if len(tries) == 2:
            passed[0] = 61.0
        raise NotYet("host b, process 7")

    with pytest.raises(LockTimeout, match="host b, process 7 has held entry"):
        queue_over(cache, lock_timeout=60.0).run("x", None, lambda _: False, work)
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("proof", "known", "raised"),
    [(TARGET.secret_digest, False, True), (TARGET.secret_digest, True, False), ("of another secret", False, False)],
)
def test_failure_that_was_noted_meanwhile_is_ours_if_our_secret_failed(cache, proof, known, raised):
    failure = Failure("token_endpoint", "the server is down", time.time(), proof=proof)
    entry_of(cache, failure=failure)
    queue = queue_over(cache)
    seen = cache.get(queue._entry_id) if known else None
    work = []

    def run():
        return queue.run("x", seen, lambda _: False, lambda _, stored: work.append(stored) or stored.entry)

    if raised:
        with pytest.raises(TokenEndpointError, match="the server is down"):
            run()
    else:
        run()
    assert bool(work) is not raised


@pytest.mark.parametrize(
    ("waited", "took", "least", "most"),
    [(0.0, 0.001, 0.005, 0.015), (0.0, 0.05, 0.05, 0.15), (0.0, 3.0, 0.125, 0.375), (60.0, 0.05, 0.5, 1.5), (60.0, 9.0, 2.5, 7.5)],
)  # fmt: skip
def test_store_that_answers_slowly_is_asked_less_often(waited, took, least, most):
    pauses = [entry_queue.next_shared_try(waited, took) for _ in range(50)]
    assert least <= min(pauses) <= max(pauses) <= most


def test_caller_that_removes_an_entry_takes_no_result_for_its_own(cache):
    entry_of(cache, failure=Failure("token_endpoint", "down", time.time(), proof=TARGET.secret_digest))
    queue, removed = queue_over(cache), []
    queue.run("x", None, None, lambda _, stored: removed.append(stored) or stored.entry)
    assert len(removed) == 1


def test_work_that_does_not_end_is_given_up_by_who_waits_for_it(cache):
    hurried = Timing(exchange_deadline=0.05, margin=0.0)
    queue, ends = queue_over(cache, lock_timeout=0.05, timing=hurried), threading.Event()

    def work(_, stored):
        ends.wait(30)
        return Entry({})

    try:
        with pytest.raises(LockTimeout, match=r"did not end within 0\.1 s"):
            queue.run(f"of {type(cache.store).__name__}", None, lambda _: False, work)
    finally:
        ends.set()


@pytest.mark.parametrize(("mode", "patience"), [("never", 7.0), ("browser", 7.0 + 11.0)])
def test_where_a_person_is_there_the_holder_may_be_waiting_for_one(cache, mode, patience):
    target = resolve(None, {}, host="https://model.example.com", lock_timeout=7, login_timeout=11)
    assert EntryQueue(Credential(target, cache=cache, interactive=mode))._patience() == patience


def test_caller_may_wait_for_a_person_unless_it_says_otherwise(cache, monkeypatch):
    asked = []
    monkeypatch.setattr(EntryQueue, "_patience", lambda _, *, ask: asked.append(ask) or 60.0)
    queue = queue_over(cache)
    queue.run("x", None, None, lambda *_: Entry({}))
    queue.in_turn(NotedCommitment(), lambda *_: Entry({}))
    queue.share(Flights(), "x", lambda _: None)
    assert asked == [True] * 4


def test_pause_ends_when_the_holder_is_known_to_have_died(cache, monkeypatch):
    looks = []

    def is_abandoned(_):
        looks.append(None)
        assert len(looks) == 1, "it pauses again"
        return True

    monkeypatch.setattr(cache.store, "is_abandoned", is_abandoned)
    queue_over(cache)._pause(Commitment(), 3600.0)
    assert looks == [None]


def test_pause_is_the_commitments_which_may_be_cancelled(cache, monkeypatch):
    monkeypatch.setattr(cache.store, "is_abandoned", lambda _: True)
    noted = NotedCommitment()
    queue_over(cache)._pause(noted, 3600.0)
    assert noted.made == [LONGEST_POLL]


def test_wait_pauses_between_two_turns_as_the_store_can_bear(cache, monkeypatch):
    """Here for less than a second."""
    monkeypatch.setattr(entry_queue, "next_try", lambda _: 0.001)
    monkeypatch.setattr(entry_queue, "next_shared_try", lambda _waited, _took: 0.002)
    noted, turns = NotedCommitment(), []

    def work(_, stored):
        turns.append(None)
        if len(turns) == 1:
            raise NotYet(None)
        return Entry({})

    queue_over(cache).in_turn(noted, work)
    assert noted.made
    longest = 0.002 if cache.store.shared else 0.001
    assert longest / 2 < noted.made[0] <= longest


@pytest.mark.parametrize("result", [True, False])
def test_lock_that_has_to_write_an_answer_is_told_so(cache, monkeypatch, result):
    lock, asked = cache.lock, []
    monkeypatch.setattr(cache, "lock", lambda name, to_write: asked.append(to_write) or lock(name, to_write=to_write))
    queue_over(cache).run("x", None, (lambda _: False) if result else None, lambda _, stored: Entry({}))
    assert asked == [result]


def test_result_that_came_during_a_pause_is_taken_without_the_lock(cache, monkeypatch):
    lock, tried = cache.lock, []
    monkeypatch.setattr(cache, "lock", lambda *given, **how: tried.append(None) or lock(*given, **how))

    def work(_, stored):
        entry_of(cache)
        raise NotYet(None)

    done = queue_over(cache).run("x", None, lambda entry: entry.access_token == "new", work)
    assert done.access_token == "new"
    assert len(tried) == 1


@pytest.mark.parametrize(("token", "doing"), [("", "signs in to"), ("dose-of-today", "renews the session at")])
def test_wait_is_told_and_so_is_the_result_that_ends_it(cache, caplog, token, doing):
    caplog.set_level(logging.INFO, "lakekey")
    turns = []

    def is_done(_):
        turns.append(None)
        return len(turns) == 3

    queue = queue_over(cache, timing=Timing(wait_notice=0.0))
    with cache.lock(entry_of(cache, refresh_token=token)):
        queue.run("x", None, is_done, never)
    assert f"this process, which {doing} https://model.example.com" in caplog.text
    assert "the token of another process is used" in caplog.text


@pytest.mark.parametrize("outcome", ["lock", "adopted"])
def test_wait_that_is_measured_ends_with_its_turn_or_with_a_result(cache, monkeypatch, outcome):
    ends, turns = [], []
    queue = queue_over(cache)
    span = SimpleNamespace(end=lambda outcome, _: ends.append(outcome))
    monkeypatch.setattr(type(queue._events), "wait", lambda _: span)

    def work(*_):
        turns.append(list(ends))
        if len(turns) == 1:
            entry_of(cache)
            raise NotYet(None)
        return Entry({})

    queue.run("x", None, lambda _: outcome == "adopted", work)
    assert ends == [outcome]
    assert turns == ([[], ["lock"]] if outcome == "lock" else [[]])
