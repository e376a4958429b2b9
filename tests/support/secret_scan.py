"""Watches a whole test run for secrets in places where none may be.

The secrets are everything that goes over the wire to an authorization server and back: codes, verifiers, tokens,
client secrets, device codes; what ties a sign-in together, `state` and `nonce`, everywhere but in the address that the
person opens; and the password of a proxy. The places are every log record of every library at DEBUG, every error of
ours with its formatted traceback and the errors that it was raised over, the ``repr`` of every object of ours that is
alive, the command line and environment of every process that we start, and what we put into our own environment, which
every child inherits. It runs in the tests' own process (`Watch`), in what that forks, and in the programs that they
start (`in_child`).
"""

import atexit
import base64
import gc
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote, urlsplit

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
_AUTHORIZE = re.compile(r"https?://[^\s'\"]+/authorize\?[^\s'\"]+")
_PROTECTORS = re.compile(r"(?<=[?&])(?:state|nonce)=[^&]*")
_PROXY = re.compile(r"\w+_proxy", re.IGNORECASE)
_SHORTEST = 8  # nothing shorter is worth hiding, or could be told from a word

_note_secret: Callable[[str], None] | None = None
_note_seen: Callable[[str, str], None] | None = None
_directory = ""
_installed = False
# What is neither ours nor an error is most of what is alive, and of few kinds.
_others: set[type] = set()
# What was looked at when the tests began, and is out of the collector's sight since.
_from_before: list[Any] = []


def _secret(value: object) -> None:
    if _note_secret is not None and isinstance(value, str) and len(value) >= _SHORTEST:
        _note_secret(value)


def _seen(where: str, text: str) -> None:
    if _note_seen is not None:
        # RFC 6749 §4.1.1: the address that the person opens is the one place that `state` and `nonce` belong to.
        _note_seen(where, _AUTHORIZE.sub(lambda found: _PROTECTORS.sub("", found[0]), text))


def _proxy_secrets() -> None:
    """The passwords of the proxies that the environment names, as they stand there, as they are, and as Basic."""
    for name, address in os.environ.items():
        if not _PROXY.fullmatch(name):
            continue
        with suppress(ValueError):  # no address
            parts = urlsplit(address if "://" in address else f"//{address}")
            if parts.password:
                user, password = unquote(parts.username or ""), unquote(parts.password)
                _secret(parts.password)
                _secret(password)
                _secret(base64.b64encode(f"{user}:{password}".encode()).decode())


def _in_our_code() -> bool:
    """Whether our code is at work here, and not a test's or the played person's."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS):
            return True
        frame = frame.f_back
    return False


class _Records(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if _note_seen is not None and _in_our_code():
            _seen(f"a log record of {record.name}", self.format(record))


def _child(words: object, environ: Any) -> None:
    """Notes a process that is about to be started: what the kernel will show of it to others."""
    _seen("the command line of a child", repr(words))
    _seen("the environment of a child", repr(_without_proxies(os.environ if environ is None else environ)))


def _without_proxies(environ: Mapping[Any, Any]) -> dict[str, str]:
    # A browser has to find the person's proxy where the person has set it.
    named = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
    return {name: value for name, value in named.items() if not _PROXY.fullmatch(name)}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _note_seen is None or not event.startswith(("subprocess.", "os.")) or not _in_our_code():
        return
    if event in ("subprocess.Popen", "os.spawn"):
        _, words, _, environ = arguments if event == "subprocess.Popen" else (*arguments[1:3], None, arguments[3])
        _child(words, environ)
    elif event in ("os.exec", "os.posix_spawn"):
        _child(arguments[1], arguments[2])
    elif event == "os.system":
        _child(arguments[0], None)
    elif event == "os.putenv":  # a child that is started later, however, inherits this
        _seen("the environment of every child", repr(_without_proxies({arguments[0]: arguments[1]})))


def _tap_spawning() -> None:
    """``multiprocessing`` starts its children below every audit event; what the kernel shows of them is looked at."""
    if os.name != "posix":
        return  # Windows starts children by one call, which has an audit event
    import _posixsubprocess
    import subprocess

    start = _posixsubprocess.fork_exec

    def tapped(*arguments: Any) -> int:
        pid = start(*arguments)
        if _note_seen is not None and _in_our_code():
            _child(arguments[0], dict(each.split(b"=", 1) for each in arguments[5]) if arguments[5] else None)
            _look_at(pid)
        return pid

    _posixsubprocess.fork_exec = tapped
    if hasattr(subprocess, "_fork_exec"):
        subprocess._fork_exec = tapped


def _look_at(pid: int) -> None:
    """What the kernel shows of a child, where it still runs and may be read."""
    with suppress(OSError):
        _seen("the command line of a child", Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        kept = _without_proxies(dict(line.split(b"=", 1) for line in lines if b"=" in line))
        _seen("the environment of a child", repr(kept))


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
        _proxy_secrets()
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
            _seen("an error", f"{self!r} {self} {self.__dict__} " + _frames(traceback.walk_stack(None)))
            # What is handled at this moment becomes its `__context__` when it is raised: shown with it in a traceback,
            # and behind a ``from None`` still there for code that looks. Later may be too late, if it is freed meanwhile.
            _note_chain(sys.exc_info()[1])

    LakekeyError.__init__ = noted
    _tap_sign_in()
    _tap_spawning()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_note_to_file)
    sys.addaudithook(_audit)
    handler = _Records(logging.DEBUG)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)


def _tap_sign_in() -> None:
    """What ties a sign-in together is secret from its beginning, and a code also where it is never exchanged."""
    from lakekey.login import callback, paste, preflight
    from lakekey.oauth import authorization_code

    assert preflight.begin is authorization_code.begin  # imported before the tap: its request is thrown away unanswered

    begin, read = authorization_code.begin, callback.read_answer

    def begun(*arguments: Any, **options: Any) -> Any:
        request = begin(*arguments, **options)
        for value in (request.state, request.nonce, request.pkce.verifier):
            _secret(value)
        return request

    def answered(query: str) -> Any:
        answer = read(query)
        _secret((answer or {}).get("code"))
        return answer

    authorization_code.begin = begun
    callback.read_answer = paste.read_answer = answered


def _note_chain(error: BaseException | None) -> None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        _seen(f"a {type(error).__name__} that an error was raised over", _traceback(error))
        error = error.__cause__ or error.__context__


def pass_over_what_is_alive() -> None:
    """From here on, of what is alive now only objects of ours and errors are looked at.

    The collected tests are half a million objects: each look at all of them took a tenth of a second, and each run of
    the collector longer.
    """
    gc.collect()
    _from_before.extend(thing for thing, _ in _alive())
    gc.freeze()


def _alive() -> Iterator[tuple[Any, str]]:
    """Each object of ours with the name of its kind, and each error with none."""
    for thing in chain([*_from_before], gc.get_objects()):
        kind = type(thing)
        if kind in _others:
            continue
        module = str(getattr(kind, "__module__", ""))
        if module.startswith("lakekey.") and ".sandbox" not in module:
            yield thing, f"{module}.{kind.__name__}"
        elif issubclass(kind, BaseException):
            yield thing, ""
        else:
            _others.add(kind)


def _note_reprs() -> None:
    for thing, ours in _alive():
        if ours:
            _seen(f"the repr of {ours}", repr(thing))
        else:
            _seen(f"the traceback of {type(thing).__name__}", _traceback(thing))


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)) + _frames(traceback.walk_tb(error.__traceback__))


def _frames(stack: Iterator[tuple[FrameType, int]]) -> str:
    """The lines of a traceback that are ours: a test may well have its made-up secret in its own text."""
    ours = (each for each in stack if each[0].f_code.co_filename.startswith(_OURS))
    return "".join(traceback.StackSummary.extract(ours).format())


class Watch:
    """The run's secrets so far, and one test's places; used by the fixture."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.places = 0

    @contextmanager
    def test(self, directory: Path) -> Iterator[None]:
        """Watches one test and the programs that it starts; fails it where a secret showed."""
        global _note_secret, _note_seen, _directory  # noqa: PLW0603 - the tap is the process's own
        _install()
        seen: list[tuple[str, str]] = []
        before = len(self.secrets)
        _directory = str(directory)
        _note_secret, _note_seen = self.secrets.add, lambda where, text: seen.append((where, text))
        try:
            yield
            if len(self.secrets) > before:
                _note_reprs()
        finally:
            _note_secret = _note_seen = None
            _directory = ""
        for file in directory.glob("*.jsonl"):
            for line in file.read_text(encoding="utf-8").splitlines():
                kind, *rest = json.loads(line)
                if kind == "secret":
                    self.secrets.add(rest[0])
                else:
                    seen.append((f"{rest[0]} in a program", rest[1]))
        self.places += len(seen)
        suspects = self._ending_in("\0".join({text for _, text in seen}))
        found = sorted({where for where, text in seen for secret in suspects if secret in text})
        assert not found, f"a secret showed in {', '.join(found)}"

    def _ending_in(self, text: str) -> list[str]:
        """The secrets whose end the text holds somewhere: of thousands, few have to be looked for in each place."""
        ends = {text[at : at + _SHORTEST] for at in range(len(text) - _SHORTEST + 1)}
        return [secret for secret in self.secrets if secret[-_SHORTEST:] in ends]


def _write_notes() -> None:
    """From here on, this process's notes go into a file of its own."""
    global _note_secret, _note_seen
    file = os.open(os.path.join(_directory, f"{os.getpid()}.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(*fields: str) -> None:
        os.write(file, json.dumps(fields).encode() + b"\n")  # whole lines, also when the process is killed later

    _note_secret, _note_seen = (
        (lambda secret: write("secret", secret)),
        (lambda where, text: write("seen", where, text)),
    )


def _note_to_file() -> None:
    """A forked child's memory is lost with it."""
    if _note_seen is not None and _directory:
        with suppress(OSError):  # the test is over, and its directory gone
            _write_notes()


def in_child(environ: Mapping[str, str] = os.environ) -> None:
    """Watches this process from inside; what it finds is read by the test that started it."""
    global _directory  # noqa: PLW0603 - as above
    directory = environ.get(DIRECTORY_VARIABLE)
    if not directory:
        return
    _directory = directory
    _write_notes()
    _install()
    with open("/proc/self/cmdline", "rb") as own:
        _seen("the command line", own.read().decode(errors="replace"))
    atexit.register(_note_reprs)


def exported(text: str) -> None:
    """What was handed to a program that watches this one is a place, too."""
    _seen("what was exported", text)


def program_said(text: str, environ: Mapping[str, str] = os.environ) -> None:
    """What a program printed to a person is a place, too."""
    if _note_seen is not None and environ.get(DIRECTORY_VARIABLE):
        _seen("what a program printed", text)
