"""`await provider.atoken()`: the event loop goes on while a token is renewed."""

import asyncio
import threading
import time

import pytest

from lakekey import LoginRequired
from support.waiting import until

pytestmark = [pytest.mark.on_windows, pytest.mark.usefixtures("unattended")]

BEAT = 0.01


def test_tasks_share_one_refresh_and_the_loop_goes_on(machine):
    provider = machine.provider()

    async def main():
        beats = 0
        tasks = [asyncio.create_task(provider.atoken()) for _ in range(20)]
        await asyncio.to_thread(hold.wait)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            await asyncio.sleep(BEAT)
            beats += 1
        assert not any(task.done() for task in tasks)
        hold.release()
        return beats, await asyncio.gather(*tasks)

    with machine.server.hold("token") as hold:
        beats, tokens = asyncio.run(main())
    assert beats >= 5
    assert {token.access_token for token in tokens} == {machine.stored().access_token}
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_a_fresh_token_needs_no_thread(machine):
    provider = machine.provider()
    token = provider.token()
    before = set(threading.enumerate())

    async def main():
        tokens = [await provider.atoken() for _ in range(100)]
        assert set(threading.enumerate()) <= before  # one of an exchange may be about to end
        return tokens

    assert set(asyncio.run(main())) == {token}


def test_a_stale_token_is_served_at_once(machine):
    machine.store(left=600, access_token="alive", refresh_token=machine.stored().refresh_token)
    provider = machine.provider()
    provider.headers()

    async def main():
        token = await asyncio.wait_for(provider.atoken(), 5)
        await asyncio.to_thread(hold.wait)
        return token, await asyncio.wait_for(provider.atoken(), 5)

    with machine.server.hold("token") as hold:
        tokens = asyncio.run(main())
    assert [token.access_token for token in tokens] == ["alive", "alive"]


def test_an_error_is_raised_where_it_is_awaited(machine):
    machine.server.revoke_all()
    provider = machine.provider()

    async def main():
        return await asyncio.gather(*(provider.atoken() for _ in range(5)), return_exceptions=True)

    assert [type(error) for error in asyncio.run(main())] == [LoginRequired] * 5
    assert machine.token_requests() == 1


def test_the_refresh_of_a_cancelled_task_is_seen_through(machine):
    provider = machine.provider()

    async def main():
        task = asyncio.create_task(provider.atoken())
        await asyncio.to_thread(hold.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        hold.release()

    with machine.server.hold("token") as hold:
        asyncio.run(main())
    until(lambda: machine.stored().generation > 1)
    assert provider.token().access_token == machine.stored().access_token
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()
