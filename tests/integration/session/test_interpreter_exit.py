"""Programs that ask for a header while their interpreter exits: in a last report, or in a thread that outlives main."""

import pytest

from support.sessions import Machine

WHEN = pytest.mark.parametrize("when", ["atexit", "survivor"])
THREADS = pytest.mark.parametrize("threads", [[], ["threadless"]], ids=["threads start", "no thread starts"])


@WHEN
@THREADS
@pytest.mark.parametrize("service", [False, True], ids=["person", "service principal"])
def test_an_expired_token_is_renewed_and_stored(oidc_server, tmp_path, when, threads, service):
    machine = Machine(oidc_server, tmp_path / "cache", service=service)
    if not service:
        machine.sign_in()
    oidc_server.reset()
    with machine.child("asks_at_exit", when, *threads) as child:
        end = child.result()
    assert end["ok"], end
    assert child.process.returncode == 0
    assert machine.token_requests() == 1
    if not service:
        machine.assert_session_is_whole()
    assert machine.fresh_process()["ok"]
    assert machine.token_requests() == 1


@WHEN
@THREADS
def test_a_stale_token_serves_and_holds_up_no_exit(oidc_server, tmp_path, when, threads):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=300)
    with machine.child("asks_at_exit", when, *threads) as child:
        end = child.result()
        assert end["ok"], end
        assert child.complaints() == ""
    machine.assert_session_is_whole()


def test_a_finalizer_at_the_very_end_gets_an_error_of_ours(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    oidc_server.reset()
    with machine.child("asks_at_exit", "finalizer") as child:
        assert child.result()["error"] == "LockTimeout"
    assert machine.token_requests() == 0
    machine.assert_session_is_whole()


def test_a_finalizer_at_the_very_end_gets_a_live_token(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=300)
    with machine.child("asks_at_exit", "finalizer") as child:
        assert child.result()["ok"]


@THREADS
def test_a_failure_is_one_of_our_errors(oidc_server, tmp_path, threads):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in()
    machine.server.revoke_all()
    with machine.child("asks_at_exit", "atexit", *threads) as child:
        assert child.result()["error"] == "LoginRequired"
