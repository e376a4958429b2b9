"""A ring wrapped by Azure Key Vault: what is sent is looked at byte for byte, and the RSA is real."""

import base64
import json

import pytest

from lakekey.cache.keys.kms.azure import AzureKeyVault
from lakekey.errors import ConfigurationError, KeyUnavailable

from .conftest import assert_silent, assert_told

VAULT = "https://fleet.vault.azure.net/keys/lakekey"


def error(code, inner=None, message="…"):
    return {"error": {"code": code, "message": message, **({"innererror": {"code": inner}} if inner else {})}}


def test_a_ring_is_wrapped_and_opened_again_after_the_key_was_rotated(azure, machine):
    machine.use(**azure.environ)
    cache = machine.seal()
    assert cache.ring.where == f"Azure Key Vault key {azure.key}"
    azure.rotate()
    assert machine.opens()
    assert azure.asked[-1].path.startswith("/keys/lakekey/v1/unwrapkey?")


def test_what_is_sent_is_what_the_documentation_says(azure, machine):
    machine.use(**azure.environ)
    service = AzureKeyVault(azure.key, azure.environ)
    wrapped = service.wrap(b"k" * 32, "context")
    identity, asked = azure.asked
    assert identity.path.startswith("/identity?")
    assert (asked.method, asked.path) == ("POST", "/keys/lakekey/wrapkey?api-version=7.4")
    value = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
    assert asked.body == json.dumps({"alg": "RSA-OAEP-256", "value": value}).encode()
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == f"Bearer {azure.token}"
    version, _, sealed = wrapped.decode().partition(" ")
    assert version == "v1"
    assert len(base64.urlsafe_b64decode(sealed + "==")) == 256
    assert service.unwrap(wrapped, "context") == b"k" * 32
    asked = azure.asked[-1]
    assert asked.path == "/keys/lakekey/v1/unwrapkey?api-version=7.4"
    assert asked.body == json.dumps({"alg": "RSA-OAEP-256", "value": sealed}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "words", "step"),
    [
        (403, error("Forbidden", "ForbiddenByRbac"), "may not use (ForbiddenByRbac)", "Key Vault Crypto User"),
        (403, error("Forbidden", "ForbiddenByFirewall"), "may not use (ForbiddenByFirewall)", "network"),
        (403, error("Forbidden", "KeyDisabled"), "which is disabled", "--enabled true"),
        (404, error("KeyNotFound"), "does not exist, or was deleted", "az keyvault key recover"),
        (429, error("Throttled"), "is throttling requests", "wait a moment"),
        (503, error("ServiceUnavailable"), "did not answer (HTTP 503)", "check the network"),
        (400, error("BadParameter"), "belongs to another cache", "kms.ring"),
        (401, error("Unauthorized"), "no usable credentials here", "identity"),
        (200, {}, "did not answer (an answer without value)", "check the network"),
        (302, {}, "did not answer (HTTP 302)", "check the network"),
    ],
)
def test_each_failure_has_its_own_message_and_next_step(azure, machine, status, answer, words, step):
    machine.use(**azure.environ)
    assert_told(machine, azure, (status, answer), words, step, azure.token)


def test_a_machine_without_an_identity_says_so(azure, machine, monkeypatch):
    machine.use(**azure.environ)
    machine.seal()
    monkeypatch.delenv("IDENTITY_HEADER")
    machine.use(IDENTITY_ENDPOINT="http://127.0.0.1:9/identity", AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:9")
    assert "no usable credentials here" in machine.refusal().message


def test_an_answer_for_another_key_is_not_taken(azure, machine):
    machine.use(**azure.environ)
    azure.key = f"{azure.url}/keys/another"
    with pytest.raises(KeyUnavailable, match="answered for another key"):
        machine.seal()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "fleet/lakekey",
        "http://fleet.vault.azure.net/keys/lakekey",
        "https://fleet.vault.azure.net.evil.example/keys/lakekey",
        "https://evil.example/keys/lakekey",
        "https://evil.example\\@fleet.vault.azure.net/keys/lakekey",
        "https://user:password@fleet.vault.azure.net/keys/lakekey",
        "https://fleet.vault.azure.net:8443/keys/lakekey",
        "https://fleet.vault.azure.net/secrets/lakekey",
        "https://fleet.vault.azure.net/keys/lakekey/v1/more",
        "https://fleet.vault.azure.net/keys/../secrets",
        "https://fleet.vault.azure.net/keys/lakekey?x=1",
        "http://127.0.0.1:9/keys/lakekey",
    ],
)
def test_a_token_is_sent_to_azures_own_zones_only(url):
    with pytest.raises(ConfigurationError, match="does not name a key of an Azure vault"):
        AzureKeyVault(url, {})


def test_each_cloud_has_its_own_zone(azure):
    assert AzureKeyVault(VAULT, {}).where.endswith(VAULT)
    assert AzureKeyVault("https://a.vault.usgovcloudapi.net/keys/k/0123abc", {}).where.endswith("/keys/k")


def test_no_library_logs_the_key_at_debug(azure, machine, caplog):
    machine.use(**azure.environ)
    assert_silent(machine, caplog, azure.token, azure.identity_secret)
