"""Every test starts from a machine that knows nothing of Databricks and has no person at it."""

import os
import signal
import time

import pytest

from lakekey import _commitment
from support.process_state import reset_process_state

pytest_plugins = ["support.fixtures", "support.repeats"]

# A run that a shell's script starts in the background ignores Ctrl-C, and so would the programs that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REQUIRE_ALL = "LAKEKEY_REQUIRE_ALL" in os.environ
_FOREIGN = ("DATABRICKS_", "LAKEKEY_", "AIRFLOW_", "ARM_", "GITHUB_", "ACTIONS_", "SYSTEM_", "GOOGLE_", "IS_IN_", "DB_")
_PLACES = ("CI", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_PATIENCE = 10.0
# What a test may ask for that Windows does not have.
_POSIX_ONLY = {
    "fork": "forks a process",
    "named_pipes": "asks for pipes and devices that have a path",
    "linux_desktop": "looks for programs (shell scripts among them) or directories as a Linux desktop does",
    "posix_locks": "asks for locks of fcntl, or lock files that stay when they are free",
    "posix_owners": "asks for owners, modes or links of files",
    "posix_signals": "sends another process a signal, or sets a timer of signals",
    "proc": "looks up other processes or sockets in /proc",
    "pseudo_terminal": "opens a pseudo-terminal",
    "terminal_kinds": "asks for a terminal whose kind TERM names",
}
# And what only Windows has: elsewhere there is no such test.
_WINDOWS_ONLY = {
    "access_lists": "reads or makes access-control lists of files",
    "console_keys": "reads the keys of a console",
    "file_sharing": "opens files by what others may do meanwhile, or locks bytes of them",
}
_NOT_HERE = "not on Windows: "


def pytest_configure(config):
    for name, meaning in _POSIX_ONLY.items():
        config.addinivalue_line("markers", f"{name}: {meaning}, which only POSIX systems offer")
    for name, meaning in _WINDOWS_ONLY.items():
        config.addinivalue_line("markers", f"{name}: {meaning}, which only Windows offers")
    config.addinivalue_line("markers", "every_input: tries many inputs, which no platform reads in a way of its own")
    config.addinivalue_line("markers", "on_windows: tests/windows/run_native.py runs it by Windows' Python, too")
    config.addinivalue_line("markers", "integration: on Windows, what lies in that folder")


def pytest_collection_modifyitems(config, items):
    """Passes over what asks for another system, by the name of what is asked for."""
    if os.name == "posix":
        others = [item for item in items if any(map(item.get_closest_marker, _WINDOWS_ONLY))]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if item not in others]
        return
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker("integration")
        for name in _POSIX_ONLY:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{_NOT_HERE}{name}"))


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, directories):
    """No configuration, no cache and no keyring of the machine that runs the tests is seen or touched."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PLACES or name.upper() in _PROXIES:
            monkeypatch.delenv(name)
    home = next(directories)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))  # which is the home on Windows
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    reset_process_state()
    return home


@pytest.fixture(autouse=True)
def usual_signals():
    """A command sets handlers for good, since its process is its own; the tests that follow in this one need theirs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def all_settled():
    """Whatever a test leaves in the air keeps the interpreter from exiting, and with it the whole run."""
    yield
    deadline = time.monotonic() + _PATIENCE
    while _commitment._in_the_air:
        assert time.monotonic() < deadline, "something was sent and never dealt with"
        time.sleep(0.01)


def _skipped(reporter):
    """The tests that were skipped without being a matter of the operating system."""
    return [report for report in reporter.stats.get("skipped", []) if _NOT_HERE not in str(report.longrepr)]


def pytest_sessionfinish(session):
    """Where everything is required, a test that was skipped fails the run."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if _REQUIRE_ALL and reporter and _skipped(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Says why a run failed without a failure."""
    if _REQUIRE_ALL and _skipped(terminalreporter):
        terminalreporter.write_line("LAKEKEY_REQUIRE_ALL: tests were skipped that this machine could run", red=True)
