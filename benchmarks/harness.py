"""What the benchmarks share: a workspace to sign in to, fair child processes, interleaved timing, and one table.

Times on a machine that does other things mean little by themselves: what is compared is run in turn (A B A B …) in
one run, and medians are set side by side.
"""

import compileall
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from sso_front import SsoFront

from lakekey.sandbox import Sandbox

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(os.path.dirname(HERE), "src")
TESTS = os.path.join(os.path.dirname(HERE), "tests")
_SIGN_IN = """
import json, lakekey
from lakekey.session.session import Session
# msal always asks for OpenID Connect's scopes, too, and a refresh may ask for no more than was granted.
provider = lakekey.provider("person", scopes=["all-apis", "sql", "offline_access", "openid", "profile"])
provider.headers()
entry = Session(provider.target).peek()
print(json.dumps({"access_token": entry.access_token, "refresh_token": entry.refresh_token}))
"""
_FOREIGN = ("DATABRICKS_", "LAKEKEY_", "PYTHON", "AIRFLOW_", "CI")


HEADER = ("WHAT", "MEDIAN", "AGAINST", "RATIO", "BUDGET", "")


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        what: What was measured.
        seconds: Its median.
        against: What it is compared with, or empty.
        ratio: Its median over the other's, or ``None``.
        budget: The highest ratio allowed, or ``None`` where there is no budget.
        note: More about it.
        counted: What stands in the median's place where something was counted instead.
        met: Whether a budget was met that is no ratio, or ``None``.
    """

    what: str
    seconds: float
    against: str = ""
    ratio: float | None = None
    budget: float | None = None
    note: str = ""
    counted: str = ""
    met: bool | None = None


class Bench:
    """A workspace, two profiles that sign in to it, and an environment that leads children to them."""

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self.box = self._stack.enter_context(Sandbox())
        self.home = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lakekey-bench-"))
        front = self._stack.enter_context(SsoFront(f"{self.box.host}/oidc/v1/token", self.box.ca_file))
        profiles = os.path.join(self.home, "databrickscfg")
        common = f"host = {self.box.host}\nwarehouse_id = {self.box.warehouse_id}\n"
        service = f"client_id = {self.box.client_id}\nclient_secret = {self.box.client_secret}\n"
        text = f"[person]\n{common}auth_type = external-browser\n\n[service]\n{common}auth_type = oauth-m2m\n{service}"
        with open(os.open(profiles, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        bare = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        trusted = {name: value for name, value in self.box.environment().items() if not name.startswith("DATABRICKS_")}
        self.environment = {
            **bare,
            **trusted,
            "HOME": self.home,
            "BROWSER": self.box.person().command(),
            "DATABRICKS_CONFIG_FILE": profiles,
            "LAKEKEY_CACHE_DIR": os.path.join(self.home, "cache"),
            "LAKEKEY_INTERACTIVE": "browser",
            "LAKEKEY_KEY_SOURCE": "file",
            "AWS_ENDPOINT_URL_SSO_OIDC": front.address,
        }
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def child(self, arguments: Sequence[str], **variables: str) -> str:
        """Runs Python with arguments, as every child here is run; returns what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**self.environment, **variables},
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def child_json(self, *arguments: str) -> Any:
        """What a child printed, as JSON."""
        return json.loads(self.child(arguments))

    def process_times(
        self,
        programs: Mapping[str, str],
        *,
        rounds: int,
        slow: Sequence[str] = (),
        repeat: int = 3,
        environments: Mapping[str, Mapping[str, str]] | None = None,
    ) -> dict[str, float]:
        """Median seconds from spawn to exit of ``python -c`` programs, run in turn.

        Args:
            programs: Programs by name.
            rounds: How often.
            slow: Those that run once a round only; the others run `repeat` times.
            repeat: How often the quick ones run in a round.
            environments: Variables of single programs.
        """
        times: dict[str, list[float]] = {name: [] for name in programs}
        more = {name: dict((environments or {}).get(name, {})) for name in programs}
        for name, program in programs.items():
            self.child(["-c", program], **more[name])  # the disk's cache is warm for all
        for _ in range(rounds):
            for turn in range(repeat):
                for name, program in programs.items():
                    if turn == 0 or name not in slow:
                        times[name].append(self._time(program, more[name]))
        return {name: statistics.median(seconds) for name, seconds in times.items()}

    def session(self) -> dict[str, str]:
        """The tokens of a new sign-in, a family that nothing else here uses, for a peer's cache to begin with."""
        with tempfile.TemporaryDirectory(dir=self.home) as cache:
            tokens: dict[str, str] = json.loads(self.child(["-c", _SIGN_IN], LAKEKEY_CACHE_DIR=cache))
        return {**tokens, "host": self.box.host, "ca_file": self.box.ca_file}

    def _time(self, program: str, more: Mapping[str, str]) -> float:
        command = [sys.executable, "-c", program]
        environment = {**self.environment, **more}
        began = time.perf_counter()
        # Without a time limit: with one, the module waits by sleeping, up to 50 ms at a time.
        status = subprocess.call(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken = time.perf_counter() - began
        if status != 0:
            raise RuntimeError(f"exit status {status}: {program}")
        return taken


def compile_bytecode() -> str:
    """Compiles what is imported, and says so: some machines tell Python not to keep bytecode, and every start pays."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), SOURCE}
    with contextlib.redirect_stdout(io.StringIO()):
        done = min(compileall.compile_dir(place, quiet=2) for place in sorted(places))
    told = "set" if os.environ.get("PYTHONDONTWRITEBYTECODE") else "not set"
    state = "compiled" if done else "compiled, but for files of packages that no interpreter here can compile"
    return f"bytecode: {state}; PYTHONDONTWRITEBYTECODE was {told} and is unset for the children"


def print_table(rows: Sequence[Row]) -> None:
    """The one table."""
    header = HEADER
    lines = [header, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table, in words."""
    ratio = "" if row.ratio is None else _figures(row.ratio)
    budget = "" if row.budget is None else f"≤ {_figures(row.budget)}"
    met = row.met
    if row.ratio is not None and row.budget is not None:
        met = row.ratio <= row.budget and met is not False
    verdict = "" if met is None else "within" if met else "OVER"
    return row.what, row.counted or _seconds(row.seconds), row.against, ratio, budget, f"{verdict} {row.note}".strip()


def _figures(number: float) -> str:
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def _seconds(seconds: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Says on standard error what takes its time."""
    began = time.monotonic()
    print(f"{what} …", end="", file=sys.stderr, flush=True)
    yield
    print(f" {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
