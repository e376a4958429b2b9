"""The main job, shown on a local workspace: one sign-in, many programs, a refresh, a service principal.

Everything is real except the workspace: the connector and the SDK are unmodified, the second program is a process of
its own, the token really expires.
"""

import contextlib
import hashlib
import importlib
import math
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import lakekey
from lakekey.cli.output import print_json, print_table
from lakekey_sandbox import demo_person
from lakekey_sandbox.demo_steps import Narrator, environment
from lakekey_sandbox.serve import write_profiles
from lakekey_sandbox.workspace import Sandbox

# Seconds: long enough for the first steps on a busy machine, short enough to watch it end; and the most to wait for.
_SHORTEST_LIFETIME, _LONGEST_LIFETIME = 24, 120
_LOADS = 6  # the first token lives as long as this many loads of the connector, where that is longer
_PATIENCE = 300.0  # seconds for another program, on a machine that has much to do
_SECOND_PROGRAM = """
import lakekey
connection = lakekey.sql.connect("sandbox", enable_telemetry=False)
with connection.cursor() as cursor:
    cursor.execute("select current_user()")
    print(cursor.fetchone()[0])
connection.close()
"""
_FIRST_HEADER = 'import lakekey; lakekey.provider("sandbox-m2m").headers()'


def run(*, browser: bool | None = None, as_json: bool = False) -> int:
    """Show the main job.

    Args:
        as_json: Whether what it ends with goes to standard output as JSON, and all before it to standard error.
        browser: Whether the person at the screen signs in, or one is played against the sign-in page; ``None`` for the
            former where a person is there and has a browser.

    Returns:
        The exit status: 0 where everything held, 1 where something did not.
    """
    tell = Narrator(sys.stderr if as_json else sys.stdout)
    if browser is None and (as_json or not demo_person.is_at_a_browser(os.environ)):
        browser = False
    tell.step("A local workspace: a real OAuth server and a SQL warehouse, over TLS on loopback")
    with Sandbox(token_lifetime=_first_lifetime()) as box, tempfile.TemporaryDirectory() as home:
        tell.say(box.host)
        with environment(_variables(box, home)):
            return _Demo(box, home, tell, browser=browser, as_json=as_json).run()


def _first_lifetime() -> int:
    """Seconds: a second program must find the token before half of its life is over, however slow this machine is."""
    began = time.monotonic()
    importlib.import_module("databricks.sql.client")
    wanted = math.ceil(_LOADS * (time.monotonic() - began))
    return min(max(_SHORTEST_LIFETIME, wanted), _LONGEST_LIFETIME)


class _Demo:
    def __init__(self, box: Sandbox, home: str, tell: Narrator, *, browser: bool | None, as_json: bool) -> None:
        self.browser = browser
        self.as_json = as_json
        self.box = box
        self.home = home
        self.tell = tell
        self.held = True

    def run(self) -> int:
        self.tell.step("A person signs in, and queries through databricks-sql-connector")
        person = demo_person.sign_in(self.box, self.tell.say, browser=self.browser)
        connection = lakekey.sql.connect(person, enable_telemetry=False)
        who = _current_user(connection)
        self.tell.say(f"select current_user()  →  {who}")
        self.check("one sign-in so far", self.box.counters["logins"] == 1)

        self.tell.step("A second program, a process of its own, finds the same session")
        requests_before = self.box.counters["token.requests"]
        self.tell.say(f"select current_user()  →  {_second_program()}")
        self.check("no sign-in of its own, no token request", (
            self.box.counters["logins"] == 1 and self.box.counters["token.requests"] == requests_before
        ))  # fmt: skip

        self.tell.step("The token expires; the next statement on the open connection just works")
        before = _tokens(self.box, person, who)
        ends = person.token().expires_at.timestamp()
        self.box.set_lifetime(3600)
        self.tell.wait(max(0.0, ends - time.time()) + 0.2, "it expires")
        self.tell.say(f"select current_user()  →  {_current_user(connection)}")
        connection.close()
        after = _tokens(self.box, person, who)
        self.tell.say(f"access token   {_mark(before[0])} → {_mark(after[0])}")
        self.tell.say(
            f"refresh token  {_mark(before[1])} → {_mark(after[1])}   (single use: the server voids the old one)"
        )
        self.check("both tokens rotated, no person was asked", before[0] != after[0] and before[1] != after[1])

        self.tell.step("The same as a service principal: no person, no browser")
        job = lakekey.provider("sandbox-m2m")
        with contextlib.closing(lakekey.sql.connect(job, enable_telemetry=False)) as job_connection:
            principal = _current_user(job_connection)
        self.tell.say(f"select current_user()  →  {principal}")
        self.check("it is the service principal", principal == self.box.client_id)

        self.tell.step("And databricks-sdk, through the same two providers")
        from databricks.sdk import WorkspaceClient

        for provider, expected in ((person, who), (job, principal)):
            me = WorkspaceClient(config=lakekey.sdk.config(provider)).current_user.me().user_name
            self.tell.say(f"{provider.auth_type():<16}  current_user.me()  →  {me}")
            self.check("the SDK is the same identity", me == expected)

        self.tell.step("No token stands in clear in any file")
        secrets = [*after, before[0], before[1], job.token().access_token]
        files, clear = _search(self.home, secrets)
        self.tell.say(f"searched {files} files under {self.home} for {len(secrets)} tokens: found {clear}")
        self.check("nothing in clear", clear == 0 and files > 0)

        cold, warm = _first_header_times(self.home)
        self.summary(cold, warm)
        return 0 if self.held else 1

    def check(self, what: str, held: bool) -> None:
        self.held = self.held and held
        self.tell.say(f"{'✓' if held else '✗'} {what}")

    def summary(self, cold: float, warm: float) -> None:
        counters = self.box.counters
        if self.as_json:
            print_json({"held": self.held, "counters": counters, "cold_seconds": cold, "warm_seconds": warm})
            return
        print()  # noqa: T201
        print_table(
            ("", "COUNT"),
            [
                ("logins", str(counters["logins"])),
                ("token requests: authorization code", str(counters["token.authorization_code"])),
                ("token requests: refresh", str(counters["token.refresh_token"])),
                ("token requests: client credentials", str(counters["token.client_credentials"])),
                ("new process to its first header, cold cache", f"{cold * 1000:.0f} ms"),
                ("new process to its first header, warm cache", f"{warm * 1000:.0f} ms"),
                ("the whole demo", f"{self.tell.seconds():.0f} s"),
            ],
        )
        print(f"\n{'Everything held.' if self.held else 'Something did not hold: see the ✗ above.'}")  # noqa: T201


def _variables(box: Sandbox, home: str) -> dict[str, str]:
    """The environment of the demo: nothing of the user's own configuration or cache is touched."""
    way_there = {name: value for name, value in box.environment().items() if not name.startswith("DATABRICKS_")}
    return {
        **way_there,
        "DATABRICKS_CONFIG_FILE": write_profiles(box),
        "LAKEKEY_CACHE_DIR": os.path.join(home, "cache"),
        "LAKEKEY_INTERACTIVE": "browser",
    }


def _current_user(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_user()")
        return str(cursor.fetchone()[0])


def _second_program() -> str:
    command = [sys.executable, "-c", _SECOND_PROGRAM]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout.strip()  # noqa: S603


def _tokens(box: Sandbox, provider: lakekey.Provider, subject: str) -> tuple[str, str]:
    return provider.token().access_token, box.stored_refresh_tokens(subject)[-1]


def _mark(token: str) -> str:
    """A mark to tell tokens apart by, from which they cannot be guessed."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def _search(directory: str, secrets: list[str]) -> tuple[int, int]:
    """How many files there are, and how many of them hold one of the secrets."""
    files = clear = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            files += 1
            clear += any(secret.encode() in content for secret in secrets)
    return files, clear


def _first_header_times(home: str) -> tuple[float, float]:
    environment = {**os.environ, "LAKEKEY_CACHE_DIR": os.path.join(home, "another-cache")}
    times = []
    for _ in range(2):
        began = time.monotonic()
        command = [sys.executable, "-c", _FIRST_HEADER]
        subprocess.run(command, check=True, env=environment, timeout=_PATIENCE)  # noqa: S603
        times.append(time.monotonic() - began)
    return times[0], times[1]
