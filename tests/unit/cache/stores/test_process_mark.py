"""Marks of processes: what proves that a process of this machine has died, and what proves nothing."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lakekey.cache.stores import process_mark
from lakekey.cache.stores.process_mark import is_dead, mark_here

pytestmark = [pytest.mark.posix_locks, pytest.mark.posix_owners, pytest.mark.posix_signals]
LEAVES_ONE = """
import sys
from lakekey.cache.stores.process_mark import mark_here
print(mark_here(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    """Where the marks of this test are."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(process_mark, "_marks", {})
    yield tmp_path / f"lakekey-{os.geteuid()}"
    for mark in process_mark._marks.values():
        process_mark._remove(mark)


@pytest.fixture
def other():
    """Another process, and its mark."""
    process = subprocess.Popen([sys.executable, "-c", LEAVES_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        yield process, process.stdout.readline().decode().strip()
        process.kill()


def test_process_that_was_killed_is_dead_and_one_that_lives_or_is_stopped_is_not(other):
    process, mark = other
    assert len(mark) == process_mark.LENGTH
    assert not is_dead(mark)
    process.send_signal(signal.SIGSTOP)
    assert not is_dead(mark)
    process.kill()
    process.wait()
    assert is_dead(mark)


def test_process_that_ends_leaves_nothing_behind(other, directory):
    process, mark = other
    process.stdin.close()
    process.wait()
    assert list(directory.iterdir()) == []
    assert not is_dead(mark)  # it gave its leases back itself


@pytest.mark.parametrize("mark", ["", "0" * 32, "../" + "0" * 29, "ü" * 32, "0" * 31 + "/"])
def test_mark_that_is_not_here_proves_nothing(directory, mark):
    mark_here()
    assert not is_dead(mark)


def test_own_mark_is_one_for_all_threads_and_stays(directory):
    marks = []
    threads = [threading.Thread(target=lambda: marks.append(mark_here())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(marks) == 8 and set(marks) == {mark_here()}
    assert [path.name for path in directory.iterdir()] == [mark_here()]


@pytest.mark.parametrize("how", ["another file", "another boot"])
def test_copy_of_a_living_processs_mark_in_an_image_or_snapshot_proves_nothing(
    other, directory, how, tmp_path, monkeypatch
):
    process, mark = other
    if how == "another file":  # as in the image of a running container, or in a copied directory
        copy = directory / "copy"
        copy.write_bytes((directory / mark).read_bytes())
        copy.rename(directory / mark)
    else:  # as on a machine that began with the disk of a running one
        boot = tmp_path / "boot_id"
        boot.write_text("5a6b1c2d-0000-4000-8000-000000000000\n")
        monkeypatch.setattr(process_mark, "_BOOT", str(boot))
        process.kill()  # what is left of it here is a file without a lock, as on the copied disk
        process.wait()
    assert not is_dead(mark)


def test_machine_that_does_not_say_its_boot_is_without_marks(directory, monkeypatch):
    monkeypatch.setattr(process_mark, "_BOOT", str(directory / "nowhere"))
    assert mark_here() == ""
    assert list(directory.iterdir()) == []


def test_program_that_closes_all_descriptors_gets_another_mark(directory):
    first = mark_here()
    os.close(process_mark._marks[os.getpid()].descriptor)
    second = mark_here()
    assert second != first
    assert not is_dead(second)


def test_mark_that_was_cleared_away_is_left_again(directory):
    first = mark_here()
    (directory / first).unlink()
    assert mark_here() != first
    assert (directory / mark_here()).exists()


@pytest.mark.fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_has_its_own_mark_and_does_not_keep_its_parents_alive(directory):
    program = LEAVES_ONE.replace(
        "sys.stdin.read()", "import os; os.fork(); os.write(1, mark_here().encode() + b'\\n')\n"
    ) + ("sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        first = parent.stdout.readline().decode().strip()
        marks = {parent.stdout.readline().decode().strip() for _ in range(2)}  # each came by one call of write
        assert first in marks and len(marks) == 2
        assert not is_dead(first)
        parent.kill()
        parent.wait()
        assert is_dead(first)
        assert not is_dead((marks - {first}).pop())
        parent.stdin.close()  # and the child ends


@pytest.mark.parametrize("how", ["others write", "a link", "another user's", "a file"])
def test_directory_in_which_others_could_put_marks_is_not_used(directory, other, how):
    process, mark = other
    process.kill()
    process.wait()
    assert is_dead(mark)
    if how == "others write":
        directory.chmod(0o777)
    elif how == "a link":
        directory.rename(directory.with_name("elsewhere"))
        directory.symlink_to(directory.with_name("elsewhere"))
    elif how == "a file":
        directory.rename(directory.with_name("elsewhere"))
        directory.touch()
    elif os.geteuid() == 0:
        os.chown(directory, 4711, 4711)
    else:
        pytest.skip("only root gives directories away")
    assert not is_dead(mark)
    assert mark_here() == ""


def test_file_system_of_other_machines_is_not_used(directory, other, monkeypatch):
    process, mark = other
    process.kill()
    process.wait()
    monkeypatch.setattr(process_mark, "LOCAL", frozenset({"nfs4"}))
    assert not is_dead(mark)
    assert mark_here() == ""


def test_marks_of_the_long_dead_are_removed_and_those_of_the_living_stay(directory, other):
    _, mark = other
    dead = subprocess.run([sys.executable, "-c", LEAVES_ONE + "\nimport os; os._exit(1)"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=False).stdout.decode().strip()  # fmt: skip
    fresh = subprocess.run([sys.executable, "-c", LEAVES_ONE + "\nimport os; os._exit(1)"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, check=False).stdout.decode().strip()  # fmt: skip
    long_ago = time.time() - 7200
    for name in (mark, dead):
        os.utime(directory / name, (long_ago, long_ago))
    own = mark_here()
    assert {path.name for path in directory.iterdir()} == {mark, fresh, own}


def test_place_that_cannot_be_written_to_leaves_no_mark_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    assert mark_here() == ""
    assert not is_dead("0" * 32)
    assert not Path(tmp_path / "nowhere").exists()


@pytest.fixture
def dead(directory):
    """The mark of a process that has died, as far as can be seen: its file is here, and nothing locks it."""
    name = mark_here()
    os.close(process_mark._marks.pop(os.getpid()).descriptor)
    assert is_dead(name)
    return name


def lock(path, how):
    """Locks a file as another process would. Returns the descriptor, which has the lock."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, getattr(fcntl, how) | fcntl.LOCK_NB)
    return descriptor


def test_two_that_ask_for_a_mark_at_once_both_see_that_its_process_is_dead(directory, dead):
    other = lock(directory / dead, "LOCK_SH")
    assert is_dead(dead)
    os.close(other)


def test_question_for_a_mark_leaves_no_lock_and_no_directory_behind(directory, dead, tmp_path, monkeypatch):
    os.close(lock(directory / dead, "LOCK_EX"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    assert not is_dead(dead)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_file_elsewhere_or_of_another_name_is_no_mark(directory, dead):
    (directory / dead).rename(directory / "short")
    assert not is_dead("short")
    (directory / "short").rename(directory.parent / ("0" * 29))
    assert not is_dead("../" + "0" * 29)


@pytest.mark.parametrize("how", ["empty", "longer", "of a boot that is not told"])
def test_file_that_is_not_a_whole_mark_proves_nothing(directory, dead, how, monkeypatch):
    if how == "empty":
        (directory / dead).write_bytes(b"")
    elif how == "longer":
        (directory / dead).write_bytes((directory / dead).read_bytes() + b" " * 120)
    else:
        monkeypatch.setattr(process_mark, "_BOOT", str(directory / "nowhere"))
    assert not is_dead(dead)


def test_file_of_another_user_or_kind_is_neither_believed_nor_removed(directory, dead):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(directory / dead, 4711, 4711)
    os.mkfifo(directory / ("f" * 32))
    for path in directory.iterdir():
        os.utime(path, (1, 1))
    assert not is_dead(dead)
    own = mark_here()
    assert {path.name for path in directory.iterdir()} == {dead, "f" * 32, own}


def test_links_among_the_marks_are_neither_followed_nor_in_the_way(directory, dead):
    names = [digit * 32 for digit in "0123456789abcdef"]
    for name in names:
        (directory / name).symlink_to(directory / "nowhere")
    os.utime(directory / dead, (1, 1))
    own = mark_here()
    assert {path.name for path in directory.iterdir()} == {*names, own}
    (directory / own).rename(directory / "elsewhere")
    os.close(process_mark._marks.pop(os.getpid()).descriptor)
    (directory / own).symlink_to(directory / "elsewhere")
    assert not is_dead(own)


def test_old_copy_of_another_machines_mark_is_removed(directory, dead):
    (directory / dead).write_bytes(b"5a6b1c2d-0000-4000-8000-000000000000 1 2")
    os.utime(directory / dead, (1, 1))
    own = mark_here()
    assert [path.name for path in directory.iterdir()] == [own]


def test_mark_and_its_directory_are_the_users_alone_and_others_may_look(directory):
    name = mark_here()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / name)] == [0o700, 0o600]
    process_mark._remove(process_mark._marks.pop(os.getpid()))
    directory.chmod(0o755)
    assert mark_here() != ""


def test_thread_that_is_second_takes_its_mark_back(directory, monkeypatch):
    made = []

    def make():
        made.append(first := real())
        process_mark._marks.setdefault(os.getpid(), real())  # by the quicker thread
        return first

    real = process_mark._made
    monkeypatch.setattr(process_mark, "_made", make)
    assert [path.name for path in directory.parent.glob("lakekey-*/*")] == []
    name = mark_here()
    assert [path.name for path in directory.iterdir()] == [name]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(made[0].descriptor)


def test_process_that_could_leave_no_mark_has_none_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    assert mark_here() == ""
    (tmp_path / "nowhere").mkdir()
    assert mark_here() == ""
    process_mark._at_exit()


def test_exit_without_a_mark_or_after_its_file_was_replaced_removes_nothing(directory):
    process_mark._at_exit()
    name = mark_here()
    (directory / name).unlink()
    (directory / name).write_text("another's")
    process_mark._at_exit()
    assert (directory / name).read_text() == "another's"


def test_forked_child_closes_no_descriptor_that_has_become_another_files(directory):
    mark_here()
    descriptor = process_mark._marks[os.getpid()].descriptor
    with open(os.devnull, "rb") as other:
        os.dup2(other.fileno(), descriptor)
    process_mark._after_fork()
    assert process_mark._marks == {}
    os.close(descriptor)


@pytest.mark.parametrize("missing", ["geteuid", "O_NOFOLLOW"])
def test_system_that_has_no_owners_or_cannot_refuse_links_is_without_marks(dead, missing, monkeypatch):
    monkeypatch.delattr(os, missing)
    assert mark_here() == ""
    assert not is_dead(dead)
