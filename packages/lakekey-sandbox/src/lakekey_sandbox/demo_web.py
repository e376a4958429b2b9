"""Hosted sign-in, shown on two local workspaces: two people, a schedule, a second process, a session near its end.

Everything is real except the workspaces: the portal is served by uvicorn, the sign-ins go through its pages, the
connector is unmodified, and the scheduler's worker is a process of its own.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.cli.output import print_json, print_table
from lakekey.web import Schedule
from lakekey.web.registrations import Registrations
from lakekey_sandbox.demo_service import PORTAL, Service, listening, served
from lakekey_sandbox.demo_steps import Narrator, environment
from lakekey_sandbox.demo_visitor import Visitor
from lakekey_sandbox.workspace import Sandbox

ADA, GRACE = "ada@example.com", "grace@example.com"
_PEOPLE = (ADA, GRACE)
_TWO_DAYS = 2 * 24 * 60  # minutes
_WORKER = """
import sys
import lakekey
provider = lakekey.provider(sys.argv[1], user=sys.argv[2])
with lakekey.sql.connect(provider, enable_telemetry=False) as connection, connection.cursor() as cursor:
    cursor.execute("select current_user()")
    print(cursor.fetchone()[0])
"""
_SLICE = 0.25  # seconds
_PATIENCE = 300.0  # seconds for the worker, on a machine that has much to do


def run_web(*, stay: bool | None = None, as_json: bool = False) -> int:
    """Show hosted sign-in.

    Args:
        stay: Whether the service goes on to be served until it is interrupted; ``None`` for where there is a terminal.
        as_json: Whether what it ends with goes to standard output as JSON, and all before it to standard error.

    Returns:
        The exit status: 0 where everything held, 1 where something did not.
    """
    tell = Narrator(sys.stderr if as_json else sys.stdout)
    if stay is None:
        stay = not as_json and sys.stdout.isatty() and sys.stdin.isatty()
    tell.step("Two local workspaces, and a service with two users in which lakekey.web.Portal is mounted")
    with ExitStack() as stack:
        prod, staging = stack.enter_context(Sandbox()), stack.enter_context(Sandbox())
        home = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(environment(_variables(prod, staging, home)))
        socket = stack.enter_context(listening())
        service = Service(
            ["prod", "staging"], port=socket.getsockname()[1], people=_PEOPLE, automation={"prod": "prod-schedules"}
        )
        _register(service, {"prod": prod, "staging": staging})
        stack.enter_context(served(service.app, socket))
        tell.say(service.url)
        demo = _WebDemo(service, {"prod": prod, "staging": staging}, tell)
        demo.run()
        demo.summary(as_json=as_json)
        if stay and demo.held:
            _stay(service, tell)
        return 0 if demo.held else 1


class _WebDemo:
    def __init__(self, service: Service, boxes: dict[str, Sandbox], tell: Narrator) -> None:
        self.service, self.boxes, self.tell = service, boxes, tell
        self.held = True

    def run(self) -> None:
        self.tell.step("Ada connects to both workspaces, and Grace to one; each at a browser of her own")
        ada, grace = (Visitor(self.service.url, PORTAL, self.service.cookie(user)) for user in _PEOPLE)
        for visitor, user, profile in ((ada, ADA, "prod"), (ada, ADA, "staging"), (grace, GRACE, "prod")):
            visitor.connect(profile, user=user, ca_file=self.boxes[profile].ca_file)
            self.tell.say(f"{user}  {profile}: {self._state(user, profile)}")
        logins = {profile: box.counters["logins"] for profile, box in self.boxes.items()}
        self.check("three sign-ins, and none more", logins == {"prod": 2, "staging": 1})

        self.tell.step("The service acts for each of them as oneself")
        for user in _PEOPLE:
            acts_as = self.service.acts_as(user, "prod")
            self.tell.say(f"{user}  prod: select current_user()  →  {acts_as}")
            self.check("it is the user", acts_as == user)

        self.tell.step("A worker of the scheduler, a process of its own, finds Ada's session in the store")
        requests = self._token_requests()
        who = _in_a_worker("prod", ADA)
        self.tell.say(f'lakekey.provider("prod", user="{ADA}")  →  {who}')
        self.check("it is Ada, without a sign-in or a token request", who == ADA and self._token_requests() == requests)

        self.tell.step("Schedules are checked before they run")
        schedules = [Schedule("nightly", "prod", ADA), Schedule("hourly", "staging", ADA)]
        schedules.append(Schedule("weekly", "staging", GRACE))
        verdicts = []
        for each in self.service.portal.check_schedules(schedules):
            verdicts.append(each.verdict)
            self.tell.say(f"{each.schedule}  {each.verdict}: {each.reason}")
        self.check(
            "one is a service principal's, one a person's, one cannot run", verdicts == ["ok", "warning", "fails"]
        )

        self.tell.step("The app of staging lets sessions live two days, so Ada is told ahead of the end")
        connection = self.service.portal.connection(ADA, "staging")
        self.tell.say(f"{connection.state.replace('-', ' ')}: {connection.ends_at:%Y-%m-%d %H:%M} UTC")
        self.check("the end is foreseen", connection.state == "ends-soon")

        self.tell.step("Grace disconnects")
        _, revocation = self.service.portal.disconnect(GRACE, "prod")
        self.tell.say(f"{GRACE}  prod: {self._state(GRACE, 'prod')}, {revocation} at the workspace")
        self.check("she is out, and Ada is not", (
            self._state(GRACE, "prod") == "not connected" and self.service.acts_as(ADA, "prod") == ADA
        ))  # fmt: skip

    def check(self, what: str, held: bool) -> None:
        self.held = self.held and held
        self.tell.say(f"{'✓' if held else '✗'} {what}")

    def summary(self, *, as_json: bool) -> None:
        counters = {
            "logins": sum(box.counters["logins"] for box in self.boxes.values()),
            "token_requests": self._token_requests(),
        }
        if as_json:
            print_json({"held": self.held, **counters, "seconds": self.tell.seconds()})
            return
        print()  # noqa: T201
        rows = [("sign-ins", str(counters["logins"])), ("token requests", str(counters["token_requests"]))]
        print_table(("", "COUNT"), [*rows, ("the whole demo", f"{self.tell.seconds():.0f} s")])
        print(f"\n{'Everything held.' if self.held else 'Something did not hold: see the ✗ above.'}")  # noqa: T201

    def _state(self, user: str, profile: str) -> str:
        return self.service.portal.connection(user, profile).state.replace("-", " ")

    def _token_requests(self) -> int:
        return sum(box.counters["token.requests"] for box in self.boxes.values())


def _variables(prod: Sandbox, staging: Sandbox, home: str) -> dict[str, str]:
    """The environment of the demo: nothing of the user's own configuration or cache is touched."""
    path = os.path.join(home, "databrickscfg")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        for name, box in (("prod", prod), ("staging", staging)):
            file.write(f"[{name}]\n{_common(box)}auth_type = external-browser\n\n")
        file.write(f"[prod-schedules]\n{_common(prod)}client_id = {prod.client_id}\n")
        file.write(f"client_secret = {prod.client_secret}\n")
    way_there = {name: value for name, value in prod.environment().items() if not name.startswith("DATABRICKS_")}
    return {
        **way_there,
        "DATABRICKS_CONFIG_FILE": path,
        "LAKEKEY_CACHE_DIR": os.path.join(home, "cache"),
        "LAKEKEY_INTERACTIVE": "never",
    }


def _common(box: Sandbox) -> str:
    return f"host = {box.host}\nhttp_path = {box.http_path}\nca_file = {box.ca_file}\n"


def _register(service: Service, boxes: dict[str, Sandbox]) -> None:
    """Register an app at each workspace, as an administrator does; the one of staging ends its sessions early."""
    registrations = Registrations(open_cache())
    for profile, box in boxes.items():
        name, secret = f"demo-{profile}", secrets.token_urlsafe(24)
        redirect_uri = service.portal.redirect_uri(name)
        box.register_client(
            name,
            client_secret=secret,
            redirect_uris=[redirect_uri],
            grants=("authorization_code", "refresh_token"),
            name="The service of the demo",
        )
        app = AppRegistration(name, name, hosts=(box.host,), secret=secret, redirect_uri=redirect_uri)
        if profile == "staging":
            app = app._replace(absolute_session_lifetime_in_minutes=_TWO_DAYS)
        registrations.add(app)


def _in_a_worker(profile: str, user: str) -> str:
    command = [sys.executable, "-c", _WORKER, profile, user]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout.strip()  # noqa: S603


def _stay(service: Service, tell: Narrator) -> None:
    tell.say("")
    tell.say(f"The service stays at {service.url} for your own browser: choose who you are, then Your connections.")
    tell.say("It warns of the workspaces' certificates, whose authorities were made a moment ago. Ctrl-C ends it.")
    try:
        while True:
            time.sleep(_SLICE)  # on Windows, a wait without an end is deaf to Ctrl-C
    except KeyboardInterrupt:
        tell.say("The service has stopped.")
