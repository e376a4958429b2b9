"""Runs a sandbox in the foreground, for people who try things out."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any, TextIO
from urllib.request import getproxies_environment

from lakekey_sandbox.workspace import Sandbox

_FILE = "databrickscfg"
_SLICE = 0.25  # seconds


def serve(*, output: TextIO | None = None, as_json: bool = False, **options: Any) -> int:
    """Runs a sandbox until SIGINT or SIGTERM; call it from the main thread.

    Args:
        output: Where the facts about the sandbox go; standard output where ``None``.
        as_json: Whether they go there as one JSON document, and nothing after it.
        options: The arguments of ``Sandbox``.

    Returns:
        The exit status.
    """
    out = output or sys.stdout
    done = threading.Event()

    def finish(_signal: int, _frame: FrameType | None) -> None:
        done.set()

    # Before the start, so that no moment is left in which a signal would leave files behind.
    ends = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    previous = {number: signal.signal(number, finish) for number in ends}
    try:
        with Sandbox(**options) as box:
            profiles = write_profiles(box)
            try:
                out.write(f"{json.dumps(facts(box, profiles), indent=2)}\n" if as_json else describe(box, profiles))
                out.flush()
                while not done.wait(_SLICE):  # on Windows, a wait without an end is deaf to Ctrl-C
                    pass
            finally:
                os.unlink(profiles)
        if not as_json:
            out.write("The sandbox has stopped.\n")
            out.flush()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def run_command(command: Sequence[str], **options: Any) -> int:
    """Runs a command beside a sandbox that ends with it; call it from the main thread.

    The command alone has an environment that leads there: the sandbox's profiles and certificate, a cache of its own.

    Args:
        command: The program and its arguments.
        options: The arguments of ``Sandbox``.

    Returns:
        The command's exit status; 128 and the signal's number where a signal ended it, 127 where it is not there.
    """
    with Sandbox(**options) as box, tempfile.TemporaryDirectory(prefix="lakekey-sandbox-cache-") as cache:
        profiles = write_profiles(box)
        variables = {**box.environment(), "DATABRICKS_CONFIG_FILE": profiles, "LAKEKEY_CACHE_DIR": cache}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
        try:
            return _wait_for(command, {**kept, **variables})
        finally:
            os.unlink(profiles)


def _wait_for(command: Sequence[str], environment: dict[str, str]) -> int:
    passed: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def end(number: int, _frame: FrameType | None) -> None:
        passed.append(number)
        # The terminal sends Ctrl-C to the command, too.
        if child is not None and number != signal.SIGINT:
            child.send_signal(number)

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - what the user asked for
        if signal.SIGTERM in passed:
            child.terminate()
        status = child.wait()
    except FileNotFoundError:
        sys.stderr.write(f"lakekey: there is no program {command[0]}\n")
        return 127
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def facts(box: Sandbox, profiles: str) -> dict[str, Any]:
    """What a program has to know to use the sandbox; holds no secret.

    Args:
        box: A sandbox that runs.
        profiles: The file that ``write_profiles`` wrote.
    """
    names = (
        "host",
        "ca_file",
        "ca_bundle",
        "http_path",
        "warehouse_id",
        "cluster_id",
        "account_id",
        "workspace_id",
        "client_id",
    )
    return {**{name: getattr(box, name) for name in names}, "users": list(box.users), "config_file": profiles}


def describe(box: Sandbox, profiles: str) -> str:
    """What a person has to know to use the sandbox; holds no secret.

    Args:
        box: A sandbox that runs.
        profiles: The file that ``write_profiles`` wrote.
    """
    facts = [
        ("host", box.host),
        ("CA file", box.ca_file),
        ("HTTP path", box.http_path),
        ("users", ", ".join(box.users)),
        ("service principal", box.client_id),
        ("its secret", f"in {profiles}"),
    ]
    width = max(len(name) for name, _ in facts)
    bundle, no_proxy = shlex.quote(box.ca_bundle), shlex.quote(box.environment()["NO_PROXY"])
    lines = ["A lakekey sandbox is running.", ""]
    lines += [f"  {name.ljust(width)}  {value}" for name, value in facts]
    lines += [
        "",
        "Profiles sandbox (a person) and sandbox-m2m (the service principal) are in that file. In another terminal:",
        "",
        f"  export DATABRICKS_CONFIG_FILE={shlex.quote(profiles)}",
        *([f"  export NO_PROXY={no_proxy} no_proxy={no_proxy}"] if getproxies_environment() else []),
        "  lakekey login sandbox",
        "",
        "Programs that read no profile have to trust the sandbox's certificate, beside those that this machine trusts:",
        "",
        f"  export REQUESTS_CA_BUNDLE={bundle} SSL_CERT_FILE={bundle}",
        "",
        "Or let it run one command: lakekey sandbox -- COMMAND",
        "",
        "Ctrl-C stops it.",
        "",
    ]
    return "\n".join(lines)


def write_profiles(box: Sandbox) -> str:
    """Writes a configuration file with a profile for a person and one for the service principal.

    It holds the service principal's secret, so it is created with mode 0600, and never printed.

    Args:
        box: A sandbox that runs.

    Returns:
        The file's path.
    """
    path = os.path.join(box.directory, _FILE)
    common = (
        f"host = {box.host}\nhttp_path = {box.http_path}\nwarehouse_id = {box.warehouse_id}\nca_file = {box.ca_file}\n"
    )
    text = (
        f"[sandbox]\n{common}auth_type = external-browser\n\n"
        f"[sandbox-m2m]\n{common}auth_type = oauth-m2m\n"
        f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    if os.path.lexists(path):
        os.unlink(path)  # one that an earlier run left, whose mode might be another
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
