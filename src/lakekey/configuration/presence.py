"""Whether a person is present to sign in, or the run is unattended; and where that person sits."""

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from lakekey.errors import ConfigurationError

# A variable that a scheduler sets for its tasks → what to call the run.
_AUTOMATION = {
    "CI": "a CI job",
    "AIRFLOW_CTX_DAG_ID": "an Airflow task",
    "DATABRICKS_RUNTIME_VERSION": "a run on a Databricks cluster",
}

NO_TERMINAL = "a run without a terminal"


def automation(environ: Mapping[str, str] | None = None, mode: str | None = None) -> str | None:
    """Why the run is unattended, in words; ``None`` if a person is present.

    ``LAKEKEY_INTERACTIVE`` decides if it is set: with ``never`` the run is unattended; with ``browser`` and ``paste`` a
    person is present, whatever the terminal looks like.
    With ``auto``, a scheduler's variable, or the lack of a terminal and of a notebook, decides.

    Args:
        environ: The environment; ``None`` for this process's.
        mode: In the place of ``LAKEKEY_INTERACTIVE``.

    Raises:
        ConfigurationError: ``LAKEKEY_INTERACTIVE`` is none of these.
    """
    environ = os.environ if environ is None else environ
    mode = mode or interactive_mode(environ)
    if mode == "never":
        return "a run with LAKEKEY_INTERACTIVE=never"
    if mode in ("browser", "paste"):
        return None
    for variable, run in _AUTOMATION.items():
        if environ.get(variable, "").strip().lower() not in ("", "0", "false"):
            return run
    return None if _has_terminal() or in_notebook() else NO_TERMINAL


def interactive_mode(environ: Mapping[str, str]) -> str:
    """``LAKEKEY_INTERACTIVE``: ``auto``, ``browser``, ``paste`` or ``never``.

    Raises:
        ConfigurationError: It is none of these.
    """
    mode = environ.get("LAKEKEY_INTERACTIVE", "").strip().lower() or "auto"
    if mode not in ("auto", "browser", "paste", "never"):
        raise ConfigurationError(
            f"LAKEKEY_INTERACTIVE={mode!r} is invalid",
            hint="set it to auto, browser, paste or never",
        )
    return mode


class Seat(NamedTuple):
    """Where the person sits.

    Attributes:
        place: In words, such as ``an SSH session``.
        remote: Whether the person's browser may be on another machine, which the loopback address does not reach.
        wsl: Whether the person's browser is the one of Windows, around this Linux.
        notebook: Whether the person types into a notebook and not into a terminal.
    """

    place: str
    remote: bool = False
    wsl: bool = False
    notebook: bool = False


def seat(environ: Mapping[str, str] | None = None) -> Seat:
    """Where the person sits who is here."""
    environ = os.environ if environ is None else environ
    notebook = in_notebook()
    if environ.get("CODESPACES", "").lower() == "true":
        place = "a codespace"
    elif any(environ.get(name) for name in ("REMOTE_CONTAINERS", "DEVCONTAINER", "VSCODE_REMOTE_CONTAINERS_SESSION")):
        place = "a dev container"
    elif environ.get("JUPYTERHUB_USER"):
        place = "a notebook of a hub"
    elif environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        place = "an SSH session"
    elif environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP") or "microsoft" in _kernel_release():
        # WSL forwards the loopback address of Windows to the listener, unless that is switched off.
        return Seat("WSL", remote=True, wsl=True, notebook=notebook)
    elif (
        environ.get("container")
        or environ.get("KUBERNETES_SERVICE_HOST")
        or any(os.path.exists(mark) for mark in ("/.dockerenv", "/run/.containerenv"))
    ):
        place = "a container"
    else:
        return Seat("a notebook" if notebook else "this machine", notebook=notebook)
    return Seat(place, remote=True, notebook=notebook)


def in_notebook() -> bool:
    """Whether this is a notebook's kernel that a person uses.

    The front end of a notebook says whether its kernel may ask for input; those that run unattended say no.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def _kernel_release() -> str:
    try:
        with open("/proc/sys/kernel/osrelease", encoding="ascii") as file:
            return file.read().lower()
    except (OSError, ValueError):
        return ""


def _has_terminal() -> bool:
    # Either will do: a program whose output goes into a file still has a person at its keyboard.
    for stream in (sys.stdin, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                return True
        except ValueError:  # closed
            continue
    return False
