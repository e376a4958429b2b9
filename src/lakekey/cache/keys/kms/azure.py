"""Azure Key Vault: ``LAKEKEY_KMS=azure:KEY-URL``, by its REST calls ``wrapkey`` and ``unwrapkey`` with RSA-OAEP-256.

The bearer token comes from azure-identity: an application in ``AZURE_…``, workload identity, a managed identity. The
URL has to be in one of Azure's own zones, so that a note that others could write leads the token nowhere else.
RSA-OAEP binds no context; the seal of the ring does (`wrapped_ring`). A key that was rotated since still unwraps: the
version is kept beside what it wrapped.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lakekey._hosts import LOOPBACK
from lakekey._imports import libraries
from lakekey.cache.keys.kms import bounded, rest
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.errors import ConfigurationError, KeyUnavailable

ALGORITHM = "RSA-OAEP-256"
_API = "7.4"
# The zones of Key Vault and Managed HSM in Azure's clouds, each with the resource that its tokens are for.
_ZONES = {
    ".vault.azure.net": "https://vault.azure.net",
    ".managedhsm.azure.net": "https://managedhsm.azure.net",
    ".vault.azure.cn": "https://vault.azure.cn",
    ".managedhsm.azure.cn": "https://managedhsm.azure.cn",
    ".vault.usgovcloudapi.net": "https://vault.usgovcloudapi.net",
    ".managedhsm.usgovcloudapi.net": "https://managedhsm.usgovcloudapi.net",
}
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _BAD_REQUEST = 401, 403, 404, 400


class AzureKeyVault:
    """A `KeyService`: `wrapkey` and `unwrapkey` of a vault's RSA key.

    Args:
        url: The key's address, ``https://VAULT.vault.azure.net/keys/KEY``, with or without a version.
        environ: The environment.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self._resource, self._key, self._version = _parts(url, environ)
        self.where = f"Azure Key Vault key {self._key}"
        host = urlsplit(self._key).hostname or ""
        vault, name = host.partition(".")[0], self._key.rpartition("/")[2]
        key = f"--vault-name {vault} --name {name}"
        self.hints = {
            Kind.DENIED: "give this identity the role Key Vault Crypto User on that key, and let its network in",
            Kind.CREDENTIALS: "give this process a managed or workload identity, "
            "or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            Kind.THROTTLED: "wait a moment, then start it again; start fewer processes at once",
            Kind.AWAY: f"check the network to the vault from here, then try again: az keyvault key show {key}",
            Kind.DISABLED: f"enable it again: az keyvault key set-attributes {key} --enabled true",
            Kind.MISSING: f"if it was deleted, recover it: az keyvault key recover {key}; else check LAKEKEY_KMS",
            Kind.CONTEXT: "restore this cache's own kms.ring, or set LAKEKEY_KMS to the key that wrapped it",
            Kind.UNUSABLE: f"use an RSA key that allows wrapKey and unwrapKey: az keyvault key show {key}",
        }

    def wrap(self, key: bytes, context: str) -> bytes:  # noqa: ARG002 - RSA-OAEP has none
        """See `KeyService.wrap`. Returns the version of the key and what it gave, as text."""
        answer = self._call(self._version, "wrapkey", key)
        kid, value = rest.text_of(answer, "kid"), rest.text_of(answer, "value")
        version = kid.rpartition("/")[2]
        if not version.isalnum() or kid.rpartition("/")[0].lower() != self._key.lower():
            raise KmsTrouble(Kind.UNUSABLE, "the vault answered for another key")
        return f"{version} {value}".encode()

    def unwrap(self, wrapped: bytes, context: str) -> bytes:  # noqa: ARG002
        """See `KeyService.unwrap`."""
        version, _, value = wrapped.decode(errors="replace").partition(" ")
        if not version.isalnum() or not value:
            raise KmsTrouble(Kind.CONTEXT, "not what this service gave")
        answer = self._call(version, "unwrapkey", _from_base64url(value))
        return _from_base64url(rest.text_of(answer, "value"))

    def _call(self, version: str, verb: str, value: bytes) -> Mapping[str, Any]:
        path = f"{self._key}/{version}" if version else self._key
        answer = rest.post(
            f"{path}/{verb}?api-version={_API}",
            {"alg": ALGORITHM, "value": base64.urlsafe_b64encode(value).decode().rstrip("=")},
            {"Authorization": f"Bearer {self._token()}"},
        )
        return answer.checked(_refusal)

    def _token(self) -> str:
        try:
            with libraries():
                import azure.core.exceptions
                import azure.identity
        except ImportError:
            hint = "pip install 'lakekey[kms-azure]'"
            raise KeyUnavailable("Azure Key Vault needs azure-identity", hint=hint) from None
        bounded.filter_new_loggers()
        try:
            # What a machine is, and no person's sign-in with another tool, which would start that tool as well.
            credential = azure.identity.DefaultAzureCredential(
                exclude_cli_credential=True,
                exclude_developer_cli_credential=True,
                exclude_powershell_credential=True,
                exclude_shared_token_cache_credential=True,
                exclude_visual_studio_code_credential=True,
                exclude_interactive_browser_credential=True,
                exclude_broker_credential=True,
            )
            with credential:
                return str(credential.get_token(f"{self._resource}/.default").token)
        except (azure.core.exceptions.AzureError, ValueError) as error:
            name = type(error).__name__
        raise KmsTrouble(Kind.CREDENTIALS, name)


def _parts(url: str, environ: Mapping[str, str]) -> tuple[str, str, str]:
    """The resource that tokens are for, the key's address, and its version or nothing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
        parts, port = urlsplit(""), None
    words = parts.path.strip("/").split("/")
    named = len(words) in (2, 3) and words[0] == "keys" and all(word.replace("-", "").isalnum() for word in words[1:])
    plain = not (parts.query or parts.fragment or parts.username)
    zone = next((zone for zone in _ZONES if host.endswith(zone)), "")
    resource = _ZONES[zone] if zone and parts.scheme == "https" and port in (None, 443) else ""
    if not resource and host in LOOPBACK and environ.get("LAKEKEY_KMS", "").strip() == f"azure:{url}":
        resource = _ZONES[".vault.azure.net"]  # a stand-in on this machine, which this very process is told to use
    if not (named and plain and resource):
        raise ConfigurationError(
            "LAKEKEY_KMS=azure: does not name a key of an Azure vault",
            hint="set it to azure:https://VAULT.vault.azure.net/keys/KEY",
        )
    return resource, f"{parts.scheme}://{parts.netloc}/keys/{words[1]}", words[2] if len(words) == 3 else ""


def _refusal(answer: rest.Answer) -> KmsTrouble | None:
    if answer.status < _BAD_REQUEST:
        return None
    error = answer.fields.get("error")
    error = error if isinstance(error, dict) else {}
    inner = error.get("innererror")
    code = str((inner if isinstance(inner, dict) else {}).get("code") or error.get("code") or "")
    code = code if code.isalnum() and len(code) < 60 else ""
    detail = code or f"HTTP {answer.status}"
    if "KeyDisabled" in code or "disabled" in str(error.get("message", "")).lower():
        return KmsTrouble(Kind.DISABLED, detail)
    kinds = {_UNAUTHORIZED: Kind.CREDENTIALS, _FORBIDDEN: Kind.DENIED, _NOT_FOUND: Kind.MISSING}
    if answer.status == _BAD_REQUEST and code == "BadParameter":
        return KmsTrouble(Kind.CONTEXT, detail)
    return KmsTrouble(kinds.get(answer.status, Kind.UNUSABLE), detail)


def _from_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        pass
    raise KmsTrouble(Kind.AWAY, "an answer that is not base64url")
