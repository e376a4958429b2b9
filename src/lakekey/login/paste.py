"""Paste mode: the person opens the address anywhere, and pastes the redirected address here.

What is pasted is checked exactly as what comes to the listener; nothing of it is logged or repeated.
"""

import contextvars
import queue
import sys
import threading
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from lakekey.login import console, terminal
from lakekey.oauth.authorization_answer import read_answer, state_matches


class Unusable(ValueError):
    """What was pasted is not the answer; the message tells the person why, without repeating it."""


class Input(Protocol):
    """Where a person types."""

    @property
    def idle(self) -> bool:
        """Whether nothing is typed yet on a line that may be written over until then."""

    def line(self, timeout: float, begins: Callable[[], None] | None = None) -> str | None:
        """The next line, or ``None`` if none came within ``timeout`` seconds.

        Args:
            timeout: How long to wait.
            begins: Called before what is typed is shown.

        Raises:
            EOFError: There will be no more.
        """

    def close(self) -> None:
        """Read no more."""


def read_pasted(text: str, *, redirect_uri: str, state: str) -> dict[str, str]:
    """The answer's parameters from what a person pasted.

    Args:
        text: The redirected address, its query, or the code and the state with a blank between.
        redirect_uri: Where the answer was sent to.
        state: What it must carry.

    Raises:
        Unusable: It is not the answer to this sign-in.
    """
    text = text.replace("\x1b[200~", "").replace("\x1b[201~", "")  # a terminal's marks around what is pasted
    text = text.strip().strip("'\"<>")
    words = text.split()
    if len(words) == 2 and not text.startswith(("code=", "?")):
        query = f"code={words[0]}&state={words[1]}"  # as in the address bar, so encoded as there
    elif (place := _place(text)) is not None and not text.startswith(("code=", "error=", "state=", "iss=", "?")):
        if place != _place(redirect_uri):
            raise Unusable(f"that is not the address of the last page: it begins with {redirect_uri}")
        query = urlsplit(text).query
    else:
        query = text.lstrip("?")
    parameters = read_answer(query)
    if parameters is None:
        raise Unusable("there is no code in it: paste the whole address of the last page, from http to its end")
    if not state_matches(parameters, state):
        raise Unusable("it belongs to another sign-in: use the address printed above")
    return parameters


def _place(address: str) -> tuple[str, str] | None:
    """Where an address leads, its scheme aside; ``None`` if it is not an address.

    Address bars leave ``http`` out. A browser in HTTPS-only mode, or one that was told to use HTTPS for localhost, asks
    for ``https`` instead. The code is the same, and so is the person who pastes it.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "", address
    elif scheme.lower() not in ("http", "https"):
        return None
    if not scheme and "?" not in rest:
        return None
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:  # a bracket that is not closed
        return "", ""
    usual = (":443",) if scheme == "https" else (":80",) if scheme == "http" else (":443", ":80")
    netloc = parts.netloc.lower()
    for port in usual:  # which browsers leave out
        netloc = netloc.removesuffix(port)
    return netloc, parts.path or "/"


class Asked:
    """A program that asks by ``input()``: a notebook's kernel, or one of Windows with another input than a console.

    Args:
        prompt: The question.
        apart: Whether the program types into a field of its own, and not on the line below what is shown.
    """

    def __init__(self, prompt: str = "", *, apart: bool = False) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._prompt = prompt
        self._apart = apart
        self._asking = False

    @property
    def idle(self) -> bool:
        """See `Input.idle`. Where the question stands on that line, it is never idle."""
        return self._apart

    def line(self, timeout: float, begins: Callable[[], None] | None = None) -> str | None:  # noqa: ARG002 - it shows by itself
        """See `Input.line`."""
        if not self._asking:
            self._asking = True
            # In this context: code that runs in there, such as a finalizer, is a part of what waits for the line.
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._ask,), name="lakekey-paste", daemon=True).start()
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        self._asking = False
        if line is None:
            raise EOFError
        return line

    def _ask(self) -> None:
        try:
            self._lines.put(input(self._prompt))
        except Exception:  # noqa: BLE001 - whatever a kernel raises where it may not ask
            self._lines.put(None)

    def close(self) -> None:
        """See `Input.close`. An ``input()`` that is under way cannot be called off; its line is thrown away."""


def open_input(*, notebook: bool) -> Input | None:
    """Where the person here types, or ``None``."""
    if sys.platform == "win32" and not notebook and console.is_console(sys.stdin):
        return console.Console()
    if notebook or sys.platform == "win32":
        return Asked("Paste the address here: ", apart=notebook)
    try:
        return terminal.Terminal()
    except (ValueError, OSError, AttributeError):
        return None
