"""Files that a setting names: a pipe, or a directory, in their place is refused at once."""

import os
import ssl

import pytest

from lakekey import _plain_files
from lakekey.errors import ConfigurationError
from lakekey.oauth import certificates
from lakekey.oauth.transport import Transport
from lakekey.workload_identity.local import File


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_file_is_read_whole_or_to_its_bound(tmp_path):
    (tmp_path / "file").write_bytes(b"a\r\nb\x1a")
    assert _plain_files.content(str(tmp_path / "file")) == b"a\r\nb\x1a"
    assert _plain_files.content(str(tmp_path / "file"), 2) == b"a\r"


def test_directory_is_no_plain_file(tmp_path):
    with pytest.raises(OSError, match=r"irectory|denied"):  # as each system says it
        _plain_files.content(str(tmp_path))


@pytest.mark.timeout(30)
def test_pipe_that_has_no_writer_is_refused_at_once(pipe):
    with pytest.raises(OSError, match="it is not a plain file"):
        _plain_files.content(str(pipe))
    with pytest.raises(ConfigurationError, match=r"identity token's file .* cannot be read: it is not a plain file"):
        File(str(pipe)).subject()
    certificate, key = str(pipe.with_name("client.pem")), str(pipe)
    for setting, files in (
        ("ca_file", (str(pipe), None)),
        ("client_cert", (None, (str(pipe), certificate))),
        ("client_key", (None, (certificate, key))),
    ):
        for look in (certificates.require_files, certificates.check):
            if (look, setting) != (certificates.check, "client_key"):  # which misses the certificate first
                with pytest.raises(ConfigurationError, match=f"{setting} .* cannot be read: it is not a plain file"):
                    look(*files)


def test_certificates_that_are_not_there_or_a_directory_are_left_to_the_library(tmp_path):
    certificates.require_files(str(tmp_path), (str(tmp_path / "none"), str(tmp_path / "none" / "none")))


@pytest.mark.timeout(30)
def test_request_does_not_wait_for_the_writer_of_a_pipe(pipe):
    with pytest.raises(ConfigurationError, match="it is not a plain file"):
        Transport(ca_file=str(pipe)).get("https://workspace.example.com/")


def test_default_certificates_are_plain_files_or_links_to_them():
    named = ssl.get_default_verify_paths().cafile
    if named is not None:
        assert _plain_files.content(named)
