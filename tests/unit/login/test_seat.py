"""Where the person sits, and which browser is opened there."""

import io
import sys

import pytest

from lakekey.configuration.presence import in_notebook, why_unattended
from lakekey.errors import ConfigurationError
from lakekey.login import browser
from lakekey.login.seat import Seat, seat

URL = "https://w.example.com/authorize?a=1&b=2"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A ``PATH`` on which only the given programs are."""

    def only(*names):
        for name in names:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
        return {"PATH": str(tmp_path)}

    return only


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, "an SSH session"),
        ({"SSH_TTY": "/dev/pts/1"}, "an SSH session"),
        ({"CODESPACES": "True"}, "a codespace"),
        ({"REMOTE_CONTAINERS": "true"}, "a dev container"),
        ({"DEVCONTAINER": "1"}, "a dev container"),
        ({"VSCODE_REMOTE_CONTAINERS_SESSION": "1"}, "a dev container"),
        ({"container": "podman"}, "a container"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "a container"),
        ({"JUPYTERHUB_USER": "ada"}, "a notebook of a hub"),
    ],
)
def test_a_browser_elsewhere_is_recognised(variables, place):
    here = seat(variables)
    assert (here.place, here.remote, here.wsl) == (place, True, False)


@pytest.mark.linux_desktop
def test_wsl_opens_the_browser_of_windows(programs):
    variables = {"WSL_DISTRO_NAME": "Ubuntu", **programs("rundll32.exe", "xdg-open")}
    assert seat(variables).wsl
    assert browser.command(variables, wsl=True) == ["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]
    variables = {**variables, **programs("wslview")}
    assert browser.command(variables, wsl=True) == ["wslview", "%s"]


@pytest.mark.linux_desktop
def test_browser_comes_first_and_its_shape_is_the_usual_one(programs):
    variables = {"DISPLAY": ":0", **programs("xdg-open")}
    assert browser.command(variables) == ["xdg-open", "%s"]
    assert browser.command({**variables, "BROWSER": "firefox"}) == ["firefox", "%s"]
    assert browser.command({**variables, "BROWSER": "'my browser' --url=%s &"}) == ["my browser", "--url=%s"]
    assert browser.command({**variables, "BROWSER": "one %s:two"}) == ["one", "%s"]
    assert browser.command({**variables, "BROWSER": "one:two %s:xdg-open"}) == ["xdg-open", "%s"]
    assert browser.command({**variables, "BROWSER": "none"}) is None


def test_browser_of_windows_may_be_a_quoted_path_with_blanks(monkeypatch):
    monkeypatch.setattr(browser, "_POSIX", False)
    monkeypatch.setattr(browser.os, "pathsep", ";")
    path = r"C:\Program Files\Mozilla Firefox\firefox.exe"
    assert browser.command({"BROWSER": f'"{path}" --new-window "%s"'}) == [path, "--new-window", "%s"]
    assert browser.command({"BROWSER": f"'{path}'"}) == [path, "%s"]
    assert browser.command({"BROWSER": r"C:\b\firefox.exe"}) == [r"C:\b\firefox.exe", "%s"]


@pytest.mark.linux_desktop
def test_without_a_display_no_browser_is_started_in_the_persons_terminal(programs):
    assert browser.command(programs("xdg-open", "www-browser", "lynx")) is None


def test_a_command_that_cannot_start_is_not_an_error():
    assert browser.open_browser(["/nowhere/browser", "%s"], URL, {}, secrets=()) is False


class Kernel:
    """What IPython shows of a notebook's kernel."""

    def __init__(self, allow_stdin):
        self.kernel = self
        self._allow_stdin = allow_stdin

    def get_ipython(self):
        return self


@pytest.mark.parametrize(("asks", "why"), [(True, None), (False, "a run without a terminal")])
def test_a_notebook_has_a_person_only_where_its_front_end_says_so(monkeypatch, asks, why):
    monkeypatch.setitem(sys.modules, "IPython", Kernel(asks))
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(sys, stream, io.StringIO())
    assert in_notebook() is asks
    assert why_unattended({}) == why
    assert why_unattended({"CI": "true"}) == "a CI job"


@pytest.mark.parametrize("mode", ["browser", "paste"])
def test_person_is_present_if_the_setting_says_so(mode):
    assert why_unattended({"LAKEKEY_INTERACTIVE": mode, "CI": "true"}) is None


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigurationError, match="auto, browser, paste or never"):
        why_unattended({"LAKEKEY_INTERACTIVE": "maybe"})


@pytest.mark.parametrize("name", ["WSL_DISTRO_NAME", "WSL_INTEROP"])
def test_wsl_is_a_place_whose_browser_is_elsewhere(name):
    assert seat({name: "Ubuntu"}) == Seat("WSL", remote=True, wsl=True, notebook=False)


@pytest.mark.linux_desktop
def test_wsl_is_known_by_its_kernel(monkeypatch):
    kernel = "5.15.90.1-Microsoft-standard-WSL2\n"
    monkeypatch.setattr(sys.modules[seat.__module__], "open", lambda *_, **__: io.StringIO(kernel), raising=False)
    assert seat({"container": "podman"}) == Seat("WSL", remote=True, wsl=True, notebook=False)


def test_environment_is_that_of_the_process_unless_another_is_given(monkeypatch):
    monkeypatch.setenv("CODESPACES", "true")
    assert seat().place == "a codespace"
    assert seat({"SSH_TTY": "/dev/pts/1"}).place == "an SSH session"


def test_container_is_known_by_its_mark(monkeypatch):
    monkeypatch.setattr("os.path.exists", lambda path: path == "/run/.containerenv")
    assert seat({}) == Seat("a container", remote=True, wsl=False, notebook=False)


def test_place_is_at_hand_unless_it_is_said_to_be_elsewhere():
    assert Seat("a desk") == ("a desk", False, False, False)


@pytest.mark.parametrize(("asks", "place"), [(True, "a notebook"), (False, "this machine")])
def test_machine_without_a_mark_of_another_place_is_this_one(monkeypatch, asks, place):
    monkeypatch.setitem(sys.modules, "IPython", Kernel(asks))
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert seat({}) == Seat(place, remote=False, wsl=False, notebook=asks)
