"""Stand-ins for Azure Key Vault and Google Cloud KMS: what they are asked is checked, and the cryptography is real.

Neither has an emulator. Both refuse what their documentation does not allow, so that a request that pleases them is one
that it describes; tests look at the bytes as well (`asked`).
"""

import base64
import json
import os
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from support.tls import Certificates


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service: Any = self.server
        asked = Asked(self.command, self.path, {n.lower(): v for n, v in self.headers.items()}, body)
        service.asked.append(asked)
        status, fields = service.answer(asked)
        content = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):  # a client that does not trust us
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificates: Certificates | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.cert, certificates.key)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if certificates is not None else ''}://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class AzureVault(_Service):
    """A vault with one RSA key of 2,048 bits, and the endpoint of a managed identity.

    Attributes:
        asked: All requests.
        refusal: A status and an error to answer instead.
    """

    token = "azure-bearer-of-the-test-9a1b"
    identity_secret = "identity-header-of-the-test-77"

    def __init__(self, certificates: Certificates | None = None) -> None:
        super().__init__(certificates)
        self.versions = {"v1": rsa.generate_private_key(65537, 2048)}
        self.key = f"{self.url}/keys/lakekey"

    def rotate(self) -> None:
        """Makes a new version, which wraps from now on."""
        self.versions[f"v{len(self.versions) + 1}"] = rsa.generate_private_key(65537, 2048)

    @property
    def environ(self) -> dict[str, str]:
        """A service with a managed identity, as App Service has it."""
        return {
            "LAKEKEY_KMS": f"azure:{self.key}",
            "IDENTITY_ENDPOINT": f"{self.url}/identity",
            "IDENTITY_HEADER": self.identity_secret,
        }

    def answer(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        place = urlsplit(asked.path)
        query = parse_qs(place.query)
        if place.path == "/identity":
            assert asked.headers["x-identity-header"] == self.identity_secret
            assert query["resource"] == ["https://vault.azure.net"]
            return 200, {"access_token": self.token, "expires_on": "4102444800", "resource": query["resource"][0]}
        if self.refusal is not None:
            return self.refusal
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer token."}}
        assert (asked.method, query) == ("POST", {"api-version": ["7.4"]})
        words = place.path.split("/")[1:]
        assert words[:2] == ["keys", "lakekey"], words
        version, verb = (words[2], words[3]) if len(words) == 4 else (max(self.versions), words[2])
        fields = json.loads(asked.body)
        assert set(fields) == {"alg", "value"}
        assert fields["alg"] == "RSA-OAEP-256"
        assert "=" not in fields["value"]
        value = base64.urlsafe_b64decode(fields["value"] + "==")
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        key = self.versions[version]
        try:
            done = key.public_key().encrypt(value, oaep) if verb == "wrapkey" else key.decrypt(value, oaep)
        except ValueError:
            return 400, {"error": {"code": "BadParameter", "message": "The parameter is incorrect."}}
        shown = base64.urlsafe_b64encode(done).decode().rstrip("=")
        return 200, {"kid": f"{self.key}/{version}", "value": shown}


class GoogleKms(_Service):
    """Cloud KMS with one symmetric key, and the token endpoint of a service account.

    Attributes:
        asked: All requests.
        refusal: A status and an error to answer instead.
        flips: Whether one bit of each answer is altered on the way.
    """

    token = "google-bearer-of-the-test-31cc"
    name = "projects/p/locations/europe-west1/keyRings/fleet/cryptoKeys/lakekey"
    flips = False

    def __init__(self, certificates: Certificates | None = None) -> None:
        super().__init__(certificates)
        self._key = AESGCM(os.urandom(32))
        self._account = rsa.generate_private_key(65537, 2048)

    def account_file(self, directory: Any) -> str:
        """A service account's file."""
        private = self._account.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = directory / "account.json"
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "client_email": "lakekey@p.iam.gserviceaccount.com",
                    "private_key_id": "k1",
                    "private_key": private.decode(),
                    "token_uri": f"{self.url}/token",
                }
            )
        )
        return str(path)

    def environ(self, directory: Any) -> dict[str, str]:
        """A machine with that file."""
        return {
            "LAKEKEY_KMS": f"gcp:{self.name}",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": self.url,
            "GOOGLE_APPLICATION_CREDENTIALS": self.account_file(directory),
        }

    def answer(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        if asked.path == "/token":
            (assertion,) = parse_qs(asked.body.decode())["assertion"]
            signed, _, signature = assertion.rpartition(".")
            given = base64.urlsafe_b64decode(signature + "==")
            try:
                self._account.public_key().verify(given, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature:
                return 401, {"error": "invalid_grant"}
            return 200, {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
        if self.refusal is not None:
            return self.refusal
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "no credentials"}}
        assert asked.method == "POST"
        name, _, verb = asked.path.removeprefix("/v1/").partition(":")
        assert name == self.name
        fields = json.loads(asked.body)
        content = "plaintext" if verb == "encrypt" else "ciphertext"
        names = {content, "additionalAuthenticatedData"}
        assert set(fields) == names | {f"{each}Crc32c" for each in names}
        given = {each: base64.b64decode(fields[each], validate=True) for each in names}
        for each, data in given.items():
            assert fields[f"{each}Crc32c"] == str(castagnoli(data)), each
        context = given["additionalAuthenticatedData"]
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + self._key.encrypt(nonce, given["plaintext"], context)
            return 200, {
                "name": f"{self.name}/cryptoKeyVersions/1",
                **self._checked("ciphertext", sealed),
                "verifiedPlaintextCrc32c": True,
                "verifiedAdditionalAuthenticatedDataCrc32c": True,
            }
        sealed = given["ciphertext"]
        try:
            return 200, self._checked("plaintext", self._key.decrypt(sealed[:12], sealed[12:], context))
        except InvalidTag:
            message = "Decryption failed: verify that 'name' refers to the correct CryptoKey."
            return 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}

    def _checked(self, name: str, data: bytes) -> dict[str, str]:
        sent = bytes([data[0] ^ 1]) + data[1:] if self.flips else data
        return {name: base64.b64encode(sent).decode(), f"{name}Crc32c": str(castagnoli(data))}


def castagnoli(data: bytes) -> int:
    """CRC32C by division of polynomials, most significant coefficient first: another way than ours."""
    remainder = 0xFFFFFFFF
    for byte in data:
        for place in range(8):
            bit = (byte >> place) & 1
            top = (remainder >> 31) ^ bit
            remainder = ((remainder << 1) & 0xFFFFFFFF) ^ (0x1EDC6F41 if top else 0)
    return int(f"{remainder ^ 0xFFFFFFFF:032b}"[::-1], 2)
