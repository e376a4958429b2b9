"""Paste mode: the person opens the address anywhere, and brings the redirected address back by hand.

What is pasted is checked exactly as what comes to the listener; nothing of it is logged or repeated.
"""

import contextlib
import os
import queue
import select
import sys
import threading
from typing import IO, Protocol
from urllib.parse import urlsplit

from lakekey.login.callback import read_answer, state_matches


class Unusable(ValueError):
    """What was pasted is not the answer; the message tells the person why, without repeating it."""


class Input(Protocol):
    """Where a person types."""

    def line(self, timeout: float) -> str | None:
        """The next line, or ``None`` where none came within ``timeout`` seconds.

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
    text = text.strip().strip("'\"<>")
    words = text.split()
    if len(words) == 2 and not text.startswith(("code=", "?")):
        query = f"code={words[0]}&state={words[1]}"  # as in the address bar, so encoded as there
    elif text.startswith(("http://", "https://")):
        if _place(text) != _place(redirect_uri):
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


def _place(address: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that is not closed
        return None
    usual = ":443" if parts.scheme == "https" else ":80"  # which browsers leave out
    return parts.scheme, parts.netloc.lower().removesuffix(usual), parts.path or "/"


class Terminal:
    """The terminal of this process, or what stands for it. Read only while somebody waits, and never a byte ahead."""

    def __init__(self) -> None:
        self._tty: IO[bytes] | None = None
        self._descriptor = self._find()
        self._buffer = b""

    def _find(self) -> int:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            if sys.stdin.isatty():
                return sys.stdin.fileno()
        with contextlib.suppress(OSError):
            # A program whose input is a file still has a person at its terminal.
            self._tty = open("/dev/tty", "rb", buffering=0)  # noqa: SIM115 - closed by close()
            return self._tty.fileno()
        return sys.stdin.fileno()

    def line(self, timeout: float) -> str | None:
        """See `Input.line`."""
        if b"\n" not in self._buffer:
            readable, _, _ = select.select([self._descriptor], [], [], timeout)
            if not readable or self._in_background():
                return None
            chunk = os.read(self._descriptor, 4096)
            if not chunk and not self._buffer:
                raise EOFError
            # A last line may end with the input instead of a line break.
            self._buffer = (self._buffer + (chunk or b"\n"))[-65536:]
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        return line.decode(errors="replace")

    def _in_background(self) -> bool:
        # What is typed now is for another program of the terminal, and reading it would stop this one (SIGTTIN).
        try:
            return os.tcgetpgrp(self._descriptor) != os.getpgrp()
        except OSError:
            return False  # no terminal

    def close(self) -> None:
        """See `Input.close`."""
        if self._tty is not None:
            self._tty.close()


class Asked:
    """A program that asks by ``input()``: a notebook's kernel, or the console of Windows, which cannot be polled."""

    def __init__(self, prompt: str = "") -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._prompt = prompt
        self._asking = False

    def line(self, timeout: float) -> str | None:
        """See `Input.line`."""
        if not self._asking:
            self._asking = True
            threading.Thread(target=self._ask, name="lakekey-paste", daemon=True).start()
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
    if notebook or sys.platform == "win32":
        return Asked("Paste the address here: ")
    try:
        return Terminal()
    except (ValueError, OSError, AttributeError):
        return None
