"""Writing profiles."""

import configparser
import contextlib
import difflib
import errno
import os
import pathlib
import stat
import subprocess
import sys

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakekey._commands import quoted
from lakekey.configuration import profile_text, profile_writer
from lakekey.configuration.profile_writer import (
    check_can_write,
    remove_profile,
    rename_profile,
    set_default_profile,
    write_profile,
)
from lakekey.errors import ConfigurationError

FILE = b"""# mine
[DEFAULT]
host = https://default.example

; the one for work
[prod]
host          = https://prod.example
# secret below
client_id     = a
scopes = sql
  jobs

[Other]
  token : dapi
  # end
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "databrickscfg"
    path.write_bytes(FILE)
    path.chmod(0o600)
    return path


def read(path):
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    parser.read_string(path.read_bytes().decode("utf-8-sig"))
    return {name: dict(parser.items(name)) for name in parser.sections()}


def test_new_profile_is_added_behind_the_others(path):
    backup = write_profile(str(path), "dev", {"host": "https://dev.example", "warehouse_id": "w"}, replace=False)
    assert path.read_bytes() == FILE + b"\n[dev]\nhost = https://dev.example\nwarehouse_id = w\n"
    assert pathlib.Path(backup).read_bytes() == FILE


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.posix_owners
def test_missing_file_is_made_for_its_owner_alone(tmp_path, open_umask):
    path = tmp_path / "databrickscfg"
    assert write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=False) is None
    assert path.read_bytes() == b"[dev]\nhost = https://dev.example\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_path_the_file_in_the_home_is_written(bare_machine):
    write_profile(None, "dev", {"host": "https://dev.example"}, replace=False)
    assert (bare_machine / ".databrickscfg").exists()


def test_changed_profile_keeps_its_comments_order_and_other_settings(path):
    values = {"host": "https://new.example", "scopes": "all-apis", "user": "ada@example.com", "client_id": None}
    write_profile(str(path), "prod", values, replace=True)
    assert path.read_bytes() == FILE.replace(b"https://prod.example", b"https://new.example").replace(
        b"client_id     = a\nscopes = sql\n  jobs\n", b"scopes = all-apis\nuser = ada@example.com\n"
    )


def test_indented_profile_stays_indented(path):
    write_profile(str(path), "Other", {"host": "https://o.example", "token": "dapi2"}, replace=True)
    assert path.read_bytes() == FILE.replace(b"  token : dapi\n", b"  token : dapi2\n  host = https://o.example\n")


def test_profile_that_is_there_is_only_replaced_on_request(path):
    with pytest.raises(ConfigurationError, match="already exists") as caught:
        write_profile(str(path), "prod", {"host": "https://new.example"}, replace=False)
    assert caught.value.profile == "prod"
    assert path.read_bytes() == FILE


@pytest.mark.posix_locks
def test_nothing_is_written_where_nothing_changes(path):
    before = path.stat().st_mtime_ns
    assert write_profile(str(path), "prod", {"client_id": "a"}, replace=True) is None
    assert path.stat().st_mtime_ns == before
    assert sorted(os.listdir(path.parent)) == ["databrickscfg", "databrickscfg.lock"]


def test_removed_profile_takes_its_own_lines_along(path):
    remove_profile(str(path), "prod")
    start, end = FILE.index(b"[prod]"), FILE.index(b"[Other]")
    assert path.read_bytes() == FILE[:start] + FILE[end:]


def test_removed_default_profile_is_not_the_default_any_more(path):
    set_default_profile(str(path), "prod")
    assert read(path)["__settings__"] == {"default_profile": "prod"}
    remove_profile(str(path), "prod")
    assert read(path)["__settings__"] == {}


def test_renamed_profile_stays_the_default_one(path):
    set_default_profile(str(path), "prod")
    rename_profile(str(path), "prod", "production")
    assert path.read_bytes().replace(b"production", b"prod") == FILE + b"\n[__settings__]\ndefault_profile = prod\n"
    assert "production" in read(path)


def test_renamed_profile_that_is_not_the_default_one_does_not_become_it(path):
    rename_profile(str(path), "prod", "production")
    assert path.read_bytes() == FILE.replace(b"[prod]", b"[production]")


def test_default_profile_is_changed_and_taken_back(path):
    set_default_profile(str(path), "prod")
    set_default_profile(str(path), "Other")
    assert read(path)["__settings__"] == {"default_profile": "Other"}
    set_default_profile(str(path), None)
    assert read(path)["__settings__"] == {}


@pytest.mark.parametrize("change", [remove_profile, set_default_profile, lambda p, n: rename_profile(p, n, "x")])
def test_profile_that_is_not_there_is_reported_with_the_near_one(path, change):
    with pytest.raises(ConfigurationError, match="no profile of that name") as caught:
        change(str(path), "prd")
    assert "did you mean prod?" in caught.value.hint
    assert path.read_bytes() == FILE


def test_renaming_never_joins_two_profiles(path):
    with pytest.raises(ConfigurationError, match="already exists"):
        rename_profile(str(path), "prod", "Other")


def test_line_ends_and_byte_order_mark_stay(path):
    text = b"\xef\xbb\xbf" + FILE.replace(b"\n", b"\r\n")
    path.write_bytes(text)
    write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=False)
    assert path.read_bytes() == text + b"\r\n[dev]\r\nhost = https://dev.example\r\n"


def test_last_line_without_an_end_is_ended_first(path):
    path.write_bytes(FILE.rstrip(b"\n"))
    write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=False)
    assert path.read_bytes() == FILE + b"\n[dev]\nhost = https://dev.example\n"


@pytest.mark.posix_owners
def test_link_stays_and_its_target_is_written(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    backup = write_profile(str(link), "dev", {"host": "https://dev.example"}, replace=False)
    assert link.is_symlink()
    assert "dev" in read(path)
    assert backup == f"{path}.bak"


@pytest.mark.posix_owners
def test_file_copy_and_lock_are_private_whatever_was_there(path, open_umask):
    path.chmod(0o644)
    (path.parent / "databrickscfg.bak").write_bytes(b"old")
    backup = write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=False)
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in (path, backup, f"{path}.lock")] == [0o600] * 3


@pytest.mark.posix_owners
def test_file_of_another_user_is_left_as_theirs(path, monkeypatch):
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigurationError, match=f"belongs to user {owner}"):
        write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=False)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("name", ["", " a", "a]b", "a\nb", "__settings__", "a\x1b[0m"])
def test_name_that_no_section_can_have_is_refused(path, name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a profile"):
        write_profile(str(path), name, {"host": "https://dev.example"}, replace=True)
    with pytest.raises(ConfigurationError):
        rename_profile(str(path), "prod", name)
    with pytest.raises(ConfigurationError):
        check_can_write(str(path), name)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize(("key", "value"), [("host", "a\n[evil]"), ("host", " "), ("ho st", "x"), ("[evil]", "x")])
def test_setting_that_would_be_something_else_is_refused(path, key, value):
    with pytest.raises(ConfigurationError) as caught:
        write_profile(str(path), "dev", {key: value}, replace=True)
    assert "evil]" not in str(caught.value) or "evil" in key
    assert path.read_bytes() == FILE


def test_malformed_file_is_left_alone(path):
    path.write_bytes(b"[a]\nnonsense\n")
    with pytest.raises(ConfigurationError, match="malformed at line 2"):
        write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=True)
    assert path.read_bytes() == b"[a]\nnonsense\n"


@pytest.mark.posix_owners
def test_pipe_is_not_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is a pipe"):
        write_profile(str(tmp_path / "pipe"), "dev", {"host": "https://dev.example"}, replace=True)


@pytest.mark.posix_owners
def test_pipe_that_a_shell_hands_over_is_named_as_one():
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb"):
        path, said = f"/dev/fd/{reader}", f"/dev/fd/{reader} is a pipe, which cannot be changed"
        with pytest.raises(ConfigurationError, match=said):
            write_profile(path, "prod", {"host": "https://prod.example"}, replace=False)
        with pytest.raises(ConfigurationError, match=said):
            check_can_write(path, "prod")


@pytest.mark.parametrize(("posix", "step"), [(True, "mkdir -m 700 -p "), (False, "mkdir ")])
def test_directory_that_is_not_there_is_an_error_of_ours(tmp_path, monkeypatch, posix, step):
    monkeypatch.setattr(profile_writer, "_POSIX", posix)
    missing = tmp_path / "a" / "b"
    for attempt in (check_can_write, lambda *given: write_profile(*given, {"host": "https://d.example"}, replace=True)):
        with pytest.raises(ConfigurationError, match="there is no directory") as caught:
            attempt(str(missing), "dev")
        assert caught.value.hint == step + quoted(str(missing.parent.resolve()))


@pytest.mark.parametrize(("posix", "may"), [(True, False), (True, True), (False, False)])
def test_directory_that_cannot_be_written_to_is_told_before_anything_is(tmp_path, monkeypatch, posix, may):
    """Windows says only of files whether they can be written to."""
    monkeypatch.setattr(profile_writer, "_POSIX", posix)
    monkeypatch.setattr(os, "access", lambda *_: may)
    refused = posix and not may
    with pytest.raises(ConfigurationError, match="cannot be written to") if refused else contextlib.nullcontext():
        check_can_write(str(tmp_path / "databrickscfg"), "dev")
    assert os.listdir(tmp_path) == []


def test_writers_take_turns_and_lose_nothing(path):
    program = (
        "import sys\nfrom lakekey.configuration.profile_writer import write_profile\n"
        "for n in range(10): write_profile(sys.argv[1], f'{sys.argv[2]}-{n}', {'host': 'https://h.example'}, replace=False)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), str(n)]) for n in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert set(read(path)) == {"DEFAULT", "prod", "Other", *(f"{n}-{m}" for n in range(4) for m in range(10))}
    assert path.read_bytes().startswith(FILE)


def test_file_that_another_process_changes_is_waited_for_and_given_up(path):
    held = filelock.FileLock(f"{os.path.realpath(path)}.lock")
    with held, pytest.raises(ConfigurationError, match="another process is changing"):
        write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=True, patience=0.1)
    write_profile(str(path), "dev", {"host": "https://dev.example"}, replace=True)


LINES = st.sampled_from(
    ["", "# note", "  ; note", "host = x", "  host = x", "user: y", "\tcontinued", "   [no section", "a = b = c", "= x"]
)
SECTIONS = st.tuples(st.sampled_from("abc"), st.lists(LINES, max_size=8))


@given(st.lists(LINES.filter(lambda line: line.strip()[:1] in ("", "#", ";"))), st.lists(SECTIONS, max_size=3),
       st.sampled_from(["\n", "\r\n"]), st.sampled_from("abcd"), st.sampled_from(["host", "user", "new"]),
       st.booleans())  # fmt: skip
def test_whatever_the_file_looks_like_only_the_edit_shows(before, sections, newline, name, key, ended):
    lines = [*before, *(line for section, body in sections for line in (f"[{section}]", *body))]
    text = newline.join(lines) + (newline if ended else "")
    try:
        said = parsed(text)
    except configparser.Error:
        return
    assert list(said) == profile_text.names(text)
    changed = profile_text.with_values(text, name, {key: "v"})
    assert parsed(changed) == {**said, name: {**said.get(name, {}), key: "v"}}
    assert kept(text, changed)
    removed = profile_text.without_section(changed, name)
    assert parsed(removed) == {section: values for section, values in said.items() if section != name}
    renamed = profile_text.with_new_name(changed, name, "z")
    assert list(parsed(renamed)) == [("z" if section == name else section) for section in parsed(changed)]


def parsed(text):
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    parser.read_string(text.replace("\r\n", "\n"))
    return {name: dict(parser.items(name)) for name in parser.sections()}


def kept(before, after):
    """Whether at most the lines of one setting differ: what is around them is the same, byte for byte."""
    same = sum(
        block.size for block in difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    )
    return same >= len(before.rstrip()) - 40


@pytest.mark.parametrize(
    ("code", "step"),
    [
        (errno.ENOSPC, "free some room: df -h " if os.name == "posix" else "free some room: dir "),
        (errno.EROFS, "ls -ld " if os.name == "posix" else "icacls "),
    ],
)
def test_file_that_cannot_be_written_leads_to_a_look_at_what_hinders_it(path, monkeypatch, code, step):
    def refuse(path, content):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(profile_writer.durable_files, "replace", refuse)
    with pytest.raises(ConfigurationError, match=os.strerror(code)) as caught:
        set_default_profile(str(path), "prod")
    assert caught.value.hint.startswith(step)
    assert str(path.parent) in caught.value.hint


def test_change_by_another_program_is_kept_though_size_and_time_stay_as_they_were(path):
    written = FILE.replace(b"https://prod.example", b"https://prod.changed")

    def edit(text, before):
        if path.read_bytes() == FILE:  # once: the other program writes while we do
            status = path.stat()
            path.write_bytes(written)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as where times are counted in two seconds
        return f"{text}\n[dev]\nhost = https://dev.example\n", {**before, "dev": {"host": "https://dev.example"}}

    profile_writer._change(str(path), "dev", edit)
    assert path.read_bytes() == written + b"\n[dev]\nhost = https://dev.example\n"


@pytest.mark.parametrize("key", ["client_secret", "token", "PASSWORD", "azure_client_secret", "google_credentials"])
def test_copy_keeps_no_secret_that_the_change_takes_out(path, key):
    """Not even one in several lines; and all the rest of the file."""
    gone = f"[job]\nhost = https://job.example\n{key} = dose-first\n  dose-second\n# why\nuser = ada\n".encode()
    path.write_bytes(FILE + b"\n" + gone)
    copy = pathlib.Path(remove_profile(str(path), "job"))
    assert copy.read_bytes() == FILE + b"\n[job]\nhost = https://job.example\n# why\nuser = ada\n"


def test_copy_keeps_no_secret_that_a_setting_loses(path):
    copy = write_profile(str(path), "Other", {"token": None}, replace=True)
    assert pathlib.Path(copy).read_bytes() == FILE.replace(b"  token : dapi\n", b"")
    assert b"dapi" not in path.read_bytes()


def test_copy_of_a_file_that_keeps_its_secrets_is_byte_for_byte(path):
    path.write_bytes(FILE + b"\n[twin]\nhost = https://twin.example\ntoken = dapi\n")
    before = path.read_bytes()
    copies = [pathlib.Path(rename_profile(str(path), "Other", "another")).read_bytes(), path.read_bytes()]
    copies.append(pathlib.Path(remove_profile(str(path), "twin")).read_bytes())
    assert copies[0] == before
    assert copies[1] == copies[2]
