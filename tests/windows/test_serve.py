"""``lakekey serve`` on Windows until Ctrl-Break; Ctrl-C is in test_console.py.

Wine 8 sends a console's programs Ctrl-C; ``GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, 0)`` fails there with error 6.
"""

import pytest
import requests

from support import wine

pytestmark = pytest.mark.timeout(600)

# A wait without an end is deaf to Ctrl-C on Windows. The console runs a handler in a thread of its own, as this does.
SERVES = """
import os, signal, sys, threading, time
from support.reports import report, wait_for_word
def strike():
    wait_for_word()
    signal.raise_signal(getattr(signal, sys.argv[1]))
def tell():
    while not os.path.exists("url"):
        time.sleep(0.05)
    with open("url", encoding="utf-8") as file:
        report("serves", url=file.read().strip())
os.chdir(sys.argv[2])
sys.stdout = open(os.devnull, "w")
for work in (strike, tell):
    threading.Thread(target=work, daemon=True).start()
from lakekey.cli import main
report("result", status=main(["serve", "--url-file", "url"]), left=os.path.exists("url"))
"""


def test_serve_hands_out_tokens_until_ctrl_break(service, tmp_path):
    with service.python(SERVES, "SIGBREAK", wine.windows(tmp_path)) as child:
        url = child.until("serves")["url"]
        asked = {"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": service.server.host}
        answer = requests.get(url, headers=asked, timeout=wine.PATIENCE)
        assert answer.json()["access_token"]
        child.go_on()
        assert child.result() == {"event": "result", "status": 0, "left": False}
    assert service.token_requests() == 1
