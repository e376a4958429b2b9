"""Checks the configured certificates before the libraries do, whose errors name no file and no setting."""

import os

from lakekey import _plain_files
from lakekey._imports import libraries
from lakekey.errors import ConfigurationError


def check(ca_file: str | None, client_certificate: tuple[str, str] | None) -> None:
    """Read the files as a TLS handshake would.

    Args:
        ca_file: A PEM bundle or a directory of certificates.
        client_certificate: A certificate and its key.

    Raises:
        ConfigurationError: One of them is missing, unreadable or something else.
    """
    with libraries():
        import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file and not os.path.isdir(ca_file):
        _read("ca_file", ca_file)
        try:
            context.load_verify_locations(ca_file)
        except OSError:  # as the errors of ssl are, too
            raise _unusable(f"ca_file {ca_file} holds no certificate", "set ca_file to a PEM bundle") from None
    if client_certificate is None:
        return
    certificate, key = client_certificate
    _read("client_cert", certificate)
    if b"ENCRYPTED" in _read("client_key", key):  # RFC 7468 §11, and RFC 1421 §4.6.1.1 in older keys
        raise _unusable(f"client_key {key} is locked by a passphrase", "set client_key to a key without one")
    try:
        context.load_cert_chain(certificate, key, password="")  # said, so that nothing asks for one on the terminal
    except OSError:
        raise _unusable(
            f"client_cert {certificate} and client_key {key} are not a certificate and its key",
            "set them to the two in PEM form; one file that holds both needs no client_key",
        ) from None


def require_files(ca_file: str | None, client_certificate: tuple[str, str] | None) -> None:
    """Refuse a pipe in the place of one of the files: a library would wait for its writer, which has no deadline.

    Raises:
        ConfigurationError: One of them is a pipe or a device.
    """
    certificate, key = client_certificate or (None, None)
    for setting, path in (("ca_file", ca_file), ("client_cert", certificate), ("client_key", key)):
        try:
            _plain_files.require(path)
        except OSError as error:
            raise _unreadable(setting, path, error) from None


def _read(setting: str, path: str) -> bytes:
    try:
        return _plain_files.content(path)
    except FileNotFoundError:
        raise _unusable(f"there is no {setting} {path}", _step(setting)) from None
    except OSError as error:
        raise _unreadable(setting, path, error) from None


def _unreadable(setting: str, path: str | None, error: OSError) -> ConfigurationError:
    return _unusable(f"{setting} {path} cannot be read: {error.strerror}", _step(setting))


def _step(setting: str) -> str:
    return f"set {setting} to a PEM {'bundle' if setting == 'ca_file' else 'file'}"


def _unusable(problem: str, hint: str) -> ConfigurationError:
    return ConfigurationError(problem, hint=hint)
