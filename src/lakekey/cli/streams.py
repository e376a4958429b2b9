"""Standard input, output and error as a shell may leave them: closed, full, or in an encoding without our characters.

`run` is the entry point's first step. It never changes the streams of a program that calls `lakekey.cli.main` itself.
"""

import codecs
import errno
import io
import os
import sys
from typing import IO, Any, cast

# What we print ourselves reads better in ASCII's own way than as an escape.
_IN_ASCII = {"→": "->", "…": "...", "·": "|", "✓": "ok", "✗": "x"}
_ERRORS = "lakekey.escape"


class OutputFailed(Exception):
    """Standard output takes no more: the disk behind it is full, or it is closed.

    It is not a `LakekeyError`: no command may answer it, since the answer would go to the same place.

    Attributes:
        message: What happened.
        hint: What to do.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def prepare() -> None:
    """Make the three streams safe to use, whatever the shell has done to them.

    - A descriptor that is closed is opened on the null device. Otherwise the next file that is opened, such as an
      entry of the cache, gets its number, and what a library writes to standard error goes into that file.
    - A character that the encoding lacks is escaped.
    - An error of standard error is ignored; one of standard output is an `OutputFailed`.
    """
    closed = _reopen_closed()
    codecs.register_error(_ERRORS, _escaped)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
    sys.stderr = _stream(sys.stderr, 2, _Lenient)
    sys.stdout = _stream(sys.stdout, 1, _Closed if 1 in closed else _Checked)


def finish() -> None:
    """Write what is still in standard output's buffer.

    Raises:
        OutputFailed: It cannot be written.
        BrokenPipeError: The reader has closed its end.
    """
    sys.stdout.flush()


def silence_output() -> None:
    """Send what is left in standard output's buffer nowhere, so that the interpreter does not complain at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it lives as long as the process


def _reopen_closed() -> set[int]:
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            closed.add(number)
    return closed


def _stream(current: Any, number: int, kind: "type[io.FileIO]") -> Any:
    encoding, line_buffering = "utf-8", number == 2
    if current is not None:
        encoding, line_buffering = current.encoding, current.line_buffering
        try:
            if current.fileno() != number:
                return current
        except (AttributeError, OSError, ValueError):  # a stream without a descriptor, of a program around ours
            return current
        if os.name == "nt" and current.isatty():  # the console's own stream writes Unicode by itself
            current.reconfigure(errors=_ERRORS)
            return current
    raw = kind(number, "w", closefd=False)
    return io.TextIOWrapper(
        cast("IO[bytes]", io.BufferedWriter(raw)),
        encoding=encoding,
        errors=_ERRORS,
        line_buffering=line_buffering,
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(each) or _in_digits(each) for each in text), error.end


def _in_digits(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


class _Lenient(io.FileIO):
    """Standard error: there is no place left to report that it cannot be written to."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


class _Checked(io.FileIO):
    """Standard output: an error of ours says that it cannot be written to, so no command takes it for its own."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise OutputFailed(
            f"standard output cannot be written to: {reason}",
            hint=f"redirect it to a file {'on a disk with free space' if is_full else 'that can be written to'}",
        )


class _Closed(io.FileIO):
    """Standard output that the shell has closed (``>&-``)."""

    def write(self, data: Any) -> int:  # noqa: ARG002 - the shape of a raw stream
        raise OutputFailed("standard output is closed", hint="send it to /dev/null to throw it away")
