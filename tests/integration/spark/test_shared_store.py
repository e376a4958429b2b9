"""A Spark session on one host, and renewals on another, of one person's session in a store that both share."""

import base64
import os
import subprocess
import sys
import time

import pytest

from support.servers.postgresql import Postgresql

ELSEWHERE = """
import lakekey, select, sys
provider = lakekey.provider(host=sys.argv[1], user="ada@example.com", ca_file=sys.argv[2])
tokens = set()
while not select.select([sys.stdin], [], [], 0.2)[0]:
    tokens.add(provider.headers()["Authorization"])
print(len(tokens))
"""


@pytest.mark.timeout(300)
def test_session_goes_on_while_another_host_renews(person, connect, workspace, front, tmp_path, monkeypatch):
    with Postgresql() as server:
        monkeypatch.setenv("LAKEKEY_STORE", server.address)
        monkeypatch.setenv("LAKEKEY_KEY", base64.b64encode(os.urandom(32)).decode())
        monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
        workspace.set_lifetime(10)
        spark = connect(person("ada@example.com"))
        there = {**os.environ, "HOME": str(tmp_path), "LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), "BROWSER": "false"}
        began = time.time()
        with subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE, front.host, front.ca_file],
            env={**there, "LAKEKEY_INTERACTIVE": "never"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as other:  # fmt: skip
            try:
                while len({rpc.token for rpc in front.rpcs(since=began)}) < 3:
                    assert spark.sql("select 1").collect() == [(1,)]
                tokens, _ = other.communicate("\n", timeout=60)
            finally:
                other.kill()
    assert {rpc.status for rpc in front.rpcs(since=began)} == {200}
    assert int(tokens) >= 2
    counters = workspace.counters
    assert (counters["logins"], counters["reuses"], counters["refusals"]) == (1, 0, 0)
    assert counters["token.requests"] == 1 + counters["token.refresh_token"]
