"""Starting, stopping, and what the sandbox leaves where."""

import os
import stat
import subprocess
import sys

import pytest

from lakekey.sandbox import Sandbox


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
        assert os.listdir(box.directory) == ["ca.pem"]
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
    assert environment["REQUESTS_CA_BUNDLE"] == environment["SSL_CERT_FILE"] == box.ca_file
    assert environment["NO_PROXY"] == "internal.example,127.0.0.1,localhost,::1"
    assert box.client_secret not in environment.values()


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
