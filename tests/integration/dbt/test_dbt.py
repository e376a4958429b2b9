"""Real dbt runs on the sandbox's Spark engine: through the adapter, and by the two ways that need none."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers.postgresql import Postgresql

ROOT = Path(__file__).parents[3]
DBT = ROOT / ".venvs/dbt/bin"
SPARK = ROOT / ".venvs/spark/bin"
OTHER_HOST = """
import select
tokens = set()
while len(tokens) < 2 or not select.select([sys.stdin], [], [], 0.2)[0]:  # a quick run may end with its first token
    tokens.add(p.headers()["Authorization"])
    time.sleep(0.05)
print(len(tokens))
"""
TOKEN_LIFETIME = 12  # seconds: every dbt command outlives several

pytestmark = pytest.mark.timeout(300)


class Server:
    def __init__(self):
        self.process = subprocess.Popen(
            [SPARK / "python", Path(__file__).with_name("server.py"), str(TOKEN_LIFETIME)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.facts = json.loads(self.process.stdout.readline())

    def counters(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def project(server, tmp_path, monkeypatch):
    """The example project, and an environment in which its programs find the sandbox."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples/dbt", project)
    facts = server.facts
    person = f"{sys.executable} -m lakekey_sandbox.person --user ada@example.com --ca-file {facts['ca_file']} %s"
    for name, value in {
        "BROWSER": person,
        "DATABRICKS_CONFIG_FILE": facts["profiles"],
        "DBT_PROFILES_DIR": str(project),
        "LAKEKEY_INTERACTIVE": "browser",
        "REQUESTS_CA_BUNDLE": facts["ca_file"],
        "SSL_CERT_FILE": facts["ca_file"],
        "WEATHER_HOST": facts["host"].removeprefix("https://"),
        "WEATHER_HTTP_PATH": facts["http_path"],
    }.items():
        monkeypatch.setenv(name, value)
    return project


def dbt(project, *arguments, status=0):
    """Runs the command that users run."""
    done = subprocess.run(
        [DBT / "dbt", "--no-use-colors", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def forked_dbt(tmp_path_factory):
    """Runs dbt as `dbt` does, but for its start, which a process has behind it that forks for each command."""
    output = tmp_path_factory.mktemp("output") / "output"
    script = Path(__file__).with_name("starts.py")

    def run(project, *arguments, status=0):
        output.write_text("")
        wanted = {
            "arguments": ["--no-use-colors", *arguments],
            "directory": str(project),
            "environ": dict(os.environ),
            "output": str(output),
        }
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        ended = process.stdout.readline()
        assert ended == f"{status}\n", output.read_text()[-3000:]
        return output.read_text()

    with subprocess.Popen(
        [DBT / "python", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield run
        process.stdin.close()


def sign_in():
    subprocess.run([DBT / "lakekey", "login", "sandbox"], capture_output=True, check=True)


def difference(before, after):
    return {name: count - before[name] for name, count in after.items()}


def slow_models(project):
    """Three models, one after the other, that outlive several tokens: each holds its thread for seconds."""
    for number in range(3):
        after = f"-- depends_on: {{{{ ref('slow_{number - 1}') }}}}\n" if number else ""
        (project / "models" / f"slow_{number}.sql").write_text(
            f"{after}select {number} as id, reflect('java.lang.Thread', 'sleep', bigint(8000)) as slept from range(0, 1, 1, 1)\n"
        )


def plain_run(forked_dbt, project):
    """All that a project does, by dbt-databricks without an adapter of ours: seed, models with 8 threads, tests."""
    slow_models(project)
    plain = ("--target", "plain")
    assert "All checks passed" in forked_dbt(project, "debug", *plain)
    assert "ERROR=0" in forked_dbt(project, "build", "--threads", "8", *plain)
    assert "PASS=1" in forked_dbt(project, "run", "--select", "history", *plain)  # incremental, for the second time


def expect_one_login_and_several_tokens(counted, renewals=2):
    # Each token was fetched by one, for all threads and commands; none was refused on the way.
    assert counted["logins"] == counted["token.authorization_code"] == 1
    assert counted["token.refresh_token"] >= renewals
    assert counted["token.requests"] == 1 + counted["token.refresh_token"]
    assert (counted["reuses"], counted["refusals"]) == (0, 0)


def test_a_whole_run_with_8_threads_and_tokens_that_end_in_its_midst_asks_for_one_login(project, server):
    before = server.counters()
    assert "All checks passed" in dbt(project, "debug")
    dbt(project, "seed")
    assert "ERROR=0" in dbt(project, "run", "--threads", "8")
    assert "ERROR=0" in dbt(project, "test")
    assert "PASS=1" in dbt(project, "run", "--select", "history")  # an incremental model, for the second time
    expect_one_login_and_several_tokens(difference(before, server.counters()))


def test_one_dbt_run_outlives_its_tokens(forked_dbt, project, server):
    """One process, in whose midst the token ends more than once."""
    slow_models(project)
    sign_in()
    before = server.counters()
    assert "ERROR=0" in forked_dbt(project, "run", "--threads", "1", "--select", "slow_0", "slow_1", "slow_2")
    counted = difference(before, server.counters())
    assert counted["logins"] == 0
    assert counted["token.refresh_token"] >= 2
    assert counted["unauthorized"] == 0


@pytest.mark.timeout(500)
def test_a_run_on_one_host_and_renewals_on_another_share_one_session(
    forked_dbt, project, server, tmp_path, monkeypatch
):
    with Postgresql() as postgresql:
        monkeypatch.setenv("LAKEKEY_STORE", postgresql.address)
        monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
        monkeypatch.setenv("LAKEKEY_KEY", base64.b64encode(os.urandom(32)).decode())
        before = server.counters()
        sign_in()
        program = "import lakekey, sys, time\np = lakekey.provider('sandbox')\n" + OTHER_HOST
        other = {
            **os.environ,
            "HOME": str(tmp_path),
            "LAKEKEY_CACHE_DIR": str(tmp_path / "elsewhere"),
            "BROWSER": "false",
        }
        with subprocess.Popen(
            [sys.executable, "-c", program], env=other, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as elsewhere:
            try:
                assert "ERROR=0" in forked_dbt(project, "build", "--threads", "8")
                asked, _ = elsewhere.communicate("\n", timeout=60)
            finally:
                elsewhere.kill()
        assert int(asked) > 1  # tokens that the other host has had
        expect_one_login_and_several_tokens(difference(before, server.counters()), renewals=1)


def test_a_run_that_is_broken_off_asks_for_no_login_of_its_own(project, server):
    """What runs is cancelled by dbt-databricks' REST client, which would sign in by itself, in a browser."""
    (project / "models" / "wrong.sql").write_text("select no_such_function(1) as id\n")
    before = server.counters()
    said = dbt(project, "run", "--fail-fast", "--select", "wrong", status=1)
    assert "Cancelling open python jobs" in said
    assert "ERROR=1" in said
    counted = difference(before, server.counters())
    assert counted["logins"] == counted["token.authorization_code"] == 1


def test_the_targets_settings_and_the_rest_client_of_python_models(project, server):
    facts = server.facts
    given = json.dumps({"client_id": facts["client_id"], "client_secret": facts["client_secret"]})
    script = Path(__file__).with_name("targets.py")
    done = subprocess.run([DBT / "python", script, given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "asked by Python models": "ada@example.com",
        "with a service principal": facts["client_id"],
        "elsewhere": ["example.cloud.databricks.com", "/sql/1.0/warehouses/other"],
        "refused": ["token", "auth_type", "azure_client_id", "oauth_scopes", "use_kernel"],
    }


def test_plain_dbt_databricks_signs_in_through_the_metadata_service(forked_dbt, project, server, monkeypatch):
    before = server.counters()
    sign_in()
    url_file = project / "url"
    project.chmod(0o700)
    service = subprocess.Popen(
        [DBT / "lakekey", "serve", "sandbox", "--url-file", url_file], stdout=subprocess.PIPE, text=True
    )
    try:
        for line in iter(service.stdout.readline, ""):
            if "METADATA_SERVICE_URL" in line:
                break
        monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "metadata-service")
        monkeypatch.setenv("DATABRICKS_METADATA_SERVICE_URL", url_file.read_text().strip())
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        plain_run(forked_dbt, project)
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=30)
    expect_one_login_and_several_tokens(difference(before, server.counters()))


def test_plain_dbt_databricks_signs_in_through_lakekey_as_its_cli(forked_dbt, project, server, monkeypatch):
    before = server.counters()
    program = subprocess.run([DBT / "lakekey", "auth", "path"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "databricks-cli")
    monkeypatch.setenv("DATABRICKS_CLI_PATH", program.strip())
    plain_run(forked_dbt, project)
    expect_one_login_and_several_tokens(difference(before, server.counters()))


@pytest.mark.parametrize("page", ["docs/guides/dbt.md", "docs/guides/migration.md", "packages/dbt-lakekey/README.md"])
def test_the_profiles_that_the_pages_show_pass_dbts_own_check(page, forked_dbt, project, server, tmp_path, monkeypatch):
    (profiles,) = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (project / "profiles.yml").write_text(profiles)
    (name,) = re.findall(r"^(\w+):$", profiles, re.MULTILINE)
    here = tmp_path / "databrickscfg"
    here.write_text(Path(server.facts["profiles"]).read_text().replace("[sandbox]", "[prod]"))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(here))
    assert "All checks passed" in forked_dbt(project, "debug", "--profile", name)


def test_a_project_without_a_file_format_runs_twice(forked_dbt, project):
    """Delta, dbt-databricks' default, is Parquet on the sandbox's Spark engine."""
    settings = project / "dbt_project.yml"
    settings.write_text(re.sub(r"^ *\+file_format: parquet\n", "", settings.read_text(), flags=re.MULTILINE))
    settings.write_text(settings.read_text().replace("seeds:\n", ""))
    for _ in range(2):
        assert "ERROR=0" in forked_dbt(project, "build")  # seeds, models and tests
