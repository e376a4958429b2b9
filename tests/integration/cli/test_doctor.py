"""``lakekey doctor`` and ``lakekey profiles``: what is configured, what is wrong, and the one next step."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import lakekey
import lakekey.configuration.target
from lakekey.cache.client_secrets import put_secret
from lakekey.cache.opening import open_cache
from lakekey.cli import main
from lakekey.cli.doctor import network, storage
from lakekey.cli.doctor.finding import FAILED, WARNING
from lakekey.configuration.target import resolve

SECRET = "dose-a-secret-that-must-not-be-seen"


@pytest.fixture
def box(unnamed_workspace):
    return unnamed_workspace


@pytest.fixture
def profile(box, tmp_path):
    """Writes profiles by name."""

    def write(**profiles):
        text = ""
        for name, settings in profiles.items():
            lines = [f"{key} = {value}" for key, value in {"host": box.host, **settings}.items()]
            text += "\n".join([f"[{name}]", *lines, ""])
        (tmp_path / "databrickscfg").write_text(text)

    return write


@pytest.fixture
def doctor(capsys):
    """Runs the command; returns its exit status and its checks by name."""

    def run(*arguments):
        status = main(["doctor", *arguments, "--json"])
        report = json.loads(capsys.readouterr().out)
        checks = {}
        for check in report["checks"]:
            checks.setdefault(check["name"], check)
        return status, checks, report

    return run


def principal(box, **settings):
    return {"client_id": box.client_id, "client_secret": box.client_secret, **settings}


def test_all_is_well_with_a_service_principal_on_a_warehouse_and_a_cluster(box, profile, doctor):
    profile(prod=principal(box, warehouse_id=box.warehouse_id, cluster_id=box.cluster_id))
    status, checks, report = doctor("prod", "--connect")
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "ok")
    assert status == 0
    assert report["ok"]
    assert list(checks) == [
        "configuration", "conflicts", "profile keys", "DNS", "proxy", "TLS", "clock", "discovery", "cache", "key",
        "session", "automation", "sign-in", "warehouse", "cluster",
    ]  # fmt: skip
    assert checks["warehouse"]["finding"].startswith("select 1 on /sql/1.0/warehouses/")
    assert checks["cluster"]["finding"] == f"{box.cluster_id} is RUNNING"
    sources = {row["name"]: (row["value"], row["source"]) for row in report["settings"]}
    assert sources["host"] == (box.host, "profile")
    assert sources["client_secret"] == ("(set)", "profile")
    assert sources["auth_type"] == ("oauth-m2m", "default")


def test_a_login_that_is_missing_is_the_next_step(box, profile, doctor):
    profile(dev={})
    status, checks, _ = doctor("dev")
    assert (status, checks["session"]["next_step"]) == (3, "run: lakekey login dev")
    lakekey.provider("dev").login()
    status, checks, _ = doctor("dev")
    assert status == 0
    assert checks["session"]["finding"].startswith("ada@example.com, token ends in ")


def test_a_session_that_the_server_ended_is_the_next_login(box, profile, doctor, person_leaves):
    profile(dev={})
    token = lakekey.provider("dev").login().access_token
    box.revoke()
    person_leaves()
    with pytest.warns(lakekey.ServicePrincipalMissingWarning), pytest.raises(lakekey.LoginRequired):
        lakekey.provider("dev").invalidate(token)
    status, checks, _ = doctor("dev")
    assert (status, checks["session"]["status"]) == (3, "failed")
    assert "Refresh token is invalid" in checks["session"]["finding"]


def test_invalid_configuration_is_reported_and_the_cache_is_still_checked(box, profile, doctor):
    profile(prod={"auth_type": "oauth-m2m"})
    status, checks, _ = doctor("prod")
    assert status == 1
    assert checks["configuration"]["finding"] == "client_id is missing, which oauth-m2m needs"
    assert checks["configuration"]["next_step"] == "set client_id in the profile, or DATABRICKS_CLIENT_ID"
    assert checks["cache"]["status"] == "ok"


def test_what_contradicts_each_other_is_shown(box, profile, doctor, monkeypatch):
    profile(dev={"token": SECRET, "warehouse": "w", "auth_type": "external-browser", "cluster_id": "one"})
    monkeypatch.setenv("DATABRICKS_CLUSTER_ID", "two")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "an-app")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", SECRET)
    _, checks, report = doctor("dev")
    found = [check["finding"] for check in report["checks"] if check["name"] == "conflicts"]
    assert "DATABRICKS_CLUSTER_ID overrides cluster_id of the profile" in found
    assert "token (profile) is for pat, and is not used with external-browser" in found
    assert any(line.startswith("client_secret (DATABRICKS_CLIENT_SECRET) does not count: auth_type") for line in found)
    assert checks["profile keys"]["finding"] == "warehouse (did you mean warehouse_id?): no setting of that name"
    assert SECRET not in json.dumps(report)


def test_a_user_who_does_not_sign_in_is_shown(box, profile, doctor):
    profile(prod=principal(box, user="ada@example.com", auth_type="oauth-m2m"))
    status, checks, _ = doctor("prod")
    assert (status, checks["conflicts"]["status"]) == (0, "warning")
    assert checks["conflicts"]["finding"] == "user (profile) is not used with oauth-m2m"


def test_an_unknown_host(profile, doctor):
    profile(dev={"host": "https://no-such-workspace.invalid"})
    status, checks, _ = doctor("dev")
    assert status == 1
    assert checks["configuration"]["status"] == "warning"  # in none of the platform's zones
    assert "no-such-workspace.invalid has no address" in checks["DNS"]["finding"]
    assert "TLS" not in checks  # it leads no further


def test_resolver_that_does_not_answer_is_given_up(monkeypatch):
    answers = threading.Event()
    target = resolve(environ={}, host="https://w.example.com")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.wait(60.0))
            (check,) = network.check_host(target, patience=0.2)
    finally:
        answers.set()
    assert (check.name, check.status) == ("DNS", FAILED)
    assert "the resolver did not answer in 0.2 s" in check.finding


def test_a_certificate_of_an_authority_that_is_not_known(profile, doctor, monkeypatch):
    profile(dev={})
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable)
    _, checks, _ = doctor("dev")
    assert "certificate verify failed" in checks["TLS"]["finding"]
    assert "set ca_file in the profile" in checks["TLS"]["next_step"]


@pytest.mark.parametrize(("apart", "status"), [(0, "ok"), (120, "warning"), (-4000, "failed")])
def test_a_clock_that_is_off(profile, doctor, apart, status):
    class Host(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def date_time_string(self, timestamp=None):
            return formatdate(time.time() + apart, usegmt=True)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        profile(dev={"host": f"http://127.0.0.1:{server.server_address[1]}"})
        _, checks, _ = doctor("dev")
        server.shutdown()
    assert checks["clock"]["status"] == status
    assert bool(checks["clock"]["next_step"]) == bool(apart)
    if apart:
        said = checks["clock"]["finding"]
        assert ("behind" if apart > 0 else "ahead of") in said
        assert abs(int(said.split()[0]) - abs(apart)) <= 5


def test_a_date_beyond_all_measure_tells_no_time():
    check = network._check_clock(f"Mon, 01 Jan 2020 00:00:00 +{'9' * 20}")
    assert (check.status, check.finding) == ("ok", "the host does not report its time")


def test_a_host_that_is_not_a_workspace(box, profile, doctor):
    profile(dev={})
    box.fault("discovery", times=None, status=200, body="<html>")
    _, checks, _ = doctor("dev")
    assert "no authorization server metadata" in checks["discovery"]["finding"]
    assert "Databricks workspace" in checks["discovery"]["next_step"]


def test_a_proxy_is_named_without_its_password(profile, doctor, monkeypatch):
    profile(dev={"host": "https://one.cloud.databricks.com"})
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@127.0.0.1:1")
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@127.0.0.1:1")
    _, checks, report = doctor("dev")
    assert "DNS" not in checks
    assert checks["proxy"]["finding"] == "127.0.0.1:1, which also resolves the name"
    assert checks["TLS"]["next_step"] == "check HTTPS_PROXY"
    assert SECRET not in json.dumps(report)


def test_a_proxy_whose_address_cannot_be_read_is_the_end_of_the_way(profile, doctor, monkeypatch):
    profile(dev={"host": "https://one.cloud.databricks.com"})
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, f"http://me:{SECRET}#@127.0.0.1:1")
    _, checks, report = doctor("dev")
    assert checks["proxy"]["status"] == "failed"
    assert "percent-encoded" in checks["proxy"]["next_step"]
    assert "TLS" not in checks
    assert SECRET not in json.dumps(report)


def test_redirect_port_in_use(profile, doctor):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        profile(dev={"redirect_port": port})
        _, checks, _ = doctor("dev")
        assert checks["redirect port"]["status"] == "failed"
        assert f"sport >= :{port}" in checks["redirect port"]["next_step"]
    _, checks, _ = doctor("dev")
    assert checks["redirect port"]["finding"] == f"{port} is free on this machine"


def test_the_ports_of_an_app_are_those_of_its_registration(profile, doctor):
    profile(dev={"redirect_ports": "any"})
    assert doctor("dev")[1]["redirect port"]["finding"] == "any free one"
    profile(dev={"redirect_url": "https://elsewhere.example/callback"})
    assert "is pasted here" in doctor("dev")[1]["redirect port"]["finding"]
    profile(dev={"redirect_url": "http://elsewhere.example/callback"})
    assert doctor("dev")[1]["redirect port"]["next_step"].startswith("use http://localhost:PORT")


def test_a_secret_sealed_in_the_cache_is_found(box, profile, doctor):
    profile(prod={"client_id": box.client_id})
    target = lakekey.configuration.target.resolve("prod", client_secret=box.client_secret)
    put_secret(open_cache(), target.host, target.account_id, target.client_id, box.client_secret)
    status, checks, report = doctor("prod", "--connect")
    assert (status, checks["sign-in"]["status"]) == (0, "ok")
    assert {"name": "client_secret", "value": "(set)", "source": "cache"} in report["settings"]


@pytest.mark.parametrize(
    ("address", "shown"),  # each is refused as soon as it is read
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/keys?no=1", "postgresql://127.0.0.1:1/keys"),
        (f"postgresql://me:{SECRET}/x@127.0.0.1:1/keys", "postgresql://127.0.0.1:1/keys"),
        (f"redis://:{SECRET}#x@127.0.0.1:1/no", "redis://…"),
        (f"postgresql://127.0.0.1:1/keys?no={SECRET}", "postgresql://127.0.0.1:1/keys"),
    ],
)
def test_a_password_in_an_address_is_left_out(profile, doctor, monkeypatch, address, shown):
    profile(dev={"redirect_url": f"http://me:{SECRET}/x@localhost:9000"})
    monkeypatch.setenv("LAKEKEY_STORE", address)
    _, _, report = doctor("dev")
    assert {"name": "store", "value": shown, "source": "LAKEKEY_STORE"} in report["settings"]
    assert SECRET not in json.dumps(report)


def test_a_cache_that_others_can_reach(profile, doctor, monkeypatch):
    profile(dev={})
    monkeypatch.setenv("HOME", os.path.dirname(os.environ["LAKEKEY_CACHE_DIR"]))
    os.makedirs(os.environ["LAKEKEY_CACHE_DIR"], mode=0o755)
    _, checks, _ = doctor("dev")
    assert checks["cache"]["status"] == "failed"
    assert checks["cache"]["next_step"].startswith("chmod 700 ")


def test_a_key_that_is_missing(profile, doctor, monkeypatch):
    profile(dev={})
    monkeypatch.setenv("LAKEKEY_KEY_FILE", "/nowhere/key")
    _, checks, _ = doctor("dev")
    assert "there is no key file /nowhere/key" in checks["cache"]["finding"]


def test_an_unwatched_run_lacks_its_service_principal(box, unattended, profile, doctor):
    profile(dev={}, prod=principal(box))
    _, checks, _ = doctor("dev")
    assert checks["automation"]["status"] == "warning"
    assert "client_id and client_secret are not configured" in checks["automation"]["finding"]
    assert "DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET" in checks["automation"]["next_step"]
    _, checks, _ = doctor("prod")
    assert checks["automation"]["finding"].startswith(f"{box.client_id} can sign in without a person")


def test_a_wrong_secret_is_found_by_connecting(box, profile, doctor):
    profile(prod=principal(box, client_secret=SECRET))
    status, _, _ = doctor("prod")
    assert status == 0
    status, checks, report = doctor("prod", "--connect")
    assert status == 1
    assert "invalid_client" in checks["connection"]["finding"]
    assert SECRET not in json.dumps(report)


def test_a_connector_that_is_not_installed_is_what_the_warehouse_needs(box, profile, doctor, monkeypatch):
    profile(prod=principal(box, warehouse_id=box.warehouse_id))
    monkeypatch.delitem(sys.modules, "lakekey.sql.connection", raising=False)
    monkeypatch.setitem(sys.modules, "databricks", None)  # as where the package is missing
    status, checks, _ = doctor("prod", "--connect")
    assert (status, checks["warehouse"]["status"]) == (1, "failed")
    assert checks["warehouse"]["finding"] == "databricks-sql-connector is not installed"
    assert checks["warehouse"]["next_step"] == "pip install 'lakekey[sql]'"


def test_a_warehouse_or_cluster_that_is_not_there_is_found_by_connecting(box, profile, doctor):
    profile(prod=principal(box, warehouse_id="gone", cluster_id="gone"))
    _, checks, _ = doctor("prod", "--connect")
    assert checks["warehouse"]["status"] == checks["cluster"]["status"] == "failed"
    assert checks["cluster"]["finding"] == "gone: Cluster gone does not exist"


def test_a_delegated_profile_is_checked_as_far_as_it_is_ours(box, profile, doctor):
    profile(old={"token": SECRET, "auth_type": "pat"})
    status, checks, report = doctor("old")
    assert status == 0
    assert "session" not in checks
    assert SECRET not in json.dumps(report)


def test_people_read_a_table_with_arrows_to_the_next_steps(box, profile, capsys):
    profile(dev={"warehouse_id": "w"})
    assert main(["doctor", "dev"]) == 3
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["SETTING", "VALUE", "SOURCE"]
    assert ["host", box.host, "profile"] in [line.split() for line in printed]
    session = next(index for index, line in enumerate(printed) if line.startswith("failed    session"))
    assert printed[session + 1].strip() == "→ run: lakekey login dev"


# lakekey profiles


def test_profiles_are_listed_with_what_each_comes_to(box, profile, capsys, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://elsewhere.cloud.databricks.com")
    profile(
        DEFAULT={"warehouse_id": "w"},
        prod=principal(box, cluster_id="c", warehouse_id="w"),
        broken={"auth_type": "oauth-m2m"},
    )
    assert main(["profiles", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    facts = {fact.pop("profile"): fact for fact in report["profiles"]}
    assert facts["DEFAULT"] == {
        "default": True, "host": box.host, "auth_type": "external-browser", "identity": "the person who signs in",
        "compute": "warehouse w", "problem": None,
    }  # fmt: skip
    assert facts["prod"]["identity"] == box.client_id
    assert facts["prod"]["compute"] == "warehouse w, cluster c"
    assert facts["broken"]["problem"].startswith("client_id is missing")
    assert main(["profiles"]) == 0
    printed = capsys.readouterr().out
    assert "* DEFAULT" in printed
    assert box.client_secret not in printed + json.dumps(report)


def test_where_there_are_no_profiles_the_first_one_is_shown(box, capsys):
    assert main(["profiles"]) == 0
    assert "lakekey login NAME --host https://…" in capsys.readouterr().out


def test_a_blank_variable_names_no_file(box, capsys, monkeypatch, bare_machine):
    (bare_machine / ".databrickscfg").write_text("[home]\nhost = https://one.cloud.databricks.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", " ")
    assert main(["profiles"]) == 0
    assert "home" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_reported(box, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path))
    assert main(["profiles"]) == 2
    assert "cannot be read: Is a directory" in capsys.readouterr().err


def test_the_installed_command_has_both():
    command = os.path.join(os.path.dirname(sys.executable), "lakekey")
    listed = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "profiles" in listed
    assert "doctor" in listed


def test_access_list_of_windows_that_cannot_be_read_is_a_warning_with_a_step():
    def refuse(path):
        raise PermissionError(13, "Access is denied", path)

    check = storage._check_access_list("C:\\cache", "2 entries", refuse)
    assert check.status == WARNING
    assert "access-control list cannot be read (Access is denied)" in check.finding
    assert "cache" in check.next_step
