"""From an empty home to a profile: what `lakekey login` asks, checks, lists and writes."""

import configparser
import io
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys

import pytest

from lakekey.cli import compute_choice
from lakekey.cli.workspace_api import Compute
from lakekey.errors import LakekeyError
from support.processes import LAKEKEY
from support.processes import lakekey as run
from support.terminal import Terminal

ADA = "ada@example.com"


@pytest.fixture
def box(lakekey_sandbox, lakekey_person, monkeypatch, tmp_path):
    """A workspace, and the empty home of a person whose browser signs her in."""
    box = lakekey_sandbox
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "LAKEKEY_"))]:
        monkeypatch.delenv(name)
    for name, value in box.environment().items():
        if not name.startswith("DATABRICKS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    monkeypatch.setenv("BROWSER", lakekey_person.command())
    return box


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".databrickscfg"


def profiles_of(file):
    parser = configparser.ConfigParser(default_section="")
    parser.read_string(file.read_text())
    return {name: dict(parser[name]) for name in parser.sections()}


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_an_empty_home_is_asked_for_address_and_name_and_gets_a_profile(box, file, columns):
    with Terminal("login", environment=os.environ, columns=columns) as terminal:
        terminal.shows("Workspace address.*: $")
        terminal.types(box.host)
        terminal.shows(r"Name of the profile \[local\]: $")
        terminal.types("dev")
        terminal.shows(rf"Signed\s+in\s+to\s+{box.host}\s+as\s+{ADA}")
        terminal.shows(r"Cluster for Spark \[none\]: $")
        terminal.types("")
        terminal.shows(rf"Profile\s+dev,\s+the\s+default\s+one,\s+written\s+to\s+{re.escape(str(file))}")
        terminal.shows('Next: lakekey sql "select 1" -p dev')
        assert terminal.ends() == 0
    too_wide = [line for line in terminal.screen.splitlines() if len(line) > columns]
    assert [line for line in too_wide if " " in line.strip() and box.host not in line] == []
    with Terminal(environment=os.environ, columns=columns) as terminal:
        terminal.shows('Next: +lakekey sql "select 1" -p dev')  # the same step again, for who has cleared the screen
    written = profiles_of(file)
    assert written["dev"] == {"host": box.host, "auth_type": "external-browser", "warehouse_id": "sandbox"}
    assert written["__settings__"] == {"default_profile": "dev"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("token").returncode == 0
    assert json.loads(run("status", "dev", "--json").stdout)["identity"] == ADA


def test_a_cluster_is_offered_and_can_be_left_out(box, file):
    for answer, cluster in (("", None), ("1", box.cluster_id)):
        name = f"with-{answer or 'none'}"
        with Terminal("login", name, "--host", box.host, environment=os.environ) as terminal:
            terminal.shows(r"Cluster for Spark \[none\]: $")
            terminal.types(answer)
            assert terminal.ends() == 0
        assert profiles_of(file)[name].get("cluster_id") == cluster


def test_one_line_signs_in_and_writes_the_profile(box, file, attended):
    file.write_text("# mine\n[old]\nhost = https://dbc-1.cloud.databricks.com\n")
    file.chmod(0o600)
    done = run("login", "dev", "--host", box.host, "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["profile"], facts["config_file"]) == (0, "dev", str(file)), done.stderr
    assert file.read_text().startswith("# mine\n[old]\nhost = https://dbc-1.cloud.databricks.com\n")
    assert profiles_of(file)["dev"]["warehouse_id"] == "sandbox"
    again = run("login", "dev")
    assert again.returncode == 0
    assert f"you are signed in as {ADA}" in again.stderr


def test_workspace_of_a_copied_address_is_kept_in_the_profile_without_the_account(box, file, attended):
    done = run("login", "dev", "--host", f"{box.host}/?o=42&account_id=a-1")
    assert done.returncode == 0, done.stderr
    kept = {"workspace_id": "42", "auth_type": "external-browser", "warehouse_id": "sandbox"}
    assert profiles_of(file)["dev"] == {"host": box.host, **kept}
    assert run("token", "dev").returncode == 0


def test_second_sign_in_without_a_person_says_that_there_is_a_session(box, file, person_leaves, person_returns):
    file.write_text(f"[dev]\nhost = {box.host}\n")
    person_returns()
    assert run("login", "dev").returncode == 0
    person_leaves()
    done = run("login", "dev")
    assert done.returncode == 3
    assert f"signed in as {ADA}, and this run cannot" in done.stderr
    assert "lakekey login dev --if-needed" in done.stderr
    assert "not signed in" not in done.stderr


def test_profiles_that_are_there_are_offered(box, file):
    file.write_text(f"[prod]\nhost = https://dbc-1.cloud.databricks.com\n[work]\nhost = {box.host}\n")
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows(r"1  prod.*2  work.*3  another workspace.*Sign in to which\? \[1\]: $")
        terminal.types("work")
        terminal.shows(f"Signed in to {box.host} as {ADA}")
        assert terminal.ends() == 0


def test_certificates_of_a_private_authority_are_asked_for_and_kept(box, file, monkeypatch, tmp_path, person_returns):
    trusted = os.environ["REQUESTS_CA_BUNDLE"]
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    person_returns()
    refused = run("login", "dev", "--host", box.host)
    assert (refused.returncode, "name it with --ca-file" in refused.stderr) == (1, True), refused.stderr
    assert "in the profile" not in refused.stderr
    monkeypatch.delenv("LAKEKEY_INTERACTIVE")
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows("Workspace address.*: $")
        terminal.types(box.host)
        terminal.shows(r"TLS.*failed.*A private CA\?.*: $")
        terminal.types(str(tmp_path / "missing.pem"))
        terminal.shows(r"there\s+is\s+no\s+ca_file.*Workspace address.*: $")
        terminal.types(box.host)
        terminal.shows(r"A private CA\?.*: $")
        terminal.types(trusted)
        terminal.shows("Name of the profile.*: $")
        terminal.types("dev")
        terminal.shows(r"Cluster for Spark \[none\]: $")
        terminal.types("")
        assert terminal.ends() == 0
    assert profiles_of(file)["dev"]["ca_file"] == trusted
    assert run("token", "dev").returncode == 0


def test_next_step_after_a_sign_in_that_ended_keeps_the_name(box, file, monkeypatch, attended):
    monkeypatch.setenv("BROWSER", "none")
    host = f"{box.host}/?o=42"
    done = run("login", "my work", "--host", host, "--timeout", "1")
    assert done.returncode == 1
    assert f"lakekey login 'my work' --host '{host}' --timeout 300" in done.stderr
    assert not file.exists()


def test_address_that_does_not_answer_is_asked_for_again(box, file):
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows("Workspace address.*: $")
        terminal.types("ftp://nothing")
        terminal.shows(r"host is ftp://nothing.*Workspace address.*: $")
        terminal.types("https://127.0.0.1:1")
        terminal.shows("127.0.0.1:1.*Workspace address.*: $")
        terminal.types(box.host)
        terminal.shows(r"Name of the profile")
        terminal.types("")
        terminal.shows(r"Cluster for Spark \[none\]: $")
        terminal.types("")
        assert terminal.ends() == 0
    assert "local" in profiles_of(file)


PROMPTS = (r"Workspace\s+address.*: $", r"Name of the profile.*: $", r"Cluster for Spark.*: $")


def answered(terminal, *answers):
    for prompt, answer in zip(PROMPTS, answers, strict=False):
        terminal.shows(prompt)
        terminal.types(answer)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["address", "name", "cluster"])
def test_ctrl_c_at_a_question_leaves_terminal_and_profiles_as_they_were(box, file, place):
    before = "# mine\n[old]\nhost = https://dbc-1.cloud.databricks.com\n"
    file.write_text(before)
    kept = ("3", box.host, "dev")
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows("Sign in to which.*: $")
        terminal.types("2")
        answered(terminal, *kept[1 : place + 1])
        terminal.shows(PROMPTS[place])
        terminal.presses("half an ans\x03")
        assert terminal.ends() == 130
        assert terminal.echoes()
        assert terminal.screen.endswith("lakekey: interrupted\n")
    assert file.read_text() == before
    assert sorted(each.name for each in file.parent.glob(".databrickscfg*")) == [file.name]
    if place == 2:  # the sign-in stands
        step = terminal.screen.partition("write it: lakekey ")[2].splitlines()[0]
        assert run(*shlex.split(step)).returncode == 0
        assert run("whoami", "dev").returncode == 0


def test_questions_go_on_after_a_stop_and_at_another_width(box, file):
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows(PROMPTS[0])
        terminal.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
        terminal.becomes(40)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.types(box.host)
        terminal.shows(PROMPTS[1])
        terminal.types("dev")
        terminal.shows(PROMPTS[2])
        terminal.types("")
        assert terminal.ends() == 0
    assert "dev" in profiles_of(file)


def test_answers_typed_ahead_are_taken(box, file):
    with Terminal("login", environment=os.environ) as terminal:
        terminal.presses(f"{box.host}\ndev\n")
        terminal.shows(PROMPTS[2])
        terminal.types("")
        assert terminal.ends() == 0
    assert "dev" in profiles_of(file)


def test_what_is_not_an_address_is_asked_for_again(box):
    with Terminal("login", environment=os.environ, columns=200) as terminal:
        terminal.shows(PROMPTS[0])
        terminal.types("\x1b[A")
        terminal.shows(r"host is not an address \(write it as https://dbc-1234.cloud.databricks.com\).*: $")
        terminal.presses("\x03")
        assert terminal.ends() == 130


def test_end_of_input_ends_the_questions(box, file):
    with Terminal("login", environment=os.environ) as terminal:
        terminal.shows("Workspace address.*: $")
        os.write(terminal._ours, b"\x04")
        assert terminal.ends() == 2
    assert "Traceback" not in terminal.screen
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "status", "step"),
    [
        (["login"], 2, "lakekey login NAME --host https://…"),
        (["login", "prod"], 2, "lakekey login prod --host https://…"),
        (["login", "prod", "--host", "{host}"], 3, "a service principal"),
        (["login", "--host", "{host}"], 3, "DATABRICKS_CLIENT_ID"),
        (["login", "{host}"], 3, "DATABRICKS_CLIENT_ID"),
        (["login", "https//dbc"], 2, "write it as https://dbc-1234.cloud.databricks.com"),
        (["login", "HTTPS:/dbc"], 2, "write it as https://dbc-1234.cloud.databricks.com"),
        (["login", "--check", "--host", "{host}"], 3, "run: lakekey login"),
    ],
)
def test_without_a_person_there_is_no_question_but_a_step_that_is_possible(box, words, status, step, unattended):
    words = [word.format(host=box.host) for word in words]
    done = run(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert step in done.stderr
    hint = done.stderr.splitlines()[-1]
    assert not re.search(rf"lakekey {re.escape(' '.join(words))}$", hint)


def test_session_without_a_profile_is_found_by_every_command(box, file, attended):
    done = run("login", "--host", box.host)
    assert f"lakekey profiles add NAME --host {box.host}" in done.stdout
    assert not file.exists()
    assert run("token").returncode == 0
    assert json.loads(run("status", "--json").stdout)["sessions"][0]["host"] == box.host
    assert json.loads(run("env", "--json").stdout)["DATABRICKS_HOST"] == box.host
    assert json.loads(run("env", "--token", "--json").stdout)["DATABRICKS_TOKEN"]
    lent = run("run", "--", sys.executable, "-c", "import os; print(os.environ['DATABRICKS_HOST'])")
    assert (lent.returncode, lent.stdout.strip()) == (0, box.host), lent.stderr
    assert json.loads(run("auth", "token").stdout)["access_token"]
    assert json.loads(run("api", "GET", "/api/2.0/preview/scim/v2/Me").stdout)["userName"] == ADA
    examined = json.loads(run("doctor", "--json").stdout)
    assert (examined["host"], examined["profile"]) == (box.host, None)
    assert {each["name"]: each["status"] for each in examined["checks"]}["session"] == "ok"
    assert json.loads(run("logout", "--json").stdout) == {
        "profile": None, "host": box.host, "removed": True, "revocation": "revoked",
    }  # fmt: skip
    gone = run("token")
    assert (gone.returncode, "lakekey login" in gone.stderr) == (2, True)


def test_sign_in_by_address_names_the_profile_that_is_there_and_no_second_one(box, file, attended):
    file.write_text(f"[work]\nhost = {box.host}\nwarehouse_id = abc\n")
    said = run("login", "--host", box.host).stdout
    assert 'The profile work also leads to this session.\n\nNext: lakekey sql "select 1" -p work\n' in said
    assert "profiles add" not in said


def test_sign_in_by_the_default_profile_tells_of_no_other(box, file, attended):
    file.write_text(f"[DEFAULT]\nhost = {box.host}\n")
    said = run("login").stdout
    assert "\n\nNext: lakekey token DEFAULT\n" in said
    assert "also leads" not in said


def test_doctor_examines_the_profile_of_the_one_session_without_a_default(box, file, attended):
    file.write_text(f"[work]\nhost = {box.host}\nwarehouse_idd = w\n")
    assert run("login", "work").returncode == 0
    examined = json.loads(run("doctor", "--json").stdout)
    assert (examined["host"], examined["profile"]) == (box.host, "work")
    assert "warehouse_idd" in {each["name"]: each["finding"] for each in examined["checks"]}["profile keys"]


@pytest.mark.parametrize("words", [[], ["--if-needed"], ["--json"]])
@pytest.mark.parametrize("around", [{"LAKEKEY_INTERACTIVE": "never"}, {"CI": "true"}], ids=["never", "CI"])
def test_sign_in_without_a_person_leaves_no_key_and_no_cache(box, file, monkeypatch, tmp_path, words, around):
    cache = tmp_path / "sessions"
    for name, value in {"LAKEKEY_CACHE_DIR": str(cache), "LAKEKEY_INTERACTIVE": "auto", **around}.items():
        monkeypatch.setenv(name, value)
    file.write_text(f"[s]\nhost = {box.host}\n")
    done = run("login", "s", *words)
    assert done.returncode == 3
    assert "this run cannot prompt" in done.stdout + done.stderr
    assert "a service principal" in done.stdout + done.stderr
    assert not cache.exists()


@pytest.mark.parametrize("words", [[], ["--if-needed"], ["--no-save"]])
def test_host_that_is_not_the_profiles_own_is_refused_before_the_browser(box, file, words, attended):
    text = "[dev]\nhost = https://dbc-1.cloud.databricks.com\n"
    file.write_text(text)
    before = box.counters["logins"]
    done = run("login", "dev", "--host", box.host, *words)
    assert (done.returncode, done.stdout, box.counters["logins"]) == (2, "", before)
    assert "https://dbc-1.cloud.databricks.com" in done.stderr
    assert f"lakekey profiles add dev --host {box.host} --replace" in done.stderr
    assert file.read_text() == text
    assert run("profiles", "add", "dev", "--host", box.host, "--replace").returncode == 0
    assert run("login", "dev", "--host", f"{box.host}/", *words).returncode == 0


def test_workspace_that_is_not_the_profiles_own_is_refused(box, file, attended):
    file.write_text(f"[dev]\nhost = {box.host}\nworkspace_id = 1\n")
    done = run("login", "dev", "--host", f"{box.host}/?o=2")
    assert (done.returncode, "workspace 1" in done.stderr) == (2, True)


WAREHOUSES = [Compute("a1", "small", "STOPPED"), Compute("b2", "large", "RUNNING"), Compute("c3", "old", "STOPPED")]


@pytest.mark.parametrize(
    ("found", "typed", "chosen", "told"),
    [
        (WAREHOUSES, "\n", "b2", "[2]"),
        (WAREHOUSES, "1\n", "a1", "3  old  c3  stopped"),
        (WAREHOUSES, "9\nold\n", "c3", "'9' is not one of 1 to 3"),
        (WAREHOUSES[::2], "\n", "a1", "[1]"),
        (WAREHOUSES[:1], "", "a1", ""),
        ([], "", None, ""),
        (
            LakekeyError("the warehouses cannot be listed: no", hint="name one"),
            "",
            None,
            "cannot be listed: no (name one)",
        ),
    ],
    ids=["running", "number", "name", "none-runs", "only", "none", "refused"],
)
def test_warehouse_is_chosen_among_those_there_are(monkeypatch, capsys, found, typed, chosen, told):
    class Api:
        def __init__(self, provider):
            pass

        def warehouses(self):
            if isinstance(found, LakekeyError):
                raise found
            return found

        def clusters(self):
            return []

    monkeypatch.setattr(compute_choice, "WorkspaceApi", Api)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert compute_choice.choose_compute(None, asks=True).get("warehouse_id") == chosen
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("name", "place"), [("a[b", ".databrickscfg"), ("dev", "missing/cfg")])
def test_profile_that_cannot_be_written_is_refused_before_the_browser(
    box, tmp_path, monkeypatch, name, place, attended
):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / place))
    before = box.counters["logins"]
    done = run("login", name, "--host", box.host)
    assert (done.returncode, done.stdout, box.counters["logins"]) == (2, "", before), done.stderr


@pytest.mark.parametrize("text", [None, "# mine, and no profile yet\n"])
def test_first_profile_and_default_are_one_write_with_one_copy(box, file, text, attended):
    if text:
        file.write_text(text)
    assert run("login", "dev", "--host", box.host).returncode == 0
    assert profiles_of(file)["__settings__"] == {"default_profile": "dev"}
    copy = file.with_name(".databrickscfg.bak")
    assert (copy.read_text() if copy.exists() else None) == text


def test_secret_of_a_removed_profile_is_in_no_file(box, file, tmp_path):
    secret = "dose-of-a-removed-profile"
    file.write_text(f"[job]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = {secret}\n")
    assert run("profiles", "add", "dev", "--host", box.host).returncode == 0
    words = [LAKEKEY, "secret", "set", "job"]
    sealed = subprocess.run(words, input=box.client_secret, capture_output=True, text=True, timeout=60, check=True)
    assert f"The copy {file}.bak has it in clear, too: remove that file." in sealed.stdout
    assert "but for secrets that were only in that profile: " in run("profiles", "remove", "job").stdout
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert file.with_name(".databrickscfg.bak") in files
    assert [each for each in files if secret.encode() in each.read_bytes()] == []


def test_forgetting_the_key_of_an_empty_home_touches_nothing(box, monkeypatch, tmp_path):
    cache = tmp_path / "sessions"
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(cache))
    assert run("logout", "--all", "--forget-key").stdout == "There was no session and no key.\n"
    assert json.loads(run("logout", "--all", "--forget-key", "--json").stdout)["key_forgotten"] is False
    assert not cache.exists()


def test_provider_finds_the_one_session_and_names_several(box, attended):
    import lakekey

    assert run("login", "--host", box.host).returncode == 0
    assert lakekey.provider().identity() == ADA
    assert run("login", "--host", box.host, "--user", ADA).returncode == 0
    with pytest.raises(lakekey.ConfigurationError, match="there are 2 sessions"):
        lakekey.provider()
    assert run("token").returncode == 2


def test_if_needed_signs_in_once_and_check_never_does(box, attended):
    before = box.counters["logins"]
    assert run("login", "--check", "--host", box.host).returncode == 3
    for _ in range(2):
        assert run("login", "--if-needed", "--host", box.host).returncode == 0
    assert run("login", "--check", "--host", box.host).returncode == 0
    assert box.counters["logins"] == before + 1


def test_no_browser_prints_the_address_and_paste_reads_the_answer(box):
    with Terminal("login", "x", "--host", box.host, "--no-browser", environment=os.environ, columns=140) as terminal:
        terminal.shows("Open this address in a browser")
        terminal.shows("/authorize")
    with Terminal("login", "x", "--host", box.host, "--paste", environment=os.environ, columns=140) as terminal:
        terminal.shows(
            r"paste it here and press\sEnter.\s+Waiting for you in the browser: 1[12]\d s left, Ctrl-C ends it\."
        )
    long = ("login", "x", "--host", box.host, "--paste", "--timeout", "7")
    with Terminal(*long, environment=os.environ, columns=140) as terminal:
        terminal.shows(r"[67] s left, Ctrl-C ends it\.")


def test_timeout_is_the_one_that_was_asked_for(box, attended):
    done = run("login", "--host", box.host, "--no-browser", "--timeout", "1")
    assert done.returncode == 1
    assert "within 1 s" in done.stderr


def test_profiles_are_added_chosen_renamed_and_removed(box, file):
    assert (
        run("profiles", "add", "a", "--host", f"{box.host}/?o=42&account_id=a-1", "--warehouse-id", "w").returncode == 0
    )
    assert profiles_of(file) == {"a": {"host": box.host, "workspace_id": "42", "warehouse_id": "w"}}
    assert run("profiles", "add", "a", "--host", box.host).returncode == 2
    assert run("profiles", "add", "a", "--replace", "--cluster-id", "c").returncode == 0
    assert run("profiles", "set-default", "a").returncode == 0
    assert json.loads(run("profiles", "rename", "a", "b", "--json").stdout)["config_file"] == str(file)
    assert profiles_of(file)["b"]["cluster_id"] == "c"
    assert profiles_of(file)["__settings__"] == {"default_profile": "b"}
    assert run("profiles", "remove", "b").returncode == 0
    assert run("profiles", "remove", "b").returncode == 2
    assert "lakekey login NAME --host https://…" in run("profiles").stdout
