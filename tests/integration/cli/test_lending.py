"""`run`, `env`, `api` and `sql`: a session for other tools, and for a quick look."""

import json
import os
import signal
import subprocess
import sys

import pytest

import lakekey
from lakekey.cli import workspace_api
from support.processes import LAKEKEY
from support.processes import lakekey as run
from support.waiting import until

ADA = "ada@example.com"
WHO = "from databricks.sdk import WorkspaceClient as W; print(W().current_user.me().user_name)"
SECRETS = "import os; print('\\n'.join(f'{n}={v}' for n, v in os.environ.items()))"


def test_run_lends_the_session_to_an_sdk_and_hands_out_no_token(box):
    done = run("run", "job", "--", sys.executable, "-c", WHO)
    assert (done.returncode, done.stdout.strip()) == (0, box.client_id), done.stderr
    token = run("token", "job").stdout.strip()
    seen = run("run", "job", "--", sys.executable, "-c", SECRETS).stdout
    assert "DATABRICKS_AUTH_TYPE=metadata-service\n" in seen
    assert token not in seen
    assert box.client_secret not in seen


def test_run_signs_in_the_person_who_is_here(box):
    done = run("run", "me", "--", sys.executable, "-c", WHO)
    assert (done.returncode, done.stdout.strip()) == (0, ADA), done.stderr


def test_run_takes_another_identity_out_of_the_environment(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-another")
    monkeypatch.setenv("ARM_CLIENT_SECRET", "arm-of-another")
    seen = run("run", "-p", "job", "--", sys.executable, "-c", SECRETS).stdout
    assert "of-another" not in seen


def test_run_ends_with_the_commands_own_status(box):
    assert run("run", "job", "--", "sh", "-c", "exit 7").returncode == 7
    assert run("run", "job", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    missing = run("run", "job", "--", "no-such-command")
    assert (missing.returncode, "no-such-command cannot be run" in missing.stderr) == (1, True)


def test_run_without_a_command_or_the_two_dashes_says_so(box):
    assert run("run", "job").returncode == 2
    done = run("run", "job", "env")
    assert (done.returncode, "put -- before the command" in done.stderr) == (2, True)


def test_end_signal_reaches_the_command(box, tmp_path):
    ready = tmp_path / "ready"
    script = f"trap 'exit 5' TERM; touch {ready}; while :; do sleep 0.1; done"
    with subprocess.Popen([LAKEKEY, "run", "job", "--", "sh", "-c", script]) as process:
        until(ready.exists)
        process.terminate()
        assert process.wait(timeout=30) == 5


def test_end_signal_that_arrives_while_the_command_starts_reaches_it(box, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, subprocess, sys\n"
        "start = subprocess.Popen.__init__\n"
        "def struck(self, words, *args, **kwargs):\n"
        "    if words[0] == 'sh':\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    start(self, words, *args, **kwargs)\n"
        "subprocess.Popen.__init__ = struck\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = run("run", "job", "--", "sh", "-c", "sleep 30")
    assert done.returncode == 128 + signal.SIGTERM, done.stderr


def test_signal_that_is_ignored_here_is_ignored_by_the_command_as_well(box):
    script = "kill -HUP $$; kill -INT $$; kill -HUP $PPID; exit 7"
    ignoring = ["sh", "-c", 'trap "" HUP INT; exec "$@"', "sh"]  # as nohup does, and a shell behind `&`
    done = subprocess.run(
        [*ignoring, LAKEKEY, "run", "job", "--", "sh", "-c", script], capture_output=True, check=False
    )
    assert done.returncode == 7


def test_env_lets_a_shell_use_the_session_and_holds_no_secret(box):
    token = run("token", "job").stdout.strip()
    done = run("env", "job")
    assert "DATABRICKS_CLI_PATH=" in done.stdout
    assert token not in done.stdout
    script = f'eval "$({LAKEKEY} env job)" && exec {sys.executable} -c "$1"'
    used = subprocess.run(["sh", "-c", script, "sh", WHO], capture_output=True, text=True, timeout=60, check=False)
    assert (used.returncode, used.stdout.strip()) == (0, box.client_id), used.stderr


def test_env_has_a_token_for_tools_that_take_nothing_else(box):
    token = run("token", "job").stdout.strip()
    told = json.loads(run("env", "job", "--token", "--json").stdout)
    assert told.pop("LAKEKEY_LENT").startswith("DATABRICKS_HOST:")
    assert told == {"DATABRICKS_HOST": box.host, "DATABRICKS_TOKEN": token}


def test_env_lends_the_one_session_of_a_person_and_says_whose_it_is(box, tmp_path):
    (tmp_path / "databrickscfg").write_text("")
    assert run("login", "--host", box.host, "--user", ADA, "--no-save").returncode == 0
    before = box.counters["logins"]
    done = run("env")
    assert (done.returncode, done.stderr) == (0, f"lakekey: these variables lend the session of {ADA} at {box.host}\n")
    script = f'eval "$({LAKEKEY} env)" && exec {sys.executable} -c "$1"'
    used = subprocess.run(["sh", "-c", script, "sh", WHO], capture_output=True, text=True, timeout=60, check=False)
    assert (used.returncode, used.stdout.strip()) == (0, ADA), used.stderr
    assert box.counters["logins"] == before


def test_env_refuses_a_session_that_its_variables_would_not_lead_to(box, tmp_path):
    (tmp_path / "databrickscfg").write_text(f"[other]\nhost = {box.host}\nuser = grace@example.com\n")
    assert run("login", "--host", box.host, "--user", ADA, "--no-save").returncode == 0
    done = run("env")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"lakekey profiles add NAME --host {box.host} --user {ADA}" in done.stderr


@pytest.mark.parametrize(
    ("shell", "start"),
    [
        ("fish", "set -gx DATABRICKS_HOST '"),
        ("powershell", "$env:DATABRICKS_HOST = '"),
        ("cmd", 'set "DATABRICKS_HOST='),
    ],
)
def test_env_speaks_other_shells(box, shell, start):
    assert any(line.startswith(start) for line in run("env", "job", "--shell", shell).stdout.splitlines())


def test_api_gets_and_posts(box):
    me = run("api", "get", "/api/2.0/preview/scim/v2/Me", "-p", "job")
    assert json.loads(me.stdout)["userName"] == box.client_id
    made = run("api", "post", "api/2.1/jobs/create", "-p", "job", "--data", '{"name": "nightly"}')
    assert json.loads(made.stdout)["job_id"]


def test_workspace_that_does_not_answer_is_given_up(box):
    provider = lakekey.provider("job")
    assert provider.headers()
    box.fault("scim", hang=True)
    try:
        with pytest.raises(lakekey.TokenEndpointError, match="does not answer"):
            workspace_api.WorkspaceApi(provider, patience=(10.0, 0.2)).call("GET", "/api/2.0/preview/scim/v2/Me")
    finally:
        box.clear_faults()


def test_api_refusal_is_status_1_with_the_answer_on_standard_output(box):
    done = run("api", "get", "/api/2.1/clusters/get?cluster_id=none", "-p", "job")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "HTTP 400: Cluster none does not exist" in done.stderr


@pytest.mark.parametrize("path", ["https://elsewhere.example.com/x", "//elsewhere.example.com/x"])
def test_api_sends_a_token_to_no_other_host(box, path):
    done = run("api", "get", path, "-p", "job")
    assert done.returncode == 2
    assert "the path is a whole address" in done.stderr


@pytest.mark.parametrize("data", ["{", "@/no/such/file"])
def test_api_body_that_is_not_json_is_not_sent(box, data):
    assert run("api", "post", "/api/2.1/jobs/create", "-p", "job", "--data", data).returncode == 2


def test_sql_prints_rows_for_people_and_for_programs(box):
    statement = "select 1 as one, cast(null as string) as nothing, 'ä' as letter"
    assert run("sql", statement, "-p", "job").stdout.splitlines() == ["one  nothing  letter", "1    NULL     ä"]
    assert json.loads(run("sql", statement, "-p", "job", "--json").stdout) == {
        "columns": ["one", "nothing", "letter"], "rows": [[1, None, "ä"]], "truncated": False,
    }  # fmt: skip


def test_sql_writes_no_control_characters_of_a_column_or_a_cell(box):
    done = run("sql", "select '\x1b[2J\u202e' as `a\x1b[2J`, 'two\nlines' as b", "-p", "job")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert done.stdout.splitlines()[1].endswith(r"two\nlines")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_sql_trusts_the_authorities_that_the_sign_in_trusts(box, monkeypatch, variable):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, box.ca_file)
    done = run("sql", "select 1 as one", "-p", "job")
    assert (done.returncode, done.stdout.split()) == (0, ["one", "1"]), done.stderr


def test_sql_takes_the_only_warehouse_where_the_profile_names_none(box):
    done = run("sql", "select 1 as one", "-p", "me")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["one", "1"]), done.stderr


def test_sql_shows_as_many_rows_as_were_asked_for(box):
    done = run("sql", "select * from range(5)", "-p", "job", "--limit", "2", "--json")
    assert (len(json.loads(done.stdout)["rows"]), json.loads(done.stdout)["truncated"]) == (2, True)


def test_sql_error_is_one_line(box):
    done = run("sql", "select nonsense from nowhere", "-p", "job")
    assert done.returncode == 1
    assert done.stderr.startswith("lakekey: job: ")
    assert "Traceback" not in done.stderr


def test_lent_session_is_in_no_command_line(box):
    """What the kernel shows of every process while a command runs."""
    token = run("token", "job").stdout.strip()
    script = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    assert token not in run("run", "job", "--", "sh", "-c", script).stdout
    assert os.environ.get("DATABRICKS_TOKEN") is None
