"""``lakekey demo --web``: two people, two workspaces, a schedule, and a session that nears its end."""

import json
import re
import signal
import subprocess
import sys

import requests

COMMAND = [sys.executable, "-m", "lakekey", "demo", "--web"]


def test_demo_of_hosted_sign_in_holds_and_ends():
    done = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, timeout=110, check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["held"], said["logins"], said["token_requests"]) == (0, True, 3, 3), done.stderr
    assert "✗" not in done.stderr
    assert done.stderr.count("✓") == 7
    assert "ada@example.com  staging: ends soon" in done.stderr
    assert "weekly  fails" in done.stderr


def test_service_of_the_demo_stays_for_a_browser_until_ctrl_c():
    with subprocess.Popen([*COMMAND, "--browser"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        try:
            said = []
            for line in demo.stdout:
                said.append(line)
                if (stays := re.search(r"The service stays at (http://localhost:\d+) for", line)) is not None:
                    break
            else:
                raise AssertionError("".join(said))
            with requests.Session() as browser:
                browser.trust_env = False
                assert "not connected" not in browser.get(stays[1], timeout=30).text
                page = browser.post(f"{stays[1]}/user", data={"user": "grace@example.com"}, timeout=30).text
                assert "For you, this service acts as" in page
                assert "prod: not connected" in page
                stranger = browser.post(f"{stays[1]}/user", data={"user": "eve@example.com"}, timeout=30).text
                assert "eve@example.com" not in stranger
        finally:
            demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert "The service has stopped." in rest
    assert demo.returncode == 0
