"""A ring wrapped by Google Cloud KMS: what is sent is looked at byte for byte, and every field has its checksum."""

import base64
import json

import pytest

from lakekey.cache.keys.kms.gcp import GoogleCloudKms, crc32c
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.errors import ConfigurationError, KeyUnavailable
from support.servers.cloud_kms import castagnoli

from .conftest import assert_silent, assert_told


def error(code, status, message="…"):
    return {"error": {"code": code, "status": status, "message": message}}


def test_a_ring_is_wrapped_and_opened_again(google, machine, tmp_path):
    machine.use(**google.environ(tmp_path))
    cache = machine.seal()
    assert cache.ring.where == f"Google Cloud KMS key {google.name}"
    assert machine.opens()


def test_what_is_sent_is_what_the_documentation_says(google, tmp_path, machine):
    environ = google.environ(tmp_path)
    machine.use(**environ)
    service = GoogleCloudKms(google.name, environ)
    wrapped = service.wrap(b"k" * 32, "cache a")
    token, asked = google.asked
    assert token.path == "/token"
    assert asked.path == f"/v1/{google.name}:encrypt"
    expected = {
        "plaintext": base64.b64encode(b"k" * 32).decode(),
        "plaintextCrc32c": str(castagnoli(b"k" * 32)),
        "additionalAuthenticatedData": base64.b64encode(b"cache a").decode(),
        "additionalAuthenticatedDataCrc32c": str(castagnoli(b"cache a")),
    }
    assert asked.body == json.dumps(expected).encode()
    assert asked.headers["authorization"] == f"Bearer {google.token}"
    assert service.unwrap(wrapped, "cache a") == b"k" * 32
    with pytest.raises(KmsTrouble) as caught:
        service.unwrap(wrapped, "cache b")
    assert caught.value.kind == Kind.CONTEXT


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogue of CRCs
    for data in (b"", b"\0" * 32, b"\xff" * 32, bytes(range(32))):
        assert crc32c(data) == castagnoli(data)


def test_a_bit_that_flips_on_the_way_is_noticed(google, machine, tmp_path):
    machine.use(**google.environ(tmp_path))
    google.flips = True
    with pytest.raises(KeyUnavailable, match="CRC32C differs"):
        machine.seal()
    assert not (machine.directory / "cache.json").exists()


@pytest.mark.parametrize(
    ("status", "answer", "words", "step"),
    [
        (403, error(403, "PERMISSION_DENIED"), "may not use (PERMISSION_DENIED)", "cryptoKeyEncrypterDecrypter"),
        (401, error(401, "UNAUTHENTICATED"), "no usable credentials here", "service account"),
        (429, error(429, "RESOURCE_EXHAUSTED"), "is throttling requests", "wait a moment"),
        (503, error(503, "UNAVAILABLE"), "did not answer (HTTP 503)", "check the network"),
        (
            400,
            error(400, "FAILED_PRECONDITION", "…/1 is not enabled, current state is: DISABLED."),
            "which is disabled",
            "versions enable",
        ),
        (
            400,
            error(400, "FAILED_PRECONDITION", "…/1 is not enabled, current state is: DESTROY_SCHEDULED."),
            "scheduled for deletion",
            "versions restore",
        ),
        (
            400,
            error(400, "FAILED_PRECONDITION", "…/1 is not enabled, current state is: DESTROYED."),
            "does not exist, or was deleted",
            "versions list",
        ),
        (404, error(404, "NOT_FOUND"), "does not exist, or was deleted", "versions list"),
        (400, error(400, "INVALID_ARGUMENT"), "belongs to another cache", "kms.ring"),
        (200, {"plaintext": "!"}, "CRC32C differs", "try again"),
    ],
)
def test_each_failure_has_its_own_message_and_next_step(google, machine, tmp_path, status, answer, words, step):
    machine.use(**google.environ(tmp_path))
    assert_told(machine, google, (status, answer), words, step, google.token)


def test_credentials_that_cannot_be_used_are_named_as_such(google, machine, tmp_path):
    machine.use(**google.environ(tmp_path))
    machine.seal()
    machine.use(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "missing.json"))
    assert "no usable credentials here" in machine.refusal().message


@pytest.mark.parametrize("name", ["", "key", "projects/p/locations/l/keyRings/r/cryptoKeys/k/../x", "projects/p\n/…"])
def test_a_key_that_is_not_named_as_it_has_to_be_is_refused(name):
    with pytest.raises(ConfigurationError, match="does not name a key"):
        GoogleCloudKms(name, {})


def test_no_library_logs_the_key_at_debug(google, machine, tmp_path, caplog):
    machine.use(**google.environ(tmp_path))
    assert_silent(machine, caplog, google.token)
