"""``lakekey.exe`` with its commands, and a person who signs in by it."""

import json
import threading

import pytest

from support import wine

pytestmark = pytest.mark.timeout(300)

URL = "/authorize"


def test_a_person_signs_in_by_a_browser(oidc_server, machine, run):
    machine.server.reset()
    process = wine.start(
        wine.LAKEKEY, "login",
        **machine.windows_environ(LAKEKEY_INTERACTIVE="browser", BROWSER="none", LAKEKEY_LOGIN_TIMEOUT="60"),
    )  # fmt: skip
    try:
        watch = threading.Timer(100, process.kill)
        watch.start()
        said = ""
        for line in process.stderr:
            said += line
            words = [word for word in line.split() if word.startswith("https://") and URL in word]
            if words:
                assert "ada@example.com" in oidc_server.sign_in(words[0]).body
                break
        output, errors = process.communicate(timeout=60)
    finally:
        watch.cancel()
        process.kill()
        process.wait()
    assert process.returncode == 0, said + output + errors
    assert "as ada@example.com" in output


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [
        ("cp1252", ("doctor",)),
        ("ascii", ("doctor",)),
        ("cp1252", ("status",)),
        ("cp1252", ("keys", "show")),
        ("cp1252", ("profiles",)),
        ("utf-8", ("version",)),
        ("cp1252", ("--help",)),
    ],
)
def test_commands_speak_in_every_encoding_of_a_console(run, encoding, arguments):
    _, output, errors = run(*arguments, PYTHONIOENCODING=encoding)
    assert output + errors
    assert "Traceback" not in output + errors
    assert "UnicodeEncodeError" not in output + errors


def test_token_is_renewed_and_printed(machine, run):
    status, output, errors = run("token")
    assert status == 0, errors
    told = output.strip()
    assert (json.loads(told)["access_token"] if told.startswith("{") else told) == machine.stored().access_token


def test_keys_rotate_and_the_session_stays(machine, run):
    status, _, errors = run("keys", "rotate")
    assert status == 0, errors
    assert machine.fresh_process()["ok"]


def test_logout_removes_the_session(machine, run):
    status, _, errors = run("logout")
    assert status == 0, errors
    assert machine.fresh_process()["error"] == "LoginRequired"


def test_credential_manager_keeps_the_key(service):
    code, output, errors = wine.run(
        wine.PYTHON, "-c",
        "import lakekey; print(bool(lakekey.provider().headers()))",
        **service.windows_environ(LAKEKEY_KEY_SOURCE="keyring", LAKEKEY_KEYRING_TIMEOUT="60"),
    )  # fmt: skip
    assert (code, output.strip()) == (0, "True"), errors
    _, output, errors = wine.run(
        wine.LAKEKEY,
        "keys",
        "show",
        **service.windows_environ(LAKEKEY_KEY_SOURCE="keyring", LAKEKEY_KEYRING_TIMEOUT="60"),
    )
    assert "Credential Manager" in output, output + errors


def test_home_of_a_user_name_that_is_not_ascii(service, tmp_path):
    home = tmp_path / "Jörg Żółć"
    home.mkdir()
    (home / ".databrickscfg").write_bytes(
        f"[DEFAULT]\r\nhost = {service.server.host}\r\nca_file = {wine.windows(service.server.ca_file)}\r\n".encode()
    )
    environ = service.windows_environ(LAKEKEY_CACHE_DIR=wine.windows(home / "cache"))
    del environ["DATABRICKS_HOST"], environ["REQUESTS_CA_BUNDLE"]
    code, output, errors = wine.run(
        wine.PYTHON,
        "-c",
        "import os, sys; os.environ['USERPROFILE'] = sys.argv[1]; import lakekey; "
        "print(bool(lakekey.provider('DEFAULT').headers()))",
        wine.windows(home),
        **environ,
    )
    assert (code, output.strip()) == (0, "True"), errors
    assert (home / "cache" / "entries").is_dir()
