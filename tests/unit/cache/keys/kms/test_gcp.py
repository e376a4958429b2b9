"""Google Cloud KMS: what is asked of it, which answers count, and where the credentials of this machine are looked for."""

import base64
import json
import os
from typing import ClassVar

import pytest

from lakekey.cache.keys.kms import gcp
from lakekey.cache.keys.kms.gcp import GoogleCloudKms, crc32c
from lakekey.cache.keys.kms.service import Kind
from lakekey.errors import ConfigurationError

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
#: By gcloud's own manual: %APPDATA%\gcloud on Windows, ~/.config/gcloud elsewhere.
PLACE = ("roaming", "gcloud") if os.name == "nt" else ("home", ".config", "gcloud")
SCOPE = ["https://www.googleapis.com/auth/cloudkms"]


@pytest.mark.parametrize("there", [True, False], ids=["there", "missing"])
def test_credentials_of_gcloud_are_found_where_it_keeps_them(tmp_path, there):
    environ = {"HOME": str(tmp_path / "home"), "APPDATA": str(tmp_path / "roaming")}
    folder = tmp_path.joinpath(*PLACE)
    folder.mkdir(parents=True)
    file = folder / "application_default_credentials.json"
    if there:
        file.write_text("{}")
    assert GoogleCloudKms(KEY, environ)._credentials_file() == (str(file) if there else "")


def test_credentials_that_are_named_go_before_those_of_gcloud(tmp_path):
    environ = {"APPDATA": str(tmp_path), "HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": "named.json"}
    assert GoogleCloudKms(KEY, environ)._credentials_file() == "named.json"


def test_place_that_gcloud_is_told_to_use_is_looked_at_if_it_is_one(tmp_path, monkeypatch):
    file = tmp_path / "application_default_credentials.json"
    file.write_text("{}")
    environ = {"HOME": str(tmp_path / "home"), "APPDATA": str(tmp_path / "roaming")}
    assert GoogleCloudKms(KEY, {**environ, "CLOUDSDK_CONFIG": str(tmp_path)})._credentials_file() == str(file)
    monkeypatch.chdir(tmp_path)
    assert GoogleCloudKms(KEY, {**environ, "CLOUDSDK_CONFIG": "."})._credentials_file() == ""


class Refused(Exception):
    """As google-auth's error of its own."""


class Loaded:
    """Credentials, which remember how they were made.

    Attributes:
        error: What a token of theirs ends in.
    """

    made: ClassVar[list[tuple[object, ...]]] = []
    error: Exception | None = None
    token = "dose-of-salts"

    def __init__(self, name, info, scopes):
        self.made.append((name, info, scopes))

    def refresh(self, _):
        if self.error is not None:
            raise self.error


def loading(kind, name):
    return staticmethod(lambda info, scopes: kind(name, info, scopes))


@pytest.fixture
def credentials(libraries):
    kind = type("Kind", (Loaded,), {"made": []})

    def of(name, method):
        return type("Credentials", (), {method: loading(kind, name)})

    libraries(
        {
            "google.auth.exceptions": {"GoogleAuthError": Refused},
            "google.auth.transport.requests": {"Request": object},
            "google.auth.aws": {"Credentials": of("aws", "from_info")},
            "google.auth.identity_pool": {"Credentials": of("pool", "from_info")},
            "google.auth.compute_engine": {"Credentials": lambda scopes: kind("machine", None, scopes)},
            "google.oauth2.credentials": {"Credentials": of("user", "from_authorized_user_info")},
            "google.oauth2.service_account": {"Credentials": of("account", "from_service_account_info")},
        }
    )
    return kind


@pytest.fixture
def key(credentials):
    return GoogleCloudKms(KEY, {})


def sent(name, data):
    return {name: base64.b64encode(data).decode(), f"{name}Crc32c": str(crc32c(data))}


def test_key_and_context_go_and_come_with_their_checksums(key, answers):
    verified = {"verifiedPlaintextCrc32c": True, "verifiedAdditionalAuthenticatedDataCrc32c": True}
    answers.coming = [(200, {**sent("ciphertext", b"wrapped"), **verified}), (200, sent("plaintext", b"k" * 32))]
    assert key.wrap(b"k" * 32, "cache a") == b"wrapped"
    assert key.unwrap(b"wrapped", "cache a") == b"k" * 32
    first, second = answers.asked
    context = sent("additionalAuthenticatedData", b"cache a")
    assert first.url == f"https://cloudkms.googleapis.com/v1/{KEY}:encrypt"
    assert first.fields == {**sent("plaintext", b"k" * 32), **context}
    assert second.url == f"https://cloudkms.googleapis.com/v1/{KEY}:decrypt"
    assert second.fields == {**sent("ciphertext", b"wrapped"), **context}
    assert first.headers == second.headers == {"Authorization": "Bearer dose-of-salts"}


def test_private_endpoint_is_asked(credentials, answers):
    answers.coming = [(200, sent("plaintext", b"k"))]
    GoogleCloudKms(KEY, {gcp.ENDPOINT_VARIABLE: " https://kms.example.org/ "}).unwrap(b"wrapped", "")
    assert answers.asked[0].url == f"https://kms.example.org/v1/{KEY}:decrypt"


ALTERED = (Kind.AWAY, "the CRC32C differs: something was altered on the way", "try again")


@pytest.mark.parametrize("missing", ["verifiedPlaintextCrc32c", "verifiedAdditionalAuthenticatedDataCrc32c"])
def test_request_that_came_altered_is_an_error(key, answers, trouble, missing):
    verified = {"verifiedPlaintextCrc32c": True, "verifiedAdditionalAuthenticatedDataCrc32c": True, missing: False}
    answers.coming = [(200, {**sent("ciphertext", b"wrapped"), **verified})]
    assert trouble(key.wrap, b"k", "") == ALTERED


@pytest.mark.parametrize(
    "fields",
    [
        {**sent("plaintext", b"k"), "plaintextCrc32c": "1"},
        {"plaintext": base64.b64encode(b"k").decode()},
        {"plaintext": "a", "plaintextCrc32c": str(crc32c(b""))},
        {"plaintext": "====", "plaintextCrc32c": str(crc32c(b""))},
    ],
)
def test_answer_that_came_altered_is_an_error(key, answers, trouble, fields):
    answers.coming = [(200, fields)]
    assert trouble(key.unwrap, b"wrapped", "") == ALTERED


def test_checksum_is_the_one_of_the_catalogue():
    assert crc32c(b"123456789") == 0xE3069283


LONG = "X" * 60


@pytest.mark.parametrize(
    ("status", "error", "kind", "detail"),
    [
        (400, None, Kind.UNUSABLE, "HTTP 400"),
        (400, {"status": "INVALID_ARGUMENT"}, Kind.CONTEXT, "INVALID_ARGUMENT"),
        (401, {"status": "INVALID_ARGUMENT"}, Kind.CREDENTIALS, "INVALID_ARGUMENT"),
        (402, {"status": "OTHER"}, Kind.UNUSABLE, "OTHER"),
        (403, {"status": "PERMISSION_DENIED"}, Kind.DENIED, "PERMISSION_DENIED"),
        (404, {"status": "NOT_FOUND"}, Kind.MISSING, "NOT_FOUND"),
        (404, {"status": "with blanks"}, Kind.MISSING, "HTTP 404"),
        (404, {"status": LONG}, Kind.MISSING, "HTTP 404"),
        (404, {"status": LONG[1:]}, Kind.MISSING, LONG[1:]),
        (400, {"status": "FAILED_PRECONDITION", "message": "state is: DISABLED"}, Kind.DISABLED, "DISABLED"),
        (400, {"status": "FAILED_PRECONDITION", "details": ["DESTROYED"]}, Kind.MISSING, "DESTROYED"),
        (400, {"status": "FAILED_PRECONDITION", "message": "DESTROY_SCHEDULED"}, Kind.PENDING_DELETION, "DESTROY_SCHEDULED"),
        (400, {"status": "FAILED_PRECONDITION", "message": "?"}, Kind.UNUSABLE, "FAILED_PRECONDITION"),
        (403, {"status": "PERMISSION_DENIED", "message": "DISABLED"}, Kind.DENIED, "PERMISSION_DENIED"),
        (429, {"status": "RESOURCE_EXHAUSTED"}, Kind.THROTTLED, "HTTP 429"),
        (503, {"status": "UNAVAILABLE"}, Kind.AWAY, "HTTP 503"),
    ],
)  # fmt: skip
def test_refusal_is_told_by_its_status_and_a_word_that_quotes_nothing(
    key, answers, trouble, status, error, kind, detail
):
    answers.coming = [(status, {"error": error})]
    assert trouble(key.unwrap, b"wrapped", "") == (kind, detail, "")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"type": "service_account"}, "account"),
        ({"type": "authorized_user"}, "user"),
        ({"type": "external_account", "credential_source": {"environment_id": "aws1"}}, "aws"),
        ({"type": "external_account", "credential_source": {"environment_id": "azure"}}, "pool"),
        ({"type": "external_account", "credential_source": "file"}, "pool"),
        ({"type": "external_account"}, "pool"),
    ],
)
def test_credentials_of_a_file_are_of_the_kind_that_it_says(credentials, answers, tmp_path, content, name):
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(content))
    answers.coming = [(200, sent("plaintext", b"k"))]
    GoogleCloudKms(KEY, {"GOOGLE_APPLICATION_CREDENTIALS": f" {file} "}).unwrap(b"wrapped", "")
    assert credentials.made == [(name, content, SCOPE)]


@pytest.mark.parametrize("text", ['{"type": "other"}', "{}", "[]"])
def test_credentials_of_another_kind_are_refused(credentials, trouble, tmp_path, text):
    file = tmp_path / "credentials.json"
    file.write_text(text)
    key = GoogleCloudKms(KEY, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    assert trouble(key.unwrap, b"wrapped", "") == (Kind.CREDENTIALS, "credentials of another kind", "")


def test_file_of_credentials_is_read_within_a_bound(credentials, answers, trouble, tmp_path):
    file = tmp_path / "credentials.json"
    key = GoogleCloudKms(KEY, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    text = '{"type": "authorized_user"}'
    file.write_text(text.rjust(256 * 1024))
    answers.coming = [(200, sent("plaintext", b"k"))]
    key.unwrap(b"wrapped", "")
    file.write_text(text.rjust(256 * 1024 + 1))
    assert trouble(key.unwrap, b"wrapped", "")[0] == Kind.CREDENTIALS


def test_machine_without_a_file_is_asked_for_its_own_credentials(key, answers, credentials):
    answers.coming = [(200, sent("plaintext", b"k"))]
    key.unwrap(b"wrapped", "")
    assert credentials.made == [("machine", None, SCOPE)]


def test_loggers_that_came_with_the_library_are_filtered(key, answers, filtered):
    answers.coming = [(200, sent("plaintext", b"k"))]
    key.unwrap(b"wrapped", "")
    assert len(filtered) == 1


@pytest.mark.parametrize("error", [Refused("x"), OSError("x"), ValueError("x"), KeyError("x")])
def test_credentials_that_give_no_token_are_none(key, answers, credentials, trouble, error):
    credentials.error = error
    assert trouble(key.unwrap, b"wrapped", "") == (Kind.CREDENTIALS, type(error).__name__, "")
    assert answers.asked == []


def test_next_steps_name_the_key(key):
    assert key.where == f"Google Cloud KMS key {KEY}"
    named = "k --keyring r --location global --project p"
    for kind in (Kind.DISABLED, Kind.PENDING_DELETION, Kind.MISSING, Kind.UNUSABLE):
        assert named in key.hints[kind]
    assert set(key.hints) == set(Kind) - {Kind.SEALED}


@pytest.mark.parametrize("name", ["", "key", f"{KEY}/../x", KEY.replace("p/", "p\n/"), f"/{KEY}"])
def test_key_that_is_not_named_as_it_has_to_be_is_refused(name):
    with pytest.raises(ConfigurationError, match="does not name a key"):
        GoogleCloudKms(name, {})
