"""SDKs that are not ours and not Python's, as they find lakekey; and what they ask of a program that is to be their CLI.

The SDK for JavaScript runs here. What those for Go and Java check is taken from their public sources: there is no
toolchain for them in these tests.
"""

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databricks.sdk.core import Config

import lakekey
from support.inside import age_token
from support.node_packages import ensure_installed, node
from support.processes import LAKEKEY

JAVASCRIPT = Path(__file__).parents[2] / "support" / "programs" / "sdk_js"
ADA = "ada@example.com"


@pytest.fixture
def box(lakekey_environment, only_profiles):
    """The sandbox, with the profile that ``databricks auth login`` leaves behind, and one of a service principal."""
    box = lakekey_environment
    only_profiles(
        f"[person]\nhost = {box.host}\nauth_type = databricks-cli\n\n"
        f"[robot]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    return box


@pytest.fixture
def program(box):
    """The program for ``DATABRICKS_CLI_PATH``."""
    return run(LAKEKEY, "auth", "path").stdout.strip()


def run(*command, **variables):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **variables}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def javascript(box, **variables):
    if node() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip("Node.js is not here: the SDK for JavaScript cannot run")
    ensure_installed(JAVASCRIPT)
    done = run(shutil.which("node"), str(JAVASCRIPT / "sign_in.cjs"), NODE_EXTRA_CA_CERTS=box.ca_file, **variables)
    return json.loads(done.stdout)


def test_the_javascript_sdk_shares_a_persons_session_by_the_program(box, program):
    for _ in range(2):
        found = javascript(box, DATABRICKS_CONFIG_PROFILE="person", DATABRICKS_CLI_PATH=program)
        assert found == {"authType": "databricks-cli", "userName": ADA}
    assert (box.counters["logins"], box.counters["token.requests"]) == (1, 1)


def test_the_javascript_sdk_shares_a_persons_session_by_the_metadata_service(box, tmp_path):
    url_file = tmp_path / "url"
    with subprocess.Popen(
        [LAKEKEY, "serve", "person", "--url-file", url_file], stdout=subprocess.PIPE, text=True
    ) as service:
        try:
            next(line for line in service.stdout if "METADATA_SERVICE_URL" in line)
            lakekey.provider(host=box.host).login()
            where = {"DATABRICKS_HOST": box.host, "DATABRICKS_METADATA_SERVICE_URL": url_file.read_text().strip()}
            found = javascript(box, DATABRICKS_AUTH_TYPE="metadata-service", **where)
            assert found == {"authType": "metadata-service", "userName": ADA}
        finally:
            service.terminate()
    assert (box.counters["logins"], box.counters["token.requests"]) == (1, 1)


def test_the_program_is_as_large_as_the_go_sdk_wants_it_and_for_its_owner_only(program, tmp_path):
    """Below 1 MiB, links followed, it takes it for the CLI of before, and looks no further."""
    link = tmp_path / "databricks"
    link.symlink_to(program)
    status = os.stat(link)
    assert status.st_size >= 1024 * 1024
    assert status.st_mode & 0o777 == 0o700
    assert os.stat(os.path.dirname(program)).st_mode & 0o777 == 0o700


@pytest.mark.on_windows
def test_the_program_tells_the_go_sdk_a_version_that_knows_profiles(program):
    said = run(program, "version").stdout.strip()
    major, minor, patch = re.fullmatch(r"Databricks CLI v(\d+)\.(\d+)\.(\d+)\+[0-9A-Za-z.-]+", said).groups()
    assert (int(major), int(minor), int(patch)) >= (0, 296, 0)


@pytest.mark.on_windows
def test_the_program_imports_nothing_from_where_it_is_run(program, tmp_path):
    (tmp_path / "lakekey.py").write_text("raise SystemExit('imported from the working directory')\n")
    done = subprocess.run([program, "version"], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.stdout.startswith("Databricks CLI"), done.stderr


@pytest.mark.on_windows
def test_program_of_another_installation_is_replaced(program):
    before = os.stat(program).st_ino
    assert run(LAKEKEY, "auth", "path").stdout.strip() == program
    assert os.stat(program).st_ino == before
    content, python = Path(program).read_bytes(), os.fsencode(sys.executable)
    assert python in content
    Path(program).write_bytes(content.replace(python, b"/gone/bin/python"))
    run(LAKEKEY, "auth", "path")
    assert run(program, "version").stdout.startswith("Databricks CLI")


@pytest.mark.parametrize(
    "asked",
    [
        ("--profile", "robot"),
        ("--profile", "robot", "--force-refresh"),
        ("--host", "{host}", "--account-id", "account-2"),
        ("--host", "{host}/", "--experimental-is-unified-host", "--account-id", "account-2", "--workspace-id", "7"),
    ],
)
def test_every_form_in_which_the_sdks_ask_is_answered_with_the_profiles_token(box, program, asked):
    config = Path(os.environ["DATABRICKS_CONFIG_FILE"])
    config.write_text(config.read_text().replace("[robot]", "[robot]\naccount_id = account-2"))
    config.write_text(config.read_text().replace("[person]", "[person]\naccount_id = account-1"))
    said = json.loads(run(program, "auth", "token", *(word.format(host=box.host) for word in asked)).stdout)
    assert said["access_token"] == lakekey.provider("robot").token().access_token
    assert said["token_type"] == "Bearer"
    # Go reads RFC 3339 with its offset, Java ISO 8601 with its offset, Python local time up to the fraction.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", said["expiry"])
    assert dt.datetime.fromisoformat(said["expiry"]) == lakekey.provider("robot").token().expires_at
    assert box.counters["token.requests"] == 1


def test_the_python_sdks_strategy_forces_refreshes_and_eight_callers_at_once_make_one(box, program):
    person = lakekey.provider(host=box.host)
    person.login()
    old = age_token(person).access_token
    box.reset_log()
    start = threading.Barrier(8)

    def sign_in(_):
        start.wait()
        config = Config(profile="person", databricks_cli_path=program)
        return config.auth_type, config.oauth_token().access_token

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(sign_in, range(8)))
    ((kind, token),) = answers
    assert kind == "databricks-cli"
    assert token != old
    assert (box.counters["token.requests"], box.counters["token.refresh_token"], box.counters["reuses"]) == (1, 1, 0)


def test_a_forced_refresh_in_trouble_at_the_server_hands_out_the_token_that_lives(box, program):
    lakekey.provider("robot").headers()
    living = age_token(lakekey.provider("robot")).access_token
    box.fault("token", status=503, headers={"Retry-After": "0"}, times=None)
    said = run(program, "auth", "token", "--profile", "robot", "--force-refresh").stdout
    assert json.loads(said)["access_token"] == living
    assert box.counters["token.requests"] >= 2  # it was tried
    lakekey.provider("robot").logout()
    done = subprocess.run(
        [program, "auth", "token", "--profile", "robot", "--force-refresh"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: robot: the token endpoint answered HTTP 503")


def test_a_token_that_never_ends_is_told_in_every_time_zone(box, program):
    config = Path(os.environ["DATABRICKS_CONFIG_FILE"])
    config.write_text(config.read_text() + f"\n[pat]\nhost = {box.host}\nauth_type = pat\ntoken = dapi0123\n")
    for zone in ("Asia/Kolkata", "America/New_York"):
        said = json.loads(run(program, "auth", "token", "--profile", "pat", TZ=zone).stdout)
        assert said["access_token"] == "dapi0123"
        assert dt.datetime.fromisoformat(said["expiry"]).year >= 9998
