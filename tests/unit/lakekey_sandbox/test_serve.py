"""The sandbox in the foreground."""

import os
import re
import signal
import stat
import subprocess
import sys

import pytest

PROGRAM = "import sys; from lakekey_sandbox.serve import serve; sys.exit(serve(directory=sys.argv[1]))"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_use_it_keeps_the_secret_in_a_private_file_and_stops_on_a_signal(tmp_path, number):
    directory = tmp_path / "box"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    text = "".join(lines)
    profiles = directory / "databrickscfg"
    assert re.search(r"host +https://127\.0\.0\.1:\d+", text)
    assert str(profiles) in text
    assert stat.S_IMODE(os.stat(profiles).st_mode) == 0o600
    content = profiles.read_text()
    secret = re.search(r"client_secret = (\S+)", content)[1]
    assert secret not in text
    assert "[sandbox-m2m]" in content
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (0, "The sandbox has stopped.\n", "")
    assert os.listdir(directory) == []
