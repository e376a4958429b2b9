"""What a renewal does when another process wrote to the entry in its midst: nothing newer is put aside."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lakekey import UnsafeCache
from support.sessions import Machine

pytestmark = pytest.mark.usefixtures("unattended")

REFUSAL = {"error": "invalid_grant", "error_description": "Refresh token is invalid"}


@contextmanager
def asking(machine: Machine, when: str = "before"):
    """Within it, a provider's request is at the server; the value gives its headers when the block has ended."""
    with ThreadPoolExecutor(1) as pool:
        with machine.server.hold(when=when, grant_type="refresh_token") as hold:
            headers = pool.submit(machine.provider().headers)
            hold.wait()
            yield headers
        headers.result()


def test_a_newer_refresh_token_beside_the_same_access_token_is_used(machine):
    machine.server.fault("token", "status", status=400, body=REFUSAL, grant_type="refresh_token")
    old = machine.stored()
    with asking(machine) as headers:
        machine.sign_in()
        machine.store(left=-60, access_token=old.access_token, refresh_token=machine.stored().refresh_token)
    assert headers.result() == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.stored().refused is None
    machine.assert_session_is_whole()


def test_an_answer_counts_on_from_what_was_written_meanwhile(machine):
    old = machine.stored()
    with asking(machine, "after") as headers:
        for _ in range(3):
            machine.store(left=-60, access_token=old.access_token, refresh_token=old.refresh_token)
        written = machine.stored().generation
    assert headers.result() == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.stored().generation > written
    machine.assert_session_is_whole()


def test_an_answer_that_could_not_be_written_does_not_replace_a_newer_session(machine):
    choice = machine.directory / "cache.json"
    with pytest.raises(UnsafeCache), asking(machine, "after"):
        choice.chmod(0o644)
    choice.chmod(0o600)
    machine.sign_in(left=-60)
    newer = machine.stored()
    assert machine.provider().headers() == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.server.token_state(newer.refresh_token) == "consumed"  # it was the newer one that was sent
    machine.assert_session_is_whole()


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EIO])
@pytest.mark.parametrize("look", [1, 2])
def test_one_look_at_an_entry_that_fails_is_not_a_sign_out(machine, monkeypatch, look, code):
    real, looks = os.open, 0

    def fails_once(path, *arguments, **options):
        nonlocal looks
        looks += str(path).endswith(".entry")
        if looks == look and str(path).endswith(".entry"):
            raise OSError(code, os.strerror(code), path)
        return real(path, *arguments, **options)

    provider = machine.provider()
    monkeypatch.setattr(os, "open", fails_once)
    assert provider.headers()
    assert looks > look
    machine.assert_session_is_whole()
