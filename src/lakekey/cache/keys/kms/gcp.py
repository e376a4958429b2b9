"""Google Cloud KMS: ``LAKEKEY_KMS=gcp:KEY-NAME``, by its REST calls ``encrypt`` and ``decrypt``.

REST, because gRPC may not be used in forked children. The bearer token comes from google-auth: the file that
``GOOGLE_APPLICATION_CREDENTIALS`` names, the application-default credentials of gcloud, else the machine's own service
account. The context is the additional authenticated data. Every field goes and comes with its CRC32C, as Google asks,
so that a bit that flips on the way costs no key.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Any

from lakekey import _json
from lakekey._imports import libraries
from lakekey.cache.keys.kms import bounded, rest
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.errors import ConfigurationError, KeyUnavailable

ENDPOINT_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"  # of gcloud, for private endpoints
_ENDPOINT = "https://cloudkms.googleapis.com/"
_SCOPE = "https://www.googleapis.com/auth/cloudkms"
_NAME = re.compile(
    r"projects/[\w.:-]{1,80}/locations/[\w-]{1,40}/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}", re.ASCII
)
_LONGEST_FILE = 256 * 1024
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _BAD_REQUEST = 401, 403, 404, 400
_STATES = (("DESTROY_SCHEDULED", Kind.PENDING_DELETION), ("DESTROYED", Kind.MISSING), ("DISABLED", Kind.DISABLED))


class GoogleCloudKms:
    """A `KeyService`: `encrypt` and `decrypt` of a symmetric key.

    Args:
        key: ``projects/…/locations/…/keyRings/…/cryptoKeys/…``.
        environ: The environment.
    """

    def __init__(self, key: str, environ: Mapping[str, str]) -> None:
        if not _NAME.fullmatch(key):
            raise ConfigurationError(
                "LAKEKEY_KMS=gcp: does not name a key",
                hint="set it to gcp:projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY",
            )
        self._key = key
        self._environ = environ
        self._endpoint = (environ.get(ENDPOINT_VARIABLE, "").strip() or _ENDPOINT).rstrip("/")
        self.where = f"Google Cloud KMS key {key}"
        words = key.split("/")
        name = f"{words[7]} --keyring {words[5]} --location {words[3]} --project {words[1]}"
        versions = f"gcloud kms keys versions list --key {name}"
        self.hints = {
            Kind.DENIED: "give this service account the role roles/cloudkms.cryptoKeyEncrypterDecrypter on that key",
            Kind.CREDENTIALS: "run it as a service account, or set GOOGLE_APPLICATION_CREDENTIALS",
            Kind.THROTTLED: "wait a moment, then start it again; for many processes at once, ask for a higher quota",
            Kind.AWAY: "check the network to cloudkms.googleapis.com from here, then try again",
            Kind.DISABLED: f"enable its version again: gcloud kms keys versions enable VERSION --key {name}",
            Kind.PENDING_DELETION: "restore and enable its version: "
            f"gcloud kms keys versions restore VERSION --key {name}",
            Kind.MISSING: f"check the name, and what became of its versions: {versions}",
            Kind.CONTEXT: "restore this cache's own kms.ring, or set LAKEKEY_KMS to the key that wrapped it",
            Kind.UNUSABLE: f"use a key for symmetric encryption: gcloud kms keys describe {name}",
        }

    def wrap(self, key: bytes, context: str) -> bytes:
        """See `KeyService.wrap`."""
        answer = self._call("encrypt", {"plaintext": key, "additionalAuthenticatedData": context.encode()})
        verified = ("verifiedPlaintextCrc32c", "verifiedAdditionalAuthenticatedDataCrc32c")
        if any(answer.get(name) is not True for name in verified):
            raise _corrupt()
        return _checked(answer, "ciphertext")

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """See `KeyService.unwrap`."""
        answer = self._call("decrypt", {"ciphertext": wrapped, "additionalAuthenticatedData": context.encode()})
        return _checked(answer, "plaintext")

    def _call(self, verb: str, content: Mapping[str, bytes]) -> Mapping[str, Any]:
        fields: dict[str, str] = {}
        for name, data in content.items():
            fields[name] = base64.b64encode(data).decode()
            fields[f"{name}Crc32c"] = str(crc32c(data))
        answer = rest.post(
            f"{self._endpoint}/v1/{self._key}:{verb}", fields, {"Authorization": f"Bearer {self._token()}"}
        )
        return answer.checked(_refusal)

    def _token(self) -> str:
        try:
            with libraries():
                import google.auth.exceptions
                from google.auth.transport.requests import Request
        except ImportError:
            raise KeyUnavailable("Google Cloud KMS needs google-auth", hint="pip install 'lakekey[kms-gcp]'") from None
        bounded.filter_new_loggers()
        try:
            credentials = _credentials(self._credentials_file())
            credentials.refresh(Request())
            return str(credentials.token)
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError, KeyError) as error:
            name = type(error).__name__
        raise KmsTrouble(Kind.CREDENTIALS, name)

    def _credentials_file(self) -> str:
        """The file of the application-default credentials, where there is one."""
        named = self._environ.get("GOOGLE_APPLICATION_CREDENTIALS", "").strip()
        if named:
            return named
        home, appdata = self._environ.get("HOME", ""), self._environ.get("APPDATA", "")
        base = self._environ.get("CLOUDSDK_CONFIG", "") or (
            os.path.join(appdata, "gcloud") if os.name == "nt" else os.path.join(home, ".config", "gcloud")
        )
        path = os.path.join(base, "application_default_credentials.json")
        return path if os.path.isabs(path) and os.path.isfile(path) else ""


def _credentials(file: str) -> Any:
    """The credentials of a file, else of the machine.

    Not `google.auth.default`, which starts gcloud to ask for a project that nothing here needs.

    Raises:
        KmsTrouble, ValueError, OSError, KeyError, GoogleAuthError: They cannot be used.
    """
    with libraries():
        from google.auth import aws, compute_engine, identity_pool
        from google.oauth2 import credentials, service_account

    if not file:
        machine: Any = compute_engine.Credentials
        return machine(scopes=[_SCOPE])
    with open(file, "rb") as opened:
        info = _json.loads(opened.read(_LONGEST_FILE))
    kind = info.get("type") if isinstance(info, dict) else None
    load: Any
    if kind == "service_account":
        load = service_account.Credentials.from_service_account_info
    elif kind == "authorized_user":
        load = credentials.Credentials.from_authorized_user_info
    elif kind == "external_account":  # workload identity federation
        source = info.get("credential_source")
        of_aws = isinstance(source, dict) and str(source.get("environment_id", "")).startswith("aws")
        load = (aws.Credentials if of_aws else identity_pool.Credentials).from_info
    else:
        raise KmsTrouble(Kind.CREDENTIALS, "credentials of another kind")
    return load(info, scopes=[_SCOPE])


def crc32c(data: bytes) -> int:
    """The Castagnoli CRC of RFC 3720 §12.1, which the standard library does not have."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def _checked(answer: Mapping[str, Any], name: str) -> bytes:
    """A field of an answer that came as it was sent."""
    try:
        data = binascii.a2b_base64(rest.text_of(answer, name))
    except ValueError:
        data = b""
    if not data or str(answer.get(f"{name}Crc32c")) != str(crc32c(data)):
        raise _corrupt()
    return data


def _corrupt() -> KmsTrouble:
    return KmsTrouble(Kind.AWAY, "the CRC32C differs: something was altered on the way", "try again")


def _refusal(answer: rest.Answer) -> KmsTrouble | None:
    if answer.status < _BAD_REQUEST:
        return None
    error = answer.fields.get("error")
    error = error if isinstance(error, dict) else {}
    status = str(error.get("status", ""))
    status = status if status.replace("_", "").isalpha() and len(status) < 60 else ""
    detail = status or f"HTTP {answer.status}"
    if status == "FAILED_PRECONDITION":
        said = f"{error.get('message', '')} {error.get('details', '')}"
        for state, kind in _STATES:
            if state in said:
                return KmsTrouble(kind, state)
    kinds = {_UNAUTHORIZED: Kind.CREDENTIALS, _FORBIDDEN: Kind.DENIED, _NOT_FOUND: Kind.MISSING}
    if answer.status == _BAD_REQUEST and status == "INVALID_ARGUMENT":
        return KmsTrouble(Kind.CONTEXT, detail)
    return KmsTrouble(kinds.get(answer.status, Kind.UNUSABLE), detail)
