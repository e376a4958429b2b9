"""Which code runs inside a call to the SDK: such code must not wait for the SDK's locks, which that call may hold."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class _Call:
    """A call to the SDK that is under way. What inherits this context and outlives the call is not inside it."""

    def __init__(self, source: object) -> None:
        self.source = source
        self.ended = False


_calls: ContextVar[tuple[_Call, ...]] = ContextVar("lakekey_sdk_calls", default=())


def is_inside_call_of(source: object) -> bool:
    """Whether the calling code runs inside a call that this source makes."""
    return any(each.source is source and not each.ended for each in _calls.get())


@contextlib.contextmanager
def call_of(source: object) -> Iterator[None]:
    """Within it, a source calls the SDK."""
    call = _Call(source)
    token = _calls.set((*_calls.get(), call))
    try:
        yield
    finally:
        call.ended = True
        _calls.reset(token)
