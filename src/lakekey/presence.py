"""Whether a person is there to sign in, or this is a run that nobody watches."""

import os
import sys
from collections.abc import Mapping

from lakekey.errors import ConfigurationError

# A variable that a scheduler sets for its tasks → what to call the run.
_AUTOMATION = {
    "CI": "a CI job",
    "AIRFLOW_CTX_DAG_ID": "an Airflow task",
    "DATABRICKS_RUNTIME_VERSION": "a run on a Databricks cluster",
}


def automation(environ: Mapping[str, str] | None = None) -> str | None:
    """Why nobody is there, in words; ``None`` where somebody is.

    ``LAKEKEY_INTERACTIVE`` decides where it is set: ``never`` says that nobody is, ``browser`` that somebody is,
    whatever the terminal looks like. With ``auto``, a scheduler's variable or the lack of a terminal decides.

    Raises:
        ConfigurationError: ``LAKEKEY_INTERACTIVE`` is none of these.
    """
    environ = os.environ if environ is None else environ
    mode = environ.get("LAKEKEY_INTERACTIVE", "").strip().lower() or "auto"
    if mode not in ("auto", "browser", "never"):
        raise ConfigurationError(
            f"LAKEKEY_INTERACTIVE is {mode!r}, which is none of its values", hint="set it to auto, browser or never"
        )
    if mode == "never":
        return "a run with LAKEKEY_INTERACTIVE=never"
    if mode == "browser":
        return None
    for variable, run in _AUTOMATION.items():
        if environ.get(variable, "").strip().lower() not in ("", "0", "false"):
            return run
    return None if _has_terminal() else "a run without a terminal"


def _has_terminal() -> bool:
    # Either will do: a program whose output goes into a file still has a person at its keyboard.
    for stream in (sys.stdin, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                return True
        except ValueError:  # closed
            continue
    return False
