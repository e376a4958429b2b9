"""Runs a sandbox in the foreground, for people who try things out."""

import json
import os
import shlex
import signal
import sys
import threading
from types import FrameType
from typing import Any, TextIO
from urllib.request import getproxies_environment

from lakekey_sandbox.workspace import Sandbox

_FILE = "databrickscfg"


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
    previous = {number: signal.signal(number, finish) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Sandbox(**options) as box:
            profiles = write_profiles(box)
            try:
                out.write(f"{json.dumps(facts(box, profiles), indent=2)}\n" if as_json else describe(box, profiles))
                out.flush()
                done.wait()
            finally:
                os.unlink(profiles)
        if not as_json:
            out.write("The sandbox has stopped.\n")
            out.flush()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def facts(box: Sandbox, profiles: str) -> dict[str, Any]:
    """What a program has to know to use the sandbox; holds no secret.

    Args:
        box: A sandbox that runs.
        profiles: The file that ``write_profiles`` wrote.
    """
    names = ("host", "ca_file", "http_path", "warehouse_id", "cluster_id", "account_id", "workspace_id", "client_id")
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
    ca_file, no_proxy = shlex.quote(box.ca_file), shlex.quote(box.environment()["NO_PROXY"])
    lines = ["A lakekey sandbox is running.", ""]
    lines += [f"  {name.ljust(width)}  {value}" for name, value in facts]
    lines += [
        "",
        "Profiles sandbox (a person) and sandbox-m2m (the service principal) are in that file. In another terminal:",
        "",
        f"  export DATABRICKS_CONFIG_FILE={shlex.quote(profiles)}",
        f"  export REQUESTS_CA_BUNDLE={ca_file} SSL_CERT_FILE={ca_file}",
        *([f"  export NO_PROXY={no_proxy} no_proxy={no_proxy}"] if getproxies_environment() else []),
        "  lakekey login sandbox",
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
    common = f"host = {box.host}\nhttp_path = {box.http_path}\nwarehouse_id = {box.warehouse_id}\n"
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
