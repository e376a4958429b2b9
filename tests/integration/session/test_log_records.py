"""Each event worth having is one log record, of its part's logger, with the entry's id and without a secret."""

import logging
import re
import threading
from pathlib import Path

import pytest

from lakekey import CredentialsRefused, LoginDenied, LoginRequired, TokenEndpointError
from lakekey.cache.rotation import rotate
from lakekey.errors import CacheError, LockTimeout
from lakekey.session import wait_notice
from lakekey.session.timing import Timing
from support.inside import session_of, source_of
from support.sessions import Machine
from support.waiting import until

ROOT = Path(__file__).parents[3]
SECRET = "dose-a-secret-that-must-not-be-seen"


@pytest.fixture
def machine(attended_machine):
    return attended_machine


@pytest.fixture
def records(caplog):
    """Finds the one record with these words; it holds the entry's id where it is about an entry."""
    caplog.set_level(logging.DEBUG)

    def find(words, part, level, machine=None):
        found = [each for each in caplog.records if words in each.getMessage()]
        assert [(each.name, each.levelname) for each in found] == [(f"lakekey.{part}", level)], caplog.text
        if machine is not None:
            assert f"entry {machine.entry_id[:12]}" in found[0].getMessage()
        return found[0].getMessage()

    return find


def test_a_refresh(unwatched, records):
    unwatched.provider().headers()
    records("token renewed (external-browser)", "session", "INFO", unwatched)


def test_a_service_principals_token(service, records):
    service.provider().headers()
    records("token renewed (oauth-m2m)", "session", "INFO", service)


def test_a_login(machine, records):
    machine.provider().login()
    assert "ada@example.com" in records("signed in as", "login", "INFO", machine)


def test_a_login_that_fails(machine, records, monkeypatch):
    monkeypatch.setenv("BROWSER", machine.server.browser(decline=True).removesuffix(" &"))
    with pytest.raises(LoginDenied):
        machine.provider().login()
    records("not signed in", "login", "INFO", machine)


def test_a_logout(machine, records):
    assert machine.provider().logout()
    assert "(revoked)" in records("signed out", "login", "INFO", machine)


def test_logout_without_a_session_is_not_logged(machine, caplog):
    machine.provider().logout()
    caplog.clear()
    machine.provider().logout()
    assert "signed out" not in caplog.text


def test_the_adoption_of_a_token_that_a_sibling_stored_before(unwatched, records):
    provider = unwatched.provider()
    held = provider.token().access_token
    assert session_of(unwatched.provider()).usable(rejected=held).access_token != held
    provider.invalidate(held)
    assert provider.token().access_token != held
    records("the token of another process is used", "session", "INFO", unwatched)


def test_the_adoption_of_a_token_that_another_process_fetches_meanwhile(unwatched, records, monkeypatch):
    with unwatched.server.hold("token") as hold, unwatched.child("asks_once") as sibling:
        hold.wait()
        asking = threading.Thread(target=unwatched.provider(timing=Timing(wait_notice=0.0)).headers)
        asking.start()
        until(lambda: wait_notice._told)
        hold.release()
        assert sibling.result()["ok"]
        asking.join()
    said = records("waiting for", "session", "INFO", unwatched)
    assert f"process {sibling.process.pid}" in said
    records("the token of another process is used", "session", "INFO", unwatched)
    assert unwatched.token_requests() == 1


def test_the_adoption_of_a_newer_token_ahead_of_time(unwatched, records):
    unwatched.store(left=600, access_token="alive", refresh_token=unwatched.stored().refresh_token)
    provider = unwatched.provider()
    session_of(provider).usable(rejected="alive")
    assert session_of(provider).renewal.early("alive").access_token == unwatched.stored().access_token
    records("the token of another process is used", "session", "INFO", unwatched)


def test_a_new_process_that_finds_a_token_adopts_nothing(unwatched, caplog):
    unwatched.provider().headers()
    caplog.clear()
    unwatched.provider().headers()
    ours = [each for each in caplog.records if each.name.startswith("lakekey.")]
    assert [each.getMessage() for each in ours if each.name != "lakekey.automation"] == []


def test_a_refusal_of_the_refresh_token(unwatched, records):
    unwatched.server.revoke_all()
    with pytest.raises(LoginRequired):
        unwatched.provider().headers()
    records("refused the session's refresh token", "session", "WARNING", unwatched)


def test_a_refusal_of_the_client(service, records, caplog):
    provider = service.provider(client_secret=SECRET)
    with pytest.raises(CredentialsRefused):
        provider.headers()
    records(": refused: ", "session", "INFO", service)
    assert SECRET not in caplog.text


def test_trouble_at_the_endpoint(unwatched, records, caplog):
    with unwatched.server.fault("token", "status", status=503, times=None), pytest.raises(TokenEndpointError):
        unwatched.provider().headers()
    records("not renewed: ", "session", "INFO", unwatched)
    again = [each for each in caplog.records if "again in" in each.getMessage()]
    assert {(each.name, each.levelname) for each in again} == {("lakekey.session", "DEBUG")}
    assert all(unwatched.entry_id[:12] in each.getMessage() for each in again)


def test_a_failure_ahead_of_time(unwatched, records, monkeypatch):
    unwatched.store(left=600, access_token="alive", refresh_token=unwatched.stored().refresh_token)
    provider = unwatched.provider(timing=Timing(first_pause=0.01, stale_pause=60.0))
    with unwatched.server.fault("token", "status", status=503, times=None):
        provider.headers()
        provider.headers()
        until(lambda: source_of(provider)._early_pause != 60.0)
    records(": renewing ahead of time", "background", "DEBUG", unwatched)
    records("cannot renew ahead of time", "provider", "WARNING", unwatched)


def test_a_wait_without_end(unwatched, records):
    with unwatched.server.hold("token") as hold, unwatched.child("asks_once"):
        hold.wait()
        with pytest.raises(LockTimeout):
            unwatched.provider(lock_timeout=0.05).headers()
    records("not renewed: process", "session", "INFO", unwatched)


def test_the_choice_of_a_key_source(service, records):
    service.provider().headers()
    said = records("the key of the token cache", "cache", "INFO")
    assert f"in {service.directory} is kept by source file: LAKEKEY_KEY_SOURCE asks for it" in said


def test_a_new_key(unwatched, records):
    rotate(unwatched.cache)
    said = records("a new key for the token cache", "cache", "INFO")
    assert f"in {unwatched.directory}, kept by source file" in said


def test_a_bad_entry_that_is_set_aside(unwatched, records):
    Path(unwatched.cache.store.place(unwatched.entry_id)).write_bytes(b"no envelope")
    with pytest.raises(LoginRequired):
        unwatched.provider().headers()
    assert ".bad" in records("is unusable", "cache", "WARNING", unwatched)


def test_a_session_that_cannot_be_kept(service, records, monkeypatch):
    provider = service.provider()
    provider.headers()
    monkeypatch.setattr(session_of(provider).cache.store, "put", cannot_write)
    provider.login()
    records("in the memory of this process only", "cache", "WARNING", service)


def cannot_write(*_, **__):
    from lakekey.errors import CacheWriteFailed

    raise CacheWriteFailed("the disk is full")


def test_no_token_and_no_secret_is_in_any_record(machine, caplog, person_leaves):
    caplog.set_level(logging.DEBUG)
    seen = {machine.stored().refresh_token, machine.stored().access_token}
    provider = machine.provider()
    for act in (provider.headers, provider.login):
        act()
        seen |= {machine.stored().refresh_token, machine.stored().access_token}
    service = machine.server.service_principal.client_secret
    Machine(machine.server, machine.directory, service=True).provider().headers()
    machine.server.revoke_all()
    person_leaves()
    provider = machine.provider()
    held = provider.token().access_token
    with pytest.raises((LoginRequired, CacheError)):
        provider.invalidate(held)
    assert len(seen) == 6
    assert not [secret for secret in (*seen, service) if secret in caplog.text]


def test_the_page_lists_every_logger_there_is():
    page = (ROOT / "docs/reference/observability.md").read_text(encoding="utf-8").partition("## OpenTelemetry")[0]
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    parts = set(re.findall(r"_log\.\w+\(\s*\"(\w+)\"", source)) | set(re.findall(r"report\(\s*\"(\w+)\"", source))
    parts.add("audit")  # whose records are made elsewhere: `lakekey.observability.audit`
    assert set(re.findall(r"^\| `lakekey\.(\w+)`", page, re.MULTILINE)) == parts
