"""The lines of the portal's Dockerfile, run in order: what they install serves the page, and its health check says so.

No container: the paths of the image are paths of the test's own. `lakekey` is the wheel of this checkout; what it needs
comes from where pip is told to look.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from support.waiting import until_up

ROOT = Path(__file__).parents[3]
WHEELS = ROOT / "build/wheels"
PAGE = (ROOT / "docs/guides/portal-service.md").read_text(encoding="utf-8")
PATIENCE = 300.0


def dockerfile():
    """The instructions, in order."""
    (text,) = re.findall(r"^```dockerfile\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line.split(" ", 1) for line in text.splitlines()]


def status_of(probe, environ):
    return subprocess.run(probe, env=environ, capture_output=True, timeout=60, check=False).returncode


def test_lines_of_the_dockerfile_install_a_portal_that_starts(tmp_path):
    image = str(tmp_path / "portal")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LAKEKEY_", "DATABRICKS_"))},
        "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {WHEELS}".strip(),
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    start, probe = [], []
    for instruction, given in dockerfile():
        here = given.replace("/opt/portal", image).replace("8030/", f"{port}/")
        if instruction == "FROM":
            assert given.startswith("python:3.")
        elif instruction == "RUN":
            line = re.sub(r"^python ", f"{sys.executable} ", here)
            done = subprocess.run(
                ["sh", "-euc", line], env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        elif instruction == "ENV":
            name, value = given.split("=", 1)
            environ[name] = value.replace("/dev/shm", str(tmp_path)).replace("/run/secrets", str(tmp_path))
        elif instruction == "HEALTHCHECK":
            probe = json.loads(here.removeprefix("CMD "))
        elif instruction == "ENTRYPOINT":
            start = json.loads(here)
        elif instruction == "CMD":
            local = {"0.0.0.0": "127.0.0.1"}
            start += [local.get(word, word) for word in json.loads(given)] + ["--port", port]
    (installed,) = Path(image).glob("lib/python3.*/site-packages/lakekey-*.dist-info")
    (wheel,) = WHEELS.glob("lakekey-*.whl")
    assert wheel.name.startswith(installed.name.removesuffix(".dist-info"))
    assert not list(Path(image).glob("lib/python3.*/site-packages/pytest"))

    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://dbc-00000000-0000.cloud.databricks.com\n")
    key = tmp_path / "lakekey-key"
    key.write_text("p" * 43 + "=")
    key.chmod(0o400)
    environ["LAKEKEY_STORE"] = "memory:"  # in place of the database that `docker run` names
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(start, env=environ, stdout=file, stderr=subprocess.STDOUT, cwd="/")
        try:
            until_up(process, log, lambda: status_of(probe, environ) == 0)
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert status_of(probe, environ) != 0
