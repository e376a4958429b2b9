"""Each recipe of docs/guides/recipes.md runs as it stands, started as its surroundings would start it.

The values of the README's profiles become the sandbox's. A process gets the variables that its recipe names, a home, and
the machine's certificate authority; nothing else.
"""

import configparser
import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml
from jupyter_client.manager import start_new_kernel

from support.servers.identity_provider import IdentityProvider

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/guides/recipes.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = os.path.dirname(sys.executable)
ADA, GRACE = "ada@example.com", "grace@example.com"


def recipe(word):
    """The one block of the page that holds a word."""
    (found,) = [text for text in re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if word in text]
    return found


@pytest.fixture
def box(lakekey_sandbox):
    lakekey_sandbox.clear_faults()
    lakekey_sandbox.reset_log()
    return lakekey_sandbox


def with_values(text, box):
    """A text of the pages with the sandbox's values for those of the README's profiles."""
    for name in ("host", "warehouse_id", "client_id", "client_secret"):
        shown = re.search(rf"^{name} *= (.*)$", README, re.MULTILINE)[1]
        text = text.replace(shown, getattr(box, name))
    return text


@pytest.fixture
def home(bare_machine, box):
    """The home of a user: the README's profiles, the job, and an environment of Python."""
    (profiles,) = re.findall(r"^```ini\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (bare_machine / ".databrickscfg").write_text(with_values(profiles, box))
    (bare_machine / ".databrickscfg").chmod(0o600)
    (bare_machine / "job.py").write_text(recipe("# job.py"))
    (bare_machine / "venv").symlink_to(sys.prefix)
    return bare_machine


@pytest.fixture
def surroundings(home, box):
    return {"HOME": str(home), "SSL_CERT_FILE": box.ca_file, "REQUESTS_CA_BUNDLE": box.ca_file}


def prints(command, environment, home):
    """What a command prints, started in that environment alone."""
    done = subprocess.run(
        command,
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_the_web_back_end_answers_as_the_service(home, surroundings, box):
    (home / "app.py").write_text(recipe("# app.py, for: uvicorn"))
    (command,) = re.findall(r"for: (uvicorn .*)", recipe("# app.py, for: uvicorn"))
    server = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(command), "--port", "0"],
        env=surroundings, cwd=home, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        lines = iter(server.stderr.readline, "")
        address = next(found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line)))
        answers = [requests.get(f"{address}/me", timeout=60) for _ in range(2)]
        assert [answer.json() for answer in answers] == [box.client_id] * 2
        assert box.counters["token.client_credentials"] == 1
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def container(command, box):
    """What `docker run` and the Dockerfile give a process: its command line, its variables, and its mounts."""
    shown = recipe("FROM python")
    (line,) = re.findall(r"^CMD (.*)$", shown, re.MULTILINE)
    options = shlex.split(command.replace("\\\n", " "))
    given = [value for option, value in itertools.pairwise(options) if option == "-e"]
    of_the_host = {
        "DATABRICKS_HOST": box.host, "DATABRICKS_WAREHOUSE_ID": box.warehouse_id,
        "DATABRICKS_CLIENT_ID": box.client_id, "DATABRICKS_CLIENT_SECRET": box.client_secret,
    }  # fmt: skip
    variables = dict(each.split("=") if "=" in each else (each, of_the_host[each]) for each in given)
    mounts = [value.split(":") for option, value in itertools.pairwise(options) if option == "-v"]
    baked = dict(each.split("=") for each in re.findall(r"^ENV (.*)$", shown, re.MULTILINE))
    return yaml.safe_load(line), variables, baked, mounts


def test_the_container_keeps_nothing(home, surroundings, box):
    command, variables, baked, mounts = container(recipe("DATABRICKS_CLIENT_SECRET my-job"), box)
    before = set(home.rglob("*"))
    environment = {**surroundings, **baked, **variables, "PATH": PYTHON}
    assert prints(command, environment, home) == box.client_id
    assert set(home.rglob("*")) == before
    assert not mounts


def test_containers_with_a_volume_and_a_key_share_a_token(home, surroundings, box):
    command, variables, _, mounts = container(recipe("lakekey:/var/lib/lakekey"), box)
    (makes_key,) = re.findall(r"`(head -c 32.*?)`", PAGE)
    subprocess.run(["sh", "-ec", makes_key], cwd=home, check=True)
    targets = {variables[name] for name in ("LAKEKEY_CACHE_DIR", "LAKEKEY_KEY_FILE")}
    assert targets == {mount[1] for mount in mounts}
    (home / "lakekey.key").chmod(0o600)
    variables |= {"LAKEKEY_CACHE_DIR": str(home / "volume"), "LAKEKEY_KEY_FILE": str(home / "lakekey.key")}
    for _ in range(2):
        assert prints(command, {**surroundings, **variables, "PATH": PYTHON}, home) == box.client_id
    assert box.counters["token.client_credentials"] == 1


@pytest.fixture
def identity(box):
    """An identity provider that the workspace trusts for its service principal."""
    with IdentityProvider() as provider:
        box.trust_issuer(provider.issuer, jwks=provider.jwks, client_id=box.client_id, audiences=["databricks"])
        yield provider


def test_the_pods_service_account_is_the_identity(home, surroundings, box, identity):
    pod = yaml.safe_load(with_values(recipe("kind: Job"), box))["spec"]["template"]["spec"]
    ((job,), (volume,)) = pod["containers"], pod["volumes"]
    variables = {each["name"]: each["value"] for each in job["env"]}
    ((mount,), (source,)) = job["volumeMounts"], volume["projected"]["sources"]
    assert mount["name"] == volume["name"]
    token = source["serviceAccountToken"]
    assert variables["DATABRICKS_OIDC_TOKEN_FILEPATH"] == f"{mount['mountPath']}/{token['path']}"
    (home / "token").write_text(identity.token("system:serviceaccount:etl:my-job", token["audience"]))
    variables["DATABRICKS_OIDC_TOKEN_FILEPATH"] = str(home / "token")
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "PATH": PYTHON}
    assert prints(["python", "job.py"], {**surroundings, **variables, **pod}, home) == box.client_id
    assert box.counters["token.token_exchange"] == 1


def test_the_workflow_run_is_the_identity(home, surroundings, box, identity):
    workflow = yaml.safe_load(with_values(recipe("runs-on"), box))
    assert workflow["permissions"]["id-token"] == "write"
    job = workflow["jobs"]["query"]
    variables = {name: str(value) for name, value in job["env"].items()}
    runner = {
        "CI": "true", "GITHUB_ACTIONS": "true", "PATH": f"{PYTHON}:/usr/bin:/bin",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{identity.url}/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-run",
    }  # fmt: skip
    box.trust_issuer(identity.issuer, jwks=identity.jwks, client_id=box.client_id)
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[0] == "pip install 'lakekey[sql]'"
    for step in steps[1:]:
        assert prints(["bash", "-ec", step], {**surroundings, **variables, **runner}, home) == box.client_id
    assert identity.seen[0]["authorization"] == "Bearer of-the-run"


def test_the_job_token_of_other_ci_is_the_identity(home, surroundings, box, identity):
    job = yaml.safe_load(with_values(recipe("id_tokens"), box))["query"]
    variables = {name: str(value) for name, value in job["variables"].items()}
    for name, asked in job["id_tokens"].items():
        variables[name] = identity.token("project_path:etl:ref_type:branch:ref:main", asked["aud"])
    runner = {"CI": "true", "GITLAB_CI": "true", "PATH": f"{PYTHON}:/usr/bin:/bin"}
    install, step = job["script"]
    assert install == "pip install 'lakekey[sql]'"
    assert prints(["sh", "-ec", step], {**surroundings, **variables, **runner}, home) == box.client_id
    renamed = {"DATABRICKS_OIDC_TOKEN_ENV": "OF_THE_JOB", "OF_THE_JOB": variables.pop("DATABRICKS_OIDC_TOKEN")}
    assert prints(["sh", "-ec", step], {**surroundings, **variables, **runner, **renamed}, home) == box.client_id


def test_cron_starts_it(home, surroundings, box):
    variables, command = {}, ""
    for line in recipe("# crontab -e").splitlines():
        if found := re.fullmatch(r"(\w+)=(.*)", line):
            variables[found[1]] = found[2]
        elif not line.startswith("#"):
            command = line.split(None, 5)[5]
    cron = {"SHELL": "/bin/sh", "LOGNAME": "ada", "PATH": "/usr/bin:/bin"}
    assert prints(["/bin/sh", "-c", command], {**surroundings, **cron, **variables}, home) == box.client_id


def test_systemd_starts_it(home, surroundings, box):
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(recipe("ExecStart="))
    service = unit["Service"]
    variables = dict([service["Environment"].split("=", 1)])
    command = shlex.split(service["ExecStart"].replace("%h", str(home)))
    assert prints(command, {**surroundings, **variables, "PATH": "/usr/bin:/bin"}, home) == box.client_id
    timer = configparser.ConfigParser()
    timer.read_string(recipe("OnCalendar="))
    assert timer.sections() == ["Timer", "Install"]


def test_jupyter_shows_a_frame_and_a_new_kernel_does_not_prompt(home, surroundings, box):
    cell = recipe('pd.read_sql("select current_user() as me", lakekey')
    environment = {**surroundings, "LAKEKEY_INTERACTIVE": "browser", "BROWSER": box.person().command(), "PATH": PYTHON}
    later = cell.replace('lakekey.login("prod")\n', "")
    assert later != cell
    for code in (cell, later):
        manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(home))
        try:
            assert ADA in shown_by(client, code)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    assert box.counters["logins"] == 1


def shown_by(client, code):
    """What a cell shows as its value."""
    shown = {}
    answer = client.execute_interactive(
        code, timeout=90, allow_stdin=False,
        output_hook=lambda message: shown.update(message["content"].get("data", {})),
    )  # fmt: skip
    assert answer["content"]["status"] == "ok", answer["content"]
    return shown["text/plain"]


RUNS_THE_APP = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=80).run()
app.run()
assert not app.exception, app.exception
print(app.dataframe[0].value["me"][0])
"""


def test_streamlit_shows_a_frame_with_one_token(home, surroundings, box):
    (home / "app.py").write_text(recipe("# app.py, for: streamlit"))
    assert prints([sys.executable, "-c", RUNS_THE_APP], surroundings, home).splitlines()[-1] == box.client_id
    assert box.counters["token.client_credentials"] == 1


def test_two_people_ask_side_by_side(home, surroundings, box):
    for person in (ADA, GRACE):
        environment = {
            **surroundings, "LAKEKEY_INTERACTIVE": "browser", "BROWSER": box.person(person).command(), "PATH": PYTHON
        }  # fmt: skip
        (command,) = re.findall(r"`(lakekey login prod --user \S+)`", PAGE)
        prints(shlex.split(command.replace(ADA, person)), environment, home)
    said = prints(
        [sys.executable, "-c", recipe("for person in")], {**surroundings, "LAKEKEY_INTERACTIVE": "never"}, home
    )
    assert said.splitlines() == [ADA, GRACE]
    assert box.counters["logins"] == 2
