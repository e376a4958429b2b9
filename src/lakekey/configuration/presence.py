"""Whether a person is present to sign in, or the run is unattended."""

from __future__ import annotations

import os
import sys

from lakekey.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# A variable that a scheduler sets for its tasks → what to call the run.
_AUTOMATION = {
    "CI": "a CI job",
    "AIRFLOW_CTX_DAG_ID": "an Airflow task",
    "DATABRICKS_RUNTIME_VERSION": "a run on a Databricks cluster",
}

NO_TERMINAL = "a run without a terminal"


def why_unattended(environ: Mapping[str, str] | None = None, mode: str | None = None) -> str | None:
    """Why the run is unattended, in words; ``None`` if a person is present.

    ``LAKEKEY_INTERACTIVE`` decides if it is set: with ``never`` the run is unattended; with ``browser`` and ``paste`` a
    person is present, whatever the terminal looks like.
    With ``auto``, a scheduler's variable, or the lack of a terminal and of a notebook, decides.

    Args:
        environ: The environment; ``None`` for this process's.
        mode: In the place of ``LAKEKEY_INTERACTIVE``.

    Raises:
        ConfigurationError: ``LAKEKEY_INTERACTIVE`` is something else.
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
        ConfigurationError: It is something else.
    """
    mode = environ.get("LAKEKEY_INTERACTIVE", "").strip().lower() or "auto"
    if mode not in ("auto", "browser", "paste", "never"):
        raise ConfigurationError(
            f"LAKEKEY_INTERACTIVE={mode!r} is invalid",
            hint="set it to auto, browser, paste or never",
        )
    return mode


def in_notebook() -> bool:
    """Whether this is a notebook's kernel that a person uses.

    The front end of a notebook says whether its kernel may ask for input; those that run unattended say no.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def _has_terminal() -> bool:
    # Either will do: a program whose output goes into a file still has a person at its keyboard.
    for stream in (sys.stdin, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                return True
        except ValueError:  # closed
            continue
    return False
