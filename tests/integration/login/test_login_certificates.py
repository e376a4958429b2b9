"""Certificates of the configuration that cannot be used."""

import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lakekey.errors import ConfigurationError
from lakekey.oauth.transport import Transport
from support import program as programs
from support.tls import write_certificates


@pytest.fixture
def files(tmp_path):
    """Paths of PEM files, by what is in them."""
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a-passphrase"),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "server").mkdir()
    certificates = write_certificates(tmp_path / "server")
    paths = {
        "a certificate": certificates.cert,
        "a locked key": tmp_path / "locked.key",
        "no file": tmp_path / "none.pem",
        "an empty file": tmp_path / "empty.pem",
        "a directory": tmp_path,
    }
    return {name: str(path) for name, path in paths.items()}


UNUSABLE = pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ca_file": "no file"}, "there is no ca_file"),
        ({"ca_file": "an empty file"}, "ca_file .* holds no certificate"),
        ({"client_cert": "no file"}, "there is no client_cert"),
        ({"client_cert": "a directory"}, "client_cert .* cannot be read: Is a directory"),
        ({"client_cert": "a certificate", "client_key": "no file"}, "there is no client_key"),
        ({"client_cert": "a certificate", "client_key": "a locked key"}, "client_key .* is locked by a passphrase"),
        ({"client_cert": "a certificate"}, "are not a certificate and its key"),
    ],
    ids=lambda value: "-".join([*value, *value.values()]) if isinstance(value, dict) else "",
)


@UNUSABLE
def test_they_are_named_before_a_browser_opens_also_where_the_host_is_known(
    oidc_server, tmp_path, files, settings, said
):
    environment = programs.environment(oidc_server, tmp_path / "cache")
    with programs.lakekey("login", environment=environment) as program:
        oidc_server.sign_in(program.url())
        assert program.ends()[0] == 0
    profile = "".join(f"{name} = {files[file]}\n" for name, file in settings.items())
    (tmp_path / "profiles").write_text(f"[work]\nhost = {oidc_server.host}\n{profile}")
    with programs.lakekey(
        "login", "work", environment={**environment, "DATABRICKS_CONFIG_FILE": str(tmp_path / "profiles")}
    ) as program:
        status, _, errors = program.ends()
    assert status == 2
    assert re.search(said, errors)
    assert "Open this address" not in errors


@UNUSABLE
def test_unusable_certificate_file_is_a_configuration_error(files, settings, said):
    paths = {name: files[file] for name, file in settings.items()}
    certificate = paths.get("client_cert", "")
    pair = (certificate, paths.get("client_key", certificate)) if certificate else None
    with pytest.raises(ConfigurationError, match=said):
        Transport(ca_file=paths.get("ca_file"), client_certificate=pair).get("https://127.0.0.1:9/")
