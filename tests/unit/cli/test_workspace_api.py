"""Requests to the workspace by its own name."""

import json

import lakekey
from lakekey.cli.workspace_api import WorkspaceApi


def test_host_on_loopback_in_clear_is_asked_through_no_proxy(server, monkeypatch):
    """A proxy would read the token."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    issuer = f"{server.url}/oidc"
    metadata = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token"}
    server.answer("/oidc/.well-known/oauth-authorization-server", json.dumps(metadata))
    server.answer("/oidc/token", '{"access_token": "dose-of-token", "token_type": "Bearer", "expires_in": 3600}')
    server.answer("/api/2.0/clusters/list", "{}")
    provider = lakekey.provider(host=server.url, client_id="a-job", client_secret="dose-of-salts")
    assert WorkspaceApi(provider).call("GET", "/api/2.0/clusters/list").status_code == 200
