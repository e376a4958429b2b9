"""A key management service is asked over HTTP, and what it says goes where it should."""

from lakekey.cache.keys.kms import rest


def test_service_on_loopback_in_clear_is_asked_through_no_proxy(server, monkeypatch):
    """As an agent of Vault's is: a proxy would read its token, and the key that it unwraps."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.answer("/v1/transit/decrypt/k", '{"data": {"plaintext": "x"}}')
    assert rest.post(f"{server.url}/v1/transit/decrypt/k", {}, {"X-Vault-Token": "dose-of-salts"}).status == 200
