"""Other programs' SDKs: the metadata service, and lakekey as the CLI that they call."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

import lakekey
from lakekey.cli.serving.metadata_service import MetadataService
from lakekey.sandbox import Sandbox
from support.inside import age_token
from support.processes import LAKEKEY

TAKEN = "Address already in use" if os.name == "posix" else "(Only one usage|Windows Error 0x2740)"  # so says Wine


@pytest.fixture
def box(lakekey_environment, only_profiles):
    """The sandbox, with a profile for its service principal as the default one."""
    box = lakekey_environment
    only_profiles(
        f"[DEFAULT]\nhost = {box.host}\nca_file = {box.ca_file}\n"
        f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    return box


@pytest.fixture
def running(box, tmp_path):
    """``lakekey serve`` as a process; its address."""
    url_file = tmp_path / "run" / "url"
    url_file.parent.mkdir(mode=0o700)
    process = subprocess.Popen([LAKEKEY, "serve", "--url-file", str(url_file)], stdout=subprocess.PIPE, text=True)
    try:
        for line in iter(process.stdout.readline, ""):
            if "METADATA_SERVICE_URL" in line:
                break
        yield process, url_file
    finally:  # also where it took too long to start
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def ask(url, box, **headers):
    named = {"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": box.host, **headers}
    return requests.get(url, headers={name: value for name, value in named.items() if value is not None}, timeout=20)


@pytest.mark.on_windows
def test_the_sdk_signs_in_through_the_metadata_service(running, box):
    _, url_file = running
    config = Config(host=box.host, auth_type="metadata-service", metadata_service_url=url_file.read_text().strip())
    assert WorkspaceClient(config=config).current_user.me().user_name == box.client_id
    assert box.counters["token.requests"] == 1


@pytest.mark.parametrize("kept", [False, pytest.param(True, marks=pytest.mark.on_windows)])
def test_its_address_is_told_as_json_but_for_one_that_is_kept_in_a_file(box, tmp_path, kept):
    url_file = str(tmp_path / "url") if kept else None
    options = ["--url-file", url_file] if kept else []
    with subprocess.Popen([LAKEKEY, "serve", "--json", *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            told = json.loads("".join(lines))
            url = (tmp_path / "url").read_text().strip() if kept else told["url"]
            assert told == {"hosts": [box.host], "url": None if kept else url, "url_file": url_file}
            assert ask(url, box).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.on_windows
def test_32_programs_at_once_make_one_token_request(running, box):
    url = running[1].read_text().strip()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: ask(url, box), range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert box.counters["token.requests"] == 1


def test_a_token_that_ends_is_followed_by_another_and_its_end_is_told_in_epoch_seconds(monkeypatch):
    with Sandbox(token_lifetime=3) as box:
        provider = lakekey.provider(
            host=box.host, ca_file=box.ca_file, client_id=box.client_id, client_secret=box.client_secret
        )
        with MetadataService([provider]) as service:
            threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            began = time.time()
            first = ask(service.url, box).json()
            assert began < first["expires_on"] <= time.time() + 3
            time.sleep(max(first["expires_on"] - time.time(), 0) + 1)
            second = ask(service.url, box).json()
            service.shutdown()
        assert first["access_token"] != second["access_token"]
        assert second["expires_on"] > time.time()


def test_the_file_with_its_address_is_for_its_owner_only_and_goes_with_the_service(running):
    process, url_file = running
    assert stat.S_IMODE(url_file.stat().st_mode) == 0o600
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not url_file.exists()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"X-Databricks-Metadata-Version": None}, 400),
        ({"X-Databricks-Metadata-Version": "2"}, 400),
        ({"X-Databricks-Host": "https://elsewhere.example"}, 404),
        ({"X-Databricks-Host": None}, 404),
        pytest.param({"Host": "attacker.example"}, 404, marks=pytest.mark.on_windows),
    ],
)
def test_a_request_that_no_sdk_would_send_gets_no_token(running, box, change, status):
    _, url_file = running
    answer = ask(url_file.read_text().strip(), box, **change)
    assert answer.status_code == status
    assert "access_token" not in answer.text


def test_without_the_secret_path_there_is_nothing(running, box):
    _, url_file = running
    origin = url_file.read_text().rpartition("/")[0]
    assert [ask(origin + path, box).status_code for path in ("/", "/token", "/metadata")] == [404, 404, 404]


@pytest.mark.on_windows
def test_it_listens_on_loopback_only_and_two_profiles_of_one_host_are_refused(box):
    provider = lakekey.provider()
    with MetadataService([provider]) as service:
        assert service.server_address[0] == "127.0.0.1"
    other = lakekey.provider(host=box.host, user="ada@example.com")
    with pytest.raises(lakekey.ConfigurationError, match="two profiles"):
        MetadataService([provider, other])


@pytest.fixture
def impatient(box):
    """A service in this process that waits a second for a request, and takes two connections at once."""
    with MetadataService([lakekey.provider()], patience=1.0, most=2) as service:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield service
        service.shutdown()


def ends_within(connection, seconds):
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.on_windows
def test_a_request_that_comes_a_byte_at_a_time_is_given_up(impatient):
    began = time.monotonic()
    with socket.create_connection(impatient.server_address, timeout=5) as connection:
        for byte in b"GET /" + b"x" * 1000:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        took = time.monotonic() - began
    assert 0.9 < took < 10


@pytest.mark.on_windows
def test_connection_that_says_nothing_makes_room_or_is_given_up(impatient, box):
    with (
        socket.create_connection(impatient.server_address) as first,
        socket.create_connection(impatient.server_address) as second,
        socket.create_connection(impatient.server_address) as third,
    ):
        assert ends_within(first, 0.5)
        assert ends_within(second, 5)
        assert ends_within(third, 5)
    assert ask(impatient.url, box).status_code == 200


@pytest.mark.on_windows
def test_idle_connections_keep_no_request_out(box):
    with MetadataService([lakekey.provider()]) as service, contextlib.ExitStack() as held:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        for _ in range(300):
            held.enter_context(socket.create_connection(service.server_address))
        assert ask(service.url, box).status_code == 200
        service.shutdown()


def test_the_service_opens_no_browser_though_a_person_is_there(box, tmp_path, monkeypatch, attended):
    opened = tmp_path / "opened"
    monkeypatch.setenv("BROWSER", f"touch {opened} #")
    Path(os.environ["DATABRICKS_CONFIG_FILE"]).write_text(f"[DEFAULT]\nhost = {box.host}\nca_file = {box.ca_file}\n")
    with subprocess.Popen([LAKEKEY, "serve"], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stdout if "METADATA_SERVICE_URL" in line)
            answer = ask(line.strip().partition("=")[2], box)
        finally:
            process.terminate()
    assert (answer.status_code, answer.json()["hint"]) == (401, "run: lakekey login")
    assert not opened.exists()
    assert not [record for record in box.log if record.route == "authorize"]


def test_a_unit_file_runs_this_program():
    unit = subprocess.run([LAKEKEY, "serve", "prod", "--print-unit"], capture_output=True, text=True, check=True).stdout
    assert f'ExecStart="{LAKEKEY}" serve "prod" --url-file %t/lakekey.url' in unit


def test_a_unit_file_quotes_what_systemd_would_take_for_its_own(tmp_path):
    program = tmp_path / "100% mine" / "lakekey"
    program.parent.mkdir()
    program.write_text(Path(LAKEKEY).read_text())
    command = [sys.executable, program, "serve", "my $own", "--print-unit"]
    unit = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    quoted = str(program).replace("%", "%%")
    assert f'ExecStart="{quoted}" serve "my $$own" --url-file %t/lakekey.url' in unit


def test_a_unit_file_takes_its_options_from_the_command(tmp_path):
    url_file = tmp_path / "the address"
    command = [LAKEKEY, "serve", "--port", "4040", "--url-file", url_file, "--print-unit"]
    unit = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f'ExecStart="{LAKEKEY}" serve --port 4040 --url-file "{url_file}"\n' in unit


def test_a_unit_file_leaves_the_file_system_as_it_is():
    """In a user namespace of systemd's, ``/home`` belongs to the user ``nobody``, and a cache below it would be refused."""
    unit = subprocess.run([LAKEKEY, "serve", "--print-unit"], capture_output=True, text=True, check=True).stdout
    service = unit.partition("[Service]\n")[2].partition("\n\n")[0]
    options = [line.partition("=")[0] for line in service.splitlines()]
    assert options == ["ExecStart", "Environment", "Restart", "NoNewPrivileges"]


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none_is_a_matter_of_usage(port):
    done = subprocess.run([LAKEKEY, "serve", "--port", port], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.on_windows
def test_port_in_use_is_an_error_with_the_systems_reason(box):
    with (
        socket.create_server(("127.0.0.1", 0)) as holder,
        pytest.raises(lakekey.ConfigurationError, match=rf"cannot listen on port \d+: {TAKEN}"),
    ):
        MetadataService([lakekey.provider()], port=holder.getsockname()[1])


@pytest.mark.parametrize("auth_type", ["metadata-service", ""])
def test_the_address_of_a_service_does_not_keep_the_default_profile_from_being_served(box, monkeypatch, auth_type):
    monkeypatch.setenv("DATABRICKS_METADATA_SERVICE_URL", "http://127.0.0.1:1/of-an-earlier-start")
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", auth_type)
    done = subprocess.run([LAKEKEY, "auth", "token"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert box.counters["token.client_credentials"] == 1


@pytest.mark.on_windows
def test_the_sdk_calls_lakekey_as_its_cli(box):
    lakekey.provider().headers()
    config = Config(host=box.host, auth_type="databricks-cli", databricks_cli_path=LAKEKEY)
    assert WorkspaceClient(config=config).current_user.me().user_name == box.client_id


def test_the_expiry_that_the_sdk_reads_is_the_tokens_own(box, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    out = subprocess.run([LAKEKEY, "auth", "token"], capture_output=True, text=True, check=True).stdout
    from datetime import datetime

    ends = datetime.fromisoformat(json.loads(out)["expiry"])
    assert ends == lakekey.provider().token().expires_at
    assert ends.utcoffset().total_seconds() == 5.5 * 3600


def test_forced_refreshes_of_many_callers_at_once_make_one_request(box):
    provider = lakekey.provider()
    provider.headers()
    aged = age_token(provider)
    box.reset_log()

    def call(_):
        command = [LAKEKEY, "auth", "token", "--host", box.host, "--force-refresh"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["access_token"]

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(call, range(8)))
    assert len(tokens) == 1
    assert tokens != {aged.access_token}
    assert box.counters["token.requests"] == 1


@pytest.mark.on_windows
def test_a_failure_is_one_line_on_standard_error_and_exit_status_1(tmp_path):
    environment = {**os.environ, "DATABRICKS_CONFIG_FILE": str(tmp_path / "none"), "LAKEKEY_INTERACTIVE": "never"}
    environment.pop("DATABRICKS_HOST", None)
    command = [LAKEKEY, "auth", "token", "--profile", "missing"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: missing: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", [pytest.param(("--output", "json"), marks=pytest.mark.on_windows), ("--json",)])
def test_the_version_is_told_as_the_sdks_read_it(option):
    path = subprocess.run([LAKEKEY, "auth", "path"], capture_output=True, text=True, check=True).stdout.strip()
    out = subprocess.run([path, "version", *option], capture_output=True, check=True).stdout
    facts = json.loads(out)
    assert (facts["Major"], facts["Minor"]) >= (0, 296)
