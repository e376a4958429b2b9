"""Where the person who signs in is: at this machine, or at another one."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from lakekey.configuration.presence import in_notebook


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
    """Where the person sits who is here.

    Args:
        environ: The environment; ``None`` for this process's.
    """
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


def _kernel_release() -> str:
    try:
        with open("/proc/sys/kernel/osrelease", encoding="ascii") as file:
            return file.read().lower()
    except (OSError, ValueError):
        return ""
