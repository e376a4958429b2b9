"""What a host says about itself, as the SDK is given it."""

from lakekey.configuration.target import resolve
from lakekey.providers.sdk_config import _metadata


def test_what_cannot_be_encoded_is_not_handed_to_the_sdk(server):
    body = r'{"workspace_id": "7", "cloud": "aws\udcff", "account_id": "\ud83d", "oidc_endpoint": "https://h/\udcff"}'
    server.answer("/.well-known/databricks-config", body)
    found = _metadata(resolve(environ={}, host=server.url, token="dapi1"), [])
    assert {name: value for name, value in found.items() if value} == {"workspace_id": "7"}
