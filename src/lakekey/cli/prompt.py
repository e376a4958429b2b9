"""Questions to the person at the terminal: on standard error, so that standard output has the result only.

Plain lines, without a library that draws: they work over SSH, in every terminal, and with a screen reader.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from lakekey import _terminal
from lakekey.configuration.presence import why_unattended
from lakekey.errors import ConfigurationError


def can_ask() -> bool:
    """Whether a person is here who can type an answer."""
    return why_unattended(os.environ) is None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, default: str = "") -> str:
    """One line; the default for an empty one.

    Raises:
        ConfigurationError: The input ended.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    sys.stderr.write("\n".join(_terminal.folded(shown, sys.stderr)))
    sys.stderr.flush()
    _wait_for_a_line()
    line = _text(sys.stdin.readline)
    if not line:
        sys.stderr.write("\n")
        raise ConfigurationError("the input ended before the question was answered", hint="see: lakekey help login")
    return line.strip() or default


def ask_secret(question: str) -> str:
    """A secret, without echo; from a pipe its first line. Empty where nothing is typed.

    Raises:
        ConfigurationError: It is not text.
    """
    if not sys.stdin.isatty():
        return _text(sys.stdin.readline).strip()
    shown = "\n".join(_terminal.folded(question, sys.stderr))
    if sys.platform == "win32":
        import getpass

        return _text(lambda: getpass.getpass(shown)).strip()
    with _without_echo():
        sys.stderr.write(shown)
        sys.stderr.flush()
        _wait_for_a_line()
        line = _text(sys.stdin.readline)
    sys.stderr.write("\n")
    return line.strip()  # empty at Ctrl-D, too


def piped() -> str:
    """All of standard input.

    Raises:
        ConfigurationError: It is not text.
    """
    return _text(sys.stdin.read)


def confirm(question: str) -> bool:
    """Whether the answer is yes; no, for an empty one."""
    return ask(f"{question} (y/N)").lower() in ("y", "yes")


def choose(question: str, options: Sequence[str], *, default: int = 0, none: bool = False) -> int | None:
    """One of several, by its number or its first word.

    Args:
        question: What is asked.
        options: What there is to choose from.
        default: The number that an empty line stands for, from 0.
        none: Whether none of them may be chosen, which an empty line then stands for.

    Returns:
        Its place, from 0; ``None``: none.
    """
    tell("")
    for number, option in enumerate(options, 1):
        tell(f"  {number}  {option}")
    while True:
        answer = ask(question, default="none" if none else str(default + 1))
        if none and answer.lower() in ("none", "0"):
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(options):
            return int(answer) - 1
        for number, option in enumerate(options):
            if answer == option.split(" ", 1)[0]:
                return number
        tell(f"  {answer!r} is not one of 1 to {len(options)}.")


def tell(line: str) -> None:
    """A line for the person, broken between words where the terminal is narrower."""
    text = line.lstrip(" ")
    indent = len(line) - len(text)
    lines = _terminal.folded(text, sys.stderr, indent)
    print("\n".join(f"{'':<{indent}}{each}" for each in lines), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _without_echo() -> Iterator[None]:
    """The terminal does not show what is typed. What was typed before the question is not taken for an answer.

    As `getpass` does, but for its wait, in which Ctrl-C can wait for Enter: see `_wait_for_a_line`.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    import termios

    usual = termios.tcgetattr(sys.stdin)
    silent = [*usual[:3], usual[3] & ~termios.ECHO, *usual[4:]]
    try:
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, silent)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, usual)


def _wait_for_a_line() -> None:
    """Wait until a line was typed, or a signal came.

    Reading alone would go on, and Ctrl-C wait for Enter, where another thread takes the signal, or where it comes right
    before the system is asked for the line.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():
        return
    import select
    import signal

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        while sys.stdin not in select.select([sys.stdin, woken], [], [])[0]:
            os.read(woken, 64)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


def _text(read: Callable[[], str]) -> str:
    try:
        text = read()
        text.encode()  # some locales let through what is not text
    except UnicodeError:
        pass  # it holds what was read, which may be a secret: what follows must not hang on it
    else:
        return text
    raise ConfigurationError(
        f"standard input is not text in {sys.stdin.encoding}",
        hint="set PYTHONIOENCODING to its encoding",
    )
