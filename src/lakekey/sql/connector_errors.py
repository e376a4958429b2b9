"""What an error of databricks-sql-connector means: ours inside it, a refused token, a warehouse without Thrift."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError, TokenRefused
from lakekey.sql.statements import started_nothing

E = TypeVar("E", bound=Exception)
T = TypeVar("T")

# How the connector's kernel says that it is missing, or that it does not take what it was given.
_KERNEL = "use_kernel=True"
_KERNEL_ERRORS = ("ImportError", "NotSupportedError")
_ELSEWHERE = "connect again: a new connection has a new token"
_NOT_THE_TOKEN = "no newer token is to be had now; the identity may lack rights on the warehouse"


def unwrap(error: BaseException) -> LakekeyError | None:
    """The error of ours inside one of the connector's, or ``None``.

    The connector wraps what a header factory raises into its ``RequestError``, whose ``args`` and ``context`` hold it.
    A `lakekey.errors.TokenRefused` is not one of those: it explains the connector's error, and stays its cause. One of
    ours that the program was handling as it called the connector is found, too: Python keeps it as the context.
    """
    return _ours(error, None)


def _ours(error: BaseException, handled: BaseException | None) -> LakekeyError | None:
    found = (each for each in _inside(error, handled) if isinstance(each, LakekeyError))
    return next((each for each in found if not isinstance(each, TokenRefused)), None)


def _inside(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    """An error, and every error that it holds, was raised from, or was raised during.

    Args:
        error: The error.
        handled: What the program was handling before: the context of all that is raised then, and no reason of it.
    """
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        context = getattr(found, "context", None)
        waiting += [*found.args, found.__cause__]
        waiting += [found.__context__] if found.__context__ is not handled else []
        waiting += list(context.values()) if isinstance(context, dict) else []


def refused(error: BaseException) -> bool:
    """Whether a connector's error means that the server refused the token: HTTP 401 or 403."""
    context = getattr(error, "context", None)
    if not isinstance(context, dict) or context.get("http-code") not in (401, 403):
        return False
    # The connector names the status of the last answer. A call that was not answered has that of an earlier one.
    origins = [*error.args, *(error.__cause__.args if error.__cause__ is not None else ())]
    return not any(isinstance(origin, OSError) or hasattr(origin, "context") for origin in origins)


def typed(work: Callable[[], T]) -> T:
    """Do something with the connector; an error of ours comes out of it as it is."""
    handled = sys.exception()
    try:
        return work()
    except LakekeyError:
        raise
    except Exception as error:
        ours = _ours(error, handled)
        if ours is None:
            raise
    raise ours


def explained(refusal: E, profile: str | None, *, renewed: bool, batch: bool = False) -> E:
    """The connector's own error, with what the refusal means for the statement as its cause.

    Args:
        refusal: The connector's error (see `refused`).
        profile: Whose token it was.
        renewed: Whether the token was replaced.
        batch: Whether it came in the course of ``executemany``.
    """
    call = (getattr(refusal, "context", None) or {}).get("method")
    if batch:
        said = "the server refused the token in the course of a batch: a part of it may have run"
    elif started_nothing(refusal):
        said = f"the server refused the token at {call}: the statement has not run, and was not sent again"
    else:
        said = f"the server refused the token at {call}, after the statement was begun: it may have run"
    ours = TokenRefused(said, hint=_ELSEWHERE if renewed else _NOT_THE_TOKEN, profile=profile)
    ours.__cause__, refusal.__cause__ = refusal.__cause__, ours
    return refusal


def kernel_refusal(
    error: BaseException, target: Target, *, asked: bool, handled: BaseException | None = None
) -> ConfigurationError | None:
    """What to say where a warehouse refused the Thrift protocol, and the connector's kernel our provider; or ``None``.

    The connector turns to its kernel by itself, without a word of the warehouse's refusal once it knows it. The kernel
    is an extra of the connector's, and takes no credentials provider.

    Args:
        error: What came of the attempt to connect.
        target: Where to.
        asked: Whether the caller asked for the kernel; else the warehouse has refused, now or before.
        handled: What the program was handling as it connected.
    """
    said = [(found, str(found)) for found in _inside(error, handled)]
    refuses = any(getattr(found, "SQL_STATE", None) == "KP001" or "KP001" in text for found, text in said)
    if not refuses and not any(type(found).__name__ in _KERNEL_ERRORS and _KERNEL in text for found, text in said):
        return None
    missing = any(isinstance(found, ImportError) and _KERNEL in text for found, text in said)
    cause = "" if asked else "this warehouse refuses the Thrift protocol (SQLSTATE KP001), and "
    return ConfigurationError(
        f"{cause}the connector's kernel takes no credentials provider",
        hint="lakekey.sql.connect(…, fixed_token=True), for a connection that ends with its token"
        + ("; and pip install 'databricks-sql-connector[kernel]'" if missing else ""),
        profile=target.name,
    )
