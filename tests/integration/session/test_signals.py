"""Ctrl-C, handled SIGTERM, cancelled tasks and the interpreter's exit: none of them loses the session."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.processes import LAKEKEY
from support.servers.odd_server import OddServer
from support.sessions import Child, Machine
from support.waiting import until

# Windows has no SIGTERM that another process could send.
HANDLED = getattr(signal, "SIGBREAK", signal.SIGTERM)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, HANDLED], ids=["Ctrl-C", HANDLED.name])
BEFORE_SENDING = ("before the lock", "under the lock")
AFTER_SENDING = ("answer received", "temporary written", "stored")
AT_THE_SERVER = ("before", "after")
BY = {signal.SIGINT: "KeyboardInterrupt", HANDLED: "SystemExit"}


def assert_nothing_is_lost(machine: Machine) -> None:
    machine.assert_session_is_whole()
    assert machine.fresh_process()["ok"]
    machine.assert_session_is_whole()


def assert_ended_by(child: Child, exception: str) -> None:
    assert child.until("ended")["by"] == exception
    child.wait()


@pytest.mark.on_windows
@SIGNALS
@pytest.mark.parametrize("step", BEFORE_SENDING)
def test_before_anything_is_sent_it_takes_effect_at_once(machine, step, number):
    with machine.child("pauses_at", step, "main") as child:
        child.until("at")
        child.signal(number)
        assert_ended_by(child, BY[number])  # though the thread that was to send it still waits for our word
    assert machine.token_requests() == 0
    assert_nothing_is_lost(machine)


@contextmanager
def port_that_lets_none_in(port: int) -> Iterator[None]:
    """As behind a firewall that drops what comes: the queue of connections to be accepted is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield


def connecting(pid: int, port: int) -> bool:
    """Whether the process has a connection under way to a port (state 02 is SYN_SENT in ``/proc/net/tcp``)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = {f"socket:[{each[9]}]" for each in lines if each[2].endswith(f":{port:04X}") and each[3] == "02"}
    return any(os.readlink(each) in waiting for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink())


@pytest.mark.posix_signals
@SIGNALS
def test_before_the_connection_is_made_it_takes_effect_at_once(oidc_server, tmp_path, number):
    with OddServer(lambda connection: connection.sendall(b"HTTP/1.1 401 \r\n\r\n")) as server:
        machine = Machine(oidc_server, tmp_path / "cache", host=server.host)
        machine.store(left=-60, refresh_token="kept")
        machine.fresh_process(DATABRICKS_HOST=server.host)  # which remembers what the host's metadata tell
        before = machine.store(left=-60, refresh_token="kept")
        port = int(server.host.rpartition(":")[2])
    child = machine.child("pauses_at", "nowhere", "main", DATABRICKS_HOST=server.host)
    with port_that_lets_none_in(port), child as child:
        until(lambda: connecting(child.pid, port) or not child.alive())
        assert child.alive(), child.next()
        began = time.monotonic()
        child.signal(number)
        assert_ended_by(child, BY[number])
        assert time.monotonic() - began < 5  # connecting would take 10 s
    assert machine.stored().refresh_token == before.refresh_token


@SIGNALS
@pytest.mark.parametrize("step", AFTER_SENDING)
def test_once_the_answer_is_here_it_takes_effect_when_that_is_stored(machine, step, number):
    with machine.child("pauses_at", step, "main") as child:
        child.until("at")
        child.signal(number)
        child.until("signal")
        assert child.alive()
        child.go_on()
        assert_ended_by(child, BY[number])
    assert machine.token_requests() == 1
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


@pytest.mark.on_windows
@SIGNALS
@pytest.mark.parametrize("when", AT_THE_SERVER)
def test_once_the_request_is_sent_its_answer_is_waited_for(oidc_server, machine, when, number):
    with oidc_server.hold(when=when) as hold, machine.child("pauses_at", "nowhere", "main") as child:
        hold.wait()
        child.signal(number)
        child.until("signal")
        assert child.alive()
        hold.release()
        assert_ended_by(child, BY[number])
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


@pytest.mark.posix_signals
@SIGNALS
@pytest.mark.parametrize("when", AT_THE_SERVER)
def test_where_no_thread_starts_a_signal_waits_for_the_answer_as_well(oidc_server, machine, when, number):
    with oidc_server.hold(when=when) as hold, machine.child("pauses_at", "nowhere", "threadless") as child:
        hold.wait()
        child.signal(number)
        hold.release()
        child.until("signal")
        assert_ended_by(child, BY[number])
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


@pytest.mark.posix_signals
@SIGNALS
def test_where_no_thread_starts_a_signal_takes_effect_at_once_before_anything_is_sent(machine, number):
    with machine.child("pauses_at", "under the lock", "threadless") as child:
        child.until("at")
        child.signal(number)
        assert_ended_by(child, BY[number])
    assert machine.token_requests() == 0
    assert_nothing_is_lost(machine)


@pytest.mark.posix_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", None)], ids=["SIGTERM", "SIGHUP"])
def test_command_that_is_told_to_end_stores_the_answer_first(oidc_server, machine, number):
    command = [LAKEKEY, "token"]
    with oidc_server.hold(when="after") as hold, subprocess.Popen(command, env=machine.environ) as process:
        hold.wait()
        process.send_signal(number)
        hold.release()
        assert process.wait(60) == -number
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


@pytest.mark.on_windows
def test_a_program_that_lives_on_gets_ctrl_c_back_when_the_answer_is_stored(oidc_server, machine):
    with oidc_server.hold(when="after") as hold, machine.child("pauses_at", "nowhere", "living") as child:
        hold.wait()
        child.signal(signal.SIGINT)
        child.until("signal")
        hold.release()
        assert child.until("back")["stored"]
        assert child.alive()
        machine.assert_session_is_whole()
        child.go_on()
        child.wait()


@pytest.mark.on_windows
def test_a_second_and_a_third_ctrl_c_change_nothing(oidc_server, machine):
    with oidc_server.hold(when="after") as hold, machine.child("pauses_at", "nowhere", "main") as child:
        hold.wait()
        for _ in range(3):
            child.signal(signal.SIGINT)
            child.until("signal")
        assert child.alive()
        hold.release()
        child.until("ended")
        child.wait()
    assert_nothing_is_lost(machine)


@pytest.mark.posix_signals
def test_a_sigterm_is_not_lost_behind_a_ctrl_c_that_is_held_back(oidc_server, machine):
    with oidc_server.hold(when="after") as hold, machine.child("pauses_at", "nowhere", "main") as child:
        hold.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            child.signal(number)
            child.until("signal")
        hold.release()
        assert_ended_by(child, "SystemExit")
    assert_nothing_is_lost(machine)


@pytest.mark.posix_signals
def test_sigterm_on_a_thread_that_follows_anothers_exchange_loses_nothing(oidc_server, machine):
    with oidc_server.hold(when="after") as hold, machine.child("pauses_at", "nowhere", "follower") as child:
        hold.wait()
        child.go_on()
        child.until("following")
        child.signal(signal.SIGTERM)
        child.until("signal")
        assert child.alive()
        hold.release()
        child.until("ended")
        child.wait()
    assert machine.token_requests() == 1
    assert_nothing_is_lost(machine)


@contextmanager
def exits_with_an_exchange_in_flight(machine: Machine, caller: str) -> Iterator[Child]:
    """Within it, the main thread has ended, and the answer is on its way."""
    with (
        machine.server.hold(when="after") as hold,
        machine.child("pauses_at", "nowhere", caller) as child,
    ):
        hold.wait()
        child.go_on()
        child.until("main ends")
        yield child
        assert child.alive()
        hold.release()
        child.wait()


def test_the_interpreter_exits_only_when_a_daemon_threads_exchange_is_stored(machine):
    with exits_with_an_exchange_in_flight(machine, "daemon"):
        pass
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


@pytest.mark.posix_signals
@SIGNALS
def test_a_signal_while_the_interpreter_waits_to_exit_loses_nothing(machine, number):
    with exits_with_an_exchange_in_flight(machine, "daemon") as child:
        for _ in range(3):
            child.signal(number)
            child.until("signal")
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


def test_the_interpreter_exits_only_when_a_background_refresh_is_stored(oidc_server, tmp_path):
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=300)
    with exits_with_an_exchange_in_flight(machine, "background"):
        pass
    assert_nothing_is_lost(machine)


@pytest.mark.parametrize("step", BEFORE_SENDING)
def test_the_interpreter_does_not_wait_for_what_was_not_sent(machine, step):
    with machine.child("pauses_at", step, "daemon") as child:
        child.until("at")
        child.process.stdin.close()  # which both threads take for a word, so the main thread may come second
        child.wait()
    assert_nothing_is_lost(machine)


def test_exchange_of_a_task_that_times_out_is_completed(oidc_server, machine):
    with oidc_server.hold(when="after") as hold, machine.child("pauses_at", "nowhere", "task") as child:
        hold.wait()
        child.go_on()
        child.until("timed out")
        child.until("result")  # the event loop has ended; no task waits for the exchange any more
        assert child.alive()
        hold.release()
        child.wait()
    assert_nothing_is_lost(machine)
    assert machine.token_requests() == 1


def test_a_task_that_times_out_before_anything_is_sent_holds_up_neither_loop_nor_exit(machine):
    with machine.child("pauses_at", "before the lock", "task") as child:
        child.until("at")
        child.process.stdin.write(b"..")  # one word for the task's limit, one for the thread that is paused
        child.process.stdin.flush()
        child.until("result")
        child.wait()
    assert_nothing_is_lost(machine)


@pytest.mark.posix_signals
def test_program_that_is_interrupted_again_and_again_never_hangs(machine):
    with machine.child("interrupted_often") as child:
        report = child.result()
    assert report["interrupts"] > 50, report
    assert report["ok"], report
    machine.assert_session_is_whole()
