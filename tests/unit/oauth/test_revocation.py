"""Revoking a token: what the server says of it, and that no trouble there keeps a person from signing out."""

import pytest

from lakekey.errors import TokenEndpointError
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.revocation import FAILED, NOT_OFFERED, REFUSED, REVOKED, revoke
from lakekey.oauth.transport import Transport


def client_of(server, *, offered=True):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    if offered:
        metadata = metadata._replace(revocation_endpoint=f"{server.url}/revoke")
    return Client("the-app", None, ("all-apis",), Transport(), lambda: metadata)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, REVOKED), (204, REFUSED), (400, REFUSED), (499, REFUSED), (500, FAILED), (503, FAILED)],
)
def test_outcome_is_what_the_server_answers(server, caplog, status, outcome):
    server.answer("/revoke", status=status)
    assert revoke(client_of(server), "a-token") == outcome
    (asked,) = server.asked
    assert asked.body == "token=a-token&token_type_hint=refresh_token&client_id=the-app"
    assert (f"HTTP {status}" in caplog.text) is (outcome != REVOKED)
    assert "a-token" not in caplog.text


def test_server_that_offers_no_revocation_is_not_asked(server):
    assert revoke(client_of(server, offered=False), "a-token") == NOT_OFFERED
    assert server.asked == []


def test_server_that_cannot_be_reached_is_told_of_and_raises_nothing(caplog):
    def discover():
        raise TokenEndpointError("the server is away")

    assert revoke(Client("the-app", None, (), Transport(), discover), "a-token") == FAILED
    assert "could not be revoked at the server: the server is away" in caplog.text
