"""Opening a browser for the person: the one that ``BROWSER`` names, the desktop's, or in WSL the one of Windows."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Container, Iterator, Mapping, Sequence

from lakekey import _log

_POSIX = os.name == "posix"
_DESKTOP = ("xdg-open", "gio open", "x-www-browser", "firefox", "chromium", "google-chrome")
# FileProtocolHandler takes the address as it is; cmd.exe and powershell.exe would read its "&" as their own.
_WINDOWS = ("wslview", "rundll32.exe url.dll,FileProtocolHandler", "explorer.exe")


def command(environ: Mapping[str, str], *, wsl: bool = False) -> list[str] | None:
    """The command that opens a browser, with ``%s`` where the address goes; ``None`` if there is none to open.

    Args:
        environ: The environment.
        wsl: Whether this is WSL, where the person's browser is the one of Windows.
    """
    configured = environ.get("BROWSER", "").strip()
    if configured.lower() == "none":
        return None
    if named := [words for candidate in configured.split(os.pathsep) if (words := _words(candidate))]:
        # Where none of them is here: the first, whose name the log tells.
        return next((words for words in named if shutil.which(words[0], path=environ.get("PATH"))), named[0])
    if sys.platform == "darwin":
        return ["open", "%s"]
    if sys.platform == "win32":
        return ["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]
    candidates = _WINDOWS if wsl else ()
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        # Without a display these would start a text browser in the terminal that the person is working in.
        candidates = (*candidates, *_DESKTOP)
    for candidate in candidates:
        words = candidate.split()
        if shutil.which(words[0], path=environ.get("PATH")):
            return [*words, "%s"]
    return None


def open_browser(words: Sequence[str], url: str, environ: Mapping[str, str], *, secrets: Container[str]) -> bool:
    """Start the command for an address.

    Args:
        words: The command, with ``%s`` where the address goes.
        url: The address.
        environ: The environment.
        secrets: The variables that a browser has no business knowing.

    Returns:
        Whether it started; it may run until the person is done.
    """
    arguments = [word.replace("%s", url) for word in words]
    try:
        process = subprocess.Popen(  # noqa: S603 - the command is the person's own choice; no shell reads the address
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in environ.items() if name not in secrets},
            # Ctrl-C in the terminal is meant for the program, not for the browser.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        _log.debug("login", "the browser %s did not start: %s", words[0], error.strerror)
        return False
    with _without_signals():
        threading.Thread(target=process.wait, name="lakekey-browser", daemon=True).start()
    return True


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """Have a thread that starts here take no signal, as long as it lives.

    A Ctrl-C that it took would not wake the main thread from reading an answer: that would wait for Enter.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _words(candidate: str) -> list[str]:
    """One command of ``BROWSER``: words, ``%s`` for the address, perhaps ``&`` for "do not wait", as we never do."""
    words: list[str] = []
    with contextlib.suppress(ValueError):  # an open quotation
        # On Windows a backslash is part of a path, and quotation marks around a word are not part of it.
        words = [word if _POSIX else _unquoted(word) for word in shlex.split(candidate, posix=_POSIX)]
    if words and words[-1] == "&":
        words.pop()
    return words if not words or any("%s" in word for word in words) else [*words, "%s"]


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word
