"""Service principals: one request for a fleet of processes, and no token for who does not know the secret."""

import subprocess
import sys
import threading

import pytest

from lakekey import CredentialsRefused
from lakekey.session import entry_queue
from support.inside import session_of
from support.reports import outcome
from support.sessions import PATIENCE, QUICK, Machine
from support.waiting import until

pytestmark = pytest.mark.on_windows


@pytest.fixture
def machine(oidc_server, tmp_path, unattended):
    """A machine that signs in as a service principal; nothing is stored yet."""
    return Machine(oidc_server, tmp_path / "cache", service=True, timing=QUICK)


def test_processes_that_start_together_make_one_request(machine):
    ends = machine.ends_of_a_queue(4)
    assert {end["value"] for end in ends} == {f"Bearer {machine.stored().access_token}"}
    assert machine.token_requests() == 1


def test_later_processes_make_none(machine):
    header = machine.provider().headers()
    for _ in range(3):
        assert machine.provider().headers() == header
    assert machine.fresh_process()["ok"]
    assert machine.token_requests() == 1
    assert machine.stored().refresh_token == ""


def test_signing_in_fetches_a_new_token_whatever_is_cached(machine):
    provider = machine.provider()
    first = provider.token().access_token
    assert provider.login().access_token != first
    assert machine.provider().token() == provider.token()
    assert machine.token_requests() == 2


def test_a_token_kept_in_memory_is_written_nowhere(machine, bare_machine):
    before = everything_under(bare_machine.parent)
    provider = machine.provider(store="memory:")
    header = provider.headers()
    assert machine.provider(store="memory:").headers() == header, "the process shares it"
    assert machine.token_requests() == 1
    assert everything_under(bare_machine.parent) == before
    assert not machine.directory.exists()


def test_no_child_finds_a_token_kept_in_memory(machine):
    machine.provider(store="memory:").headers()
    assert machine.fresh_process(LAKEKEY_STORE="memory:")["ok"]
    assert machine.token_requests() == 2
    assert not machine.directory.exists()


def test_a_process_that_keeps_its_token_in_memory_loads_no_file_locks(machine):
    code = "import lakekey, sys; lakekey.provider().headers(); assert 'filelock' not in sys.modules"
    environ = {**machine.environ, "LAKEKEY_STORE": "memory:"}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True, timeout=PATIENCE)


def everything_under(directory):
    return sorted(path for path in directory.rglob("*"))


# Who knows only the client's id


@pytest.fixture
def wrong(machine):
    """A provider with another secret for the same client."""
    return machine.provider(client_secret="not the secret")


def test_a_wrong_secret_is_not_handed_the_right_ones_token(machine, wrong):
    header = machine.provider().headers()
    before = machine.stored()
    for _ in range(2):
        with pytest.raises(CredentialsRefused, match="client id or its secret") as caught:
            wrong.headers()
        assert caught.value.error == "invalid_client"
        assert "not the secret" not in str(caught.value)
    assert machine.stored()._replace(failure=None, generation=0) == before._replace(generation=0)
    assert machine.provider().headers() == header, "and the right one's is not lost by it"
    assert machine.token_requests() == 3


def test_a_wrong_secret_is_not_served_while_its_provider_lives(machine, wrong):
    """Its owner was right once: the secret was replaced, and the cache holds what the new one fetched."""
    machine.store(left=-60, proof=wrong.target.secret_digest)
    machine.provider().headers()
    with pytest.raises(CredentialsRefused):
        wrong.headers()


def test_who_waits_with_the_right_secret_does_not_fail_with_the_wrong_one(machine, wrong):
    right = machine.provider()
    ends = {}

    def ask(name, provider):
        ends[name] = outcome(lambda: provider.headers()["Authorization"])

    with machine.server.hold("token") as hold:
        first = threading.Thread(target=ask, args=("wrong", wrong))
        first.start()
        hold.wait()
        # A process of its own, so that it is the cache that it waits for and not a flight of this one.
        with machine.child("queues") as child:
            child.until("queued")
            hold.release()
            ends["right"] = child.result()
        first.join()
    assert ends["wrong"]["error"] == "CredentialsRefused"
    assert ends["right"]["ok"], ends["right"]
    assert right.headers()["Authorization"] == ends["right"]["value"]


def ends_of_threads(server, *providers):
    """The errors of two threads, of which the second asks while the server holds the first one's request."""
    ends = {}

    def ask(number):
        ends[number] = outcome(providers[number].headers)["error"]

    first, second = (threading.Thread(target=ask, args=(number,)) for number in range(2))
    with server.hold("token") as hold:
        first.start()
        hold.wait()
        second.start()
        until(lambda: 1 in ends or len(entry_queue._flights._running) == 2)
        hold.release()
        first.join()
        second.join()
    return [ends[0], ends[1]]


def test_threads_with_different_secrets_do_not_share_an_outcome(machine, wrong):
    """Two providers of one process, one entry: they wait for the same lock, not for the same result."""
    assert ends_of_threads(machine.server, wrong, machine.provider()) == ["CredentialsRefused", None]


def test_a_grant_that_is_refused_is_not_a_session_that_is_over(machine):
    body = {"error": "invalid_grant", "error_description": "The service principal is inactive"}
    with (
        machine.server.fault("token", "status", status=400, body=body),
        pytest.raises(CredentialsRefused, match="service principal is inactive") as caught,
    ):
        machine.provider().headers()
    assert caught.value.error == "invalid_grant"
    assert machine.provider().headers()


def test_a_thread_with_a_wrong_secret_is_not_handed_the_result_of_the_right_ones_exchange(machine, wrong):
    assert ends_of_threads(machine.server, machine.provider(), wrong) == [None, "CredentialsRefused"]


def test_providers_with_caches_of_their_own_do_not_share_an_exchange(machine):
    """What one of them fetches would be missing in the other's cache."""
    in_files, in_memory = machine.provider(), machine.provider(store="memory:")
    threads = [threading.Thread(target=provider.headers) for provider in (in_files, in_memory)]
    with machine.server.hold("token") as hold:
        for thread in threads:
            thread.start()
        hold.wait(2)
        hold.release()
        for thread in threads:
            thread.join()
    assert session_of(in_files).peek().access_token != session_of(in_memory).peek().access_token
    assert machine.token_requests() == 2
