"""What a host says about itself, as the SDK is given it."""

import json
from types import SimpleNamespace

import pytest
from databricks.sdk.core import Config

from lakekey.configuration.target import resolve
from lakekey.providers.sdk_config import _metadata, config_class

WELL_KNOWN = "/.well-known/databricks-config"
OIDC = "https://h.example.com/oidc"
OF_ACCOUNT = f"{OIDC}/accounts/{{account_id}}"
DISCOVERY = "/.well-known/oauth-authorization-server"


def target_of(server, **settings):
    return resolve(environ={}, host=server.url, token="dapi1", **settings)


def test_what_cannot_be_encoded_is_not_handed_to_the_sdk(server):
    body = r'{"workspace_id": "7", "cloud": "aws\udcff", "account_id": "\ud83d", "oidc_endpoint": "https://h/\udcff"}'
    server.answer(WELL_KNOWN, body)
    found = _metadata(target_of(server), [])
    assert {name: value for name, value in found.items() if value} == {"workspace_id": "7"}


@pytest.mark.parametrize(
    ("said", "given", "account", "discovery"),
    [
        ({"oidc_endpoint": f"{OIDC}/"}, None, None, OIDC + DISCOVERY),
        ({"oidc_endpoint": OF_ACCOUNT}, None, None, None),
        ({"oidc_endpoint": OF_ACCOUNT, "account_id": "theirs"}, None, "theirs", f"{OIDC}/accounts/theirs{DISCOVERY}"),
        ({"oidc_endpoint": OF_ACCOUNT, "account_id": "theirs"}, "mine", "mine", f"{OIDC}/accounts/mine{DISCOVERY}"),
        ({"account_id": "theirs"}, None, "theirs", None),
    ],
)
def test_authorization_server_is_that_of_the_workspace_or_of_the_account_if_that_is_known(
    server, said, given, account, discovery
):
    server.answer(WELL_KNOWN, json.dumps({**said, "workspace_id": "7", "cloud": "AWS"}))
    found = _metadata(target_of(server, account_id=given), [])
    assert (found["account_id"], found.get("discovery_url")) == (account, discovery)
    assert (found["workspace_id"], found["cloud"]) == ("7", "AWS")


@pytest.mark.parametrize(("status", "body"), [(404, '{"cloud": "AWS"}'), (200, '["AWS"]'), (200, "noise")])
def test_answer_that_does_not_count_tells_nothing(server, status, body):
    server.answer(WELL_KNOWN, body, status=status)
    reports = []
    assert not any(_metadata(target_of(server), reports).values())
    assert reports == []


def test_host_that_cannot_be_asked_is_reported_and_does_not_end_the_sdks_own_way():
    reports = []
    assert _metadata(resolve(environ={}, host="http://127.0.0.1:1", token="dapi1"), reports) == {}
    assert len(reports) == 1


@pytest.mark.parametrize(
    ("host", "settings", "is_own"),
    [("h", {}, False), ("h", {"ca_file": "x"}, True), ("h", {"client_cert": "x"}, True), ("", {"ca_file": "x"}, False)],
)
def test_sdk_looks_at_the_host_by_our_tls_settings_where_there_are_any(host, settings, is_own):
    target = SimpleNamespace(**{"host": host, "ca_file": None, "client_cert": None, **settings})
    found = config_class(target, [])
    assert issubclass(found, Config)
    assert (found is not Config) is is_own


def test_what_the_sdk_was_told_outweighs_what_the_host_says(server):
    server.answer(WELL_KNOWN, json.dumps({"workspace_id": "7", "cloud": "AWS", "oidc_endpoint": OIDC}))
    sdk = SimpleNamespace(workspace_id="8", cloud=None, account_id="mine", discovery_url=None)
    config_class(target_of(server, ca_file=__file__), [])._resolve_host_metadata(sdk)
    assert sdk == SimpleNamespace(workspace_id="8", cloud="AWS", account_id="mine", discovery_url=f"{OIDC}{DISCOVERY}")
