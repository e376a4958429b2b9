"""Hosted sign-in: what one takes beside a bare Starlette application, and many over two workers.

Measured is what a browser waits for, from the press of the button to the page that says who is connected, three
requests at each; a browser's connection is kept, as browsers do. The time of the person, and that in which the
authorization server and the workspace work on a request, is left out of both. Both store on the same disk, or in the
same PostgreSQL, each sign-in durably.
"""

import base64
import html
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

URL = "https://portal.example.com/lakekey"
BARE_URL = "https://bare.example.com"
MOST_ROWS = 20_001  # `lakekey.web.flows.MOST_USERS`, and the one that goes beyond it
PEOPLE, SIGN_INS, PAIRS = 100, int(os.environ.get("SIGN_INS", "1000")), int(os.environ.get("PAIRS", "100"))
ABANDONED = int(os.environ.get("ABANDONED", "100000"))
WARM_UP = 5
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(os.path.dirname(HERE), "tests")


def run(_: Any) -> list[Any]:
    sys.path[:0] = [TESTS]
    from harness import Row

    from lakekey.sandbox import Sandbox
    from support.servers.postgresql import Postgresql

    people = [f"person{number}@example.com" for number in range(PEOPLE)]
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(users=people))
        own = stack.enter_context(own_time())
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="lakekey-bench-"))
        environ = prepare(box, home)
        portals = [stack.enter_context(serving("portal:app", environ)) for _ in range(2)]
        bare = stack.enter_context(serving("bare_sign_in:app", environ))
        on_disk = beside(box, own, portals[0], bare, people)
        postgresql = stack.enter_context(Postgresql())
        postgresql.sql("CREATE TABLE bare_connection (person text PRIMARY KEY, refresh_token text NOT NULL)")
        postgresql.sql("GRANT SELECT, INSERT, UPDATE ON bare_connection TO worker")
        shared = in_store(box, environ, postgresql.address)
        portal = stack.enter_context(serving("portal:app", shared))
        bare = stack.enter_context(serving("bare_sign_in:app", shared))
        in_postgresql = beside(box, own, portal, bare, people)
        began = time.perf_counter()
        outcomes = many(box, portals, people)
        taken = time.perf_counter() - began
    good = sum(outcomes)
    each, rows, size = abandoned()
    return [
        on_disk.row("a hosted sign-in, start to stored, on disk", "a bare Starlette application, SQLite"),
        in_postgresql.row("a hosted sign-in, start to stored, in PostgreSQL", "a bare Starlette application, psycopg"),
        Row(f"{SIGN_INS} hosted sign-ins over two workers, the callback on the other one", taken / SIGN_INS,
            counted=f"{good} right", met=good == SIGN_INS,
            note=f"each header checked against its person; {taken:.0f} s, the sign-in pages included"),
        Row(f"{ABANDONED} hosted sign-ins that are begun and abandoned, half of them by one person", each,
            counted=f"{rows} rows, {size // 1024} KiB", met=rows <= MOST_ROWS,
            note="the others come from many people; those beyond the bound are told to try again later"),
    ]  # fmt: skip


class Pair(NamedTuple):
    """Median seconds of a sign-in at the portal and at the bare application, and of the processor in each."""

    ours: float
    theirs: float
    our_cpu: float
    their_cpu: float

    def row(self, what: str, against: str) -> Any:
        from harness import Row

        cpu = f"{self.our_cpu * 1e3:.1f} and {self.their_cpu * 1e3:.1f} ms"
        note = f"{self.theirs * 1e3:.1f} ms there; of the server's processor {cpu}"
        return Row(what, self.ours, against, self.ours / self.theirs, 1.5, note)


@contextmanager
def own_time() -> Any:
    """Counts the seconds in which the sandbox works on requests; gives a function that tells them."""
    from lakekey_sandbox.https import Connection

    spent, names = [0.0], ("do_GET", "do_POST")
    before = {name: getattr(Connection, name) for name in names}

    def counting(answer: Any) -> Any:
        def counted(connection: Any) -> None:
            began = time.perf_counter()
            try:
                answer(connection)
            finally:
                spent[0] += time.perf_counter() - began

        return counted

    for name, answer in before.items():
        setattr(Connection, name, counting(answer))
    try:
        yield lambda: spent[0]
    finally:
        for name, answer in before.items():
            setattr(Connection, name, answer)


def abandoned() -> tuple[float, int, int]:
    """Many sign-ins that are begun and left: seconds for each, and what the store has then."""
    from lakekey.cache.opening import open_cache
    from lakekey.errors import LoginFailed
    from lakekey.web import flows

    cache = open_cache({"LAKEKEY_STORE": "memory:"})
    store = flows.FlowStore(cache)
    empty = dict.fromkeys(flows.Flow._fields, "x" * 43)
    settled = {"stage": flows.OPEN, "since": 0.0, "answer": None, "tokens": None, "outcome": None}
    began = time.perf_counter()
    for number in range(ABANDONED):
        user = "one@example.com" if number % 2 else f"person{number}@example.com"
        given = {
            "user": user,
            "user_id": "",
            "state": flows.state_digest(flows.new_state(user)),
            "expires_at": time.time() + 600,
        }
        try:
            store.add(flows.Flow(**{**empty, **settled, **given}))
        except LoginFailed:
            continue
    taken = time.perf_counter() - began
    rows = [name for name in cache.store.list() if name.startswith(flows.PREFIX)]
    return taken / ABANDONED, len(rows), sum(len(cache.store.get(name) or b"") for name in rows)


def prepare(box: Any, home: str) -> dict[str, str]:
    """An app that both use, and the environment of their processes."""
    box.register_client(
        "bench-app", client_secret="a-secret-of-the-benchmark", grants=("authorization_code", "refresh_token"),
        redirect_uris=[f"{URL}/callback/bench-app", f"{BARE_URL}/callback"],
    )  # fmt: skip
    profiles = os.path.join(home, "databrickscfg")
    with open(os.open(profiles, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "LAKEKEY_"))}
    environ = {
        **kept, "HOME": home, "DATABRICKS_CONFIG_FILE": profiles, "LAKEKEY_CACHE_DIR": os.path.join(home, "cache"),
        "LAKEKEY_KEY_SOURCE": "file", "LAKEKEY_INTERACTIVE": "never", "PORTAL_URL": URL,
        "PYTHONPATH": os.pathsep.join([TESTS, os.path.join(HERE, "peers")]),
        "BARE_HOST": box.host, "BARE_CA_FILE": box.ca_file, "BARE_REDIRECT_URI": f"{BARE_URL}/callback",
        "BARE_CLIENT_ID": "bench-app", "BARE_CLIENT_SECRET": "a-secret-of-the-benchmark",
        "BARE_DATABASE": os.path.join(home, "bare.db"),
    }  # fmt: skip
    register(box, environ)
    return environ


def in_store(box: Any, environ: dict[str, str], address: str) -> dict[str, str]:
    """The same on a server: the environment of their processes."""
    key = base64.b64encode(os.urandom(32)).decode()
    place = {"LAKEKEY_STORE": address, "LAKEKEY_KEY": key, "LAKEKEY_KEY_SOURCE": "env", "BARE_DATABASE": address}
    found = {**environ, **place, "LAKEKEY_CACHE_DIR": f"{environ['LAKEKEY_CACHE_DIR']}-near"}
    register(box, found)
    return found


def register(box: Any, environ: dict[str, str]) -> None:
    """Registers the app in a store."""
    add = ["lakekey", "apps", "add", "bench-app", "--client-id", "bench-app", "--secret", "--portal"]
    subprocess.run(
        [sys.executable, "-m", *add, URL, "--host", box.host], env=environ, input="a-secret-of-the-benchmark\n",
        text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


class Server(NamedTuple):
    """A uvicorn process."""

    address: str
    pid: int

    def cpu(self) -> float:
        """Seconds of the processor that its threads have had so far."""
        spent, tasks = 0, f"/proc/{self.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:
                spent += int(file.read().split()[0])
        return spent / 1e9


@contextmanager
def serving(application: str, environ: dict[str, str]) -> Any:
    """A uvicorn process."""
    command = [sys.executable, "-m", "uvicorn", application, "--port", "0", "--lifespan", "off", "--no-access-log"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr or ():
                if "Uvicorn running on " in line:
                    break
            yield Server(line.partition("Uvicorn running on ")[2].split()[0], process.pid)
        finally:
            process.terminate()


def beside(box: Any, own: Any, portal: Server, bare: Server, people: list[str]) -> Pair:
    """A sign-in at each, in turn."""
    taken: list[tuple[float, ...]] = []
    for number in range(PAIRS + WARM_UP):
        user = people[number % PEOPLE]
        ours, theirs = clicked_at_portal(box, own, portal, user), clicked_at_bare(box, own, bare, user)
        taken.append((ours.waited, theirs.waited, ours.cpu, theirs.cpu))
    return Pair(*(statistics.median(values) for values in zip(*taken[WARM_UP:], strict=True)))


class Clicks:
    """A browser whose waits are summed up.

    Attributes:
        waited: Seconds, without those in which the sandbox worked.
        cpu: Seconds of the server's processor.
    """

    def __init__(self, own: Any, server: Server, browser: Any) -> None:
        self.waited = self.cpu = 0.0
        self._own = own
        self._server = server
        self._browser = browser
        self._connection = http.client.HTTPConnection(urlsplit(browser.address).netloc)
        self._connection.connect()

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[Any, str]:
        """One request; gives the answer and its text."""
        kept = self._browser.cookies
        sent = {
            "Host": urlsplit(self._browser.origin).netloc, "X-User": self._browser.user, "Accept": "text/html",
            "Cookie": "; ".join(f"{name}={value}" for name, value in kept.items()),
        }  # fmt: skip
        if method == "POST":
            sent |= {"Origin": self._browser.origin, "Sec-Fetch-Site": "same-origin"}
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        cpu, own, began = self._server.cpu(), self._own(), time.perf_counter()
        self._connection.request(method, path, urlencode(form or {}) if method == "POST" else None, sent)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        self.waited += time.perf_counter() - began - (self._own() - own)
        self.cpu += self._server.cpu() - cpu
        for name, value in re.findall(r"(?:^|, )([A-Za-z_-]+)=([^;,]*); ", answer.headers.get("Set-Cookie", "")):
            kept[name] = value
        return answer, text

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def clicked_at_portal(box: Any, own: Any, portal: Server, user: str) -> Clicks:
    """A sign-in there."""
    from support.web_browser import Browser

    browser = Browser(portal.address, user, box.ca_file)
    page = browser.get()
    button = next(each for each in page.buttons if each in ("Connect prod", "Renew prod now"))
    clicks = Clicks(own, portal, browser)
    path = browser.back(onward(clicks.send("POST", *page.form(button))[1]))
    path = onward(clicks.send("GET", path)[1])
    shown = clicks.send("GET", path)[1]
    clicks.close()
    if f"prod is connected as {user}." not in shown:
        raise RuntimeError(shown)
    return clicks


def onward(text: str) -> str:
    """Where a page moves on to by itself."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', text)
    if found is None:
        raise RuntimeError(text)
    return html.unescape(found[1])


def clicked_at_bare(box: Any, own: Any, bare: Server, user: str) -> Clicks:
    """The same at the bare application."""
    from support.web_browser import Browser

    browser = Browser(bare.address, user, box.ca_file, origin=BARE_URL, base="")
    clicks = Clicks(own, bare, browser)
    path = browser.back(clicks.send("POST", "/connect")[0].headers["Location"])
    path = clicks.send("GET", path)[0].headers["Location"]
    shown = clicks.send("GET", path)[1]
    clicks.close()
    if shown != f"prod is connected as {user}.":
        raise RuntimeError(shown)
    return clicks


def at_portal(box: Any, user: str, start: str, end: str) -> bool:
    """One sign-in, begun at one worker and ended at another: whether the header is that person's."""
    import requests

    from lakekey.oauth import jwt
    from support.web_browser import Browser

    browser = Browser(start, user, box.ca_file)
    page = browser.get()
    button = next(each for each in page.buttons if each in ("Connect prod", "Renew prod now"))
    answer = browser.back(browser.press(page, button).onward)
    browser.address = end
    done = browser.arrive(answer)
    headers = requests.get(f"{start}/whoami", headers={"X-User": user}, timeout=60).json()
    claims = jwt.claims(headers["Authorization"].removeprefix("Bearer ")) or {}
    return f"prod is connected as {user}." in done.words and claims["sub"] == user


def many(box: Any, portals: list[Server], people: list[str]) -> list[bool]:
    """Many sign-ins, four at once."""

    def one(number: int) -> bool:
        start, end = portals[number % 2].address, portals[(number + 1) % 2].address
        return at_portal(box, people[number % PEOPLE], start, end)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, range(SIGN_INS)))
