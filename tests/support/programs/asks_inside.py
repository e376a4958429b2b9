"""A process in which foreign code asks for a header while one is renewed: inside the renewal, or over a caller of it.

Usage: ``python -m support.programs.asks_inside HOW``; see `WAYS`. It reports what the renewal gave, and what the foreign code got.
"""

import contextlib
import gc
import itertools
import logging
import logging.config
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import lakekey
from lakekey import _inside_work
from lakekey.session import renewal
from lakekey.session.exchange import Exchange
from support.reports import outcome, report

EACH = 40  # of the calls outside lakekey, one in so many asks
FEW = 7  # of all calls
got: Counter[str] = Counter()
shipped: list[str] = []


def ask(provider: lakekey.Provider) -> None:
    """Asks as foreign code would, and counts what came of it."""
    how = outcome(lambda: bool(provider.headers()))
    got["header" if how["ok"] else how["error"]] += 1


def _profiler(provider: lakekey.Provider) -> None:
    """At each call of ours in the thread that renews, and at some of everything else there."""
    calls = 0

    def hook(frame: Any, event: str, _: Any) -> None:
        nonlocal calls
        calls += event == "call"
        ours = "lakekey" in frame.f_code.co_filename
        if event == "call" and _inside_work.inside() and (ours or calls % EACH == 0):
            ask(provider)

    threading.setprofile(hook)


def _profiler_everywhere(provider: lakekey.Provider) -> None:
    """At some calls of everything in each thread that `threading` starts, and in this one."""
    calls, asking = itertools.count(), threading.local()

    def hook(_frame: Any, event: str, _: Any) -> None:
        if event == "call" and next(calls) % FEW == 0 and not getattr(asking, "now", False):
            asking.now = True
            ask(provider)
            asking.now = False

    threading.setprofile(hook)
    sys.setprofile(hook)


class _Abandoned:
    """As a connection that was never closed: a cycle whose finalizer sends something, with headers."""

    def __init__(self, provider: lakekey.Provider) -> None:
        self.me, self.provider = self, provider

    def __del__(self) -> None:
        ask(self.provider)


def _collector(provider: lakekey.Provider) -> None:
    """The garbage collector runs once in the thread that renews, right before its request."""
    exchange = Exchange._send

    def collects(*arguments: Any, **named: Any) -> Any:
        gc.collect()
        return exchange(*arguments, **named)

    Exchange._send = collects
    gc.disable()
    _Abandoned(provider)


class _Shipping(logging.Handler):
    """Sends records on, with headers."""

    def __init__(self, provider: lakekey.Provider) -> None:
        super().__init__()
        self.provider = provider
        self.sending = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        shipped.append(record.name)
        if not getattr(self.sending, "now", False):
            self.sending.now = True
            ask(self.provider)
            self.sending.now = False


def _log(provider: lakekey.Provider) -> None:
    """A handler of the root logger, for everything, that the libraries' records reach as well."""
    logging.getLogger().addHandler(_Shipping(provider))
    logging.getLogger().setLevel(logging.DEBUG)


def _log_first(provider: lakekey.Provider) -> None:
    """The handler itself is the first to ask, with its own lock in hand."""
    _log(provider)
    logging.getLogger("program").info("a record")


def _configuration(provider: lakekey.Provider) -> None:
    """A handler asks as ``dictConfig`` makes it, under `logging`'s own lock."""

    def handler() -> logging.Handler:
        ask(provider)
        return logging.NullHandler()

    logging.config.dictConfig(
        {"version": 1, "handlers": {"shipping": {"()": handler}}, "root": {"handlers": ["shipping"], "level": "DEBUG"}}
    )


def _threads_lock(provider: lakekey.Provider) -> None:
    """A signal handler strikes while the main thread holds the lock under which threads begin."""
    with threading._active_limbo_lock:
        ask(provider)


def _import(provider: lakekey.Provider) -> None:
    """A signal handler strikes while the main thread imports what the renewal needs itself."""
    _strikes_the_import_of("requests.adapters", provider)
    import requests  # noqa: F401


def _import_of_pythons(provider: lakekey.Provider) -> None:
    """The same with a module of Python's own that the renewal's libraries load."""
    assert "zipfile" not in sys.modules
    _strikes_the_import_of("zipfile", provider)
    import zipfile  # noqa: F401


def _strikes_the_import_of(module: str, provider: lakekey.Provider) -> None:
    class Strikes:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == module:
                signal.raise_signal(signal.SIGALRM)

    signal.signal(signal.SIGALRM, lambda *_: ask(provider))
    sys.meta_path.insert(0, Strikes())


def _lock_of_imports(provider: lakekey.Provider) -> None:
    """A finalizer runs while the main thread has the lock of all imports, to look up a module's."""
    _asks_once_called_by("_get_module_lock", provider)
    with contextlib.suppress(ImportError):
        import lakekey_has_no_such_neighbour  # noqa: F401


def _end_of_a_thread(provider: lakekey.Provider) -> None:
    """A finalizer runs while the main thread notes that another one has ended."""
    thread = threading.Thread(target=int)
    thread.start()
    _asks_once_called_by("_maintain_shutdown_locks", provider)
    thread.join()


def _asks_once_called_by(caller: str, provider: lakekey.Provider) -> None:
    """Asks in the first function that another one calls; as the collector would, which may run there.

    That one of Python 3.12 which notes the end of a thread calls functions of C only.
    """
    of_c = caller == "_maintain_shutdown_locks"

    def hook(frame: Any, event: str, _: Any) -> None:
        calls = frame.f_back if event == "call" else frame if event == "c_call" and of_c else None
        if calls is not None and calls.f_code.co_name == caller:
            sys.setprofile(None)
            ask(provider)

    sys.setprofile(hook)


def _logs_inside(provider: lakekey.Provider) -> None:
    """Foreign code inside the renewal logs and warns, and a handler asks with its own lock in hand."""

    def hook(frame: Any, event: str, _: Any) -> None:
        under_way = _inside_work.inside() and frame.f_code.co_filename == renewal.__file__
        if event == "call" and under_way:
            threading.setprofile(None)
            sys.setprofile(None)
            logging.getLogger("program.connection").warning("closed by the collector")
            warnings.warn("a connection was left open", ResourceWarning, stacklevel=1)

    warnings.simplefilter("always")
    logging.captureWarnings(True)
    logging.getLogger().addHandler(_Shipping(provider))
    threading.setprofile(hook)
    logging.getLogger("program").warning("a record")


WAYS: dict[str, Callable[[lakekey.Provider], None]] = {
    "profiler": _profiler,
    "profiler everywhere": _profiler_everywhere,
    "collector": _collector,
    "log handler": _log,
    "log handler first": _log_first,
    "dictConfig": _configuration,
    "threads' lock": _threads_lock,
    "import": _import,
    "import of Python's own": _import_of_pythons,
    "lock of imports": _lock_of_imports,
    "end of a thread": _end_of_a_thread,
    "logs inside": _logs_inside,
}


if __name__ == "__main__":
    provider = lakekey.provider()
    if sys.argv[1] == "profiler":
        provider.identity()  # opens the cache
    WAYS[sys.argv[1]](provider)
    ended = outcome(lambda: bool(provider.headers()))
    sys.setprofile(None)
    threading.setprofile(None)
    report("result", **ended, got=dict(got), shipped=shipped)
