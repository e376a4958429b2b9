"""Files of certificates are looked at before TLS is begun, and the error names the setting."""

import os
import socket

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lakekey.errors import ConfigurationError
from lakekey.oauth import certificates
from lakekey.oauth.transport import Transport
from support.tls import write_certificates


@pytest.fixture
def files(tmp_path):
    """Paths, by what is there."""
    found = write_certificates(tmp_path)
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a-passphrase"),
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    (tmp_path / "empty.pem").write_bytes(b"")
    names = {"locked": "locked.pem", "empty": "empty.pem", "missing": "missing.pem", "directory": ""}
    paths = {name: tmp_path / file for name, file in names.items()}
    paths |= {"ca": found.ca, "certificate": found.cert, "key": found.key}
    return {name: str(path) for name, path in paths.items()}


@pytest.mark.parametrize("ca_file", [None, "ca", "directory"])
@pytest.mark.parametrize("pair", [None, ("certificate", "key")])
def test_files_that_can_be_used_pass(files, ca_file, pair):
    certificates.check(ca_file and files[ca_file], pair and (files[pair[0]], files[pair[1]]))


@pytest.mark.parametrize(
    ("ca_file", "problem", "hint"),
    [
        ("missing", "there is no ca_file ", "set ca_file to a PEM bundle"),
        ("empty", "holds no certificate", "set ca_file to a PEM bundle"),
        ("key", "holds no certificate", "set ca_file to a PEM bundle"),
    ],
)
def test_useless_bundle_is_refused(files, ca_file, problem, hint):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        certificates.check(files[ca_file], None)
    assert files[ca_file] in caught.value.message
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("certificate", "key", "problem", "hint"),
    [
        ("missing", "key", "there is no client_cert ", "set client_cert to a PEM file"),
        ("directory", "key", "client_cert .* cannot be read: ", "set client_cert to a PEM file"),
        ("certificate", "missing", "there is no client_key ", "set client_key to a PEM file"),
        ("certificate", "locked", "client_key .* is locked by a passphrase", "set client_key to a key without one"),
        ("certificate", "certificate", "are not a certificate and its key", "set them to the two in PEM form"),
        ("ca", "key", "are not a certificate and its key", "set them to the two in PEM form"),
    ],
)
def test_useless_client_certificate_is_refused(files, certificate, key, problem, hint):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        certificates.check(None, (files[certificate], files[key]))
    assert caught.value.hint.startswith(hint)


@pytest.mark.named_pipes
@pytest.mark.timeout(30)
def test_request_does_not_wait_for_a_pipe_in_the_place_of_a_certificate(tmp_path):
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ConfigurationError, match=r"ca_file .* is not a plain file"),
    ):
        Transport(ca_file=str(pipe)).get(f"https://127.0.0.1:{server.getsockname()[1]}/")
