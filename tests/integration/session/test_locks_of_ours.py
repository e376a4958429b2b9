"""Code that strikes under a lock of ours, and asks for a header: what renews needs that lock, so it is not waited for."""

import logging
import sys

import pytest

from lakekey import _log
from lakekey._inside_work import as_work
from lakekey.configuration.target import resolve
from lakekey.errors import LockTimeout
from lakekey.providers.provider import Provider
from support.inside import session_of


def asks_in_vain(provider):
    with pytest.raises(LockTimeout, match="asked from inside"):  # and not what a wait ends in
        provider.headers()
    return True


def test_code_under_an_entrys_lock_gets_an_error_at_once(machine):
    provider = machine.provider()
    session = session_of(provider)
    with session.cache.locked(session.entry_id, patience=30.0):
        asks_in_vain(provider)
    assert provider.headers()
    assert machine.token_requests() == 1


def test_code_in_the_choice_of_the_first_key_gets_an_error_at_once(service):
    provider = service.provider()
    asked = []

    def hook(frame, event, _):
        if event == "call" and frame.f_code.co_name == "plan":
            sys.setprofile(None)
            asked.append(asks_in_vain(provider))

    sys.setprofile(hook)
    try:
        session_of(provider).cache.begin()
    finally:
        sys.setprofile(None)
    assert asked == [True]
    assert provider.headers()


def test_code_inside_a_renewal_asks_no_store_that_hosts_share(unattended, monkeypatch, tmp_path):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path))
    provider = Provider(resolve(None, {}, host="https://h.example.com", store="postgresql://127.0.0.1:1/away"))
    with as_work():
        asks_in_vain(provider)


class Looks(logging.Handler):
    """Looks whether an entry's lock is free when a record comes."""

    def __init__(self, session):
        super().__init__()
        self.session = session
        self.free = []

    def emit(self, record):
        with self.session.cache.store.lock(self.session.entry_id) as held:
            self.free.append((record.getMessage(), held))


def test_records_that_are_made_under_an_entrys_lock_come_when_it_is_free(machine):
    session = session_of(machine.provider())
    looks = Looks(session)
    logger = logging.getLogger("lakekey.web")
    logger.addHandler(looks)
    try:
        with session.cache.locked(session.entry_id, patience=30.0):
            _log.warning("web", "said under the lock")
    finally:
        logger.removeHandler(looks)
    assert looks.free == [("said under the lock", True)]
