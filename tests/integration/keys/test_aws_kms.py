"""A ring wrapped by AWS KMS: a stand-in that checks the context and knows disabled and deleted keys."""

from threading import Thread

import pytest

from lakekey.cache.keys.kms.aws import AwsKms
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.errors import ConfigurationError
from support.servers.aws_kms import CREDENTIALS
from support.servers.local_server import LocalServer

from .conftest import assert_silent


@pytest.fixture
def key(aws_server, machine):
    arn = aws_server.new_key()
    machine.use(LAKEKEY_KMS=f"aws:{arn}", **aws_server.environ)
    return arn


def test_a_ring_is_wrapped_and_opened_again(key, machine):
    cache = machine.seal()
    assert cache.ring.where == f"AWS KMS key {key}"
    assert machine.opens()


def test_an_alias_names_a_key_whose_region_the_environment_says(aws_server, key, machine):
    aws_server.client.create_alias(AliasName="alias/lakekey-test", TargetKeyId=key)
    machine.use(LAKEKEY_KMS="aws:alias/lakekey-test")
    machine.seal()
    assert machine.opens()


def test_an_arn_brings_its_own_region(key, machine, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    machine.seal()
    assert machine.opens()


def test_the_context_is_checked_by_the_service(aws_server, key):
    service = AwsKms(key, {})
    wrapped = service.wrap(b"k" * 32, "cache a")
    assert service.unwrap(wrapped, "cache a") == b"k" * 32
    with pytest.raises(KmsTrouble) as caught:
        service.unwrap(wrapped, "cache b")
    assert caught.value.kind == Kind.CONTEXT


def test_a_key_that_is_disabled_says_so_and_how_to_enable_it(aws_server, key, machine):
    running = machine.seal()
    aws_server.client.disable_key(KeyId=key)
    error = machine.refusal()
    assert "which is disabled (DisabledException)" in error.message
    assert error.hint.startswith("enable it again: aws kms enable-key --key-id")
    assert running.get("a" * 64).refresh_token == "kept"
    aws_server.client.enable_key(KeyId=key)
    assert machine.opens()


def test_a_key_that_is_about_to_be_deleted_says_so_and_how_to_keep_it(aws_server, key, machine):
    running = machine.seal()
    aws_server.client.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    error = machine.refusal()
    assert "scheduled for deletion" in error.message
    assert "cancel-key-deletion" in error.hint
    assert running.put("b" * 64, running.get("a" * 64), replaces=None)


def test_a_service_that_is_away_a_key_that_is_not_there_and_no_credentials(key, machine, monkeypatch):
    machine.seal()
    there = {"AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9"}
    machine.use(**there)
    assert "did not answer (EndpointConnectionError)" in machine.refusal().message
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "no usable credentials here (NoCredentialsError)" in machine.refusal().message


def test_a_key_that_does_not_exist(aws_server, machine):
    machine.use(LAKEKEY_KMS="aws:11111111-2222-3333-4444-555555555555", **aws_server.environ)
    with pytest.raises(Exception, match="does not exist, or was deleted") as caught:
        machine.seal()
    assert "describe-key" in caught.value.hint
    assert not (machine.directory / "cache.json").exists()


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("AccessDeniedException", 400, "which this process may not use"),
        ("NotFoundException", 400, "does not exist, or was deleted"),  # what another region says of the key
        ("ThrottlingException", 400, "is throttling requests"),
        ("UnrecognizedClientException", 400, "no usable credentials here"),
        ("KMSInternalException", 500, "did not answer"),
        ("InvalidCiphertextException", 400, "belongs to another cache"),
        ("KMSInvalidStateException", 400, "cannot be used as it is configured"),
        ("SomethingNew", 400, "cannot be used as it is configured"),
    ],
)
def test_error_code_of_aws_decides_what_the_error_says(key, machine, code, status, words):
    machine.seal()
    with LocalServer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        secret = "arn-and-request-that-the-answer-quotes"
        body = f'{{"__type": "{code}", "message": "{secret}"}}'
        server.answer("/", body, status=status, content_type="application/x-amz-json-1.1")
        machine.use(AWS_ENDPOINT_URL_KMS=server.url)
        error = machine.refusal()
        server.shutdown()
    assert words in error.message
    assert code in error.message
    assert secret not in str(error)


def test_no_library_logs_the_key_at_debug(key, machine, caplog):
    """botocore logs bodies and signatures at DEBUG, which a program may have switched on for everything."""
    assert_silent(machine, caplog, CREDENTIALS["AWS_SECRET_ACCESS_KEY"], "Plaintext")


@pytest.mark.parametrize("name", ["", "two words", "a\nb"])
def test_a_key_that_is_not_named_is_refused(name):
    with pytest.raises(ConfigurationError, match="names no key"):
        AwsKms(name, {})
