"""``lakekey.exe`` with its commands, and a person who signs in by it."""

import json
import threading

import pytest

from lakekey.cli import arguments
from support import wine

pytestmark = pytest.mark.timeout(600)

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


# The browser of this user is a program that fills the forms in; afterwards it is again what it was.
DEFAULT_BROWSER = """
import subprocess, sys, winreg
from support.programs import person_oidc
from support.reports import report
program, ca_file = sys.argv[1:]
place = winreg.HKEY_CLASSES_ROOT, r"https\\shell\\open\\command"
before = winreg.QueryValue(*place)
person = [sys.executable, person_oidc.__file__, "--user", "ada@example.com", "--ca-file", ca_file]
winreg.SetValue(*place, winreg.REG_SZ, subprocess.list2cmdline(person) + ' "%1"')
try:
    done = subprocess.run([program, "login"], capture_output=True, text=True, encoding="utf-8")
finally:
    winreg.SetValue(*place, winreg.REG_SZ, before)
report("result", status=done.returncode, said=done.stdout + done.stderr)
"""


def test_a_person_signs_in_by_the_default_browser(oidc_server, machine):
    machine.server.reset()
    environ = {"LAKEKEY_INTERACTIVE": "browser", "LAKEKEY_LOGIN_TIMEOUT": "200"}
    with machine.python(
        DEFAULT_BROWSER, wine.windows(wine.LAKEKEY), wine.windows(oidc_server.ca_file), **environ
    ) as child:
        end = child.result()
    assert end["status"] == 0, end["said"]
    assert "as ada@example.com" in end["said"]


def test_a_person_pastes_the_address(oidc_server, machine):
    machine.server.reset()
    environ = machine.windows_environ(LAKEKEY_INTERACTIVE="paste", BROWSER="none", LAKEKEY_LOGIN_TIMEOUT="100")
    process = wine.start(wine.LAKEKEY, "login", **environ)
    watch = threading.Timer(wine.PATIENCE, process.kill)
    watch.start()
    try:
        words = (word for line in process.stderr for word in line.split())
        url = next(word for word in words if word.startswith("https://") and URL in word)
        answer = oidc_server.sign_in(url, deliver=False)
        output, errors = process.communicate(f"{answer.redirect}\n", timeout=wine.PATIENCE)
    finally:
        watch.cancel()
        process.kill()
        process.wait()
    assert process.returncode == 0, output + errors
    assert "as ada@example.com" in output


def test_dates_are_written_as_windows_can():
    code = "from lakekey.cli.output import ends_in_words; print(ends_in_words(30 * 86400.0, 86400.0))"
    status, output, errors = wine.run(wine.PYTHON, "-c", code)
    assert (status, output.strip()) == (0, "ends 31 Jan"), errors


# Each command, in an encoding that many consoles of Windows have, with its exit status and a word of what it says.
COMMANDS = {
    "overview": ((), 0, "lakekey"),
    "login": (("login",), 3, "signed in as ada@example.com"),  # a person signs in above
    "status": (("status",), 0, "ada@example.com"),
    "sql": (("sql", "select 1"), 1, "warehouse"),
    "api": (("api", "get", "/api/2.0/clusters/list"), 1, "No API found"),
    "run": (("run", "--", str(wine.windows(wine.PYTHON)), "-c", "import os; print(os.environ['DATABRICKS_HOST'])"), 0, "https:"),
    "env": (("env", "--token", "--shell", "powershell"), 0, "$env:DATABRICKS_TOKEN = "),
    "profiles": (("profiles",), 0, "There are no profiles"),
    "secret": (("secret", "list"), 0, ""),
    "doctor": (("doctor",), None, "access-control list"),
    "import": (("import",), 0, "No session"),
    "auth": (("auth", "path"), 0, r"\bin\databricks.exe"),
    "sandbox": (("sandbox", "--", str(wine.windows(wine.PYTHON)), "-c", "print('in the sandbox')"), 0, "in the sandbox"),
    "completion": (("completion", "bash"), 0, "complete"),
    "complete": (("complete", "lo"), 0, "logout"),
    "version": (("version",), 0, "lakekey "),
    "apps": (("apps",), 0, "No app is registered"),
    "keep-alive": (("keep-alive", "--once", "--json"), 0, '"sessions"'),
    "store": (("store", "check"), 2, "no store that hosts share"),
    "web": (("web", "check", "--schedules", "-"), 2, "not a list of schedules"),  # served in test_console.py
    "help": (("help", "login"), 0, "usage: lakekey login"),
}  # fmt: skip
# These have tests of their own, here and in test_console.py.
OTHERS = {"token", "keys", "logout", "serve", "demo"}


def test_every_command_has_a_test_here():
    assert set(COMMANDS) | OTHERS == set(arguments.COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_speaks_to_a_console_of_windows(run, command):
    words, expected, said = COMMANDS[command]
    status, output, errors = run(*words, PYTHONIOENCODING="cp1252")
    assert "Traceback" not in output + errors
    assert said in output + errors
    assert status == expected or expected is None, output + errors


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("more", [(), ("--web",)], ids=["main job", "hosted sign-in"])
def test_demo_holds(more):
    status, output, errors = wine.run(
        wine.LAKEKEY, "demo", "--no-browser", *more, timeout=900, PYTHONIOENCODING="cp1252"
    )
    assert "Everything held." in output, output + errors
    assert (status, "Traceback" in output + errors) == (0, False)


def test_doctor_speaks_in_ascii(run):
    _, output, errors = run("doctor", PYTHONIOENCODING="ascii")
    assert "->" in output + errors
    assert "Traceback" not in output + errors


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


# What an account without a logon session gets of Credential Manager (ERROR_NO_SUCH_LOGON_SESSION), or no library for it.
WITHOUT = """
import json, sys
if sys.argv[1] == "absent":
    sys.modules["win32ctypes"] = sys.modules["win32ctypes.pywin32"] = None
else:
    from keyring.backends import Windows
    def refuse(*_, **__):
        raise Windows.pywintypes.error(1312, "CredRead", "A specified logon session does not exist.")
    Windows.win32cred.CredWrite = Windows.win32cred.CredRead = refuse
import lakekey
from support.reports import outcome, report
report("result", **outcome(lambda: bool(lakekey.provider().headers())))
"""


@pytest.mark.parametrize("trouble", ["absent", "refusing"])
@pytest.mark.parametrize("source", ["", "keyring"], ids=["any source", "the keyring by name"])
def test_credential_manager_that_cannot_be_used(service, trouble, source):
    environ = {"LAKEKEY_KEY_SOURCE": source, "LAKEKEY_KEYRING_TIMEOUT": "60"}
    with service.python(WITHOUT, trouble, **environ) as child:
        end = child.result()
    if source:  # a source that was chosen is never replaced by a weaker one
        assert end["error"] == "KeyUnavailable", end
        return
    assert end["ok"], end
    assert json.loads((service.directory / "cache.json").read_text())["source"] == "file"
