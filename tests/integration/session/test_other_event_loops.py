"""`await provider.atoken()` under trio, and under anyio on either backend; gevent before and after TLS was in use."""

import asyncio
import time

import anyio
import anyio.to_thread
import pytest
import trio

from lakekey import ConfigurationError, LoginRequired
from support.waiting import until

pytestmark = pytest.mark.usefixtures("unattended")

PATIENCE = 60


BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_tasks_of_anyio_share_one_refresh_and_the_loop_goes_on(machine, backend):
    provider = machine.provider()
    tokens = []

    async def ask():
        tokens.append(await provider.atoken())

    async def main():
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
            await anyio.to_thread.run_sync(hold.wait)
            for _ in range(5):  # beats of the loop, while the server holds the answer
                await anyio.sleep(0.01)
            assert not tokens
            hold.release()

    with machine.server.hold("token") as hold:
        anyio.run(main, backend=backend)
    assert {token.access_token for token in tokens} == {machine.stored().access_token}
    assert len(tokens) == 20
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


@BACKENDS
def test_the_refresh_of_a_cancelled_scope_is_completed(machine, backend):
    provider = machine.provider()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider.atoken)
            await anyio.to_thread.run_sync(hold.wait)
            tasks.cancel_scope.cancel()
        hold.release()  # come here while the server still holds the answer

    with machine.server.hold("token") as hold:
        anyio.run(main, backend=backend)
    until(lambda: machine.stored().generation > 1)
    assert provider.token().access_token == machine.stored().access_token
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


@BACKENDS
def test_a_scope_cancelled_in_the_queue_leaves_no_thread_behind(machine, backend):
    """Nothing was sent: the thread ends with its task, although another process holds the lock for longer."""
    provider = machine.provider(lock_timeout=PATIENCE)

    async def main():
        with anyio.move_on_after(0.3) as scope:
            await provider.atoken()
        assert scope.cancelled_caught
        return time.monotonic()

    with machine.cache.lock(machine.entry_id) as held:
        assert held
        left = anyio.run(main, backend=backend)
        assert time.monotonic() - left < PATIENCE / 2, "the end of the loop waited for the lock"
    assert machine.token_requests() == 0


def test_an_error_is_raised_in_the_task_of_trio(machine):
    machine.server.revoke_all()
    with pytest.raises(LoginRequired):
        trio.run(machine.provider().atoken)


def test_trio_as_a_guest_of_asyncio_uses_threads_of_trio(machine):
    provider = machine.provider()

    async def host():
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            provider.atoken, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=done.set_result
        )
        return (await done).unwrap()

    assert asyncio.run(host()).access_token == machine.stored().access_token


def test_without_an_event_loop_the_error_is_ours(machine):
    with pytest.raises(ConfigurationError, match="is not running in an asyncio or trio event loop"):
        machine.provider().atoken().send(None)


def test_greenlets_share_one_refresh_where_gevent_patched_first(machine):
    with machine.server.hold("token") as hold, machine.child("greenlets", "first") as child:
        hold.wait()
        child.until("beats")  # the other greenlets go on while the server holds the answer
        hold.release()
        result = child.result()
    assert result["tokens"] == [machine.stored().access_token] * 10
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_gevent_that_patched_after_tls_was_in_use_gets_an_error_of_ours(machine):
    with machine.child("greenlets", "late") as child:
        result = child.result()
    assert result["live"] == machine.stored().access_token  # what is live is served
    assert result["error"].startswith("ConfigurationError")
    assert "gevent patched this program after TLS was in use" in result["error"]
    machine.assert_session_is_whole()
