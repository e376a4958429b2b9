"""``lakekey.exe`` with its commands, and a person who signs in by it."""

import pytest

from lakekey.cli import arguments
from support import wine

pytestmark = pytest.mark.timeout(600)


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


def test_dates_are_written_as_windows_can():
    code = "from lakekey.cli.output import ends_in_words; print(ends_in_words(30 * 86400.0, 86400.0))"
    status, output, errors = wine.run(wine.PYTHON, "-c", code)
    assert (status, output.strip()) == (0, "ends 31 Jan"), errors


# Each command, in an encoding that many consoles of Windows have, with its exit status and a word of what it says.
COMMANDS = {
    "overview": ((), 0, "lakekey"),
    "login": (("login",), 3, "signed in as ada@example.com"),  # a person signs in above
    "status": (("status",), 0, "ada@example.com"),
    "whoami": (("whoami",), 0, "ada@example.com"),
    "sql": (("sql", "select 1"), 1, "warehouse"),
    "api": (("api", "get", "/api/2.0/clusters/list"), 1, "No API found"),
    "run": (("run", "--", str(wine.windows(wine.PYTHON)), "-c", "import os; print(os.environ['DATABRICKS_HOST'])"), 0, "https:"),
    "env": (("env", "--token"), 0, "$env:DATABRICKS_TOKEN = "),
    "profiles": (("profiles",), 0, "There are no profiles"),
    "secret": (("secret", "list"), 0, ""),
    "keys": (("keys",), 0, "seals and opens"),
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
# These have tests of their own with lakekey.exe: here, in test_console.py, and in tests/integration/cli/test_command_line.py.
OTHERS = {"token", "logout", "serve", "demo"}


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


@pytest.mark.parametrize(("encoding", "arrow"), [("ascii", "->"), ("cp1252", "->"), ("utf-8", "\u2192")])
def test_doctor_speaks_in_the_encoding_of_its_pipe(run, encoding, arrow):
    _, output, errors = run("doctor", PYTHONIOENCODING=encoding)
    assert f"{arrow} " in output + errors
    assert "Traceback" not in output + errors


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
