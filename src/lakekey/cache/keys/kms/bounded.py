"""Calls of a key management service: bounded in time, and without log records of the libraries that make them.

At DEBUG they log what they send and receive, which here is a key and the credentials that fetch it. At any level a log
handler of the program would run while other threads wait for the key, and might need a lock that one of them holds.
What goes wrong is told by the error.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lakekey._imports import LOADING, holds_a_lock, libraries
from lakekey.cache.keys import joining
from lakekey.cache.keys.kms.service import Kind, KmsTrouble

if TYPE_CHECKING:
    import logging

LIMIT_VARIABLE = "LAKEKEY_KMS_TIMEOUT"
_LIMIT = 20.0
_LIBRARIES = ("botocore", "urllib3", "requests", "azure", "msal", "google")
T = TypeVar("T")

_silent: set[int] = set()  # the threads that are in a call


def time_limit(environ: Mapping[str, str]) -> float:
    """How long the service may take in all, in seconds: ``LAKEKEY_KMS_TIMEOUT``."""
    return joining.time_limit(environ, LIMIT_VARIABLE, _LIMIT)


def within(limit: float, call: Callable[[], T]) -> T:
    """Call a service, but do not wait for it longer than the limit.

    The call is made in a thread of its own, which keeps no program alive: names are looked up, and credentials fetched,
    by libraries that know no deadline.

    Raises:
        KmsTrouble: It did not answer in time.
        Exception: What the call raised.
    """
    with LOADING:
        import contextvars
        import threading

    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            with silenced():
                results.append(call())
        except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
            errors.append(error)

    context = contextvars.copy_context()  # so that code which asks for a token in it is known to be inside a renewal
    thread = threading.Thread(target=lambda: context.run(run), name="lakekey-kms", daemon=True)
    try:
        if holds_a_lock():  # that the thread may need: this is the call of a signal handler or a finalizer
            run()
        else:
            thread.start()
    except RuntimeError:  # no further thread can start here
        run()
    if thread.ident is not None:
        joining.join(thread, limit)
    if results:
        return results.pop()
    if errors:
        raise errors.pop()
    raise KmsTrouble(Kind.AWAY, f"no answer within {limit:g} s")


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Within it, the records that the libraries make in this thread are dropped."""
    with libraries():
        import logging
        import threading

    thread = threading.get_ident()
    _silent.add(thread)
    _filter_all(logging)
    try:
        yield
    finally:
        _silent.discard(thread)


def filter_new_loggers() -> None:
    """Look again, after libraries were loaded: a filter sees the records of its own logger only."""
    with libraries():
        import logging

    _filter_all(logging)


def _filter_all(logging: Any) -> None:
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_may_pass)  # one that is there is not added twice


def _may_pass(record: "logging.LogRecord") -> bool:
    return record.thread not in _silent
