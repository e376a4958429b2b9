"""Starting, stopping, and what the sandbox leaves where."""

import os
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import certifi
import duckdb
import pytest

from lakekey.sandbox import Sandbox
from support.tls import write_certificates


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, lakekey.sandbox, lakekey_sandbox.pytest_plugin\n"
        "heavy = {'flask', 'authlib', 'requests', 'werkzeug', 'cryptography', 'duckdb', 'joserfc'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "\n", "")


def test_the_package_has_no_other_names():
    import lakekey.sandbox

    with pytest.raises(AttributeError, match="nothing"):
        lakekey.sandbox.nothing  # noqa: B018


def test_only_the_authoritys_certificate_is_on_disk_and_stopping_removes_it():
    with Sandbox() as box:
        assert sorted(os.listdir(box.directory)) == ["bundle.pem", "ca.pem"]
        assert stat.S_IMODE(os.stat(box.directory).st_mode) == 0o700
        with open(box.ca_file, encoding="ascii") as file:
            assert "PRIVATE" not in file.read()
    assert not os.path.exists(box.directory)


def test_a_directory_of_ones_own_stays(tmp_path):
    with Sandbox(directory=tmp_path / "box") as box:
        assert box.ca_file == str(tmp_path / "box" / "ca.pem")
    assert os.listdir(tmp_path / "box") == []


def test_each_start_has_its_own_authority_and_secret():
    with Sandbox() as one, Sandbox() as other:
        with open(one.ca_file, "rb") as first, open(other.ca_file, "rb") as second:
            assert first.read() != second.read()
        assert one.client_secret != other.client_secret


def test_a_taken_port_is_reported_and_leaves_nothing(tmp_path):
    with Sandbox() as box, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(box.host.rpartition(":")[2]), directory=tmp_path).start()
    assert os.listdir(tmp_path) == []


def test_a_sandbox_starts_once_and_stops_any_number_of_times():
    box = Sandbox()
    box.stop()
    with box:
        with pytest.raises(RuntimeError, match="once"):
            box.start()
        box.stop()


@pytest.mark.parametrize("options", [{"users": ()}, {"engine": "sqlite"}])
def test_options_that_cannot_work_are_refused(options):
    with pytest.raises(ValueError, match=r"users|engine"):
        Sandbox(**options)


def test_the_environment_points_at_the_sandbox_and_holds_no_secret(box, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "internal.example")
    environment = box.environment()
    assert environment["DATABRICKS_HOST"] == box.host
    assert environment["REQUESTS_CA_BUNDLE"] == environment["SSL_CERT_FILE"] == box.ca_bundle
    assert environment["NO_PROXY"] == "internal.example,127.0.0.1,localhost,::1"
    assert box.client_secret not in environment.values()


def test_environment_trusts_the_sandbox_and_all_that_was_trusted_before(box):
    context = ssl.create_default_context(cafile=box.environment()["SSL_CERT_FILE"])
    (ours,) = ssl.create_default_context(cafile=box.ca_file).get_ca_certs(binary_form=True)
    others = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    trusted = set(context.get_ca_certs(binary_form=True))
    assert ours in trusted
    assert len(others) > 50
    assert trusted.issuperset(others)


def test_authority_that_the_user_named_stays_trusted(tmp_path, monkeypatch):
    mine = write_certificates(tmp_path).ca
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(mine))
    with Sandbox() as box:
        trusted = Path(box.ca_bundle).read_text()
        assert mine.read_text().strip() in trusted
        assert Path(box.ca_file).read_text().strip() in trusted
    assert not os.path.exists(box.ca_bundle)


@pytest.mark.parametrize(
    ("hide", "missing"), [("sys.modules['pyspark'] = None", "pyspark"), ("os.environ['PATH'] = ''", "Java")]
)
def test_engine_that_is_not_installed_fails_before_the_start(hide, missing):
    program = f"""
import importlib.machinery, os, sys, types
os.environ.pop("JAVA_HOME", None)
module = types.ModuleType("pyspark")
module.__spec__ = importlib.machinery.ModuleSpec("pyspark", None)
sys.modules["pyspark"] = module
{hide}
from lakekey.sandbox import Sandbox
try:
    Sandbox(engine="spark")
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert f"the engine spark needs {'pyspark' if missing == 'pyspark' else 'a Java'}" in run.stdout, run.stderr


def test_a_missing_package_is_reported_with_the_extra_that_brings_it():
    program = "import sys\nsys.modules['flask'] = None\nfrom lakekey.sandbox import Sandbox"
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert "pip install 'lakekey[sandbox]'" in run.stderr


def test_a_missing_sql_engine_is_an_answer_that_connectors_do_not_retry(box, client, monkeypatch):
    monkeypatch.setitem(sys.modules, "lakekey_sandbox.warehouse", None)
    access = client.tokens()["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    answer = client.http.post(box.host + box.http_path, headers=headers, data=b"", timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_a_sql_engine_that_does_not_start_is_an_answer_that_connectors_do_not_retry(box, client, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise duckdb.IOException("no room for tables")

    monkeypatch.setattr(duckdb, "connect", refuse)
    access = client.tokens()["access_token"]
    headers = {"Authorization": f"Bearer {access}"}
    answer = client.http.post(box.host + box.http_path, headers=headers, data=b"", timeout=10)
    assert answer.status_code == 501
    assert answer.json()["message"] == "the SQL engine does not start: IOException: no room for tables"
