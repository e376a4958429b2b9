"""The sandbox's certificate authority: made at start, used once, its key never stored."""

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass, field

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A clock that is set back a little must not refuse the certificates.
_SKEW = dt.timedelta(hours=1)
_LIFETIME = dt.timedelta(days=30)
# The variables by which programs are given other authorities, the strongest first.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Chain:
    """An authority's certificate, one that it signed, and the key of that one, all PEM; the authority's key is gone."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)


def make(
    name: str = "lakekey sandbox authority",
    *,
    skew: dt.timedelta = _SKEW,
    constrained: bool = True,
    for_client: bool = False,
) -> Chain:
    """Makes a fresh authority and a certificate for loopback.

    Args:
        name: What the authority is called.
        skew: How far a client's clock may be behind.
        constrained: Whether the authority can vouch for loopback only. gRPC's TLS refuses constraints on IP addresses.
        for_client: Whether it is a TLS client that the certificate is for, and not a server.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(name, ca_key, skew, constrained=constrained)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if for_client else ExtendedKeyUsageOID.SERVER_AUTH
    pem = serialization.Encoding.PEM
    return Chain(
        ca=ca.public_bytes(pem),
        certificate=_leaf(key, ca, ca_key, skew, usage).public_bytes(pem),
        key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def issue(ca_file: str) -> ssl.SSLContext:
    """Makes a fresh authority and a server certificate for loopback.

    Args:
        ca_file: Where the authority's certificate goes, PEM, for clients to trust.

    Returns:
        A TLS server context that holds the server's certificate and key.
    """
    chain = make()
    with open(ca_file, "wb") as file:
        file.write(chain.ca)
    return _context(chain, os.path.dirname(ca_file))


def write_bundle(ca_file: str, bundle: str) -> None:
    """Writes an authority's certificate and those that this machine trusts already into one file.

    Args:
        ca_file: The authority's certificate, PEM.
        bundle: Where the bundle goes, PEM.
    """
    with open(ca_file, "rb") as file:
        parts = [file.read()]
    # What the user has set replaces what the machine and requests bring.
    own = next((path for name in _BUNDLES if (path := os.environ.get(name)) and os.path.isfile(path)), None)
    for path in (own or certifi.where(), None if own else ssl.get_default_verify_paths().cafile):
        if path and os.path.isfile(path):
            with open(path, "rb") as file:
                parts.append(file.read())
    with open(bundle, "wb") as file:
        file.write(b"\n".join(parts))


def _context(chain: Chain, directory: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only. mkstemp creates this one with mode 0600, and it is gone
    # again before the server accepts its first connection.
    handle, path = tempfile.mkstemp(dir=directory, suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(chain.certificate + chain.key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context


def _authority(
    called: str, key: ec.EllipticCurvePrivateKey, skew: dt.timedelta, *, constrained: bool
) -> x509.Certificate:
    name = _name(called)
    loopback = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
        x509.IPAddress(ipaddress.ip_network("::1/128")),
    ]
    builder = (
        _builder(name, name, key.public_key(), skew)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if constrained:  # RFC 5280 §4.2.1.10: even a holder of the key could only vouch for loopback
        builder = builder.add_extension(x509.NameConstraints(loopback, None), critical=True)
    return builder.sign(key, hashes.SHA256())


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    skew: dt.timedelta,
    usage: x509.ObjectIdentifier,
) -> x509.Certificate:
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    return (
        _builder(_name("127.0.0.1"), ca.subject, key.public_key(), skew)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python 3.13 verifies strictly: without this identifier it refuses the chain.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, skew: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - skew)
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
