"""A process that pauses at a named step of a refresh, so that a test can strike there.

The functions of the session are wrapped, not replaced: at the step, the thread reports where it is and waits for a
word on standard input. Nothing else is different.

Usage: ``python -m support.programs.pauses_at STEP CALLER``; see `STEPS` and `CALLERS`.
"""

import _thread
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import lakekey
from lakekey.cache import durable_files
from lakekey.cache.entry import DISCOVERY_PREFIX
from lakekey.cache.stores.file import FileStore
from lakekey.session.exchange import Exchange
from lakekey.session.saving import Saving
from lakekey.session.spending import Spending
from support.inside import session_of
from support.reports import outcome, report, wait_for_word


def _pause(step: str) -> None:
    report("at", step=step, thread=threading.current_thread().name)
    wait_for_word()


def _around(owner: Any, name: str, step: str, *, after: bool, when: Callable[..., bool] = lambda *_: True) -> None:
    """Pauses before or after each call of a function."""
    function = getattr(owner, name)

    def paused(*arguments: Any, **named: Any) -> Any:
        if not after:
            _pause(step)
        result = function(*arguments, **named)
        if after and when(*arguments):
            _pause(step)
        return result

    setattr(owner, name, paused)


def _before_the_lock(step: str) -> None:
    lock = FileStore.lock

    @contextmanager
    def paused(store: FileStore, entry_id: str, **named: Any) -> Any:
        _pause(step)
        with lock(store, entry_id, **named) as held:
            yield held

    FileStore.lock = paused


def _is_session(path: str, *_: object) -> bool:
    # Discovery is remembered in the same way, and first.
    return path.endswith(".entry") and not os.path.basename(path).startswith(DISCOVERY_PREFIX)


STEPS: dict[str, Callable[[str], None]] = {
    "nowhere": lambda _: None,  # where it pauses is the server's affair
    "before the lock": _before_the_lock,
    "under the lock": lambda step: _around(Exchange, "run", step, after=False),
    "intent written": lambda step: _around(Spending, "declare", step, after=True),
    "answer received": lambda step: _around(Saving, "save", step, after=False),
    "temporary written": lambda step: _around(durable_files, "_write_temporary", step, after=True, when=_is_session),
    "stored": lambda step: _around(Saving, "save", step, after=True),
}


def _main(provider: lakekey.Provider) -> None:
    report("result", **outcome(lambda: bool(provider.headers())))


def _threadless(provider: lakekey.Provider) -> None:
    """No thread can be started, as in a container without room for another: the main thread renews by itself."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = _thread.start_new_thread = refuse
    _main(provider)


def _living(provider: lakekey.Provider) -> None:
    """A program that lives on after Ctrl-C, as a notebook does, and says what is stored when it gets control back."""
    before = session_of(provider).peek()
    try:
        provider.headers()
    except KeyboardInterrupt:
        report("back", stored=session_of(provider).peek().generation > before.generation)
    wait_for_word()


def _follower(provider: lakekey.Provider) -> None:
    """The main thread waits for an exchange that another thread has begun, and reports that it does."""
    leader = threading.Thread(target=provider.headers, daemon=True)
    leader.start()
    wait_for_word()
    report("following")
    _main(provider)


def _daemon(provider: lakekey.Provider) -> None:
    """A daemon thread asks, and the main thread ends when it is told to."""
    threading.Thread(target=provider.headers, daemon=True).start()
    wait_for_word()
    report("main ends")


def _background(provider: lakekey.Provider) -> None:
    """The token is stale: the caller has its header at once, and the main thread ends when it is told to."""
    provider.headers()  # read from the cache, and already stale
    provider.headers()
    wait_for_word()
    report("main ends")


def _replaced(provider: lakekey.Provider) -> None:
    """A stale token: the program has its header at once, and becomes another one when it is told to."""
    provider.headers()
    provider.headers()
    wait_for_word()
    os.execv(sys.executable, [sys.executable, "-c", ""])


def _task(provider: lakekey.Provider) -> None:
    """A task is cancelled by its time limit; the event loop then ends."""

    async def impatient() -> None:
        loop = asyncio.get_running_loop()
        told = loop.run_in_executor(None, wait_for_word)
        task = asyncio.create_task(provider.atoken())
        await told
        try:
            await asyncio.wait_for(task, 0.01)
        except TimeoutError:
            report("timed out")

    asyncio.run(impatient())
    report("result", ok=True)


def _forked(provider: lakekey.Provider) -> None:
    """The main thread forks while another thread holds the lock; the child lives until standard input ends."""
    locked, forked = threading.Event(), threading.Event()
    exchange = Exchange.run

    def waits(*arguments: Any, **named: Any) -> Any:
        locked.set()
        forked.wait()
        _pause("forked")
        return exchange(*arguments, **named)

    Exchange.run = waits
    leader = threading.Thread(target=provider.headers)
    leader.start()
    locked.wait()
    pid = os.fork()
    if pid == 0:
        while os.read(0, 1):
            pass
        os._exit(0)
    report("forked", pid=pid)
    forked.set()
    leader.join()


CALLERS = {
    "main": _main,
    "living": _living,
    "threadless": _threadless,
    "follower": _follower,
    "daemon": _daemon,
    "background": _background,
    "replaced": _replaced,
    "task": _task,
    "forked": _forked,
}


def _on_interrupt(number: int, frame: Any) -> None:
    report("signal", number=number)
    signal.default_int_handler(number, frame)


def _on_terminate(number: int, _: Any) -> None:
    report("signal", number=number)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _on_interrupt)
    signal.signal(signal.SIGTERM, _on_terminate)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, _on_terminate)
    provider = lakekey.provider()
    STEPS[sys.argv[1]](sys.argv[1])
    report("ready")
    try:
        CALLERS[sys.argv[2]](provider)
    except KeyboardInterrupt:
        report("ended", by="KeyboardInterrupt")
        raise
    except SystemExit:
        report("ended", by="SystemExit")
        raise
