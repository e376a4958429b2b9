"""Breaks each line that is there for Windows alone, one at a time, and reports the breaks that no test notices.

Run by hand: ``.venv/bin/python tests/windows/break_lines.py [WORD]``; a word takes the breaks of files whose path has
it. The source is put back after each. A test under ``tests/windows`` is run from Linux, any other in Windows' Python.
tests/unit/project/test_windows_breaks.py sees to it that the list follows the source and the tests.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.wine import ROOT

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
OPENING = f"{UNIT}/cache/test_opening.py"
TOLD = f"{UNIT}/cli/serving/test_command.py"
CONSOLE = f"{HERE}/test_console.py"
COUNTS = f"{CONSOLE}::test_wait_for_the_browser_counts_down_until_ctrl_c"
KEYS = f"{UNIT}/login/test_console.py"
PASTED = f"{CONSOLE}::test_long_address_is_pasted_into_a_console"
SHOWN = f"{CONSOLE}::test_console_shows_what_its_code_page_lacks_and_colours_where_it_can"
CALLED = f"{HERE}/test_connectors.py::test_sdk_finds_lakekey_by_the_name_of_the_databricks_cli"
TURN = f"{UNIT}/observability/test_appending.py"
ASKED = f"{CONSOLE}::test_question_is_answered_and_a_secret_typed_unseen_in_a_console"
PRIVATE = f"{HERE}/test_places.py::test_directories_that_we_make_are_private"
LISTS = f"{UNIT}/cache/test_access_list.py"
BREAKS = (
    Break("cache/private_files.py", 'getattr(os, "O_BINARY", 0)', "0", FILES),
    Break("cache/private_files.py", "error.errno == errno.EACCES and", "False and", f"{HERE}/test_sharing.py"),
    Break("cache/private_files.py", "in _IN_USE\n", "in ()\n", FILES),
    Break("cache/private_files.py", 'if sys.platform == "win32":\n        with LOADING:\n            from lakekey._sh', "if False:\n        with LOADING:\n            from lakekey._sh", f"{HERE}/test_sharing.py"),
    Break("cache/private_files.py", 'if sys.platform == "win32":\n        with LOADING:\n            from lakekey.cache.ac', "if False:\n        with LOADING:\n            from lakekey.cache.ac", PRIVATE),
    Break("cache/durable_files.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/cache/test_durable_files.py"),
    Break("_shared_opening.py", "EVERY_SHARING = 0x7", "EVERY_SHARING = 0x3", f"{HERE}/test_sharing.py"),
    Break("cache/private_files.py", "        make_directory(path)", "        os.mkdir(path)", LISTS),
    Break("cache/access_list.py", "(A;OICI;FA;;;{_ADMINISTRATORS})", "(A;OICI;FA;;;WD)", LISTS),
    Break("cache/access_list.py", "head.mask & _COUNTS", "head.mask & 0x80000000", LISTS),
    Break("cache/access_list.py", "_LIST = 1, 0x1 | 0x4", "_LIST = 1, 0x1", LISTS),
    Break("cli/doctor/storage.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_places.py::test_doctor_says_who_else_may_open_the_cache"),
    Break("cache/exchanged_names.py", 'if sys.platform != "linux":', "if False:", f"{UNIT}/cache/test_durable_files.py"),
    Break("cache/safe_path.py", '_POSIX = os.name == "posix"', "_POSIX = True", FILES),
    Break(
        "cache/stores/lock_line.py", "every process is first\n        return True", "\n        return False",
        f"{UNIT}/cache/stores/test_lock_line.py",
    ),
    Break("cache/opening.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_places.py::test_cache_lies_in_the_users_local_application_data"),
    Break("cache/keys/anchor.py", '"APPDATA"', '"HOME_OF"', f"{UNIT}/cache/keys/test_choice.py"),
    Break("cache/keys/keyring.py", 'getattr(one, "winerror", None) == _NO_LOGON_SESSION', "False", f"{UNIT}/cache/keys/test_keyring.py"),
    Break("cache/keys/joining.py", "min(left, _SLICE)", "left", f"{UNIT}/cache/keys/test_joining.py"),
    Break("login/browser.py", 'if sys.platform == "win32":\n        return', "if False:\n        return", f"{UNIT}/login/test_browser.py"),
    Break("login/browser.py", 'if sys.platform == "win32":\n        yield', "if False:\n        yield", f"{UNIT}/login/test_browser.py"),
    Break("login/browser.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/login/test_browser.py"),
    Break("login/browser.py", "posix=_POSIX", "posix=True", f"{UNIT}/login/test_seat.py"),
    Break("login/paste.py", 'or sys.platform == "win32"', "", "tests/integration/login/test_login_paste.py::test_the_redirected_address_is_pasted_back"),
    Break("login/paste.py", 'if sys.platform == "win32" and not notebook', "if False and not notebook", PASTED),
    Break("login/screen.py", '(os.name == "nt" and is_terminal(stream))', "False", COUNTS),
    Break("login/console.py", "_KEY, _ALT = 1,", "_KEY, _ALT = 2,", KEYS),
    Break("oauth/proxy.py", 'if sys.platform == "linux" and not any', "if not any", f"{UNIT}/oauth/test_proxy.py"),
    Break("oauth/deadlines.py", 'left + self._drain if sys.platform == "win32" else None', "None", f"{UNIT}/oauth/test_transport.py"),
    Break("cli/output.py", 'if os.name == "posix" else "%d %b"', "", f"{HERE}/test_command_line.py::test_dates_are_written_as_windows_can"),
    Break("cli/lend.py", 'if sys.platform == "win32" and not environ.get("MSYSTEM")', "if False", f"{HERE}/test_command_line.py::test_every_command_speaks_to_a_console_of_windows"),
    Break("cli/serving/command.py", "done.wait(_SLICE)", "done.wait()", f"{CONSOLE}::test_serve_hands_out_tokens_until_ctrl_c"),
    Break("cli/serving/command.py", ', "SIGBREAK")', ")", f"{HERE}/test_serve.py"),
    Break("configuration/databrickscfg.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/configuration/test_databrickscfg.py"),
    Break("configuration/databrickscfg.py", 'if sys.platform == "win32":', "if False:", f"{HERE}/test_sharing.py::test_file_of_profiles_that_another_program_has_open_is_read_when_it_is_free"),
    Break("configuration/profile_writer.py", '_POSIX = os.name == "posix"', "_POSIX = True", f"{UNIT}/configuration/test_profile_writer.py"),
    Break("_terminal.py", 'if os.name == "nt":', "if False:", SHOWN),
    Break("_terminal.py", "return not detect_legacy_windows()", "return False", SHOWN),
    Break("cli/streams.py", 'if os.name == "nt" and current.isatty():', "if False:", SHOWN),
    Break("_moments.py", "_BEGIN + timedelta(seconds=seconds)", "datetime.fromtimestamp(seconds, UTC)", f"{UNIT}/test_moments.py"),
    Break("_moments.py", "except (OSError, OverflowError", "except (OverflowError", f"{UNIT}/test_moments.py"),
    Break("_commands.py", 'return sys.platform == "win32"', "return False", f"{UNIT}/test_commands.py"),
    Break("observability/appending.py", "_APPEND = 0x4", "_APPEND = 0x2", TURN),
    Break("observability/appending.py", "not _kernel.LockFile(handle, *_TURN)", "False", TURN),
    Break("observability/appending.py", "_PATIENCE = 1.0", "_PATIENCE = 1e9", TURN),
    Break("observability/appending.py", "except OSError:\n            os.write", "except TypeError:\n            os.write", TURN),
    Break("observability/audit.py", 'if sys.platform == "win32":\n        with LOADING:\n            from lakekey.observability.appending import w', "if False:\n        with LOADING:\n            from lakekey.observability.appending import w", TURN),
    Break("observability/audit.py", 'if sys.platform == "win32":\n        with LOADING:\n            from lakekey.observability.appending import o', "if False:\n        with LOADING:\n            from lakekey.observability.appending import o", TURN),
    Break("observability/audit.py", 'if os.name == "posix" and found.st_uid', "if found.st_uid", TURN),
    Break("observability/audit.py", 'if os.name == "posix" and found.st_mode', "if found.st_mode", TURN),
    Break("observability/appending.py", 'if sys.platform == "win32":', "if False:", TURN),
    Break("_shared_opening.py", 'if sys.platform == "win32":', "if False:", TURN),
    Break("cache/access_list.py", 'if sys.platform == "win32":', "if False:", LISTS),
    Break("login/console.py", 'if sys.platform == "win32":', "if False:", KEYS),
    Break("_imports.py", 'if sys.platform == "win32" and', "if False and", f"{UNIT}/test_windows_home.py"),
    Break("_windows_home.py", 'if sys.platform == "win32":', "if False:", f"{UNIT}/test_windows_home.py"),
    Break("cli/prompt.py", 'if sys.platform == "win32":\n        import getpass', "if False:\n        import getpass", ASKED),
    Break("cli/prompt.py", 'if sys.platform == "win32" or not', "if not", ASKED),
    Break("cli/serving/own_files.py", 'if sys.platform == "win32":', "if False:", TOLD),
    Break("cli/serving/command.py", "if file else in_powershell(url)", "if not file else in_powershell(url)", TOLD),
    Break("cache/safe_path.py", "if not _POSIX:\n        return True", "if not _POSIX:\n        return False", f"{UNIT}/cli/serving/test_own_files.py"),
    Break("cache/opening.py", "except (OSError, ValueError):  # W", "except LookupError:  # W", OPENING),
    Break("cache/opening.py", "return found if os.path.isabs(found) else", "return found if found else", OPENING),
    Break("observability/audit.py", 'if os.name != "posix":', "if False:", TURN),
    Break("cache/private_files.py", '_POSIX = os.name == "posix"', "_POSIX = True", FILES),
    Break("cache/private_files.py", "max(patience, PATIENCE_TO_REPLACE) if in_use else patience", "patience", FILES),
    Break("cache/access_list.py", "_TOKEN_QUERY, _TOKEN_USER = 0x8, 1", "_TOKEN_QUERY, _TOKEN_USER = 0x8, 4", LISTS),
    Break("cache/access_list.py", "accounts.setdefault(_text(owner))", "pass", LISTS),
    Break("cache/access_list.py", "for one in (me, _SYSTEM, _ADMINISTRATORS, _WHO_MAKES):", "for one in (me, _SYSTEM):", LISTS),
    Break("cache/access_list.py", "if known else account", "if False else account", LISTS),
    Break("cache/keys/anchor.py", 'if sys.platform == "win32":', "if False:", f"{UNIT}/cache/keys/test_anchor.py"),
    Break("login/browser.py", 'getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)', "0", f"{UNIT}/login/test_browser.py"),
    Break("login/console.py", '"_WindowsConsoleIO"', '"FileIO"', PASTED),
    Break("login/console.py", "each.down or each.code == _ALT", "True", KEYS),
    Break("login/console.py", "each.letter * each.count", "each.letter", KEYS),
    Break("login/console.py", '"CONOUT$"', '"CONIN$"', PASTED),
    Break("cache/keys/kms/gcp.py", 'self._environ.get("APPDATA", "")', '""', f"{UNIT}/cache/keys/kms/test_gcp.py"),
    Break("cache/keys/kms/gcp.py", 'if os.name == "nt"', "if False", f"{UNIT}/cache/keys/kms/test_gcp.py"),
    Break("cli/serving/command.py", 'if sys.platform == "win32":', "if not True:", f"{CONSOLE}::test_serve_hands_out_tokens_until_ctrl_c"),
    Break("cli/serving/databricks_program.py", '"databricks.exe" if sys.platform == "win32" else ', "", CALLED),
    Break("cli/serving/databricks_program.py", 'if sys.platform == "win32":\n        from', "if False:\n        from", CALLED),
    Break("cli/serving/databricks_program.py", 'if sys.platform == "win32":  # its', "if False:  # its", "tests/integration/connectors/test_other_sdks.py::test_program_of_another_installation_is_replaced"),
    Break("cli/serving/windows_program.py", "bytes(least)", "b''", f"{UNIT}/cli/serving/test_windows_program.py"),
    Break("cli/serving/windows_program.py", "_launcher() + archive", "archive", CALLED),
)  # fmt: skip
# What Wine has no way to show, or makes no difference, with the reason.
NOT_SHOWN = {
    "_shared_opening.py, O_BINARY": "equivalent: open_osfhandle reads bytes unless it is told O_TEXT",
    "observability/appending.py, O_BINARY": "the same",
    "login/listener.py, SO_EXCLUSIVEADDRUSE": "Linux's kernel refuses a second listener of a port in any case",
    "cli/doctor/person.py, SO_EXCLUSIVEADDRUSE": "the same",
    "cli/serving/metadata_service.py, allow_reuse_address": "the same",
    "cache/durable_files.py, no sync of a directory": "left out, the attempt costs a second and a warning",
    "cli/prompt.py, NotImplementedError": "for the type checker: a secret is asked for by getpass there",
    "login/terminal.py, no canonical mode": "Windows reads pasted lines by input(), and never makes a Terminal",
    "oauth/proxy.py, a look ahead on Linux": "the look of the library, which Windows makes each time, finds the same",
}


def notices(test: str) -> bool:
    """Whether a test fails."""
    options = ["-x", "-p", "no:randomly", "--timeout", "200", test]
    runner = ["-m", "pytest"] if test.startswith(HERE) else [f"{HERE}/run_native.py"]
    done = subprocess.run(
        [sys.executable, *runner, *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LONGEST,
        check=False,
    )
    return done.returncode in (1, 2)  # 2: the module cannot even be loaded


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
