"""From an empty home to the first row, typing only what the screen says, with Chromium as the person's browser."""

import os
import re
import shlex
import time

import pytest

from support.chromium import Chromium, chromium
from support.terminal import Terminal

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"), reason="Chromium and its driver are not here"
)
MOST_COMMANDS, MOST_SECONDS = 3, 120


def test_first_row_takes_three_commands(lakekey_sandbox, monkeypatch, tmp_path, record_property):
    box = lakekey_sandbox
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "LAKEKEY_"))]:
        monkeypatch.delenv(name)
    environment = {**os.environ, **box.environment(), "HOME": str(tmp_path), "NO_COLOR": "1", "BROWSER": "none"}
    environment = {name: value for name, value in environment.items() if not name.startswith("DATABRICKS_")}
    typed, began = ["lakekey"], time.monotonic()
    with Terminal(environment=environment, columns=200) as terminal:
        typed.append(terminal.shows(r"Next: +(lakekey [^\n]+)")[1])
        assert terminal.ends() == 0
    with (
        Terminal(*shlex.split(typed[-1])[1:], environment=environment, columns=200) as terminal,
        Chromium(tmp_path / "browser", [box.host]) as browser,
    ):
        terminal.shows("Workspace address.*: $")
        terminal.types(box.host)
        terminal.shows("Name of the profile.*: $")
        terminal.types("")
        browser.open(terminal.shows(r"(https://\S+/authorize\S+)\n")[1])
        browser.choose("input[value='grace@example.com']")
        browser.click("button[value=sign-in]")
        terminal.shows("as grace@example.com.*Cluster for Spark.*: $")
        terminal.types("")
        typed.append(terminal.shows(r"Next: (lakekey [^\n]+)")[1])
        assert terminal.ends() == 0
    with Terminal(*shlex.split(typed[-1])[1:], environment=environment) as terminal:
        assert terminal.ends() == 0
        assert re.search(r"^1$", terminal.screen, re.MULTILINE)
    seconds = time.monotonic() - began
    record_property("commands", len(typed))
    record_property("seconds", round(seconds, 1))
    print(f"{len(typed)} commands, {seconds:.1f} s: {typed}")
    assert len(typed) <= MOST_COMMANDS
    assert seconds < MOST_SECONDS
