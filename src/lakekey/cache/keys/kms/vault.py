"""Vault's or OpenBao's transit engine, by two requests of our own: ``LAKEKEY_KMS=vault:MOUNT/KEY``.

Address, namespace, certificates and token come from the variables of their command lines (``VAULT_ADDR``, …; OpenBao's
own ``BAO_ADDR``, … come first). The context is the associated data. Rotate the transit key with ``keys/NAME/rotate``;
never with ``rewrap``, which loses the associated data (hashicorp/vault#31842).
"""

import base64
import binascii
import contextlib
import os
from collections.abc import Mapping
from typing import Any

from lakekey import _plain_files
from lakekey._commands import look_at
from lakekey.cache.keys.kms import rest
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.cache.stores.places import without_credentials
from lakekey.errors import ConfigurationError

_KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_LONGEST_TOKEN = 64 * 1024
_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _UNAVAILABLE = 400, 403, 404, 503
# What a refused request says, as Vault and OpenBao word it (builtin/logical/transit); told apart by nothing else.
_REASONS = (
    ("message authentication failed", Kind.CONTEXT),
    ("invalid ciphertext", Kind.CONTEXT),
    ("soft-deleted", Kind.PENDING_DELETION),
    ("encryption key not found", Kind.MISSING),
    ("no handler for route", Kind.MISSING),
    ("disallowed by policy", Kind.DISABLED),
)


class VaultTransit:
    """A `KeyService`: `encrypt` and `decrypt` of a transit engine.

    Args:
        path: ``MOUNT/KEY``; a mount may have several parts.
        environ: The environment.
    """

    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        mount, slash, key = path.strip("/").rpartition("/")
        allowed = all(character.isalnum() or character in "-_./" for character in path)
        if not (mount and slash and key and allowed) or ".." in path:
            raise ConfigurationError(
                "LAKEKEY_KMS=vault: does not name a mount and a key", hint="set it to vault:MOUNT/KEY"
            )
        self._environ = environ
        self._mount, self._key = mount, key
        self._address = (self._setting("ADDR") or "https://127.0.0.1:8200").rstrip("/")
        self.where = f"transit key {mount}/{key} of {without_credentials(self._address)}"
        self.hints = {
            Kind.DENIED: "set a token that lives, whose policy has the capability update on "
            f"{mount}/encrypt/{key} and {mount}/decrypt/{key}",
            Kind.CREDENTIALS: "set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE",
            Kind.THROTTLED: "wait a moment, then start it again; or raise the rate limit quota of that mount",
            Kind.AWAY: "check that it runs and is reached from here: bao status",
            Kind.SEALED: "an administrator unseals it: bao operator unseal; nothing is lost meanwhile",
            Kind.DISABLED: f"lower min_decryption_version of {mount}/keys/{key} to the version that wrapped this ring",
            Kind.PENDING_DELETION: f"restore it: bao write -f {mount}/keys/{key}/soft-delete-restore",
            Kind.MISSING: f"check VAULT_ADDR, VAULT_NAMESPACE and LAKEKEY_KMS: bao read {mount}/keys/{key}",
            Kind.CONTEXT: "restore this cache's own kms.ring, or set LAKEKEY_KMS to the key that wrapped it",
            Kind.UNUSABLE: "check VAULT_ADDR (https://…) and LAKEKEY_KMS",
        }

    def wrap(self, key: bytes, context: str) -> bytes:
        """See `KeyService.wrap`."""
        data = self._call("encrypt", {"plaintext": _base64(key), "associated_data": _base64(context.encode())})
        return rest.text_of(data, "ciphertext").encode()

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """See `KeyService.unwrap`."""
        fields = {"ciphertext": wrapped.decode(errors="replace"), "associated_data": _base64(context.encode())}
        try:
            return binascii.a2b_base64(rest.text_of(self._call("decrypt", fields), "plaintext"))
        except ValueError:
            pass
        raise KmsTrouble(Kind.AWAY, "an answer that is not base64")

    def _call(self, verb: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        token, ours = self._token()
        try:
            answer = self._post(f"{self._mount}/{verb}/{self._key}", fields, token)
        finally:
            if ours:  # a login for each new process would leave as many tokens behind
                with contextlib.suppress(KmsTrouble):
                    self._post("auth/token/revoke-self", {}, token)
        data = answer.fields.get("data")
        return data if isinstance(data, dict) else {}

    def _token(self) -> tuple[str, bool]:
        """A token, and whether it is one that we have fetched and give back."""
        given = self._setting("TOKEN")
        if given:
            return given, False
        role, kubernetes = self._setting("ROLE_ID"), self._setting("KUBERNETES_ROLE")
        if role:
            secret = self._setting("SECRET_ID") or self._content(self._setting("SECRET_ID_FILE"))
            return self._login("approle", {"role_id": role, "secret_id": secret}), True
        if kubernetes:
            jwt = self._content(self._setting("KUBERNETES_TOKEN_FILE") or _KUBERNETES_TOKEN)
            return self._login("kubernetes", {"role": kubernetes, "jwt": jwt}), True
        kept = os.path.join(self._environ.get("HOME", ""), ".vault-token")  # of `bao login` and `vault login`
        if os.path.isabs(kept) and os.path.exists(kept):
            return self._content(kept), False
        raise KmsTrouble(Kind.CREDENTIALS, "no token")

    def _login(self, method: str, fields: Mapping[str, str]) -> str:
        mount = (self._setting("AUTH_MOUNT") or method).strip("/")
        try:
            answer = self._post(f"auth/{mount}/login", fields, "")
        except KmsTrouble as trouble:
            if trouble.kind in (Kind.AWAY, Kind.SEALED, Kind.THROTTLED):
                raise
            detail = trouble.detail
        else:
            auth = answer.fields.get("auth")
            return rest.text_of(auth if isinstance(auth, dict) else {}, "client_token")
        raise KmsTrouble(
            Kind.CREDENTIALS, f"{method} login refused, {detail}", f"check the role and its secret: auth/{mount}/role"
        )

    def _post(self, path: str, fields: Mapping[str, str], token: str) -> rest.Answer:
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if namespace := self._setting("NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        if self._setting("SKIP_VERIFY").lower() in ("1", "t", "true"):
            raise KmsTrouble(
                Kind.UNUSABLE, "VAULT_SKIP_VERIFY", "unset VAULT_SKIP_VERIFY, and set VAULT_CACERT to its certificate"
            )
        certificate = (self._setting("CLIENT_CERT"), self._setting("CLIENT_KEY"))
        answer = rest.post(
            f"{self._address}/v1/{path}",
            fields,
            headers,
            ca=self._setting("CACERT") or self._setting("CAPATH") or None,
            certificate=certificate if all(certificate) else None,
        )
        trouble = _seal(answer) or answer.trouble() or _refusal(answer)
        if trouble is not None:
            raise trouble
        return answer

    def _setting(self, name: str) -> str:
        return (self._environ.get(f"BAO_{name}") or self._environ.get(f"VAULT_{name}") or "").strip()

    def _content(self, path: str) -> str:
        try:
            return _plain_files.content(path, _LONGEST_TOKEN).decode().strip()
        except (OSError, ValueError):
            pass
        raise KmsTrouble(Kind.CREDENTIALS, "a token file cannot be read", f"check that file: {look_at(path)}")


def _seal(answer: rest.Answer) -> KmsTrouble | None:
    """Whether the server is sealed: after a restart, or because an administrator did so."""
    if answer.status == _UNAVAILABLE and "is sealed" in _error_text(answer):
        return KmsTrouble(Kind.SEALED, f"HTTP {answer.status}")
    return None


def _error_text(answer: rest.Answer) -> str:
    errors = answer.fields.get("errors")
    return " ".join(map(str, errors)).lower() if isinstance(errors, list) else ""


def _refusal(answer: rest.Answer) -> KmsTrouble | None:
    if answer.status < _BAD_REQUEST:
        return None
    said = _error_text(answer)
    for words, kind in _REASONS:
        if words in said:
            return KmsTrouble(kind, f"HTTP {answer.status}, {words}")
    kinds = {_FORBIDDEN: Kind.DENIED, _NOT_FOUND: Kind.MISSING}
    return KmsTrouble(kinds.get(answer.status, Kind.UNUSABLE), f"HTTP {answer.status}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
