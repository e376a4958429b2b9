"""Programs of other languages on several hosts: each host's metadata service hands out the one session of the store."""

import contextlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import requests

from support.fleet import Fleet
from support.processes import LAKEKEY


@contextlib.contextmanager
def serving(host):
    """``lakekey serve`` on a host; its address."""
    command = [LAKEKEY, "serve", "--json"]
    with subprocess.Popen(
        command, env=host.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as it:
        try:
            text = ""
            for line in iter(it.stdout.readline, ""):
                text += line
                with contextlib.suppress(ValueError):
                    yield json.loads(text)
                    break
        finally:
            it.terminate()


def test_hosts_that_serve_one_session_make_one_token_request(oidc_server, tmp_path, postgresql):
    fleet = Fleet(oidc_server, tmp_path, postgresql.address)
    hosts = [fleet.host(name) for name in "ab"]
    hosts[0].sign_in()
    oidc_server.reset()
    headers = {"X-Databricks-Metadata-Version": "1", "X-Databricks-Host": oidc_server.host}
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(serving(host)) for host in hosts]
        urls = [next(value for value in place.values() if str(value).startswith("http://")) for place in places]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda url: requests.get(url, headers=headers, timeout=60).json(), urls * 4))
    assert len({answer["access_token"] for answer in answers}) == 1
    counters = oidc_server.counters()
    assert counters["requests.token.refresh_token"] == counters["requests.token"] == 1
    assert counters["grant.error.invalid_grant"] == 0
