"""``lakekey env`` and ``lakekey run``: a session for other tools, which get no refresh token and, usually, no token.

``run`` serves tokens on loopback for as long as the command runs: the SDKs' metadata service. ``env`` names the program
that the SDKs call for a token. ``--token`` is for tools that accept nothing else.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from lakekey import _commands
from lakekey._imports import expanded
from lakekey.cli import lent_variables, prompt
from lakekey.cli.output import print_json
from lakekey.cli.provider import provider_for_target
from lakekey.cli.serving.databricks_cli import target_at, target_for_others
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.providers.provider import Provider

# What would decide another identity than the one that is lent, or send it to another workspace.
_OF_ANOTHER = frozenset(
    variable
    for name, setting in SETTINGS.items()
    if setting.method or setting.secret or name in ("auth_type", "host", "account_id", "workspace_id")
    for variable in setting.variables
    if variable.startswith(("DATABRICKS_", "ARM_"))
)
# What may be written as it counts from the current directory.
_PATHS = ("LAKEKEY_CACHE_DIR", "LAKEKEY_KEY_FILE", "DATABRICKS_CONFIG_FILE")
# Where a session is for.
_PLACE = ("DATABRICKS_HOST", "DATABRICKS_ACCOUNT_ID", "DATABRICKS_WORKSPACE_ID")


def env(arguments: argparse.Namespace) -> int:
    """Print the variables with which another tool uses the session, for ``eval``."""
    target = _target(arguments.profile)
    if arguments.token:
        variables = {**_place(target), "DATABRICKS_TOKEN": _ready(target).token().access_token}
    else:
        from lakekey.cli.serving.databricks_program import program

        _require_same_session(target)
        variables = {
            **_place(target),
            "DATABRICKS_AUTH_TYPE": "databricks-cli",
            "DATABRICKS_CLI_PATH": program(),
        }
        if target.profile:
            variables["DATABRICKS_CONFIG_PROFILE"] = target.profile
    # What an earlier session has left in the shell would lead to its workspace, or to its identity.
    of_another = {*lent_variables.left(os.environ), *_PLACE}
    if arguments.token:
        of_another.add("DATABRICKS_AUTH_TYPE")
        if os.environ.get("DATABRICKS_CONFIG_PROFILE", "").strip() != target.profile:
            of_another.add("DATABRICKS_CONFIG_PROFILE")
    removed = sorted(name for name in of_another if name not in variables and name in os.environ)
    variables[lent_variables.RECORD] = lent_variables.record(variables, os.environ, _PLACE)
    variables |= _from_anywhere()
    if arguments.json:
        print_json({**dict.fromkeys(removed), **variables})
        return 0
    if arguments.profile is None:
        who = f" of {target.user}" if target.user else ""
        named = f"the profile {target.profile}" if target.profile else f"the session{who} at {target.host}"
        prompt.tell(f"lakekey: these variables lend {named}")
    shell = arguments.shell or usual_shell(os.environ)
    for name in removed:
        print(_removal(name, shell))
    for name, value in variables.items():
        print(_assignment(name, value, shell))
    return 0


def _target(profile: str | None) -> Target:
    """What is lent: a profile, without what an earlier ``env`` or ``run`` has left of this one or another."""
    lent_before = lent_variables.left(os.environ)
    named = os.environ.get("DATABRICKS_CONFIG_PROFILE")
    if profile is None and "DATABRICKS_CONFIG_PROFILE" in lent_before:
        profile = named
    elif profile is None and named is None:
        return target_for_others(None)  # the session of this shell, whatever it is
    return target_for_others(profile, {name: value for name, value in os.environ.items() if name not in lent_before})


def _place(target: Target) -> dict[str, str]:
    """The variables that say where the session is for: a host that serves several workspaces goes by the workspace."""
    found = zip(_PLACE, (target.host, target.account_id, target.workspace_id), strict=True)
    return {name: value for name, value in found if value}


def _from_anywhere() -> dict[str, str]:
    """The paths of this environment that count from the current directory, for a program that is asked in another."""
    paths = {name: expanded(os.environ.get(name, "").strip()) for name in _PATHS}
    return {name: os.path.abspath(path) for name, path in paths.items() if path and not os.path.isabs(path)}


def _require_same_session(target: Target) -> None:
    """The variables name a host, or a profile: refuse a session that they would not lead to."""
    if target.profile:
        return
    found = target_at(target.host, target.account_id)
    if found.cache_key_fields() != target.cache_key_fields():
        named = f" --user {_commands.word(target.user)}" if target.user else ""
        raise ConfigurationError(
            f"there are several sessions at {target.host}, and the variables could not say which",
            hint=f"add a profile: lakekey profiles add NAME --host {target.host}{named}",
        )


def run(arguments: argparse.Namespace) -> int:
    """Run a command with the session. Returns the command's own exit status."""
    if not arguments.words:
        raise ConfigurationError("a command to run is missing", hint="lakekey run PROFILE -- COMMAND …")
    target = _target(arguments.profile)
    provider = _ready(target)
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}
    if inherited.get("DATABRICKS_CONFIG_PROFILE", "").strip() != target.profile:
        inherited.pop("DATABRICKS_CONFIG_PROFILE", None)  # an SDK would read the workspace of that one
    variables = _place(target)
    if arguments.token:
        variables["DATABRICKS_TOKEN"] = provider.token().access_token
        return _run(arguments.words, _with(variables, inherited))
    from lakekey.cli.serving.metadata_service import MetadataService

    # A program asks, so that no browser may open for it: it is told what to run.
    unattended = provider_for_target(target, "never")
    with MetadataService([unattended]) as service:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        variables |= {"DATABRICKS_AUTH_TYPE": "metadata-service", "DATABRICKS_METADATA_SERVICE_URL": service.url}
        try:
            return _run(arguments.words, _with(variables, inherited))
        finally:
            service.shutdown()


def _with(variables: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """A command's environment."""
    return {**inherited, **variables, lent_variables.RECORD: lent_variables.record(variables, inherited, _PLACE)}


def _ready(target: Target) -> Provider:
    """The provider, signed in; by the person who is here, where that is needed."""
    provider = provider_for_target(target)
    provider.headers()
    return provider


def _run(words: list[str], environ: Mapping[str, str]) -> int:
    """Run a command and forward the signals that would end it. Returns its exit status, as a shell gives it."""
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    with _handled(forward):
        try:
            process = subprocess.Popen(words, env=dict(environ))  # noqa: S603 - the command is the person's own
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LakekeyError(f"{words[0]} cannot be run: {reason}", hint="check the command after --") from None
        started.append(process)
        for number in early:
            process.send_signal(number)
        status = process.wait()
    return 128 - status if status < 0 else status


@contextlib.contextmanager
def _handled(forward: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle signals from before the command starts: one in between would end this process and leave the command."""
    # The terminal itself sends Ctrl-C to the command, too.
    handlers = {"SIGINT": lambda _number, _frame: None, "SIGTERM": forward, "SIGHUP": forward}
    previous: dict[int, Any] = {}
    for name, handler in handlers.items():
        number = getattr(signal, name, None)
        # What is ignored here, as under nohup or behind `&`, is for the command to ignore, which inherits that.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def usual_shell(environ: Mapping[str, str]) -> str:
    """The shell that asks, as far as can be told: Git's shell on Windows is one of POSIX, and sets ``MSYSTEM``."""
    return "powershell" if sys.platform == "win32" and not environ.get("MSYSTEM") else "sh"


def _removal(name: str, shell: str) -> str:
    if shell == "fish":
        return f"set -eg {name}"
    if shell == "powershell":
        return f"$env:{name} = $null"
    if shell == "cmd":
        return f'set "{name}="'
    return f"unset {name}"


def _assignment(name: str, value: str, shell: str) -> str:
    if shell == "fish":
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{quoted}'"
    if shell == "powershell":
        return f"$env:{name} = {_commands.in_powershell(value)}"
    if shell == "cmd":
        return f'set "{name}={value}"'
    return f"export {name}={shlex.quote(value)}"
