"""The command line as a shell runs it: what it prints, and its exit status (0 done, 1 failed, 2 usage, 3 login needed)."""

import datetime as dt
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

import lakekey
from support.processes import LAKEKEY, lakekey_running
from support.processes import lakekey as run

ADA = "ada@example.com"
NO_WAY_OUT = "http://127.0.0.1:9"  # a proxy, as companies set one, which does not lead back to this machine


@pytest.fixture
def box(unnamed_workspace, tmp_path):
    """A workspace with two profiles: ``me`` and ``job``."""
    box = unnamed_workspace
    (tmp_path / "databrickscfg").write_text(
        f"[me]\nhost = {box.host}\nauth_type = external-browser\n\n"
        f"[job]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = {box.client_secret}\n\n"
        f"[bad]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = dose-wrong\n"
    )
    return box


def facts(done):
    """The one JSON document on standard output."""
    return json.loads(done.stdout)


@pytest.mark.on_windows
def test_login_says_who_where_and_under_which_key(box, tmp_path):
    done = run("login", "me", "--json")
    assert done.returncode == 0, done.stderr
    said = facts(done)
    assert {name: said[name] for name in ("profile", "host", "auth_type", "identity", "key_source")} == {
        "profile": "me", "host": box.host, "auth_type": "external-browser", "identity": ADA, "key_source": "file",
    }  # fmt: skip
    assert said["store"] == str(tmp_path / "lakekey")
    assert dt.datetime.fromisoformat(said["expiry"]).tzinfo is not None


def test_login_in_words_names_the_person_and_keeps_the_address_off_standard_output(box):
    done = run("login", "me")
    assert f"Signed in to {box.host} as {ADA}." in done.stdout
    assert "/oidc/v1/authorize?" in done.stderr
    assert "authorize" not in done.stdout


@pytest.mark.on_windows
def test_a_session_from_login_to_logout(box):
    assert run("login", "me").returncode == 0
    shown = facts(run("status", "me", "--json"))
    assert (shown["state"], shown["identity"], shown["profile"]) == ("signed in", ADA, "me")
    who = facts(run("whoami", "me", "--json"))
    assert (who["identity"], who["profile"], who["host"], who["session_ends_at"]) == (
        ADA, "me", box.host, shown["session_ends_at"],
    )  # fmt: skip
    assert f"identity  {ADA}\n" in re.sub(" +", "  ", run("whoami", "me").stdout)
    assert facts(run("logout", "me", "--json"))["removed"] is True
    after = run("status", "me", "--json")
    assert (after.returncode, facts(after)["state"]) == (3, "signed out")
    assert run("whoami", "me").returncode == 3
    again = run("logout", "me", "--json")
    assert (again.returncode, facts(again)["removed"]) == (0, False)


def test_the_status_of_a_service_principal_that_was_not_used_yet_asks_for_no_login(box):
    before, words = run("status", "job", "--json"), run("status", "job")
    assert (before.returncode, facts(before)["state"]) == (0, "signs in by itself")
    assert "the first use fetches one" in words.stdout
    assert "lakekey login" not in words.stdout
    assert facts(run("whoami", "job", "--json"))["identity"] == box.client_id
    run("token", "job")
    assert facts(run("status", "job", "--json"))["state"] == "signed in"


def test_the_status_of_a_refused_service_principal_says_so(box):
    assert run("token", "bad").returncode == 1
    assert "Next: check client_id and client_secret" in run("status", "bad").stdout
    after = run("status", "bad", "--json")
    assert (after.returncode, facts(after)["state"]) == (3, "failed")
    assert facts(after)["reason"]
    who = run("whoami", "bad")
    assert (who.returncode, "check client_id and client_secret" in who.stderr) == (3, True), who.stderr


def test_the_status_of_what_the_sdk_signs_in_opens_no_cache(box, tmp_path):
    (tmp_path / "databrickscfg").write_text(f"[pat]\nhost = {box.host}\nauth_type = pat\ntoken = dapi0123456789\n")
    asjson, words = run("status", "pat", "--json"), run("status", "pat")
    said = facts(asjson)
    assert (asjson.returncode, said["state"], said["store"]) == (0, "signed in by the SDK", None)
    assert words.returncode == 0
    assert "nothing of it is kept here" in words.stdout
    assert "known to the SDK alone" in run("whoami", "pat").stdout
    assert "lakekey login" not in words.stdout
    assert not (tmp_path / "lakekey").exists()


@pytest.mark.on_windows
def test_token_prints_the_token_alone_and_as_json_what_the_databricks_cli_prints(box):
    plain, asjson = run("token", "job"), run("token", "job", "--json")
    printed = facts(asjson)
    assert list(printed) == ["access_token", "token_type", "expiry"]
    assert plain.stdout == printed["access_token"] + "\n"
    assert printed["token_type"] == "Bearer"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", printed["expiry"])
    assert box.counters["token.requests"] == 1


def test_status_lists_every_session_and_no_secret(box):
    tokens = [run("token", profile).stdout.strip() for profile in ("me", "job")]
    listed, words = run("status", "--json"), run("status")
    assert {(each["auth_type"], each["state"]) for each in facts(listed)["sessions"]} == {
        ("external-browser", "signed in"), ("oauth-m2m", "signed in"),
    }  # fmt: skip
    assert box.host in words.stdout
    assert ADA in words.stdout
    assert not [token for token in (*tokens, box.client_secret) if token in listed.stdout + words.stdout]


def test_status_on_a_new_machine_says_how_to_begin(box):
    done = run("status")
    assert done.returncode == 0
    assert "lakekey login" in done.stdout


def test_unattended_run_exits_with_3_and_the_command_to_run(box, unattended):
    done = run("token", "me", "--json")
    assert done.returncode == 3
    assert facts(done)["error"] == lakekey.LoginRequired.code
    assert facts(done)["hint"] == "run: lakekey login me"


def test_a_refused_secret_is_exit_status_1(box):
    done = run("token", "bad")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("lakekey: bad: the server does not accept the client id or its secret")
    assert "  → check client_id and client_secret" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["token", "unknown"], ["nonsense"], ["token", "--nonsense"], ["--nonsense"]])
def test_wrong_usage_is_exit_status_2(box, arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_the_version_is_the_packages(box):
    assert run("--version").stdout == f"lakekey {lakekey.__version__}\n"


def test_a_reader_that_has_enough_is_not_an_error(box):
    with lakekey_running("token", "job", "--json") as process:
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_the_sandbox_starts_and_serves_and_stops_on_request(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", NO_WAY_OUT)
    with lakekey_running("sandbox", "--directory", str(tmp_path / "a box")) as sandbox:
        lines = list(iter(lambda: sandbox.stdout.readline().strip(), "Ctrl-C stops it."))
        # The profile says which authority to trust: nothing is exported that other TLS clients go by.
        exports = [line for line in lines if line.startswith("export") and "CA_BUNDLE" not in line]
        script = "\n".join(["set -e", *exports, shlex.join([LAKEKEY, "token", "sandbox-m2m"])])
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        sandbox.send_signal(signal.SIGTERM)
        assert sandbox.wait(timeout=30) == 0
        assert "The sandbox has stopped." in sandbox.stdout.read()
    assert not [path.name for path in (tmp_path / "a box").iterdir()]


def test_the_sandbox_tells_programs_what_it_is_in_one_json_document(tmp_path):
    with lakekey_running("sandbox", "--json", "--directory", str(tmp_path)) as sandbox:
        lines = iter(sandbox.stdout.readline, "}\n")
        said = json.loads("".join(lines) + "}")
        assert run("profiles", "--json", "--config-file", said["config_file"]).returncode == 0
        assert said["ca_file"] == str(tmp_path / "ca.pem")
        assert ADA in said["users"]
        taken = run("sandbox", "--port", said["host"].rpartition(":")[2])
        sandbox.send_signal(signal.SIGTERM)
        assert (sandbox.wait(timeout=30), sandbox.stdout.read()) == (0, "")
    assert taken.returncode == 1
    assert taken.stderr.startswith("lakekey: the sandbox cannot start: Address already in use")
    assert "Traceback" not in taken.stderr


@pytest.mark.parametrize("lifetime", ["-5", "0", "soon", "1.5"])
def test_a_sandbox_whose_tokens_would_never_live_is_a_usage_error(lifetime):
    done = run("sandbox", f"--token-lifetime={lifetime}")
    assert done.returncode == 2
    assert f"{lifetime!r} is not a number of seconds: 1 or more" in done.stderr


COMMAND = """
import os, sys
import lakekey
with lakekey.sql.connect("sandbox-m2m") as connection, connection.cursor() as cursor:
    cursor.execute("select current_user()")
    print(f"client_id = {cursor.fetchone()[0]}" in open(os.environ["DATABRICKS_CONFIG_FILE"]).read())
print(os.path.dirname(os.environ["DATABRICKS_CONFIG_FILE"]), "REQUESTS_CA_BUNDLE" in os.environ)
sys.exit(int(sys.argv[1]))
"""


def test_sandbox_runs_one_command_that_alone_is_led_there():
    done = run("sandbox", "--", sys.executable, "-c", COMMAND, "7")
    worked, directory, bundled = done.stdout.split()
    assert (done.returncode, worked, bundled) == (7, "True", "True"), done.stderr
    assert not os.path.exists(directory)


def test_sandbox_passes_a_signal_on_to_its_command_and_ends_with_it(tmp_path):
    ready = "import signal; print('ready', flush=True); signal.pause()"
    with lakekey_running("sandbox", "--directory", str(tmp_path / "box"), "--", sys.executable, "-c", ready) as sandbox:
        assert sandbox.stdout.readline() == "ready\n"
        sandbox.send_signal(signal.SIGTERM)
        assert sandbox.wait(timeout=30) == 128 + signal.SIGTERM
    assert os.listdir(tmp_path / "box") == []


def test_sandbox_says_that_its_command_is_not_there():
    done = run("sandbox", "--", "no-such-program")
    assert (done.returncode, done.stderr) == (127, "lakekey: there is no program no-such-program\n")


def test_sandbox_whose_engine_is_not_installed_says_so_at_the_start():
    if find_spec("pyspark") is not None:
        pytest.fail("this environment is to have no pyspark")
    done = run("sandbox", "--engine", "spark")
    assert done.returncode == 2, done.stderr
    assert "the engine spark needs pyspark" in done.stderr
    assert "pip install 'lakekey[spark]'" in done.stderr
    assert done.stdout == ""


def test_the_demo_shows_the_main_job_and_everything_holds(monkeypatch):
    monkeypatch.setenv("BROWSER", "false")  # no person sits at it, since there is no terminal
    monkeypatch.setenv("HTTPS_PROXY", NO_WAY_OUT)
    monkeypatch.setenv("HTTP_PROXY", NO_WAY_OUT)
    done = run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("Everything held.")
    assert "✗" not in done.stdout
    assert re.search(r"^logins +1$", done.stdout, re.MULTILINE)
    assert re.search(r"^token requests: refresh +1$", done.stdout, re.MULTILINE)


@pytest.mark.usefixtures("attended")
def test_the_demo_ends_with_its_table_as_json_and_leaves_the_browser_alone(monkeypatch):
    monkeypatch.setenv("BROWSER", "false")
    done = run("demo", "--json", "--no-browser")
    said = facts(done)
    assert (done.returncode, said["held"], said["counters"]["logins"]) == (0, True, 1), done.stderr
    assert 0 < said["warm_seconds"] < said["cold_seconds"]
    assert "a person is played, who answers the sign-in page by HTTP" in done.stderr
    assert "one sign-in so far" in done.stderr
    assert "s until it expires" in done.stderr
    assert "A browser opens" not in done.stderr
