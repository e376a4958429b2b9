"""Hosted sign-in: what one takes beside a bare Starlette application, and many over two workers.

The time of the person at the authorization server is left out of both; the token request's is in both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

URL = "https://portal.example.com/lakekey"
MOST_ROWS = 20_001  # `lakekey.web.flows.MOST_USERS`, and the one that goes beyond it
PEOPLE, SIGN_INS, PAIRS = 100, int(os.environ.get("SIGN_INS", "1000")), 60
ABANDONED = int(os.environ.get("ABANDONED", "100000"))
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(os.path.dirname(HERE), "tests")


def run(_: Any) -> list[Any]:
    sys.path[:0] = [TESTS]
    from harness import Row

    from lakekey.sandbox import Sandbox

    people = [f"person{number}@example.com" for number in range(PEOPLE)]
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(users=people))
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="lakekey-bench-"))
        environ = prepare(box, home)
        portals = [stack.enter_context(serving("support.programs.portal_app:app", environ)) for _ in range(2)]
        bare = stack.enter_context(serving("bare_sign_in:app", environ))
        ours, theirs = beside(box, portals[0], bare, people)
        began = time.perf_counter()
        outcomes = many(box, portals, people)
        taken = time.perf_counter() - began
    good = sum(outcomes)
    each, rows, size = abandoned()
    return [
        Row("a hosted sign-in, start to stored", ours, "a bare Starlette application", ours / theirs, 1.5,
            f"{theirs * 1e3:.0f} ms there; the portal also asks the workspace who it is"),
        Row(f"{SIGN_INS} hosted sign-ins over two workers, the callback on the other one", taken / SIGN_INS,
            counted=f"{good} right", met=good == SIGN_INS,
            note=f"each header checked against its person; {taken:.0f} s, the sign-in pages included"),
        Row(f"{ABANDONED} hosted sign-ins that are begun and abandoned, half of them by one person", each,
            counted=f"{rows} rows, {size // 1024} KiB", met=rows <= MOST_ROWS,
            note="the others come from many people; those beyond the bound are told to try again later"),
    ]  # fmt: skip


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
        redirect_uris=[f"{URL}/callback/bench-app", "https://bare.example.com/callback"],
    )  # fmt: skip
    profiles = os.path.join(home, "databrickscfg")
    with open(os.open(profiles, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "LAKEKEY_"))}
    environ = {
        **kept, "HOME": home, "DATABRICKS_CONFIG_FILE": profiles, "LAKEKEY_CACHE_DIR": os.path.join(home, "cache"),
        "LAKEKEY_KEY_SOURCE": "file", "LAKEKEY_INTERACTIVE": "never", "PORTAL_URL": URL,
        "PYTHONPATH": os.pathsep.join([TESTS, os.path.join(HERE, "peers")]),
        "BARE_HOST": box.host, "BARE_CA_FILE": box.ca_file, "BARE_REDIRECT_URI": "https://bare.example.com/callback",
        "BARE_CLIENT_ID": "bench-app", "BARE_CLIENT_SECRET": "a-secret-of-the-benchmark",
        "BARE_DATABASE": os.path.join(home, "bare.db"),
    }  # fmt: skip
    add = ["lakekey", "apps", "add", "bench-app", "--client-id", "bench-app", "--secret", "--portal"]
    subprocess.run(
        [sys.executable, "-m", *add, URL, "--host", box.host], env=environ, input="a-secret-of-the-benchmark\n",
        text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return environ


@contextmanager
def serving(application: str, environ: dict[str, str]) -> Any:
    """A uvicorn process; gives its address."""
    command = [sys.executable, "-m", "uvicorn", application, "--port", "0", "--lifespan", "off", "--no-access-log"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr or ():
                if "Uvicorn running on " in line:
                    break
            yield line.partition("Uvicorn running on ")[2].split()[0]
        finally:
            process.terminate()


def beside(box: Any, portal: str, bare: str, people: list[str]) -> tuple[float, float]:
    """Median seconds of a sign-in at each, in turn."""
    ours, theirs = [], []
    for number in range(PAIRS + 3):
        user = people[number % PEOPLE]
        ours.append(at_portal(box, user, portal, portal)[0])
        theirs.append(at_bare(box, user, bare))
    return statistics.median(ours[3:]), statistics.median(theirs[3:])


def at_portal(box: Any, user: str, start: str, end: str) -> tuple[float, bool]:
    """One sign-in, begun at one worker and ended at another: its seconds, and whether the header is that person's."""
    import requests

    from lakekey.oauth import jwt
    from support.web_browser import Browser

    browser = Browser(start, user, box.ca_file)
    page = browser.get()
    button = next(each for each in page.buttons if each in ("Connect prod", "Renew prod now"))
    began = time.perf_counter()
    url = browser.press(page, button).onward
    away = time.perf_counter()
    answer = browser.back(url)
    browser.address = end
    returned = time.perf_counter()
    done = browser.arrive(answer)
    taken = away - began + time.perf_counter() - returned
    headers = requests.get(f"{start}/whoami", headers={"X-User": user}, timeout=60).json()
    claims = jwt.claims(headers["Authorization"].removeprefix("Bearer ")) or {}
    return taken, f"prod is connected as {user}." in done.words and claims["sub"] == user


def at_bare(box: Any, user: str, bare: str) -> float:
    """The same at the bare application."""
    from support.web_browser import Browser

    browser = Browser(bare, user, box.ca_file, origin="https://bare.example.com", base="")
    began = time.perf_counter()
    url = browser.request("POST", "/connect").headers["Location"]
    away = time.perf_counter()
    answer = browser.back(url)
    returned = time.perf_counter()
    browser.request("GET", answer)
    return away - began + time.perf_counter() - returned


def many(box: Any, portals: list[str], people: list[str]) -> list[bool]:
    """Many sign-ins, four at once."""

    def one(number: int) -> bool:
        start, end = portals[number % 2], portals[(number + 1) % 2]
        return at_portal(box, people[number % PEOPLE], start, end)[1]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, range(SIGN_INS)))
