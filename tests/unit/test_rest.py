"""Which addresses are the provider's own, and may get its token."""

import pytest

import lakekey
from lakekey.rest import _is_own

ACME = "https://acme.example.com"


@pytest.mark.parametrize(
    ("host", "url", "own"),
    [
        (ACME, f"{ACME}/api", True),
        (ACME, f"{ACME}:443/api", True),
        (f"{ACME}:443", f"{ACME}/api", True),
        (ACME, "https://ACME.example.com/api", True),
        (ACME, f"{ACME}:8443/api", False),
        (f"{ACME}:8443", f"{ACME}:9443/api", False),
        (ACME, "http://acme.example.com:443/api", False),
        (ACME, "https://acme.example.com.evil.example/api", False),
        (ACME, "https://acme.example.com@evil.example/api", False),
        ("http://127.0.0.1:80", "http://127.0.0.1/api", True),
        ("http://127.0.0.1", "http://127.0.0.1:80/api", True),
        ("http://127.0.0.1", "http://127.0.0.1:8080/api", False),
    ],
)
def test_token_goes_to_the_providers_own_scheme_host_and_port(host, url, own):
    provider = lakekey.provider(host=host, client_id="c", client_secret="s")
    assert _is_own(provider, url) is own
