"""Whether the files of `lakekey serve` that other programs believe are this user's alone."""

import os
from collections.abc import Iterator, Mapping

from lakekey._commands import quoted
from lakekey.cli.doctor.finding import FAILED, OK, Check
from lakekey.cli.serving.own_files import trouble_with


def check_service(environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at the unit and at the address file that the guide names, where they are there."""
    configuration = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    files = [os.path.join(configuration, "systemd", "user", "lakekey.service")]
    if environ.get("XDG_RUNTIME_DIR"):
        files.append(os.path.join(environ["XDG_RUNTIME_DIR"], "lakekey.url"))
    for file in files:
        if os.path.isabs(file) and os.path.lexists(file):
            yield _check(file)


def _check(file: str) -> Check:
    try:
        trouble = trouble_with(file)
    except OSError as error:
        trouble = f"{file} cannot be looked at: {error.strerror}"
    if trouble is None:
        return Check("service", OK, f"{file} is yours alone")
    return Check("service", FAILED, trouble, f"see who can write there: namei -l {quoted(file)}")
