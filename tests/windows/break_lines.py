"""Breaks each line that is there for Windows alone, one at a time, and reports the breaks that no test notices.

Run by hand: ``.venv/bin/python tests/windows/break_lines.py [WORD]``; a word takes the breaks of files whose path has
it. The source is put back after each. A test under ``tests/windows`` is run from Linux, any other in Wine's Python.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.wine import PYTHON, ROOT, environ

SOURCE = ROOT / "src/lakekey"
LONGEST = 400  # seconds


class Break(NamedTuple):
    """A line, what it becomes, and the test that is to notice."""

    file: str
    line: str
    broken: str
    test: str


UNIT, HERE = "tests/unit", "tests/windows"
FILES = f"{UNIT}/cache/test_private_files.py"
BREAKS = (
    Break("cache/private_files.py", 'getattr(os, "O_BINARY", 0)', "0", FILES),
    Break("cache/private_files.py", "error.errno == errno.EACCES and", "False and", f"{HERE}/test_sharing.py"),
    Break("cache/private_files.py", "in _IN_USE\n", "in ()\n", FILES),
    Break("cache/private_files.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_sharing.py"),
    Break("cache/durable_files.py", '_POSIX = os.name == "posix"', "_POSIX = True", FILES),
    Break("cache/shared_opening.py", "_EVERY_SHARING = 0x7", "_EVERY_SHARING = 0x3", f"{HERE}/test_sharing.py"),
    Break("cache/private_files.py", "        make_directory(path)", "        os.mkdir(path)", f"{HERE}/test_places.py::test_access_lists_are_read_as_windows_gives_them"),
    Break("cache/access_list.py", "(A;OICI;FA;;;{_ADMINISTRATORS})", "(A;OICI;FA;;;WD)", f"{HERE}/test_places.py::test_access_lists_are_read_as_windows_gives_them"),
    Break("cache/access_list.py", "head.mask & _COUNTS", "head.mask & 0x80000000", f"{HERE}/test_places.py::test_access_lists_are_read_as_windows_gives_them"),
    Break("cache/access_list.py", "_LIST = 1, 0x1 | 0x4", "_LIST = 1, 0x1", f"{HERE}/test_places.py::test_access_lists_are_read_as_windows_gives_them"),
    Break("cli/doctor/storage.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_places.py::test_doctor_says_who_else_may_open_the_cache"),
    Break("cache/safe_path.py", '_POSIX = os.name == "posix"', "_POSIX = True", FILES),
    Break(
        "cache/stores/lock_line.py", "everybody is first\n        return True", "\n        return False",
        f"{UNIT}/cache/stores/test_lock_line.py",
    ),
    Break("cache/opening.py", 'in ("win32", "darwin")', 'in ("darwin",)', f"{HERE}/test_places.py::test_cache_lies_in_the_users_local_application_data"),
    Break("cache/keys/anchor.py", '"APPDATA"', '"HOME_OF"', f"{UNIT}/cache/test_choice_of_the_key.py"),
    Break("cache/keys/joining.py", "min(left, _SLICE)", "left", f"{UNIT}/cache/keys/test_joining.py"),
    Break("login/browser.py", 'if sys.platform == "win32":', "if False:", f"{UNIT}/login/test_browser.py"),
    Break("login/browser.py", "posix=_POSIX", "posix=True", f"{UNIT}/login/test_seat.py"),
    Break("login/paste.py", 'or sys.platform == "win32"', "", f"{HERE}/test_command_line.py::test_a_person_pastes_the_address"),
    Break("oauth/deadlines.py", "left + _DRAIN if", "None if", f"{UNIT}/oauth/test_transport.py"),
    Break("cli/output.py", 'if os.name == "posix" else "%d %b"', "", f"{HERE}/test_command_line.py::test_dates_are_written_as_windows_can"),
    Break("cli/serving/command.py", "done.wait(_SLICE)", "done.wait()", f"{HERE}/test_serve.py"),
    Break("cli/serving/command.py", ', "SIGBREAK")', ")", f"{HERE}/test_serve.py"),
    Break("configuration/databrickscfg.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/configuration/test_databrickscfg.py"),
    Break("configuration/databrickscfg.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_sharing.py::test_file_of_profiles_that_another_program_has_open_is_read_when_it_is_free"),
    Break("configuration/profile_writer.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/configuration/test_profile_writer.py"),
)  # fmt: skip
# What Wine has no way to show, or makes no difference, with the reason.
NOT_SHOWN = {
    "cache/shared_opening.py, O_BINARY": "equivalent: open_osfhandle reads bytes unless it is told O_TEXT",
    "_terminal.py, a console that shows colours": "tests have pipes, and no console of Windows",
    "cli/streams.py, a console that takes Unicode": "tests have pipes, and no console of Windows",
    "login/listener.py, SO_EXCLUSIVEADDRUSE": "Linux's kernel refuses a second listener of a port in any case",
    "cli/doctor/person.py, SO_EXCLUSIVEADDRUSE": "the same",
    "cli/serving/metadata_service.py, allow_reuse_address": "the same",
    "cache/durable_files.py, no sync of a directory": "left out, the attempt costs a second and a warning",
    "login/terminal.py, no canonical mode": "Windows reads pasted lines by input(), and never makes a Terminal",
}


def notices(test: str) -> bool:
    """Whether a test fails."""
    options = ["-q", "-x", "-p", "no:randomly", "--timeout", "200", test]
    there = ["wine", str(PYTHON)] if test.startswith(UNIT) else [sys.executable]
    return bool(
        subprocess.run(
            [*there, "-m", "pytest", *options],
            cwd=ROOT,
            env=environ(PYTHONIOENCODING="utf-8"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            check=False,
        ).returncode
        == 1
    )


def main(word: str) -> int:
    """Breaks them; the exit status is 1 where one was not noticed."""
    survivors = []
    for one in (each for each in BREAKS if word in each.file):
        path = SOURCE / one.file
        whole = path.read_text(encoding="utf-8")
        assert one.line in whole, one
        path.write_text(whole.replace(one.line, one.broken), encoding="utf-8")
        try:
            noticed = notices(one.test)
        except subprocess.TimeoutExpired:
            noticed = True
        finally:
            path.write_text(whole, encoding="utf-8")
        print("noticed " if noticed else "SURVIVED", one.file, repr(one.line), flush=True)
        survivors += [] if noticed else [one]
    print(f"{len(survivors)} survived")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
