"""The command that opens a browser, on the system that is named."""

import logging
import os
import signal
import subprocess
import sys

import pytest

from lakekey.login import browser
from support.processes import run

WINDOWS = ["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]


@pytest.mark.parametrize(("platform", "command"), [("darwin", ["open", "%s"]), ("win32", WINDOWS)])
def test_system_has_one_command_of_its_own_whatever_the_display(monkeypatch, platform, command):
    monkeypatch.setattr(sys, "platform", platform)
    assert browser.command({}) == command
    assert browser.command({"DISPLAY": ":0"}) == command


def test_address_is_one_word_that_no_shell_reads(tmp_path):
    seen = tmp_path / "seen"
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    url = 'https://h.example/oidc?a=1&b=%20^x|y"z'
    environ = dict(browser.os.environ)
    assert browser.open_browser([sys.executable, "-c", code, str(seen), "%s"], url, environ, secrets=frozenset())
    deadline = browser.threading.Event()
    for _ in range(600):
        if seen.exists() and seen.read_text() == url:
            break
        deadline.wait(0.1)
    assert seen.read_text() == url


def test_ctrl_c_in_the_terminal_is_not_meant_for_the_browser(monkeypatch):
    started = []

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **options):
            started.append(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", Process)
    assert browser.open_browser([sys.executable, "-c", ""], "https://h.example", dict(os.environ), secrets=frozenset())
    (options,) = started
    group = subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0
    assert (options["start_new_session"], options["creationflags"]) == (True, group)


# The browser lives until the pipe is opened. The main thread takes no signal, so that another one would have to.
INTERRUPTED = """
import os, signal, threading
from lakekey.login.browser import open_browser
os.mkfifo("pipe")
assert open_browser(["cat", "%s"], "pipe", os.environ, secrets=())
[beside] = [each for each in threading.enumerate() if each.name == "lakekey-browser"]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
os.kill(os.getpid(), signal.SIGINT)
open("pipe", "w").close()
beside.join()
print(signal.SIGINT in signal.sigpending())
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


@pytest.mark.posix_signals
def test_ctrl_c_is_left_to_the_main_thread(tmp_path, monkeypatch):
    """One that the thread beside the browser took would not end a question that is asked after the sign-in."""
    monkeypatch.chdir(tmp_path)
    assert run(INTERRUPTED) == "True"


@pytest.mark.posix_signals
def test_main_thread_takes_signals_again_when_a_browser_is_open():
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        assert browser.open_browser([sys.executable, "-c", ""], "https://h.example", dict(os.environ), secrets=())
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_backslash_is_part_of_a_path_on_windows_alone():
    expected = r"tools\browser.exe" if os.name == "nt" else "toolsbrowser.exe"
    assert browser.command({"BROWSER": r"tools\browser.exe"}) == [expected, "%s"]


@pytest.mark.linux_desktop
def test_browser_of_the_desktop_needs_one_of_its_displays(tmp_path):
    for name in ("x-www-browser", "explorer.exe"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": str(tmp_path)}
    assert browser.command({**path, "WAYLAND_DISPLAY": "wayland-0"}) == ["x-www-browser", "%s"]
    assert browser.command({**path, "DISPLAY": ":0", "BROWSER": " & "}) == ["x-www-browser", "%s"]
    assert browser.command({**path, "DISPLAY": ":0", "BROWSER": "'open"}) == ["x-www-browser", "%s"]
    assert browser.command(path) is None
    assert browser.command({**path, "BROWSER": "None", "DISPLAY": ":0"}) is None
    assert browser.command(path, wsl=True) == ["explorer.exe", "%s"]
    assert browser.command({**path, "DISPLAY": ":0"}, wsl=True) == ["explorer.exe", "%s"]


def test_browser_that_does_not_start_is_named_in_the_log(caplog):
    caplog.set_level(logging.DEBUG, logger="lakekey")
    assert not browser.open_browser(["/nowhere/browser", "%s"], "https://h.example", {}, secrets=())
    assert "the browser /nowhere/browser did not start: " in caplog.text


def test_browser_is_told_no_secret_and_everything_else(tmp_path):
    seen = tmp_path / "seen"
    code = (
        "import os, sys\n"
        "with open(sys.argv[1] + '.part', 'w') as file: file.write(repr([n in os.environ for n in ('OURS', 'PLAIN')]))\n"
        "os.replace(sys.argv[1] + '.part', sys.argv[1])"
    )
    environ = {**os.environ, "OURS": "dose-of-secret", "PLAIN": "a-word"}
    assert browser.open_browser([sys.executable, "-c", code, "%s"], str(seen), environ, secrets={"OURS"})
    beside = [each for each in browser.threading.enumerate() if each.name == "lakekey-browser"]
    assert all(each.daemon for each in beside)
    for each in beside:
        each.join(60)
    assert seen.read_text() == "[False, True]"


def test_quotation_marks_around_a_word_are_none_of_it_on_windows(monkeypatch):
    monkeypatch.setattr(browser, "_POSIX", False)
    assert browser.command({"BROWSER": 'aha "" "b" b'}) == ["aha", "", "b", "b", "%s"]
