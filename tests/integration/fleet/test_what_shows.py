"""What others can see of a store in use: the server's logs and views, the process list, and tracebacks."""

import re
import sys
from pathlib import Path

import pytest

from support.servers.postgresql import free_port
from support.sessions import Child

pytestmark = pytest.mark.timeout(120)


def secrets_of(host, server):
    entry = host.stored()
    return [server.password, host.key, entry.access_token, entry.refresh_token]


def test_a44_server_shows_no_secret_of_what_it_keeps(fleet, oidc_server, server):
    host = fleet.host("a")
    host.sign_in()
    before = secrets_of(host, server)
    with server.watched() as shown, oidc_server.hold() as hold, host.started("asks_once") as asking:
        hold.wait()
        arguments = Path(f"/proc/{asking.pid}/cmdline").read_bytes().decode()
        hold.release()
        assert asking.result()["ok"]
        seen = shown()
        said = asking.complaints()
    secrets = {*before, *secrets_of(host, server)}
    assert len(secrets) == 6  # both tokens are others now
    assert host.entry_id in seen  # it did look
    # A server that is told to log all shows what it was sent, which is sealed.
    assert [secret for secret in secrets for text in (seen, said, arguments) if secret in text] == []
    assert re.search("bearer|refresh_token|access_token", seen, re.IGNORECASE) is None


@pytest.mark.parametrize("way", ["another password", "no server"])
def test_a44_traceback_shows_no_secret(fleet, server, way):
    wrong = server.address.replace(server.password, f"{server.password}-of-another")
    nowhere = server.address_at(free_port(), connect_timeout="0")
    host = fleet.host("a", address=wrong if way == "another password" else nowhere)
    with Child(
        [sys.executable, "-X", "dev", "-c", "import lakekey; lakekey.provider().headers()"], host.environ
    ) as child:
        said = child.complaints()
    assert "StoreUnavailable" in said
    assert "Traceback" in said
    assert server.password not in said
    assert host.key not in said
