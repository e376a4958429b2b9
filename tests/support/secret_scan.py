"""Watches a whole test run for secrets in places where none may be.

The secrets are everything that goes over the wire to an authorization server and back: codes, verifiers, tokens,
client secrets, device codes. The places are every log record of every library at DEBUG, every error of ours with its
formatted traceback, the ``repr`` of every object of ours that is alive, and the command line and environment of every
process that we start. It runs in the tests' own process (`Watch`) and in the programs that they start (`in_child`).
"""

import atexit
import base64
import gc
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lakekey

DIRECTORY_VARIABLE = "TESTS_SECRET_SCAN"
_FORM = (
    "code",
    "code_verifier",
    "refresh_token",
    "client_secret",
    "token",
    "device_code",
    "subject_token",
    "assertion",
)
_ANSWER = ("access_token", "refresh_token", "id_token", "device_code")
_OURS = os.path.dirname(lakekey.__file__) + os.sep
_PLAYED = os.path.join(_OURS, "sandbox") + os.sep
_SHORTEST = 8  # nothing shorter is worth hiding, or could be told from a word

_note_secret: Callable[[str], None] | None = None
_note_seen: Callable[[str, str], None] | None = None
_installed = False


def _secret(value: object) -> None:
    if _note_secret is not None and isinstance(value, str) and len(value) >= _SHORTEST:
        _note_secret(value)


def _seen(where: str, text: str) -> None:
    if _note_seen is not None:
        _note_seen(where, text)


def _in_our_code() -> bool:
    """Whether our code is at work here, and not a test's or the played person's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS) and not name.startswith(_PLAYED):
            return True
        frame = frame.f_back
    return False


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if _note_seen is not None and _in_our_code():
            _seen(f"a log record of {record.name}", self.format(record))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _note_seen is not None and _in_our_code():
        _, words, _, environ = arguments
        _seen("the command line of a child", repr(words))
        _seen("the environment of a child", repr(dict(os.environ if environ is None else environ)))


def _install() -> None:
    """Taps the wire and the errors of this process, once."""
    global _installed  # noqa: PLW0603 - hooks of a process are the process's
    if _installed:
        return
    _installed = True
    from lakekey.errors import LakekeyError
    from lakekey.oauth.transport import Transport

    send = Transport._send

    def tapped(self: Any, method: str, url: str, **options: Any) -> Any:
        for name, value in (options.get("form") or {}).items():
            if name in _FORM:
                _secret(value)
        if options.get("basic"):
            user, secret = options["basic"]
            _secret(secret)
            _secret(base64.b64encode(f"{user}:{secret}".encode()).decode())
        answer = send(self, method, url, **options)
        fields = answer.json_object() or {}
        for name in _ANSWER:
            _secret(fields.get(name))
        return answer

    Transport._send = tapped
    begin = LakekeyError.__init__

    def noted(self: Any, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        if _note_seen is not None:
            _seen("an error", f"{self!r} {self} {self.__dict__} " + _frames(traceback.extract_stack()))

    LakekeyError.__init__ = noted
    sys.addaudithook(_audit)
    handler = _Records(logging.DEBUG)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)


def _note_reprs() -> None:
    for thing in gc.get_objects():
        kind = type(thing)
        module = str(getattr(kind, "__module__", ""))
        if module.startswith("lakekey.") and ".sandbox" not in module:
            _seen(f"the repr of {module}.{kind.__name__}", repr(thing))
        elif isinstance(thing, BaseException):
            shown = "".join(traceback.format_exception_only(thing)) + _frames(traceback.extract_tb(thing.__traceback__))
            _seen(f"the traceback of {kind.__name__}", shown)


def _frames(stack: traceback.StackSummary) -> str:
    """The lines of a traceback that are ours: a test may well have its made-up secret in its own text."""
    return "".join(traceback.format_list([each for each in stack if each.filename.startswith(_OURS)]))


class Watch:
    """The run's secrets so far, and one test's places; used by the fixture."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.places = 0

    @contextmanager
    def test(self, directory: Path) -> Iterator[None]:
        """Watches one test and the programs that it starts; fails it where a secret showed."""
        global _note_secret, _note_seen  # noqa: PLW0603 - the tap is the process's own
        _install()
        seen: list[tuple[str, str]] = []
        before = len(self.secrets)
        _note_secret, _note_seen = self.secrets.add, lambda where, text: seen.append((where, text))
        try:
            yield
            if len(self.secrets) > before:
                _note_reprs()
        finally:
            _note_secret = _note_seen = None
        for file in directory.glob("*.jsonl"):
            for line in file.read_text(encoding="utf-8").splitlines():
                kind, *rest = json.loads(line)
                if kind == "secret":
                    self.secrets.add(rest[0])
                else:
                    seen.append((f"{rest[0]} in a program", rest[1]))
        self.places += len(seen)
        found = sorted({where for where, text in seen for secret in self.secrets if secret in text})
        assert not found, f"a secret showed in {', '.join(found)}"


def in_child(environ: Mapping[str, str] = os.environ) -> None:
    """Watches this process from inside; what it finds is read by the test that started it."""
    global _note_secret, _note_seen
    directory = environ.get(DIRECTORY_VARIABLE)
    if not directory:
        return
    file = os.open(os.path.join(directory, f"{os.getpid()}.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(*fields: str) -> None:
        os.write(file, json.dumps(fields).encode() + b"\n")  # whole lines, also when the process is killed later

    _note_secret, _note_seen = (
        (lambda secret: write("secret", secret)),
        (lambda where, text: write("seen", where, text)),
    )
    _install()
    with open("/proc/self/cmdline", "rb") as own:
        write("seen", "the command line", own.read().decode(errors="replace"))
    atexit.register(_note_reprs)


def exported(text: str) -> None:
    """What was handed to whoever watches the program is a place, too."""
    _seen("what was exported", text)


def program_said(text: str, environ: Mapping[str, str] = os.environ) -> None:
    """What a program printed to a person is a place, too."""
    if _note_seen is not None and environ.get(DIRECTORY_VARIABLE):
        _seen("what a program printed", text)
