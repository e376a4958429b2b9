"""The demo's sign-in: in the browser of the person who sits here, and where no answer comes, by a person who is played."""

import os
import shlex
import sys

import pytest

from support.processes import lakekey as run
from support.processes import run as run_program

# A browser with a person at it (no colon in it: it would part two of them); it gets the certificate's authority with the demo's environment.
BROWSER = """
import os, sys
from lakekey_sandbox.person import Person
_, user, decision, url = sys.argv
Person(user, os.environ["SSL_CERT_FILE"], decision).answer(url)
"""
# The demo up to its sign-in.
SIGN_IN = """
import os, sys
from lakekey_sandbox import demo_person
from lakekey_sandbox.demo import _variables
from lakekey_sandbox.demo_steps import environment
from lakekey_sandbox.workspace import Sandbox
demo_person._PATIENCE = float(sys.argv[2])
with Sandbox() as box, environment(_variables(box, sys.argv[1])):
    person = demo_person.sign_in(box, print, browser=None)
    print(person.identity(), box.counters["logins"])
"""


def browser_of(user, decision):
    return f"{shlex.join([sys.executable, '-c', BROWSER, user, decision])} %s"


@pytest.mark.usefixtures("attended")
def test_demo_opens_the_browser_of_the_person_who_is_present(monkeypatch):
    monkeypatch.setenv("BROWSER", browser_of("grace@example.com", "sign-in"))
    done = run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "In your browser: it warns" in done.stdout
    assert "select current_user()  →  grace@example.com" in done.stdout
    assert "is played\n" not in done.stdout
    assert done.stdout.rstrip().endswith("Everything held.")


@pytest.mark.parametrize(
    ("browser", "patience", "why"),
    [
        ("true", 1, "the sign-in was not finished within 1 s"),
        (browser_of("grace@example.com", "cancel"), 60, "access_denied"),
    ],
    ids=["browser shows nothing", "person declines"],
)
def test_where_the_person_does_not_sign_in_one_is_played(monkeypatch, tmp_path, browser, patience, why):
    monkeypatch.setenv("BROWSER", browser)
    said = run_program(SIGN_IN, os.fspath(tmp_path), str(patience))
    assert why in said
    assert said.endswith("ada@example.com 1")
