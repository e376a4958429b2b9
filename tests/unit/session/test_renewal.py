"""Who renews a session, and when it is left alone: by one exchange, else by one sign-in, else by neither."""

import contextlib
import logging
import signal
import threading
from types import SimpleNamespace

import pytest

from lakekey import _commitment
from lakekey._single_flight import Cancelled, Waiter, on
from lakekey.cache.stores.memory import MemoryStore
from lakekey.configuration.target import resolve
from lakekey.errors import CredentialsRefused, LoginFailed, LoginRequired, TokenEndpointError
from lakekey.session import entry_queue, unsaved
from support.inside import change_entry, entry_of, session_of
from support.memory_stores import Elsewhere
from support.model import Clock, ModelServer
from support.model_providers import provider_over
from support.noted_commitment import NotedCommitment

pytestmark = pytest.mark.usefixtures("unattended")

HOUR = 3600.0


class Server(ModelServer):
    """A server at which sign-ins are counted, and may fail."""

    def __init__(self, clock):
        super().__init__(clock)
        self.signed_in = 0
        self.login_error = None

    def sign_in(self, *arguments, **options):
        self.signed_in += 1
        if self.login_error is not None:
            raise self.login_error
        return super().sign_in(*arguments, **options)


@pytest.fixture
def clock():
    clock = Clock()
    with clock.installed():
        yield clock


@pytest.fixture
def server(clock):
    return Server(clock)


@pytest.fixture
def person(cache, server):
    """A process with a person at it, who has signed in."""
    provider = provider_over(cache, server, person=True)
    provider.login()
    return provider


@pytest.fixture
def job(person, cache, server):
    """A process of the same session without a person."""
    return provider_over(cache, server)


def key_of(provider):
    return session_of(provider).queue.key


def early(provider, known=None):
    session = session_of(provider)
    return session.renewal.early(entry_of(provider).access_token if known is None else known)


# By an exchange, or by a sign-in


def test_session_that_is_over_ends_in_one_sign_in_where_a_person_is_there(person, server, clock):
    server.revoke_all()
    clock.true += 2 * HOUR
    assert server.lives(person.token().access_token)
    assert (len(server.sent), server.signed_in) == (1, 2)


def test_session_that_is_over_is_an_error_where_no_person_is_there(job, server, clock):
    server.revoke_all()
    clock.true += 2 * HOUR
    with pytest.raises(LoginRequired, match="the session is over"):
        job.token()
    assert server.signed_in == 1


@pytest.mark.parametrize("may_be_asked", [True, False])
def test_session_that_is_over_is_told_as_such_where_the_person_may_not_be_asked(person, server, may_be_asked):
    server.revoke_all()
    session = session_of(person)
    ask = {} if may_be_asked else {"ask": False}
    expected = contextlib.nullcontext() if may_be_asked else pytest.raises(LoginRequired, match="the session is over")
    with expected:
        session.renewal.renew(NotedCommitment(), session.cache.read(session.entry_id), **ask)
    assert server.signed_in == (2 if may_be_asked else 1)


def test_session_without_a_refresh_token_is_signed_in_to_again(person, server, clock):
    change_entry(session_of(person), refresh_token="")
    clock.true += 2 * HOUR
    assert server.lives(person.token().access_token)
    assert (len(server.sent), server.signed_in) == (0, 2)


@pytest.mark.parametrize(("later", "asked"), [(10.0, 2), (40.0, 3)])
def test_person_who_has_just_failed_to_sign_in_is_not_asked_again_at_once(person, server, clock, later, asked):
    change_entry(session_of(person), refresh_token="")
    clock.true += 2 * HOUR
    server.login_error = LoginFailed("the tab was closed")
    with pytest.raises(LoginFailed, match="the tab was closed"):
        person.token()
    clock.true += later
    with pytest.raises(LoginFailed, match="the tab was closed"):
        person.token()
    assert server.signed_in == asked


def test_answer_of_a_sign_in_that_has_expired_unsaved_is_renewed(person, server, clock):
    entry = entry_of(person)
    person.logout()
    unsaved.keep(key_of(person), "", entry)
    clock.true += 2 * HOUR
    assert server.lives(person.token().access_token)
    assert (len(server.sent), server.signed_in) == (1, 1)


def test_answer_of_a_sign_in_that_could_not_be_stored_serves(person, server):
    entry = entry_of(person)
    person.logout()
    unsaved.keep(key_of(person), "", entry)
    assert provider_over(session_of(person).cache, server, person=True).token().access_token == entry.access_token
    assert (len(server.sent), server.signed_in) == (0, 1)


# Ahead of time


def test_token_is_renewed_ahead_of_time(job, server):
    known = entry_of(job).access_token
    assert early(job).access_token == entry_of(job).access_token != known
    assert len(server.sent) == 1


def test_newer_token_of_another_process_is_taken_ahead_of_time(job, server, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    assert early(job, known="an older token").access_token == entry_of(job).access_token
    assert server.sent == []
    assert "the token of another process is used" in caplog.text


def test_token_is_not_renewed_ahead_of_time_while_another_process_holds_the_lock(job, server):
    session = session_of(job)
    with session.cache.lock(session.entry_id):
        assert early(job) is None
    assert server.sent == []


def test_session_that_was_signed_out_of_is_not_renewed_ahead_of_time(job, server):
    known = entry_of(job).access_token
    job.logout()
    assert early(job, known) is None
    assert server.sent == []


def test_session_without_a_refresh_token_is_not_renewed_ahead_of_time(job, server):
    change_entry(session_of(job), refresh_token="")
    assert early(job) is None
    assert server.sent == []


def test_service_principal_needs_no_refresh_token_to_renew_ahead_of_time(job, server, cache, monkeypatch):
    monkeypatch.setattr(server, "needs_person", False)
    refresh_token = entry_of(job).refresh_token
    monkeypatch.setattr(server, "renew", lambda _, **__: server._refresh(refresh_token))
    change_entry(session_of(job), refresh_token="")
    principal = provider_over(cache, server)
    known = entry_of(principal).access_token
    assert early(principal).access_token != known


def test_endpoint_that_has_just_failed_is_left_alone_ahead_of_time(job, server, clock):
    server.trouble.append("unavailable")
    with pytest.raises(TokenEndpointError):
        early(job)
    assert len(server.sent) == 1  # one attempt, as no caller waits for it
    clock.true += 5.0
    assert early(job) is None
    assert len(server.sent) == 1
    clock.true += 6.0
    assert early(job) is not None
    assert len(server.sent) == 2


# Signing in on purpose


def test_sign_in_on_purpose_replaces_a_session_that_lives(person, server):
    before = entry_of(person)
    person.login()
    after = entry_of(person)
    assert after.refresh_token != before.refresh_token
    assert (len(server.sent), server.signed_in) == (0, 2)


def test_sign_in_lets_no_other_person_take_the_session_over_unless_asked_to(person, server):
    session, told = session_of(person), []
    session.renewal._sign_in = lambda *given, **how: told.append(how) or server.sign_in(*given, **how)
    session.renewal.sign_in()
    session.renewal._login(NotedCommitment(), session.cache.read(session.entry_id))
    assert told == [{"switch": False}] * 2
    assert not entry_of(person).on_trial


def test_sign_in_needs_a_person(job, server):
    with pytest.raises(LoginRequired):
        job.login()
    assert server.signed_in == 1


def test_service_principal_that_signs_in_again_exchanges_once(job, server, cache, monkeypatch):
    monkeypatch.setattr(server, "needs_person", False)
    principal = provider_over(cache, server)
    known = entry_of(principal).access_token
    assert principal.login().access_token != known
    assert len(server.sent) == 1


@pytest.mark.parametrize("error", [LoginFailed("no"), TokenEndpointError("down"), CredentialsRefused("wrong")])
def test_sign_in_that_fails_is_left_in_the_entry_beside_the_session(person, server, error):
    before = entry_of(person)
    server.login_error = error
    with pytest.raises(type(error)):
        person.login()
    after = entry_of(person)
    assert after.failure.message == error.message
    assert after.refresh_token == before.refresh_token


def test_sign_in_that_every_caller_gave_up_is_left_in_the_entry(person, server):
    server.login_error = Cancelled()
    with pytest.raises(Cancelled):
        session_of(person).renewal._login(None, session_of(person).cache.read(session_of(person).entry_id))
    assert entry_of(person).failure.message == "the sign-in was given up"


def test_sign_in_forgets_the_refresh_token_and_the_end_of_the_session_before(person, server, clock):
    server.revoke_all()
    clock.true += 2 * HOUR
    person.token()
    assert entry_of(person).refused is None
    assert entry_of(person).logged_in_at == clock.time()
    assert server.state(entry_of(person).refresh_token) == "current"


def test_session_ends_when_the_configuration_says(cache, server, clock):
    for minutes, end in ((None, 0.0), (60, clock.time() + HOUR)):
        target = resolve(None, {}, host="https://model.example.com", absolute_session_lifetime_in_minutes=minutes)
        person = provider_over(cache, server, person=True, target=target)
        person.login()
        assert entry_of(person).session_ends_at == end


@pytest.mark.parametrize("on_purpose", [True, False])
def test_token_of_a_sign_in_is_on_trial_unless_the_person_meant_it(person, server, on_purpose):
    change_entry(session_of(person), refresh_token="")
    if on_purpose:
        person.login()
    else:
        person.invalidate(entry_of(person).access_token)
    assert server.signed_in == 2
    assert entry_of(person).on_trial is not on_purpose


def test_sign_in_is_told_and_releases_what_it_has_committed(person, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    session, told = session_of(person), []
    commitment = SimpleNamespace(settled=lambda: told.append(session.peek().logged_in_at))
    session.renewal._login(commitment, session.cache.read(session.entry_id))
    assert told == [entry_of(person).logged_in_at]  # once it was stored
    assert "signed in as ada@example.com" in caplog.text


def test_entry_that_no_sign_in_has_left_ends_none(person, server, store, monkeypatch):
    lock = store.lock

    def changed(*arguments, **options):
        monkeypatch.setattr(store, "lock", lock)
        change_entry(session_of(person), logged_in_at=0.0, access_token="of no sign-in")
        return lock(*arguments, **options)

    monkeypatch.setattr(store, "lock", changed)
    assert person.login().access_token != "of no sign-in"
    assert server.signed_in == 2


# What is written before a refresh token is sent


@pytest.mark.parametrize(
    ("store", "needs_person", "declared"),
    [(MemoryStore(), True, False), (Elsewhere(), True, True), (Elsewhere(), False, False)],
    ids=["one machine", "several machines", "service principal"],
)
def test_intent_is_declared_only_where_hosts_share_a_persons_session(job, cache, server, needs_person, declared):
    seen = []
    server.needs_person = needs_person
    server.on_request = lambda: seen.append(entry_of(job).spending is not None)
    assert early(provider_over(cache, server)) is not None
    assert seen == [declared]


# Signing out


def test_sign_out_of_an_entry_that_is_not_meant_leaves_it(job):
    done = session_of(job).sign_out(lambda _: False, whose="of another")
    assert done == (None, None)
    assert entry_of(job) is not None


def test_sign_out_where_nothing_is_stored_has_nothing_to_revoke(job):
    job.logout()
    revoked = []
    session_of(job).renewal._revoke = revoked.append
    assert session_of(job).sign_out() == (None, None)
    assert revoked == []


@pytest.mark.parametrize("token", ["access_token", "refresh_token", None])
def test_sign_out_revokes_the_tokens_that_exist(job, token, caplog):
    caplog.set_level(logging.INFO, "lakekey")
    session = session_of(job)
    session.renewal._revoke = lambda entry: "revoked"
    change_entry(session_of(job), **{name: "" for name in ("access_token", "refresh_token") if name != token})
    done = session.sign_out()
    assert done.removed is not None
    assert done.revocation == ("revoked" if token else None)
    assert "signed out" in caplog.text


def test_sign_out_looks_again_at_an_entry_that_was_changed_meanwhile(job, store, monkeypatch):
    delete = store.delete
    monkeypatch.setattr(store, "is_abandoned", lambda _: True)  # so it looks again at once

    def changed(entry_id, **how):
        monkeypatch.setattr(store, "delete", delete)
        change_entry(session_of(job), identity="changed meanwhile")
        return delete(entry_id, **how)

    monkeypatch.setattr(store, "delete", changed)
    removed = session_of(job).sign_out().removed
    assert removed.identity == "changed meanwhile"
    assert entry_of(job) is None


def test_sign_out_that_has_begun_when_its_caller_leaves_can_be_told_and_is_completed(job, store, monkeypatch):
    delete, waiter, gone = store.delete, Waiter(), threading.Event()

    def slow(entry_id, **how):
        waiter.cancel()
        gone.wait(30)
        return delete(entry_id, **how)

    monkeypatch.setattr(store, "delete", slow)
    with on(waiter), pytest.raises(Cancelled):
        session_of(job).sign_out()
    assert entry_of(job) is not None
    assert waiter.commitment.committed
    gone.set()
    session_of(job).sign_out()
    assert entry_of(job) is None


def test_revocation_belongs_to_what_is_completed_once_the_removal_has_begun(job):
    waiter, committed, session = Waiter(), [], session_of(job)

    def revoke(entry):
        committed.append((waiter.commitment.committed, session.peek()))
        return "revoked"

    session.renewal._revoke = revoke
    with on(waiter):
        assert session.sign_out().revocation == "revoked"
    assert committed == [(True, None)]
    assert not waiter.commitment.committed


@pytest.mark.usefixtures("no_threads")
def test_interrupt_in_the_midst_of_a_removal_lands_after_the_revocation(job, store, monkeypatch):
    delete, made = store.delete, []

    def interrupted(entry_id, **how):
        signal.raise_signal(signal.SIGINT)
        made.append("removed")
        return delete(entry_id, **how)

    session = session_of(job)
    session.renewal._revoke = lambda entry: made.append(entry.refresh_token) or "revoked"
    token = session.peek().refresh_token
    monkeypatch.setattr(store, "delete", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.sign_out()
    assert made == ["removed", token]
    assert session.peek() is None
    assert not _commitment._in_the_air


@pytest.mark.usefixtures("no_threads")
def test_interrupt_lands_before_another_look_at_an_entry_that_was_changed_meanwhile(job, store, monkeypatch):
    made = []

    def interrupted(entry_id, **how):
        signal.raise_signal(signal.SIGINT)
        made.append("not removed")
        return False

    session = session_of(job)
    session.renewal._revoke = made.append
    monkeypatch.setattr(store, "delete", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.sign_out()
    assert made == ["not removed"]
    assert session.peek() is not None


def test_sign_out_that_has_not_begun_when_its_caller_leaves_removes_nothing(job, store, monkeypatch):
    waiter, looked = Waiter(), threading.Event()
    get = store.get

    def slow(entry_id):
        waiter.cancel()
        looked.wait(30)
        return get(entry_id)

    monkeypatch.setattr(store, "get", slow)
    with on(waiter), pytest.raises(Cancelled):
        session_of(job).sign_out()
    assert not waiter.commitment.committed
    monkeypatch.setattr(store, "get", get)
    looked.set()
    for thread in threading.enumerate():
        if thread.name == "lakekey-exchange":
            thread.join(30)
    assert entry_of(job) is not None


def test_renewal_ahead_of_time_that_is_not_possible_now_is_not_an_error(job, server, monkeypatch):
    def not_yet(*_, **__):
        raise entry_queue.NotYet(None)

    monkeypatch.setattr(session_of(job).renewal._exchange, "run", not_yet)
    assert early(job) is None
