"""Reading ``.databrickscfg``."""

import contextlib
import errno
import functools
import io
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakekey._commands import quoted
from lakekey.configuration import databrickscfg, piped, profile_parser
from lakekey.errors import ConfigurationError

needs_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "databrickscfg"

    def write(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_a_profile_is_found_by_name_with_its_own_values(file):
    found = databrickscfg.read(file("[a]\nhost = x\n\n[b]\nhost = y\ntoken = t\n"), "b")
    assert (found.name, dict(found.values)) == ("b", {"host": "y", "token": "t"})


def test_a_named_profile_inherits_nothing_from_default(file):
    found = databrickscfg.read(file("[DEFAULT]\nclient_id = x\n\n[a]\nhost = y\n"), "a")
    assert dict(found.values) == {"host": "y"}


def test_default_serves_where_none_is_named(file):
    found = databrickscfg.read(file("[DEFAULT]\nhost = x\n"), None)
    assert (found.name, found.values["host"]) == (None, "x")


def test_the_files_own_default_profile_goes_before_default(file):
    text = "[__settings__]\ndefault_profile = a\n[DEFAULT]\nhost = x\n[a]\nhost = y\n"
    assert databrickscfg.read(file(text), None).values["host"] == "y"


def test_a_percent_sign_is_a_percent_sign(file):
    assert databrickscfg.read(file("[a]\nclient_secret = 50%(x)s%\n"), "a").values["client_secret"] == "50%(x)s%"


def test_missing_file_means_no_profile_unless_one_was_named(tmp_path):
    missing = str(tmp_path / "none")
    assert databrickscfg.read(missing, None) is None
    with pytest.raises(ConfigurationError, match="there is no file") as caught:
        databrickscfg.read(missing, "prod")
    assert missing in str(caught.value)
    assert (caught.value.profile, caught.value.hint) == ("prod", "lakekey login prod --host https://…")


@pytest.mark.parametrize("wanted", ["c", "__settings__", "DEFAULT"])
def test_a_profile_that_is_not_there_is_reported_by_name(file, wanted):
    with pytest.raises(ConfigurationError, match="has no profile of that name") as caught:
        databrickscfg.read(file("[__settings__]\ndefault_profile = a\n[a]\nhost = x\n"), wanted)
    assert caught.value.profile == wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [("host = x\n", 1), ("[a]\nhost = x\ndose-secret\n", 3), ("[a]\n[a]\n", 2), ("[a]\nclient_secret=1\nclient_secret=dose-secret\n", 3)],
    ids=["no section", "no value", "twice", "key twice"],
)  # fmt: skip
def test_a_malformed_file_is_reported_by_line_without_quoting_it(file, text, line):
    with pytest.raises(ConfigurationError, match=f"malformed at line {line}") as caught:
        databrickscfg.read(file(text), "a")
    assert "dose-secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_line_that_begins_with_an_equals_sign_has_no_key(file):
    with pytest.raises(ConfigurationError, match="malformed at line 2"):
        databrickscfg.read(file("[a]\n= x: y\n"), "a")


@pytest.mark.parametrize(("wanted", "named_by_the_file"), [(None, True), ("b", False)])
def test_profile_that_is_not_there_is_said_to_be_the_files_own_choice_only_if_it_is(file, wanted, named_by_the_file):
    with pytest.raises(ConfigurationError, match="has no profile of that name") as caught:
        databrickscfg.read(file("[__settings__]\ndefault_profile = gone\n[a]\n"), wanted)
    assert ("default_profile names it" in str(caught.value)) is named_by_the_file


def test_path_that_no_file_can_have_is_told_as_it_was_given(monkeypatch):
    monkeypatch.setattr(databrickscfg, "expanded", lambda path: os.stat(path) and path)
    assert databrickscfg.location("a\0b") == "a\0b"


@pytest.mark.parametrize(("posix", "command"), [(True, "ls -l "), (False, "")])
def test_look_at_a_file_is_that_of_the_system(monkeypatch, posix, command):
    monkeypatch.setattr(databrickscfg, "_POSIX", posix)
    monkeypatch.setattr(databrickscfg, "commands", lambda: SimpleNamespace(quoted=str, look_at=str))
    assert databrickscfg._look_at("cfg") == f"{command}cfg"


@pytest.mark.parametrize(
    ("known", "uid", "unmapped"),
    [(b"0 1000 1", 65534, True), (b"0 1000 1", 1001, False), (b"0 0 4294967295", 65534, False), (None, 65534, False)],
    ids=["in a user namespace", "a user it knows", "in none", "unknown"],
)
def test_user_that_a_user_namespace_does_not_know_is_told_from_one_it_knows(monkeypatch, known, uid, unmapped):
    def read(path, _):
        if known is None:
            raise FileNotFoundError(path)
        return io.BytesIO(known if path.endswith("uid_map") else b"65534\n")

    monkeypatch.setattr(databrickscfg, "open", read, raising=False)
    assert databrickscfg._is_unmapped(uid) is unmapped


def test_several_default_sections_are_one_as_to_the_sdk(file):
    text = "[DEFAULT]\nhost = x\n[a]\nhost = z\n[DEFAULT]\nclient_id = y\n"
    assert dict(databrickscfg.read(file(text), None).values) == {"host": "x", "client_id": "y"}
    assert dict(databrickscfg.read(file(text), "a").values) == {"host": "z"}


@pytest.mark.parametrize("text", ["[DEFAULT]\nhost = x\n[DEFAULT]\nhost = y\n", "[DEFAULT]\n[DEFAULT]\n[a]\n[a]\n"])
def test_default_sections_that_contradict_each_other_are_malformed(file, text):
    with pytest.raises(ConfigurationError, match="malformed"):
        databrickscfg.read(file(text), None)


def test_mistyped_profile_is_answered_with_the_near_one(file):
    with pytest.raises(ConfigurationError) as caught:
        databrickscfg.read(file("[prod]\nhost = x\n[dev]\nhost = y\n"), "prd")
    assert caught.value.hint == "did you mean prod? See those it has: lakekey profiles"


@pytest.mark.parametrize(
    ("content", "said", "in_powershell"),
    [
        (b"[a]\nhost = \xff\xfe\n", "it is not UTF-8 text", os.name == "nt"),
        ("[a]\r\n".encode("utf-16"), "it is not UTF-8 text, but UTF-16", True),
    ],
    ids=["bytes", "PowerShell"],
)
def test_file_that_is_not_utf_8_is_an_error_that_says_how_to_save_it(file, content, said, in_powershell):
    with pytest.raises(ConfigurationError) as caught:
        databrickscfg.read(file(content), "a")
    assert caught.value.message.endswith(f": {said}")
    command = "; in PowerShell: Set-Content -Encoding utf8" if in_powershell else ""
    assert caught.value.hint == f"save it as UTF-8{command}"


def test_profiles_are_in_the_files_order_without_its_settings(file):
    found, default = databrickscfg.profiles(file("[b]\n[__settings__]\n[DEFAULT]\n[a]\nhost = x\n"))
    assert [profile.name for profile in found] == ["b", "DEFAULT", "a"]
    assert found[2].values == {"host": "x"}  # each with its own keys alone
    assert default == "DEFAULT"


def test_the_files_own_default_is_told_with_its_profiles(file):
    assert databrickscfg.profiles(file("[__settings__]\ndefault_profile = a\n[DEFAULT]\n[a]\n"))[1] == "a"
    assert databrickscfg.profiles("/nowhere/cfg") == ([], None)


def test_the_repr_of_a_profile_shows_no_value(file):
    found = databrickscfg.read(file("[a]\nclient_secret = dose-secret\n"), "a")
    assert "dose-secret" not in repr(found)


# Whose file it is, and who may write it


@pytest.mark.posix_owners
@pytest.mark.parametrize(
    ("mode", "said"),
    [(0o602, True), (0o622, True), (0o666, True), (0o644, False), (0o440, False), (0o600, False), (0o755, False)],
)
def test_file_that_other_users_can_change_is_refused(file, mode, said):
    path = file("[a]\nhost = x\n")
    os.chmod(path, mode)
    if not said:
        assert databrickscfg.read(path, "a").values == {"host": "x"}
        return
    with pytest.raises(ConfigurationError, match="can be changed by other users") as caught:
        databrickscfg.read(path, "a")
    assert caught.value.hint == f"chmod go-w {path}"
    subprocess.run(caught.value.hint, shell=True, check=True)
    assert databrickscfg.read(path, "a").values == {"host": "x"}


@pytest.mark.posix_owners
def test_group_of_the_user_alone_may_write_the_file(file):
    path = file("[a]\nhost = x\n")
    os.chown(path, -1, os.getgid())
    os.chmod(path, 0o660)
    assert databrickscfg.read(path, "a").values == {"host": "x"}


@pytest.mark.posix_owners
@needs_root
def test_file_of_another_group_that_may_write_it_is_refused(file):
    path = file("[a]\nhost = x\n")
    os.chown(path, -1, 54321)
    os.chmod(path, 0o660)
    with pytest.raises(ConfigurationError, match="can be changed by other users"):
        databrickscfg.read(path, "a")


READS = """
import configparser, grp, os, pwd, shlex, sys
from lakekey import _log
from lakekey.cache import safe_path
from lakekey._commands import quoted
from lakekey.configuration import databrickscfg, piped
from lakekey.errors import ConfigurationError
os.setuid(int(sys.argv[2]))
try: print(dict(databrickscfg.read(sys.argv[1], "a").values))
except ConfigurationError as error: print(error)
"""


@pytest.mark.posix_owners
@needs_root
@pytest.mark.parametrize(
    ("owner", "reader", "said"),
    [
        (1001, 1002, "belongs to user 1001, who could change it"),
        (0, 1002, "{'host': 'x'}"),
        (1002, 1002, "{'host': 'x'}"),
        (1001, 0, "{'host': 'x'}"),
    ],
)
def test_file_of_another_user_is_refused_unless_root_reads_it_or_made_it(owner, reader, said):
    # Of its own: another run of pytest closes the directory above `tmp_path` to other users at any moment.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "profiles")
        path.write_text("[a]\nhost = x\n", encoding="utf-8")
        path.chmod(0o644)
        os.chown(path, owner, -1)
        command = [sys.executable, "-c", READS, str(path), str(reader)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said in done.stdout


@pytest.mark.posix_owners
def test_root_is_told_whose_file_it_reads(monkeypatch, caplog):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    databrickscfg._check_who_may_write("cfg", SimpleNamespace(st_mode=0o100644, st_uid=1001, st_gid=0), None)
    assert "cfg belongs to user 1001, who can change it" in caplog.text


@pytest.mark.posix_owners
@pytest.mark.named_pipes
def test_pipe_that_other_users_can_write_to_is_refused(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    path.chmod(0o602)
    with pytest.raises(ConfigurationError, match="can be changed by other users"):
        databrickscfg.read(str(path), "a")


@pytest.mark.posix_owners
def test_pipe_of_another_user_is_refused(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1002)
    pipe = SimpleNamespace(st_mode=stat.S_IFIFO | 0o644, st_uid=1001, st_gid=0)
    with pytest.raises(ConfigurationError, match="belongs to user 1001, who could change it"):
        databrickscfg._check_who_may_write("cfg", pipe, None)


@pytest.mark.posix_owners
def test_group_may_write_to_a_pipe_as_it_may_on_macos_to_one_without_a_name():
    pipe = SimpleNamespace(st_mode=stat.S_IFIFO | 0o660, st_uid=os.geteuid(), st_gid=54321)
    databrickscfg._check_who_may_write("/dev/fd/3", pipe, None)


# Odd files


@pytest.mark.named_pipes
def test_profiles_come_from_a_pipe_as_often_as_they_are_asked_for(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, b"[my prod]\nhost = x\n")
    os.close(writing)
    try:
        for _ in range(2):
            assert databrickscfg.read(f"/dev/fd/{reading}", "my prod").values == {"host": "x"}
        assert [profile.name for profile in databrickscfg.profiles(f"/dev/fd/{reading}")[0]] == ["my prod"]
    finally:
        os.close(reading)


@pytest.mark.named_pipes
def test_pipe_that_nothing_writes_to_is_waited_for_and_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(piped, "content_of", functools.partial(piped.content_of, patience=0.05))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match=r"nothing came through this pipe in 0\.05 s"):
        databrickscfg.read(str(tmp_path / "pipe"), None)


@pytest.mark.named_pipes
def test_file_without_an_end_is_not_read_to_its_end():
    with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
        databrickscfg.read("/dev/zero", None)


@pytest.mark.named_pipes
def test_pipe_that_holds_too_much_is_refused_as_a_file_is():
    reading, writing = os.pipe()

    def write():
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as file:
            file.write(b"#" * (5 << 20))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
            databrickscfg.read(f"/dev/fd/{reading}", None)
    finally:
        os.close(reading)
        writer.join()


def test_path_with_a_blank_is_one_word_of_the_hint(tmp_path):
    (tmp_path / "my file").write_text("[a]\nnonsense\n")
    with pytest.raises(ConfigurationError, match="malformed") as caught:
        databrickscfg.read(str(tmp_path / "my file"), None)
    assert caught.value.hint == f"fix that line of {quoted(str(tmp_path / 'my file'))}"


PLAIN = "# mine\n[DEFAULT]\nhost = https://a\n\n[prod]\nHost: https://b=c ; d\n  ; indented\ntoken=\n"
LINES = st.one_of(
    st.sampled_from(
        ["[a]", "[b]", "[DEFAULT]", "[a] b", "[a]]", "[]", "[", " [a]", "k = v", "K:v", "k", "= v", " k = v"]
    ),
    st.text("[]=:;# \tkK\x0b\x1c\x85\xa0\u2028é", max_size=8),
)


@given(st.lists(LINES, max_size=6).map("\n".join))
@example(PLAIN)
def test_plain_text_is_read_as_configparser_reads_it(text):
    plain = databrickscfg._plain_sections(text)
    assert plain is None or plain == profile_parser.sections(text, "cfg", None)


def test_plain_file_is_read_without_configparser(file):
    program = (
        "import sys; from lakekey.configuration import databrickscfg as d; found = d.read(sys.argv[1], 'prod');"
        "assert 'configparser' not in sys.modules; print(dict(found.values))"
    )
    done = subprocess.run([sys.executable, "-c", program, file(PLAIN)], capture_output=True, text=True, check=True)
    assert done.stdout == "{'host': 'https://b=c ; d', 'token': ''}\n"


def test_file_that_is_denied_for_a_moment_is_read_when_it_is_free(file, monkeypatch):
    path, real, denials = file("[a]\nhost = x\n"), databrickscfg._open, []

    def denied_twice(where):
        if len(denials) < 2:
            denials.append(where)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(where)

    monkeypatch.setattr(databrickscfg, "_open", denied_twice)
    assert databrickscfg.read(path, "a").values["host"] == "x"
    assert denials == [path] * 2
