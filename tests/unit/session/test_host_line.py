"""The processes of one host in line before a shared store: the others wait for the first one, and not for long."""

import itertools
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from lakekey import _inside_work
from lakekey.session import host_line
from lakekey.session.host_line import in_line
from support.first_in_line import FIRST, sibling

LOOK = "    with LockLine(sys.argv[1]).is_first() as is_free: print(is_free, flush=True)\n"
pytestmark = [pytest.mark.posix_locks, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "one.line")


def credential(path, lock_timeout=60.0):
    near = SimpleNamespace(line=lambda _: path)
    return SimpleNamespace(near=near, entry_id="a", target=SimpleNamespace(lock_timeout=lock_timeout))


def nothing():
    return None


def patient():
    """Finds nothing, and fails the test that asks it for longer than half a minute."""
    began = time.monotonic()

    def settled():
        if time.monotonic() - began > 30:
            raise AssertionError("it waits for longer")

    return settled


def test_first_process_asks_and_the_next_one_when_it_is_done(path):
    for _ in range(2):
        with in_line(credential(path), nothing, "") as found:
            assert found is None
            assert path in host_line._places
        assert host_line._places == {}


def test_other_process_has_what_the_first_one_found_as_soon_as_it_is_kept(path):
    kept = threading.Event()
    looks = []

    def settled():
        looks.append(1)
        if len(looks) == 3:
            kept.set()
        return "an entry" if kept.is_set() else None

    with sibling(path), in_line(credential(path), settled, "") as found:
        assert found == "an entry"
    assert len(looks) == 3


def test_process_goes_on_when_the_first_one_is_killed(path):
    looks = []

    with sibling(path) as first:

        def settled():
            looks.append(1)
            if len(looks) == 2:
                first.kill()
                first.wait()
            return

        with in_line(credential(path), settled, "") as found:
            assert found is None
    assert len(looks) == 3  # once more, for what was kept just before


def test_first_process_is_waited_for_no_longer_than_it_is_told(path):
    with sibling(path) as first, in_line(credential(path), patient(), "", longest=0.3) as found:
        assert found is None
        assert first.poll() is None


def test_first_process_is_waited_for_no_longer_than_for_the_lock(path):
    with sibling(path) as first, in_line(credential(path, 0.3), patient(), "", longest=60.0) as found:
        assert found is None
        assert first.poll() is None


def test_looks_at_the_first_process_are_a_pause_apart(path, monkeypatch):
    pauses = []
    monkeypatch.setattr(host_line, "next_try", lambda *given: pauses.append(given) or 0.01)

    def settled():
        return "an entry" if len(pauses) == 3 else None

    with sibling(path), in_line(credential(path), settled, "") as found:
        assert found == "an entry"
    assert [longest for _, longest in pauses] == [0.25] * 3
    assert pauses[0] < pauses[1] < pauses[2]


def test_place_of_the_first_process_counts_as_used(path):
    for _ in range(2):
        with in_line(credential(path), nothing, ""):
            assert time.time() - os.stat(path).st_mtime < 60
        os.utime(path, (1, 1))


def test_threads_that_want_different_things_do_not_share_a_wait(path):
    waits, over, found_there = threading.Event(), threading.Event(), []

    def settled():
        waits.set()
        return "theirs" if over.is_set() else None

    def other():
        with in_line(credential(path), settled, "theirs") as found:
            found_there.append(found)

    thread = threading.Thread(target=other)
    with sibling(path):
        thread.start()
        assert waits.wait(30)
        try:
            with in_line(credential(path, 5.0), lambda: "ours", "ours") as found:
                assert found == "ours"
        finally:
            over.set()
            thread.join(30)
    assert found_there == ["theirs"]


def test_threads_of_the_first_process_share_its_place(path):
    with in_line(credential(path), nothing, ""):
        with in_line(credential(path), nothing, ""):
            pass
        assert path in host_line._places
        ended = subprocess.run([sys.executable, "-c", FIRST, path], input=b".", capture_output=True, check=True)
        assert ended.stdout.strip() == b"False"


class Leaving(set):
    """The threads of a place, of which the last one leaves right after the first look."""

    looks = 0

    def __bool__(self):
        self.looks += 1
        return self.looks == 1 or len(self) > 0


def test_place_that_its_last_thread_is_leaving_is_not_taken_a_second_time(path):
    with in_line(credential(path), nothing, ""):
        (place,) = host_line._places.values()
        descriptor, place.users = place._line._descriptor, Leaving()
        with in_line(credential(path), patient(), ""):
            pass
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_interrupt_at_any_instruction_leaves_no_place_behind(path):
    """Handlers of signals run as a function begins, and after one of C's has returned: where a profiler is called."""

    def interrupted(moment):
        events = itertools.count()

        def strike(frame, event, arg):
            if event in ("call", "c_return") and next(events) == moment:
                raise KeyboardInterrupt

        try:
            sys.setprofile(strike)
            with in_line(credential(path), nothing, ""):
                pass
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False

    looks = f"import sys\nfrom lakekey.cache.stores.lock_line import LockLine\nfor _ in sys.stdin:\n{LOOK}"
    moments = 0
    with subprocess.Popen([sys.executable, "-c", looks, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        while interrupted(moments):
            other.stdin.write(b"\n")
            other.stdin.flush()
            assert (host_line._places, other.stdout.readline()) == ({}, b"True\n"), moments
            moments += 1
    assert moments > 20


def test_forked_child_does_not_take_its_parents_place_for_its_own(path):
    with in_line(credential(path), nothing, ""):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if host_line._in_use(path) is None and not host_line._Place(path).take() else 1)
        assert os.waitpid(pid, 0)[1] == 0


def test_code_inside_a_renewal_waits_for_no_other_process(path):
    def settled():
        raise AssertionError("it waits")

    with sibling(path), _inside_work.as_work(), in_line(credential(path), settled, "") as found:
        assert found is None


def test_host_without_a_place_for_the_line_asks_at_once(tmp_path):
    for place in (None, str(tmp_path / "nowhere" / "one.line")):
        with in_line(credential(place), nothing, "") as found:
            assert found is None
