"""What the SDK's ``Config`` is built from."""

import pytest
from databricks.sdk import core

from lakekey.configuration.target import resolve
from lakekey.providers.sdk_settings import SdkSettings

HOST = "https://acme.cloud.databricks.com"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"


@pytest.fixture
def given(monkeypatch):
    """Builds from a target, and returns what the SDK is given."""
    monkeypatch.setattr(core, "Config", dict)

    def given(**settings):
        target = resolve(environ={}, auth_type="azure-cli", **settings)
        return SdkSettings(target).config(target, [])

    return given


def test_sdk_is_given_no_host_where_azure_alone_knows_it(given):
    assert given(host=HOST)["host"] == HOST
    assert given(azure_workspace_resource_id=RESOURCE)["host"] is None


def test_sdk_is_given_the_scopes_that_are_set_and_its_own_otherwise(given):
    assert given(host=HOST, scopes=["clusters", "sql"])["scopes"] == ["clusters", "sql"]
    assert "scopes" not in given(host=HOST)


def test_sdk_is_given_the_authorization_details(given):
    details = '[{"type":"narrow"}]'
    assert given(host=HOST, authorization_details=details)["authorization_details"] == details
    assert "authorization_details" not in given(host=HOST)
