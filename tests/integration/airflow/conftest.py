"""These tests need Airflow, which lives in an environment of its own: make test-airflow."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Airflow makes its home when it is imported, and reads most settings then: this has to come first.
_SETTINGS = {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="lakekey-airflow-"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
os.environ.update(_SETTINGS)

from lakekey.sandbox import Sandbox  # noqa: E402
from support.airflow_home import Airflow, definition  # noqa: E402
from support.airflow_service import PEOPLE, Service, free_ports  # noqa: E402
from support.web_browser import Browser  # noqa: E402

ADA, GRACE, HEDY = "ada@example.com", "grace@example.com", "hedy"
APP, SECRET = "airflow-app", "a-secret-of-the-app"
DAGS = ("lakekey_example", "careless", "unconfigured")


def pytest_unconfigure():
    shutil.rmtree(_SETTINGS["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def airflow_settings(bare_machine, monkeypatch):
    """A bare machine, but for where this process has its Airflow."""
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(sandbox):
    sandbox.clear_faults()
    sandbox.reset_log()
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture(scope="session")
def opaque_sandbox():
    """Its tokens are no JWTs: those Airflow would mask by their looks alone."""
    with Sandbox(opaque_tokens=True) as box:
        yield box


@pytest.fixture(scope="session")
def service(opaque_sandbox, tmp_path_factory):
    """A whole Airflow with the page of connections in its UI, where people sign in by name."""
    sandbox = opaque_sandbox
    port, log_port, trigger_log_port = free_ports(3)
    url = f"http://127.0.0.1:{port}"
    home = tmp_path_factory.mktemp("service") / "home"
    opened, passwords, config_file = home / "opened", home / "passwords.json", home.parent / "databrickscfg"
    airflow = Airflow(
        home,
        sandbox,
        AIRFLOW__API__BASE_URL=url,
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__WORKERS="1",
        AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(trigger_log_port),
        AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(log_port),
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"{url}/execution/",
        AIRFLOW__CORE__PARALLELISM="2",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(passwords),
        AIRFLOW__CORE__TEST_CONNECTION="Enabled",
        AIRFLOW__LAKEKEY__PORTAL_PROFILES="prod",
        AIRFLOW__LAKEKEY__PORTAL_AUTOMATION="prod=nightly",
        AIRFLOW__LAKEKEY__PORTAL_ADMINS=f"a person who is gone, {HEDY}",
        AIRFLOW_CONN_PERSON=definition(sandbox, login=None, password=None),
        BROWSER=f"touch {opened} #",
        DATABRICKS_CONFIG_FILE=str(config_file),
        # The strongest that an environment can say for a browser: a task is none the less automation.
        LAKEKEY_INTERACTIVE="browser",
    )
    passwords.write_text(json.dumps({name: name[::-1] for name in PEOPLE}))
    config_file.write_text(
        f"[prod]\nhost = {sandbox.host}\nca_file = {sandbox.ca_file}\n"
        f"[nightly]\nhost = {sandbox.host}\nca_file = {sandbox.ca_file}\n"
        f"client_id = {sandbox.client_id}\nclient_secret = {sandbox.client_secret}\n"
    )
    (airflow.dags / "service_dags.py").write_text(Path(__file__).with_name("service_dags.py").read_text())
    register(airflow, sandbox, f"{url}/lakekey")
    for command in (("db", "migrate"), ("dags", "reserialize")):
        done = airflow.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    sandbox.reset_log()
    service = Service(airflow, port)
    service.opened = opened
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()


def register(airflow, sandbox, portal):
    """Registers the app through which people connect: at the sandbox, and here."""
    sandbox.register_client(
        APP, client_secret=SECRET, redirect_uris=[f"{portal}/callback/{APP}"],
        grants=("authorization_code", "refresh_token"), name="Airflow",
    )  # fmt: skip
    app = ("apps", "add", APP, "--client-id", APP, "--host", sandbox.host, "--portal", portal, "--secret")
    done = airflow.run(*app, program="lakekey", typed=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def people(service, opaque_sandbox):
    """Two people who are signed in to Airflow, and have connected as themselves; user → (browser, what it showed)."""
    found = {}
    for user in (ADA, GRACE):
        browser = visitor(service, opaque_sandbox, user)
        found[user] = browser, browser.connect()
    return found


def visitor(service, sandbox, user):
    """A browser that is signed in to Airflow."""
    browser = Browser(service.url, user, sandbox.ca_file, origin=service.url)
    browser.cookies["_token"] = service.token_of(user)
    return browser


@pytest.fixture(scope="session")
def ended(people, service, opaque_sandbox):
    """The DAGs, run to their ends after people have connected: states, counters and requests."""
    opaque_sandbox.reset_log()
    states = {dag: service.run(dag) for dag in DAGS}
    return states, opaque_sandbox.counters, opaque_sandbox.log
