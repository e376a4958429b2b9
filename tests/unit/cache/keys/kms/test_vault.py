"""Vault and OpenBao: what the transit engine is asked, with which token, and what its refusals mean."""

import base64

import pytest

from lakekey.cache.keys.kms import vault
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.cache.keys.kms.vault import VaultTransit
from lakekey.errors import ConfigurationError

TOKEN = {"VAULT_TOKEN": "dose-of-salts"}
PLAIN = (200, {"data": {"plaintext": "a2V5"}})  # of b"key"


def transit(**environ):
    return VaultTransit("mounts/transit/lake-key", environ)


def encoded(text):
    return base64.b64encode(text).decode()


def test_key_and_context_are_sent_to_the_engine_that_is_named(answers):
    answers.coming = [(200, {"data": {"ciphertext": "vault:v1:abc"}}), PLAIN]
    key = transit(**TOKEN)
    assert key.wrap(b"k" * 32, "cache a") == b"vault:v1:abc"
    assert key.unwrap(b"vault:v1:abc", "cache a") == b"key"
    first, second = answers.asked
    place = "https://127.0.0.1:8200/v1/mounts/transit"
    assert (first.url, second.url) == (f"{place}/encrypt/lake-key", f"{place}/decrypt/lake-key")
    assert first.fields == {"plaintext": encoded(b"k" * 32), "associated_data": encoded(b"cache a")}
    assert second.fields == {"ciphertext": "vault:v1:abc", "associated_data": encoded(b"cache a")}
    assert first.headers == {"X-Vault-Request": "true", "X-Vault-Token": "dose-of-salts"}
    assert first.more == {"ca": None, "certificate": None}


def test_settings_of_the_command_lines_are_used_and_openbaos_first(answers):
    answers.coming = [PLAIN]
    environ = {
        "VAULT_ADDR": "https://vault.example.org",
        "BAO_ADDR": "https://bao.example.org/",
        "VAULT_NAMESPACE": " team ",
        "VAULT_CACERT": "bundle.pem",
        "VAULT_CAPATH": "bundles",
        "VAULT_CLIENT_CERT": "mine.pem",
        "VAULT_CLIENT_KEY": "mine.key",
        "VAULT_SKIP_VERIFY": "false",
    }
    key = transit(**TOKEN, **environ)
    key.unwrap(b"x", "")
    (asked,) = answers.asked
    assert asked.url == "https://bao.example.org/v1/mounts/transit/decrypt/lake-key"
    assert asked.headers["X-Vault-Namespace"] == "team"
    assert asked.more == {"ca": "bundle.pem", "certificate": ("mine.pem", "mine.key")}
    assert key.where == "transit key mounts/transit/lake-key of https://bao.example.org"


def test_directory_of_certificates_counts_and_a_certificate_without_its_key_does_not(answers):
    answers.coming = [PLAIN]
    transit(**TOKEN, VAULT_CAPATH="bundles", VAULT_CLIENT_CERT="mine.pem").unwrap(b"x", "")
    assert answers.asked[0].more == {"ca": "bundles", "certificate": None}


@pytest.mark.parametrize("value", ["1", "t", "TRUE"])
def test_unverified_connection_is_refused(answers, trouble, value):
    kind, detail, hint = trouble(transit(**TOKEN, VAULT_SKIP_VERIFY=value).unwrap, b"x", "")
    assert (kind, detail) == (Kind.UNUSABLE, "VAULT_SKIP_VERIFY")
    assert hint.startswith("unset VAULT_SKIP_VERIFY")
    assert answers.asked == []


@pytest.mark.parametrize(
    ("environ", "login", "fields"),
    [
        ({"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "its-secret"}, "approle", {"role_id": "role", "secret_id": "its-secret"}),
        ({"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID_FILE": "FILE"}, "approle", {"role_id": "role", "secret_id": "of-the-file"}),
        ({"VAULT_KUBERNETES_ROLE": "pod", "VAULT_KUBERNETES_TOKEN_FILE": "FILE"}, "kubernetes", {"role": "pod", "jwt": "of-the-file"}),
        ({"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "its-secret", "VAULT_AUTH_MOUNT": "/mine/"}, "mine", {"role_id": "role", "secret_id": "its-secret"}),
    ],
)  # fmt: skip
def test_token_of_a_login_is_used_once_and_given_back(answers, tmp_path, environ, login, fields):
    (tmp_path / "file").write_text(" of-the-file\n")
    environ = {name: value.replace("FILE", str(tmp_path / "file")) for name, value in environ.items()}
    answers.coming = [(200, {"auth": {"client_token": "dose-of-salts"}}), PLAIN, (204, {})]
    assert transit(**environ).unwrap(b"x", "") == b"key"
    first, second, third = answers.asked
    assert first.url.endswith(f"/v1/auth/{login}/login")
    assert first.fields == fields
    assert "X-Vault-Token" not in first.headers
    assert third.url.endswith("/v1/auth/token/revoke-self")
    assert third.fields == {}
    assert second.headers["X-Vault-Token"] == third.headers["X-Vault-Token"] == "dose-of-salts"


def test_token_of_a_login_is_given_back_after_a_refusal_and_may_be_gone(answers, trouble):
    environ = {"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "its-secret"}
    answers.coming = [(200, {"auth": {"client_token": "dose-of-salts"}}), (403, {}), KmsTrouble(Kind.AWAY)]
    assert trouble(transit(**environ).unwrap, b"x", "") == (Kind.DENIED, "HTTP 403", "")
    assert len(answers.asked) == 3


@pytest.mark.parametrize("fields", [{}, {"auth": None}, {"auth": {"client_token": ""}}])
def test_login_without_a_token_is_no_login(answers, trouble, fields):
    answers.coming = [(200, fields)]
    told = trouble(transit(VAULT_ROLE_ID="role", VAULT_SECRET_ID="its-secret").unwrap, b"x", "")
    assert told[:2] == (Kind.AWAY, "an answer without client_token")


def test_refused_login_is_told_with_its_role_and_an_absent_server_as_absent(answers, trouble):
    key = transit(VAULT_ROLE_ID="role", VAULT_SECRET_ID="its-secret")
    answers.coming = [(400, {})]
    assert trouble(key.unwrap, b"x", "") == (
        Kind.CREDENTIALS, "approle login refused, HTTP 400", "check the role and its secret: auth/approle/role",
    )  # fmt: skip
    for status, kind in ((500, Kind.AWAY), (429, Kind.THROTTLED)):
        answers.coming = [(status, {})]
        assert trouble(key.unwrap, b"x", "")[0] == kind
    answers.coming = [(503, {"errors": ["Vault is sealed"]})]
    assert trouble(key.unwrap, b"x", "")[0] == Kind.SEALED


def test_token_that_a_person_has_got_is_used_where_nothing_else_is_said(answers, trouble, tmp_path, monkeypatch):
    assert trouble(transit(HOME=str(tmp_path)).unwrap, b"x", "") == (Kind.CREDENTIALS, "no token", "")
    (tmp_path / ".vault-token").write_text("dose-of-salts\n")
    answers.coming = [PLAIN]
    transit(HOME=str(tmp_path)).unwrap(b"x", "")
    assert answers.asked[0].headers["X-Vault-Token"] == "dose-of-salts"
    assert len(answers.asked) == 1  # a person's token is not given back
    monkeypatch.chdir(tmp_path)
    assert trouble(transit().unwrap, b"x", "") == (Kind.CREDENTIALS, "no token", "")


def test_file_that_is_named_and_cannot_be_read_is_told(answers, trouble, tmp_path):
    environ = {"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID_FILE": str(tmp_path / "missing")}
    kind, detail, hint = trouble(transit(**environ).unwrap, b"x", "")
    assert (kind, detail) == (Kind.CREDENTIALS, "a token file cannot be read")
    assert str(tmp_path / "missing") in hint


def test_token_of_a_file_is_read_within_a_bound(answers, tmp_path):
    (tmp_path / ".vault-token").write_bytes(b"t" * (vault._LONGEST_TOKEN + 1))
    answers.coming = [PLAIN]
    transit(HOME=str(tmp_path)).unwrap(b"x", "")
    assert len(answers.asked[0].headers["X-Vault-Token"]) == 64 * 1024


@pytest.mark.parametrize("fields", [{}, {"data": None}, {"data": {"plaintext": 1}}])
def test_answer_without_a_key_is_none(answers, trouble, fields):
    answers.coming = [(200, fields)]
    assert trouble(transit(**TOKEN).unwrap, b"x", "")[:2] == (Kind.AWAY, "an answer without plaintext")


def test_answer_that_is_not_base64_is_none(answers, trouble):
    answers.coming = [(200, {"data": {"plaintext": "a"}})]
    assert trouble(transit(**TOKEN).unwrap, b"x", "") == (Kind.AWAY, "an answer that is not base64", "")


@pytest.mark.parametrize(
    ("status", "errors", "kind", "detail"),
    [
        (400, ["cipher: Message Authentication failed"], Kind.CONTEXT, "HTTP 400, message authentication failed"),
        (400, ["invalid ciphertext: no prefix"], Kind.CONTEXT, "HTTP 400, invalid ciphertext"),
        (400, ["first", "key is soft-deleted"], Kind.PENDING_DELETION, "HTTP 400, soft-deleted"),
        (400, ["encryption key not found"], Kind.MISSING, "HTTP 400, encryption key not found"),
        (404, ["no handler for route"], Kind.MISSING, "HTTP 404, no handler for route"),
        (400, ["disallowed by policy (too old)"], Kind.DISABLED, "HTTP 400, disallowed by policy"),
        (400, ["other"], Kind.UNUSABLE, "HTTP 400"),
        (400, "invalid ciphertext", Kind.UNUSABLE, "HTTP 400"),
        (403, ["permission denied"], Kind.DENIED, "HTTP 403"),
        (404, [], Kind.MISSING, "HTTP 404"),
        (405, [], Kind.UNUSABLE, "HTTP 405"),
        (429, [], Kind.THROTTLED, "HTTP 429"),
        (503, ["Vault is sealed"], Kind.SEALED, "HTTP 503"),
        (503, ["other"], Kind.AWAY, "HTTP 503"),
        (500, ["Vault is sealed"], Kind.AWAY, "HTTP 500"),
    ],
)
def test_refusal_is_told_by_its_status_and_what_it_is_known_to_say(answers, trouble, status, errors, kind, detail):
    answers.coming = [(status, {"errors": errors})]
    assert trouble(transit(**TOKEN).unwrap, b"x", "") == (kind, detail, "")


@pytest.mark.parametrize("path", ["", "key", "/key", "mount/", "mount/../key", "mount/key?x", "mount key/k"])
def test_path_that_names_no_mount_and_key_is_refused(path):
    with pytest.raises(ConfigurationError, match="does not name a mount and a key") as caught:
        VaultTransit(path, {})
    assert caught.value.hint == "set it to vault:MOUNT/KEY"


def test_next_steps_name_the_mount_and_the_key():
    key = transit()
    assert "mounts/transit/encrypt/lake-key and mounts/transit/decrypt/lake-key" in key.hints[Kind.DENIED]
    for kind in (Kind.DISABLED, Kind.PENDING_DELETION, Kind.MISSING):
        assert "mounts/transit/keys/lake-key" in key.hints[kind]
    assert set(key.hints) == set(Kind)
