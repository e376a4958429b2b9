"""docs/explanation/guarantees.md names tests that there are, and has a row for each failure of a shared store."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/explanation/guarantees.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Stores that hosts share")[2].partition("\n## ")[0]
TESTS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

SYSTEMS = PAGE.partition("### Where this was run")[2].partition("\n## ")[0]
#: What each line of that table rests on in its column for Windows: tests that run there, or run programs there.
ON_WINDOWS = {
    "one request for many": [
        "integration/session/test_storm.py::test_16_interpreters_of_4_threads_that_share_nothing_but_the_cache"
    ],
    "Ctrl-C during the exchange": [
        "integration/session/test_signals.py::test_once_the_request_is_sent_its_answer_is_waited_for"
    ],
    "Ctrl-C ends": [
        "windows/test_console.py::test_serve_hands_out_tokens_until_ctrl_c",
        "windows/test_serve.py::test_serve_hands_out_tokens_until_ctrl_break",
        "windows/test_console.py::test_portal_is_served_until_ctrl_c",
        "windows/test_console.py::test_sandbox_runs_until_ctrl_c",
    ],
    "a killed process costs nothing": [
        "integration/session/test_kills.py::test_killed_with_nothing_sent_or_everything_stored",
        "integration/session/test_kills.py::test_killed_with_a_request_sent_that_the_server_never_processed",
    ],
    "a killed process between": [
        "integration/session/test_kills.py::test_killed_with_an_answer_that_was_not_stored_yet",
        "integration/session/test_kills.py::test_process_killed_with_an_answer_on_its_way",
    ],
    "no lock outlives": ["integration/session/test_kills.py::test_a_waiting_process_takes_over_from_a_killed_holder"],
    "a file that another program has open": [
        "windows/test_sharing.py::test_answer_is_kept_while_the_entry_cannot_be_replaced"
    ],
    "a reader of ours": ["windows/test_sharing.py::test_file_that_we_read_may_be_renamed_and_deleted_meanwhile"],
    "old or new": [
        "integration/cache/test_store_races.py::test_readers_without_a_lock_see_only_whole_entries_while_writers_replace_them",
        "integration/session/test_kills.py::test_what_a_killed_writer_leaves_behind_does_no_harm_and_is_gone_with_the_next",
    ],
    "the new entry is on disk": [
        "unit/cache/test_private_files.py::test_content_reaches_the_disk_before_the_file_has_its_name"
    ],
    "owners, modes and links": [
        "unit/cache/test_access_list.py::test_directory_that_is_made_lets_in_its_user_alone",
        "windows/test_places.py::test_directories_that_we_make_are_private",
        "windows/test_places.py::test_doctor_says_who_else_may_open_the_cache",
    ],
    "the key is in the desktop": [
        "integration/cache/test_os_keyring.py::test_a_keyring_that_works_is_taken_holds_one_small_item_and_no_file_holds_the_key",
        "integration/cache/test_os_keyring.py::test_a_keyring_that_was_asked_for_by_name_is_never_replaced",
        "integration/cache/test_os_keyring.py::test_the_key_moves_into_the_keyring_and_is_rotated_there",
        "integration/cache/test_os_keyring.py::test_moving_away_from_the_keyring_leaves_nothing_in_it",
    ],
    "an account without a profile": [
        "windows/test_places.py::test_account_without_a_profile_gets_a_token",
        "unit/test_windows_home.py::test_home_is_the_accounts_own_where_no_variable_names_it",
        "unit/cache/test_opening.py::test_account_of_windows_whose_profile_is_not_loaded_has_a_cache_in_memory",
    ],
    "full and read-only disks": [
        "integration/cache/test_cache_cannot_be_written.py::test_a_service_principal_is_served_from_memory_on_a_full_disk_with_one_warning",
        "integration/cache/test_cache_cannot_be_written.py::test_a_full_disk_is_found_before_a_refresh_token_is_spent",
        "integration/cache/test_cache_cannot_be_written.py::test_a_read_only_cache_serves_what_it_holds_and_spends_nothing",
    ],
    "dbt's adapter": ["windows/test_dbt.py::test_adapter_of_dbt_signs_in_and_asks_the_warehouse"],
    "long paths": [
        "windows/test_places.py::test_path_longer_than_260_characters",
        "windows/test_places.py::test_share_of_a_server",
        "windows/test_places.py::test_folder_of_onedrive",
        "windows/test_command_line.py::test_home_of_a_user_name_that_is_not_ascii",
    ],
    "an answer that never comes": [
        "unit/oauth/test_transport.py::test_a_server_that_says_nothing_is_given_up_at_the_deadline"
    ],
    "output in the console": [
        "windows/test_command_line.py::test_every_command_speaks_to_a_console_of_windows",
        "windows/test_command_line.py::test_doctor_speaks_in_the_encoding_of_its_pipe",
        "windows/test_console.py::test_console_shows_what_its_code_page_lacks_and_colours_where_it_can",
    ],
    "colours": ["windows/test_console.py::test_console_shows_what_its_code_page_lacks_and_colours_where_it_can"],
    "a pasted address": ["windows/test_console.py::test_long_address_is_pasted_into_a_console"],
    "the default browser": [
        "windows/test_command_line.py::test_a_person_signs_in_by_the_default_browser",
        "integration/cli/test_command_line.py::test_login_says_who_where_and_under_which_key",
    ],
    "every command": [
        "windows/test_command_line.py::test_every_command_has_a_test_here",
        "windows/test_command_line.py::test_every_command_speaks_to_a_console_of_windows",
        "windows/test_command_line.py::test_demo_holds",
        "windows/test_console.py::test_serve_hands_out_tokens_until_ctrl_c",
        "integration/cli/test_command_line.py::test_token_prints_the_token_alone_and_as_json_what_the_databricks_cli_prints",
        "integration/cli/test_command_line.py::test_a_session_from_login_to_logout",
    ],
    "an SDK gets its tokens": [
        "windows/test_connectors.py::test_sdk_finds_lakekey_by_the_name_of_the_databricks_cli",
        "integration/connectors/test_other_sdks.py::test_the_program_tells_the_go_sdk_a_version_that_knows_profiles",
        "unit/cli/serving/test_windows_program.py::test_it_is_the_launcher_with_a_script_that_speaks_as_the_databricks_cli",
    ],
    "audit records": [
        "integration/session/test_audit.py::test_lines_of_many_processes_do_not_mix",
        "unit/observability/test_appending.py::test_record_waits_for_its_turn",
    ],
    "times of files": [
        "unit/cache/stores/test_file.py::test_replaced_bytes_are_read_where_the_time_and_size_of_the_file_stay",
        "unit/cache/stores/test_file.py::test_only_what_was_given_up_is_swept_up_whatever_the_tick_of_file_times",
    ],
    "a forked child": ["integration/session/test_fork.py::test_workers_of_a_pool_share_one_refresh"],
}


def test_each_line_about_windows_rests_on_tests_that_run_there():
    lines = [line.removeprefix("| ") for line in SYSTEMS.splitlines() if line.startswith("| ")][1:]
    assert [sum(line.startswith(begin) for begin in ON_WINDOWS) for line in lines] == [1] * len(lines)
    assert len(lines) == len(ON_WINDOWS)
    rooms = (ROOT / "tests/windows/run_native.py").read_text(encoding="utf-8")
    for named in (each for tests in ON_WINDOWS.values() for each in tests):
        path, _, test = named.partition("::")
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert f"def {test}(" in text, named
        if path.startswith("unit/"):
            assert any(f'"{folder}"' in rooms for folder in {path, *map(str, Path(path).parents)}), named
        elif path.startswith("integration/"):
            above = text.partition(f"def {test}(")[0].rpartition("\n\n\n")[2]
            assert "mark.on_windows" in above or re.search(r"^pytestmark = .*mark\.on_windows", text, re.MULTILINE), (
                named
            )


def test_page_names_what_tests_ask_of_one_system():
    conftest = (ROOT / "conftest.py").read_text(encoding="utf-8")
    systems = re.findall(r"^_(?:POSIX|WINDOWS)_ONLY = {(.*?)^}", conftest, re.DOTALL | re.MULTILINE)
    assert len(systems) == 2
    for markers in (sorted(re.findall(r'^ +"(\w+)":', system, re.MULTILINE)) for system in systems):
        assert ", ".join(f"`{name}`" for name in markers) in " ".join(SYSTEMS.split())


def test_each_failure_of_a_shared_store_has_its_row():
    assert re.findall(r"^\| (A\d+) \|", TABLE, flags=re.MULTILINE) == [f"A{number}" for number in range(1, 49)]


def test_each_test_that_a_row_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert {name for name in named if f"def {name}(" not in TESTS} == set()


def test_row_of_a_failure_names_each_of_its_tests():
    tests = set(re.findall(r"def test_a(\d+)_", TESTS))
    rows = dict(re.findall(r"^\| A(\d+) \|(.*)$", TABLE, flags=re.MULTILINE))
    assert {number for number in tests if "test_" not in rows.get(number, "") and f"A{number}" not in TABLE} == set()
