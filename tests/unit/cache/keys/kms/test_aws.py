"""AWS KMS: what its client is asked, which region counts, and what refusals mean."""

from typing import ClassVar

import pytest

from lakekey.cache.keys.kms.aws import AwsKms
from lakekey.cache.keys.kms.service import Kind
from lakekey.errors import ConfigurationError

ARN = "arn:aws:kms:eu-west-1:123456789012:key/abc"


class ClientError(Exception):
    def __init__(self, response):
        self.response = response


class BotoCoreError(Exception):
    pass


class Client:
    """A client, which remembers how it was made and what it was asked.

    Attributes:
        made: Of each client: the service and its settings.
        asked: Of each call: its name and what it was given.
        error: What a call ends in.
    """

    made: ClassVar[list[tuple[str, dict[str, object]]]] = []
    asked: ClassVar[list[tuple[str, dict[str, object]]]] = []
    error: Exception | None = None

    def create_client(self, service, **settings):
        self.made.append((service, settings))
        return self

    def _answer(self, name, given, answer):
        self.asked.append((name, given))
        if self.error is not None:
            raise self.error
        return answer

    def encrypt(self, **given):
        return self._answer("encrypt", given, {"CiphertextBlob": bytearray(b"wrapped")})

    def decrypt(self, **given):
        return self._answer("decrypt", given, {"Plaintext": bytearray(b"key")})


@pytest.fixture
def client(libraries):
    kind = type("Kind", (Client,), {"made": [], "asked": []})
    libraries(
        {
            "botocore.config": {"Config": dict},
            "botocore.exceptions": {"ClientError": ClientError, "BotoCoreError": BotoCoreError},
            "botocore.session": {"Session": kind},
        }
    )
    return kind


def test_key_is_named_in_both_calls_and_the_context_bound(client):
    key = AwsKms("alias/lake", {})
    assert key.wrap(b"k" * 32, "cache a") == b"wrapped"
    assert key.unwrap(b"wrapped", "cache a") == b"key"
    bound = {"KeyId": "alias/lake", "EncryptionContext": {"lakekey": "cache a"}}
    assert client.asked == [
        ("encrypt", {**bound, "Plaintext": b"k" * 32}),
        ("decrypt", {**bound, "CiphertextBlob": b"wrapped"}),
    ]
    service, settings = client.made[0]
    assert service == "kms"
    assert settings["config"] == {
        "connect_timeout": 5, "read_timeout": 5, "retries": {"mode": "standard", "total_max_attempts": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "environ", "region"),
    [
        ("alias/k", {}, None),
        ("alias/k", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ("alias/k", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-2"}, "us-east-1"),
        (ARN, {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("arn:aws:kms:eu-west-1:123456789012", {}, None),
        (ARN.replace("arn:", "urn:"), {}, None),
    ],
)
def test_region_is_the_keys_own_else_the_environments(client, key, environ, region):
    service = AwsKms(key, environ)
    service.unwrap(b"wrapped", "")
    assert client.made[0][1]["region_name"] == region
    named = f"aws kms describe-key --key-id {key}" + (f" --region {region}" if region else "")
    assert service.hints[Kind.MISSING].endswith(named)


def answered(code, message="", status=400):
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}})


LONG = "X" * 60


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (answered("AccessDeniedException"), Kind.DENIED, "AccessDeniedException"),
        (answered("ExpiredToken"), Kind.CREDENTIALS, "ExpiredToken"),
        (answered("InternalFailure"), Kind.AWAY, "InternalFailure"),
        (answered("KMSInvalidStateException", "It is pending Deletion."), Kind.PENDING_DELETION, "KMSInvalidStateException"),
        (answered("KMSInvalidStateException", "It is pending import."), Kind.UNUSABLE, "KMSInvalidStateException"),
        (answered("Unknown"), Kind.UNUSABLE, "Unknown"),
        (answered("Unknown", status=499), Kind.UNUSABLE, "Unknown"),
        (answered("Unknown", status=500), Kind.AWAY, "Unknown"),
        (answered("with blanks"), Kind.UNUSABLE, "HTTP 400"),
        (answered(LONG), Kind.UNUSABLE, "HTTP 400"),
        (answered(LONG[1:]), Kind.UNUSABLE, LONG[1:]),
        (ClientError({}), Kind.UNUSABLE, "HTTP 0"),
        (type("NoCredentialsError", (BotoCoreError,), {})(), Kind.CREDENTIALS, "NoCredentialsError"),
        (type("NoRegionError", (BotoCoreError,), {})(), Kind.UNUSABLE, "NoRegionError"),
        (type("Later", (type("TokenRetrievalError", (BotoCoreError,), {}),), {})(), Kind.CREDENTIALS, "Later"),
        (type("Later", (type("HTTPClientError", (BotoCoreError,), {}),), {})(), Kind.AWAY, "Later"),
        (BotoCoreError(), Kind.UNUSABLE, "BotoCoreError"),
    ],
)  # fmt: skip
def test_refusal_is_told_by_its_code_and_quotes_nothing(client, trouble, error, kind, detail):
    client.error = error
    assert trouble(AwsKms("alias/k", {}).unwrap, b"wrapped", "") == (kind, detail, "")


def test_loggers_that_came_with_the_library_and_its_client_are_filtered(client, filtered):
    AwsKms("alias/k", {}).unwrap(b"wrapped", "")
    assert len(filtered) == 2


def test_next_steps_are_there_for_each_kind_of_trouble():
    key = AwsKms("alias/k", {"AWS_REGION": "us-east-1"})
    assert key.where == "AWS KMS key alias/k"
    for kind in (Kind.AWAY, Kind.DISABLED, Kind.PENDING_DELETION, Kind.MISSING):
        assert "--key-id alias/k --region us-east-1" in key.hints[kind]
    assert set(key.hints) == set(Kind) - {Kind.SEALED}


@pytest.mark.parametrize("key", ["", "a key", "key\n"])
def test_key_that_cannot_be_one_is_refused(key):
    with pytest.raises(ConfigurationError, match="LAKEKEY_KMS=aws: names no key") as caught:
        AwsKms(key, {})
    assert caught.value.hint == "set it to aws:alias/NAME, aws:KEY-ID or aws:ARN"
