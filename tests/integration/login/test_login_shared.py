"""One login for all threads and processes that want one: the others wait, say so, and read its result."""

import os
import signal

from support.program import Program, lakekey

PROCESSES, THREADS = 8, 8

# Each line of output: what became of one header.
WANT_HEADERS = f"""
import sys, threading, lakekey
p = lakekey.provider()
ready = threading.Barrier({THREADS} + 1)
def say(text):
    sys.stdout.write(text + "\\n")  # in one piece, among threads
    sys.stdout.flush()
def want():
    ready.wait()
    try:
        p.headers()
        say("header " + p.identity())
    except lakekey.LakekeyError as error:
        say(error.code + " " + error.message)
threads = [threading.Thread(target=want) for _ in range({THREADS})]
[thread.start() for thread in threads]
print("ready", flush=True)
sys.stdin.readline()
ready.wait()
[thread.join() for thread in threads]
"""


def test_8_processes_of_8_threads_open_exactly_one_tab(oidc_server, settings, tmp_path):
    tabs = tmp_path / "tabs"
    variables = {**settings, "BROWSER": oidc_server.browser(tabs=tabs)}
    programs = [Program(WANT_HEADERS, environment=variables) for _ in range(PROCESSES)]
    for program in programs:
        assert program.process.stdout.readline() == "ready\n"
    for program in programs:
        program.send("go")
    outputs = []
    for program in programs:
        with program:
            outputs += program.ends(60)[1].splitlines()
    assert outputs == ["header ada@example.com"] * PROCESSES * THREADS
    assert tabs.read_text().splitlines() == ["ada@example.com"]
    assert oidc_server.counters()["requests.token"] == 1


def test_waiting_processes_name_the_holder_once_and_read_the_result(oidc_server, settings):
    with lakekey("login", environment=settings) as first:
        url = first.url()
        with Program(WANT_HEADERS, environment=settings) as second:
            assert second.process.stdout.readline() == "ready\n"
            second.send("go")
            told = second.says("waiting for process")
            assert f"waiting for process {first.process.pid}, which signs in to {oidc_server.host}" in told.string
            oidc_server.sign_in(url)
            _, output, errors = second.ends()
        first.ends()
    assert output.splitlines() == ["header ada@example.com"] * THREADS
    assert errors.count("waiting for") == 1
    assert "/authorize?" not in errors
    assert oidc_server.counters()["requests.authorize"] == 1


def refusals(output):
    return {line.split(" ", 1)[0] for line in output.splitlines()}


def test_a_refused_login_is_reported_to_the_waiters_and_cools_down(oidc_server, settings):
    with lakekey("login", environment=settings) as first:
        url = first.url()
        with Program(WANT_HEADERS, environment=settings) as second:
            assert second.process.stdout.readline() == "ready\n"
            second.send("go")
            second.says("waiting for process")
            oidc_server.sign_in(url, decline=True)
            _, output, errors = second.ends()
        assert first.ends()[0] == 1
    assert refusals(output) == {"login_denied"}
    assert len(output.splitlines()) == THREADS
    assert "/authorize?" not in errors
    with Program(WANT_HEADERS, environment=settings) as third:
        assert third.process.stdout.readline() == "ready\n"
        third.send("go")
        _, output, errors = third.ends()
    assert refusals(output) == {"login_denied"}
    assert "/authorize?" not in errors
    assert oidc_server.counters()["requests.authorize"] == 1


def test_a_login_given_up_with_ctrl_c_is_reported_to_the_waiters(oidc_server, settings):
    with lakekey("login", environment=settings) as first:
        first.url()
        with Program(WANT_HEADERS, environment=settings) as second:
            assert second.process.stdout.readline() == "ready\n"
            second.send("go")
            second.says("waiting for process")
            first.process.send_signal(signal.SIGINT)
            _, output, errors = second.ends()
        assert first.ends()[0] == 130
    assert set(output.splitlines()) == {"login_failed the sign-in was given up"}
    assert "/authorize?" not in errors


def test_explicit_login_is_not_held_back_by_the_cool_down(oidc_server, settings):
    with lakekey("login", environment=settings) as first:
        oidc_server.sign_in(first.url(), decline=True)
        first.ends()
    with lakekey("login", environment=settings) as second:
        oidc_server.sign_in(second.url())
        assert second.ends()[0] == 0


def test_when_the_one_who_signs_in_is_killed_the_next_takes_over(oidc_server, settings):
    with lakekey("login", environment=settings) as first:
        first.url()
        with lakekey("token", environment=settings) as second:
            second.says("waiting for process")
            os.killpg(first.process.pid, signal.SIGKILL)
            oidc_server.sign_in(second.url())
            status, output, _ = second.ends()
    assert status == 0
    assert output.strip()


def test_threads_of_one_program_share_a_login_that_one_of_them_walks_away_from(oidc_server, settings):
    """Ctrl-C in the main thread does not end the sign-in that another thread waits for."""
    code = (
        "import threading, lakekey\n"
        "p = lakekey.provider()\n"
        "other = threading.Thread(target=lambda: print(sorted(p.headers()), flush=True))\n"
        "other.start()\n"
        "try:\n    p.headers()\nexcept KeyboardInterrupt:\n    print('left', flush=True)\n"
        "other.join()\n"
    )
    with Program(code, environment=settings) as program:
        url = program.url()
        program.process.send_signal(signal.SIGINT)
        assert program.process.stdout.readline() == "left\n"
        oidc_server.sign_in(url)
        status, output, _ = program.ends()
    assert (status, output) == (0, "['Authorization']\n")


def test_unattended_run_is_refused_at_once_without_a_browser(oidc_server, settings, tmp_path):
    tabs = tmp_path / "tabs"
    variables = {**settings, "LAKEKEY_INTERACTIVE": "never", "BROWSER": oidc_server.browser(tabs=tabs)}
    with lakekey("token", environment=variables) as program:
        status, _, errors = program.ends()
    assert status == 3
    assert "lakekey login" in errors
    assert not tabs.exists()
    assert oidc_server.log() == []
