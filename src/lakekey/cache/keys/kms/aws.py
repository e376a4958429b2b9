"""AWS KMS, by botocore's own client: ``LAKEKEY_KMS=aws:KEY``, where KEY is a key id, an ARN or an alias.

Credentials and region come from where the AWS tools have them: the environment, the profile, the instance, the pod.
An ARN names its own region. The context is the encryption context, which CloudTrail shows and key policies may demand.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lakekey._imports import libraries
from lakekey.cache.keys.kms import bounded
from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.errors import ConfigurationError, KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECT, _READ, _ATTEMPTS = 5, 5, 2  # seconds, seconds, and tries of a call; the whole is bounded besides
_CODES = {
    "AccessDeniedException": Kind.DENIED,
    "AccessDenied": Kind.DENIED,
    "KMSAccessDeniedException": Kind.DENIED,
    "UnrecognizedClientException": Kind.CREDENTIALS,
    "InvalidClientTokenId": Kind.CREDENTIALS,
    "InvalidSignatureException": Kind.CREDENTIALS,
    "SignatureDoesNotMatch": Kind.CREDENTIALS,
    "IncompleteSignature": Kind.CREDENTIALS,
    "MissingAuthenticationToken": Kind.CREDENTIALS,
    "ExpiredToken": Kind.CREDENTIALS,
    "ExpiredTokenException": Kind.CREDENTIALS,
    "RequestExpired": Kind.CREDENTIALS,
    "Throttling": Kind.THROTTLED,
    "ThrottlingException": Kind.THROTTLED,
    "ThrottledException": Kind.THROTTLED,
    "TooManyRequestsException": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "LimitExceededException": Kind.THROTTLED,
    "DisabledException": Kind.DISABLED,
    "NotFoundException": Kind.MISSING,
    "InvalidCiphertextException": Kind.CONTEXT,
    "IncorrectKeyException": Kind.CONTEXT,
    "KeyUnavailableException": Kind.AWAY,
    "KMSInternalException": Kind.AWAY,
    "DependencyTimeoutException": Kind.AWAY,
    "InternalFailure": Kind.AWAY,
    "ServiceUnavailable": Kind.AWAY,
}
# By the names of botocore's own exceptions, which are not answers of the service.
_LOCAL = {
    "NoCredentialsError": Kind.CREDENTIALS,
    "PartialCredentialsError": Kind.CREDENTIALS,
    "CredentialRetrievalError": Kind.CREDENTIALS,
    "ProfileNotFound": Kind.CREDENTIALS,
    "TokenRetrievalError": Kind.CREDENTIALS,
    "UnauthorizedSSOTokenError": Kind.CREDENTIALS,
    "SSOTokenLoadError": Kind.CREDENTIALS,
    "NoRegionError": Kind.UNUSABLE,
    "InvalidRegionError": Kind.UNUSABLE,
}
_SERVER_ERROR = 500


class AwsKms:
    """A `KeyService`: `Encrypt` and `Decrypt` of AWS KMS.

    Args:
        key: A key id, a key's ARN, or an alias (``alias/…``, or its ARN).
        environ: The environment, for the region; botocore reads this process's own.
    """

    def __init__(self, key: str, environ: Mapping[str, str]) -> None:
        if not key or not key.isprintable() or " " in key:
            raise ConfigurationError(
                "LAKEKEY_KMS=aws: names no key", hint="set it to aws:alias/NAME, aws:KEY-ID or aws:ARN"
            )
        self._key = key
        self._region = _region_of(key) or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None
        self.where = f"AWS KMS key {key}"
        name = f"--key-id {key}" + (f" --region {self._region}" if self._region else "")
        self.hints = {
            Kind.DENIED: "allow this identity kms:Encrypt and kms:Decrypt on that key; it is who "
            "`aws sts get-caller-identity` says",
            Kind.CREDENTIALS: "give this process a role or credentials: aws sts get-caller-identity",
            Kind.THROTTLED: "wait a moment, then start it again; for many processes at once, "
            "ask for a higher KMS quota",
            Kind.AWAY: f"check the network to AWS KMS from here, then try again: aws kms describe-key {name}",
            Kind.DISABLED: f"enable it again: aws kms enable-key {name}",
            Kind.PENDING_DELETION: f"keep it: aws kms cancel-key-deletion {name}, then aws kms enable-key {name}",
            Kind.MISSING: f"check the key's name, account and region: aws kms describe-key {name}",
            Kind.CONTEXT: "restore this cache's own kms.ring, or set LAKEKEY_KMS to the key that wrapped it",
            Kind.UNUSABLE: "set AWS_REGION to the key's region, or name the key by its ARN",
        }

    def wrap(self, key: bytes, context: str) -> bytes:
        """See `KeyService.wrap`."""
        answer = self._call(
            lambda client: client.encrypt(KeyId=self._key, Plaintext=key, EncryptionContext=_encryption(context))
        )
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """See `KeyService.unwrap`. The key is named, so that the ciphertext cannot choose one."""
        answer = self._call(
            lambda client: client.decrypt(
                KeyId=self._key, CiphertextBlob=wrapped, EncryptionContext=_encryption(context)
            )
        )
        return bytes(answer["Plaintext"])

    def _call(self, call: "Callable[[Any], dict[str, Any]]") -> dict[str, Any]:
        try:
            with libraries():
                import botocore.config
                import botocore.exceptions
                import botocore.session
        except ImportError:
            raise KeyUnavailable("AWS KMS needs botocore", hint="pip install 'lakekey[kms-aws]'") from None
        bounded.filter_new_loggers()
        settings = botocore.config.Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        try:
            client = botocore.session.Session().create_client("kms", region_name=self._region, config=settings)
            bounded.filter_new_loggers()
            answer: dict[str, Any] = call(client)
        except botocore.exceptions.ClientError as error:
            trouble = _answered(error.response)
        except botocore.exceptions.BotoCoreError as error:
            name = type(error).__name__
            kinds = {kind.__name__ for kind in type(error).__mro__}
            known = next((_LOCAL[one] for one in kinds if one in _LOCAL), None)
            unreached = {"ConnectionError", "HTTPClientError"} & kinds
            trouble = KmsTrouble(known or (Kind.AWAY if unreached else Kind.UNUSABLE), name)
        else:
            return answer
        raise trouble


def _answered(response: Mapping[str, Any]) -> KmsTrouble:
    """The trouble that an answer tells of. Only its code and status are looked at, and one word of its text."""
    code = str(response.get("Error", {}).get("Code", ""))
    code = code if code.isalnum() and len(code) < 60 else ""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "KMSInvalidStateException":
        pending = "delet" in str(response.get("Error", {}).get("Message", "")).lower()
        return KmsTrouble(Kind.PENDING_DELETION if pending else Kind.UNUSABLE, code)
    kind = _CODES.get(code) or (Kind.AWAY if status >= _SERVER_ERROR else Kind.UNUSABLE)
    return KmsTrouble(kind, code or f"HTTP {status}")


def _encryption(context: str) -> dict[str, str]:
    return {"lakekey": context}


def _region_of(key: str) -> str:
    """The region that an ARN names: ``arn:PARTITION:kms:REGION:ACCOUNT:key/ID``."""
    parts = key.split(":")
    return parts[3] if len(parts) >= 6 and parts[0] == "arn" else ""
