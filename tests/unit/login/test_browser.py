"""The command that opens a browser, on the system that is named."""

import os
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


def test_backslash_is_part_of_a_path_on_windows_alone():
    expected = r"tools\browser.exe" if os.name == "nt" else "toolsbrowser.exe"
    assert browser.command({"BROWSER": r"tools\browser.exe"}) == [expected, "%s"]
