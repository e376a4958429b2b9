"""The sandbox's certificate authority: made at start, used once, its key never stored."""

import datetime as dt
import ipaddress
import os
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A clock that is set back a little must not refuse the certificates.
_SKEW = dt.timedelta(hours=1)
_LIFETIME = dt.timedelta(days=30)


def issue(ca_file: str) -> ssl.SSLContext:
    """Makes a fresh authority and a server certificate for loopback.

    Args:
        ca_file: Where the authority's certificate goes, PEM, for clients to trust.

    Returns:
        A TLS server context that holds the server's certificate and key.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _leaf(key, ca, ca_key)
    with open(ca_file, "wb") as file:
        file.write(ca.public_bytes(serialization.Encoding.PEM))
    return _context(leaf, key, os.path.dirname(ca_file))


def _context(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey, directory: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # The ssl module reads keys from files only. mkstemp creates this one with mode 0600, and it is gone
    # again before the server accepts its first connection.
    handle, path = tempfile.mkstemp(dir=directory, suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(leaf.public_bytes(serialization.Encoding.PEM) + pem)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("lakekey sandbox authority")
    loopback = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
        x509.IPAddress(ipaddress.ip_network("::1/128")),
    ]
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        # RFC 5280 §4.2.1.10: even someone who had the key could only vouch for loopback.
        .add_extension(x509.NameConstraints(loopback, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    return (
        _builder(_name("127.0.0.1"), ca.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python 3.13 verifies strictly: without this identifier it refuses the chain.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
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
