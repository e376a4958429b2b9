"""Azure Key Vault: what is asked of it, which answers count, and which vaults are trusted."""

import base64
from typing import ClassVar

import pytest

from lakekey.cache.keys.kms.azure import AzureKeyVault
from lakekey.cache.keys.kms.service import Kind
from lakekey.errors import ConfigurationError

KEY = "https://fleet.vault.azure.net/keys/lake-key"
VALUE = base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("=")


class Credential:
    """An identity of this machine. It remembers the resource of each token.

    Attributes:
        scopes: What tokens were asked for.
        error: What a token ends in.
    """

    scopes: ClassVar[list[str]] = []
    excluded: ClassVar[dict[str, bool]] = {}
    error: Exception | None = None

    def __init__(self, **excluded):
        type(self).excluded = excluded

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get_token(self, scope):
        self.scopes.append(scope)
        if self.error is not None:
            raise self.error
        return type("Token", (), {"token": "dose-of-salts"})


class Refused(Exception):
    """As azure-core's error of an identity."""


@pytest.fixture
def identity(libraries):
    kind = type("Kind", (Credential,), {"scopes": []})
    libraries({"azure.identity": {"DefaultAzureCredential": kind}, "azure.core.exceptions": {"AzureError": Refused}})
    return kind


@pytest.fixture
def key(identity):
    return AzureKeyVault(KEY, {})


def test_key_is_wrapped_by_the_version_in_force_and_unwrapped_by_that_one(key, answers, identity):
    answers.coming = [(200, {"kid": f"{KEY.upper()}/v2", "value": "abc"}), (200, {"value": VALUE})]
    assert key.wrap(b"\xff" * 32, "") == b"v2 abc"
    assert key.unwrap(b"v2 " + VALUE.encode(), "") == b"\xff" * 32
    first, second = answers.asked
    assert first.url == f"{KEY}/wrapkey?api-version=7.4"
    assert first.fields == second.fields == {"alg": "RSA-OAEP-256", "value": VALUE}
    assert first.headers == {"Authorization": "Bearer dose-of-salts"}
    assert second.url == f"{KEY}/v2/unwrapkey?api-version=7.4"
    assert identity.scopes == ["https://vault.azure.net/.default"] * 2


def test_version_that_is_named_is_asked(identity, answers):
    answers.coming = [(200, {"kid": f"{KEY}/v1", "value": "abc"})]
    assert AzureKeyVault(f"{KEY}/v1", {}).wrap(b"k", "") == b"v1 abc"
    assert answers.asked[0].url == f"{KEY}/v1/wrapkey?api-version=7.4"


def test_only_what_the_machine_is_counts_as_an_identity(key, answers, identity):
    answers.coming = [(200, {"value": VALUE})]
    key.unwrap(b"v1 abcd", "")
    persons = ("cli", "developer_cli", "powershell", "shared_token_cache", "visual_studio_code", "interactive_browser")
    assert identity.excluded == {f"exclude_{name}_credential": True for name in (*persons, "broker")}


@pytest.mark.parametrize(("error", "name"), [(ValueError("x"), "ValueError"), (Refused("x"), "Refused")])
def test_machine_without_an_identity_has_no_credentials(key, answers, identity, trouble, error, name):
    identity.error = error
    assert trouble(key.unwrap, b"v1 abcd", "") == (Kind.CREDENTIALS, name, "")
    assert answers.asked == []


def test_loggers_that_came_with_the_library_are_filtered(key, answers, filtered):
    answers.coming = [(200, {"value": VALUE})]
    key.unwrap(b"v1 abcd", "")
    assert len(filtered) == 1


@pytest.mark.parametrize("kid", [f"{KEY}2/v1", f"{KEY}/v-1", f"{KEY}/", "v1"])
def test_answer_for_another_key_is_not_taken(key, answers, trouble, kid):
    answers.coming = [(200, {"kid": kid, "value": "abc"})]
    assert trouble(key.wrap, b"k", "") == (Kind.UNUSABLE, "the vault answered for another key", "")


@pytest.mark.parametrize("wrapped", [b"", b"v1", b"v1 ", b"../v1 abcd", b" abcd"])
def test_what_this_service_never_gave_is_not_sent_to_it(key, answers, trouble, wrapped):
    assert trouble(key.unwrap, wrapped, "") == (Kind.CONTEXT, "not what this service gave", "")
    assert answers.asked == []


@pytest.mark.parametrize("value", ["!", "a"])
def test_answer_that_is_not_base64url_is_none(key, answers, trouble, value):
    answers.coming = [(200, {"value": value})]
    assert trouble(key.unwrap, b"v1 abcd", "")[:2] == (Kind.AWAY, "an answer that is not base64url")


LONG = "x" * 60


@pytest.mark.parametrize(
    ("status", "fields", "kind", "detail"),
    [
        (399, {}, Kind.AWAY, "HTTP 399"),
        (400, {}, Kind.UNUSABLE, "HTTP 400"),
        (400, {"error": {"code": "BadParameter"}}, Kind.CONTEXT, "BadParameter"),
        (401, {"error": {"code": "BadParameter"}}, Kind.CREDENTIALS, "BadParameter"),
        (400, {"error": {"code": "Other"}}, Kind.UNUSABLE, "Other"),
        (401, {"error": "words"}, Kind.CREDENTIALS, "HTTP 401"),
        (402, {}, Kind.UNUSABLE, "HTTP 402"),
        (403, {"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}, Kind.DENIED, "ForbiddenByRbac"),
        (403, {"error": {"code": "Forbidden", "innererror": "x"}}, Kind.DENIED, "Forbidden"),
        (403, {"error": {"code": "Forbidden", "innererror": {"code": "KeyDisabled"}}}, Kind.DISABLED, "KeyDisabled"),
        (403, {"error": {"code": "Forbidden", "message": "It is Disabled"}}, Kind.DISABLED, "Forbidden"),
        (404, {"error": {"code": "KeyNotFound"}}, Kind.MISSING, "KeyNotFound"),
        (404, {"error": {"code": "with blanks"}}, Kind.MISSING, "HTTP 404"),
        (404, {"error": {"code": LONG}}, Kind.MISSING, "HTTP 404"),
        (404, {"error": {"code": LONG[1:]}}, Kind.MISSING, LONG[1:]),
        (429, {"error": {"code": "Throttled"}}, Kind.THROTTLED, "HTTP 429"),
    ],
)  # fmt: skip
def test_refusal_is_told_by_its_status_and_a_code_that_quotes_nothing(
    key, answers, trouble, status, fields, kind, detail
):
    answers.coming = [(status, fields)]
    assert trouble(key.unwrap, b"v1 abcd", "") == (kind, detail, "")


def test_next_steps_name_the_vault_and_the_key(key):
    assert key.where == f"Azure Key Vault key {KEY}"
    named = "--vault-name fleet --name lake-key"
    for kind in (Kind.AWAY, Kind.DISABLED, Kind.MISSING, Kind.UNUSABLE):
        assert named in key.hints[kind]
    assert set(key.hints) == set(Kind) - {Kind.SEALED, Kind.PENDING_DELETION}


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("https://a.managedhsm.azure.net/keys/k", "https://managedhsm.azure.net"),
        ("https://a.vault.azure.cn:443/keys/k/0123", "https://vault.azure.cn"),
        ("https://a.vault.usgovcloudapi.net/keys/k/", "https://vault.usgovcloudapi.net"),
    ],
)
def test_token_is_for_the_cloud_that_the_vault_is_in(identity, answers, url, resource):
    answers.coming = [(200, {"value": VALUE})]
    AzureKeyVault(url, {}).unwrap(b"v1 abcd", "")
    assert identity.scopes == [f"{resource}/.default"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://[/keys/k",
        "http://a.vault.azure.net/keys/k",
        "https://a.vault.azure.net.example.org/keys/k",
        "https://a.vault.azure.net:444/keys/k",
        "https://a.vault.azure.net:x/keys/k",
        "https://user@a.vault.azure.net/keys/k",
        "https://a.vault.azure.net/keys/k?x=1",
        "https://a.vault.azure.net/keys/k#x",
        "https://a.vault.azure.net/keys",
        "https://a.vault.azure.net/keys/k/v/more",
        "https://a.vault.azure.net/secrets/k",
        "https://a.vault.azure.net/keys/k.",
        "https://a.vault.azure.net/keys//v",
    ],
)
def test_vault_that_is_none_of_azures_is_refused(url):
    with pytest.raises(ConfigurationError, match="does not name a key of an Azure vault") as caught:
        AzureKeyVault(url, {"LAKEKEY_KMS": f"azure:{url}"})
    assert caught.value.hint == "set it to azure:https://VAULT.vault.azure.net/keys/KEY"


def test_stand_in_on_this_machine_has_to_be_what_this_process_is_told_to_use(identity, answers):
    url = "http://127.0.0.1:9/keys/k"
    for environ in ({}, {"LAKEKEY_KMS": "azure:http://127.0.0.1:9/keys/other"}):
        with pytest.raises(ConfigurationError):
            AzureKeyVault(url, environ)
    answers.coming = [(200, {"value": VALUE})]
    AzureKeyVault(url, {"LAKEKEY_KMS": f" azure:{url}"}).unwrap(b"v1 abcd", "")
    assert answers.asked[0].url == f"{url}/v1/unwrapkey?api-version=7.4"
    assert identity.scopes == ["https://vault.azure.net/.default"]
