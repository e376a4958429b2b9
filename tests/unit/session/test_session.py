"""One credential between cache, exchange and sign-in, where hosts share the store: what each host keeps near, and sees."""

import logging
import os
import time
from types import SimpleNamespace

import pytest

from lakekey._inside_work import as_work
from lakekey.cache import near
from lakekey.cache.cache import Cache
from lakekey.cache.stores.memory import MemoryStore
from lakekey.configuration.target import resolve
from lakekey.errors import LockTimeout, LoginRequired, StoreUnavailable
from lakekey.session import host_line
from lakekey.session.session import Session, SignedOutElsewhere
from support.first_in_line import sibling
from support.inside import change_entry, session_of
from support.memory_stores import Shared
from support.model_providers import TARGET, cache_over, provider_over

pytestmark = pytest.mark.usefixtures("unattended")

HOUR = 3600.0


@pytest.fixture
def store():
    return Shared()


@pytest.fixture
def person(cache, server):
    provider = provider_over(cache, server, person=True)
    provider.login()
    return session_of(provider)


@pytest.fixture
def session(person, cache, server):
    """A session as a new process of the same host has it."""
    return session_of(provider_over(cache, server))


def copy_of(session):
    copy = session.credential.near.get(session.entry_id)
    return copy.entry.access_token if copy is not None else None


def sign_out_elsewhere(session):
    session.cache.store.delete(session.entry_id, replaces=session.cache.store.get(session.entry_id))


def later(monkeypatch, seconds):
    """Lets time pass for this host's copies."""
    monkeypatch.setattr(near, "time", SimpleNamespace(time=lambda: time.time() + seconds))


# What a host keeps


def test_host_keeps_a_copy_of_what_it_signed_in_to_and_of_what_it_renewed(person, session):
    assert copy_of(person) == person.peek().access_token
    renewed = session.usable(rejected=person.peek().access_token)
    assert copy_of(session) == renewed.access_token


def test_host_that_keeps_a_copy_keeps_one_of_the_next_sign_in_in_its_place(person, session):
    before = session.usable(rejected=copy_of(session)).access_token
    assert person.sign_in().generation == person.peek().generation
    assert copy_of(session) == person.peek().access_token != before


def test_another_host_keeps_a_copy_of_what_it_read(session, cache, server, monkeypatch, tmp_path):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "of another host"))
    there = session_of(provider_over(cache, server))
    assert copy_of(there) is None
    assert there.recheck_after == near.CHECKED
    assert there.usable().access_token == copy_of(there) == session.peek().access_token


def test_copy_serves_without_a_question_while_it_is_recent(session, store):
    store.away = True
    assert session.usable().access_token == copy_of(session)


def test_copy_serves_for_as_long_as_its_token_where_the_store_is_away(session, store, monkeypatch):
    token = copy_of(session)
    later(monkeypatch, near.CHECKED + 1)
    store.away = True
    assert session.usable().access_token == token
    with pytest.raises(StoreUnavailable):
        session.usable(rejected=token)


@pytest.mark.posix_locks
def test_process_whose_copy_has_a_live_token_does_not_wait_in_the_line_of_its_host(session, store, monkeypatch):
    token = copy_of(session)
    later(monkeypatch, near.CHECKED + 1)
    store.away = True
    with sibling(session.credential.near.line(session.entry_id)):
        monkeypatch.setattr(host_line, "_waited", lambda *_: pytest.fail("it waits"))
        assert session.usable().access_token == token


@pytest.mark.posix_locks
def test_time_in_the_line_of_the_host_counts_for_the_limit_of_the_lock(person, cache, store, server, monkeypatch):
    session = session_of(provider_over(cache, server, target=resolve(None, {}, host=TARGET.host, lock_timeout=1.0)))
    tries = []
    lock = store.lock
    with sibling(session.credential.near.line(session.entry_id)), cache.lock(session.entry_id):
        monkeypatch.setattr(store, "lock", lambda *args, **kwargs: tries.append(args) or lock(*args, **kwargs))
        with pytest.raises(LockTimeout, match="more than 1 s"):
            session.usable(rejected=copy_of(session))
    assert len(tries) == 1


def test_copy_that_is_not_recent_does_not_hide_a_sign_out(session, monkeypatch):
    later(monkeypatch, near.CHECKED + 1)
    sign_out_elsewhere(session)
    with pytest.raises(LoginRequired, match="has no session any more, though this host has seen one"):
        session.usable()
    assert copy_of(session) == ""


def test_session_that_this_host_has_never_seen_is_not_reported_as_gone(cache, server):
    with pytest.raises(LoginRequired, match="not signed in"):
        session_of(provider_over(cache, server)).usable()


def test_session_that_ends_without_a_refresh_token_is_not_reported_as_gone(session, monkeypatch):
    change_entry(session, refresh_token="", access_token="")
    later(monkeypatch, near.CHECKED + 1)
    with pytest.raises(LoginRequired, match="not signed in"):
        session.usable()


def test_sign_out_forgets_the_copy(session):
    assert session.sign_out().removed is not None
    assert copy_of(session) == ""


def test_sign_out_on_one_machine_keeps_nothing_near(server):
    provider = provider_over(cache_over(), server, person=True)
    provider.login()
    assert session_of(provider).sign_out().removed is not None
    assert session_of(provider).credential._near is None


def test_token_of_another_process_is_told_as_adopted_once(session, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    session.usable()
    session.usable(known=session.peek().access_token)
    assert "the token of another process is used" not in caplog.text
    session.usable(known="an older token")
    assert "the token of another process is used" in caplog.text


def test_code_inside_a_renewal_asks_no_store_and_gets_the_copy_if_it_serves(session, store, monkeypatch):
    token = copy_of(session)
    later(monkeypatch, near.CHECKED + 1)
    monkeypatch.setattr(store, "get", lambda _: pytest.fail("it asks the store"))
    with as_work():
        assert session.usable().access_token == token
        with pytest.raises(LockTimeout, match="from inside a renewal"):
            session.usable(rejected=token)


# Where a person has to sign in


def test_person_who_may_not_be_asked_is_not(person, server):
    server.revoke_all()
    with pytest.raises(LoginRequired):
        person.usable(rejected=person.peek().access_token, ask=False)


def test_sign_in_lets_no_other_person_take_the_session_over_unless_asked_to(person, monkeypatch):
    told = []
    monkeypatch.setattr(person.renewal, "sign_in", lambda *, switch: told.append(switch) or person.peek())
    person.sign_in()
    person.sign_in(switch=True)
    assert told == [False, True]


def test_person_is_asked_where_nothing_speaks_against_it(person, server):
    server.revoke_all()
    token = person.peek().access_token
    assert server.lives(person.usable(rejected=token).access_token)
    assert person.peek().access_token != token


@pytest.mark.parametrize("signed_in", [False, True])
def test_machine_that_cannot_keep_a_session_says_so_where_there_is_none(server, cache, signed_in):
    reason = "the directory of the cache is on a read-only disk"
    volatile = Cache(MemoryStore(), cache.ring, volatile=reason)
    if signed_in:
        provider_over(volatile, server, person=True).login()
    session = session_of(provider_over(volatile, server))
    if signed_in:
        change_entry(session, refresh_token="", access_token="")
    with pytest.raises(LoginRequired, match="not signed in") as caught:
        session.usable()
    assert caught.value.message.endswith(f": {reason}") is not signed_in
    assert caught.value.hint.startswith("set LAKEKEY_CACHE_DIR") is not signed_in


# Asking again ahead of time


def test_token_that_is_fresh_in_the_store_is_taken_and_not_renewed(session, server):
    assert session.renew_early("an older token").access_token == session.peek().access_token
    assert server.sent == []


def test_token_that_is_fresh_is_compared_again_and_kept_near(session, server, monkeypatch):
    later(monkeypatch, near.CHECKED + 1)
    assert session.renew_early(session.peek().access_token) == session.peek()
    assert server.sent == []
    near_copies = session.credential.near
    assert near_copies.is_recent(near_copies.get(session.entry_id))


def test_token_is_renewed_though_it_is_fresh_where_that_is_wanted(session, server):
    known = session.peek().access_token
    assert session.renew_early(known, always=True).access_token != known
    assert len(server.sent) == 1


@pytest.mark.parametrize(
    "fields",
    [{"issued_at": -HOUR, "expires_at": 100.0}, {"proof": "of another secret"}],
    ids=["stale", "of another secret"],
)
def test_token_that_is_stale_or_not_ours_is_renewed(session, server, fields):
    now = time.time()
    change_entry(session, **{name: now + value if name.endswith("_at") else value for name, value in fields.items()})
    known = session.peek().access_token
    renewed = session.renew_early(known)
    assert renewed.access_token != known
    assert copy_of(session) == renewed.access_token
    assert len(server.sent) == 1


def test_sign_out_on_another_host_is_noticed_ahead_of_time(session):
    sign_out_elsewhere(session)
    with pytest.raises(SignedOutElsewhere):
        session.renew_early("the token so far")
    assert copy_of(session) == ""


def test_principal_whose_entry_is_gone_is_not_signed_out(session, server, monkeypatch):
    sign_out_elsewhere(session)
    monkeypatch.setattr(type(session.target), "is_person", False)
    before = copy_of(session)
    assert session.renew_early("the token so far") is None
    assert copy_of(session) == before


def test_session_on_one_machine_is_renewed_ahead_of_time_without_a_look(server):
    cache = cache_over()
    provider_over(cache, server, person=True).login()
    session = session_of(provider_over(cache, server))
    known = session.peek().access_token
    assert session.renew_early(known).access_token != known
    assert session.recheck_after == float("inf")


def test_process_asks_again_when_its_copy_is_no_longer_recent(session, monkeypatch):
    later(monkeypatch, 100.0)
    session.usable()
    assert near.CHECKED - 110 < session.recheck_after <= near.CHECKED - 100
    session.credential.age = near.CHECKED + 1
    assert session.recheck_after == 0.0


# What it is assembled from


def test_session_is_assembled_once_in_each_process(monkeypatch):
    session = Session(TARGET, cache=cache_over())
    renewal = session.renewal
    assert session.renewal is renewal
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a forked child
    forked = session.renewal
    assert forked is not renewal
    assert session.renewal is forked
