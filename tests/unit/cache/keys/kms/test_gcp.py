"""Google Cloud KMS: where the credentials of this machine are looked for."""

import os

import pytest

from lakekey.cache.keys.kms.gcp import GoogleCloudKms

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
#: By gcloud's own manual: %APPDATA%\gcloud on Windows, ~/.config/gcloud elsewhere.
PLACE = ("roaming", "gcloud") if os.name == "nt" else ("home", ".config", "gcloud")


@pytest.mark.parametrize("there", [True, False], ids=["there", "missing"])
def test_credentials_of_gcloud_are_found_where_it_keeps_them(tmp_path, there):
    environ = {"HOME": str(tmp_path / "home"), "APPDATA": str(tmp_path / "roaming")}
    folder = tmp_path.joinpath(*PLACE)
    folder.mkdir(parents=True)
    file = folder / "application_default_credentials.json"
    if there:
        file.write_text("{}")
    assert GoogleCloudKms(KEY, environ)._credentials_file() == (str(file) if there else "")


def test_credentials_that_are_named_go_before_those_of_gcloud(tmp_path):
    environ = {"APPDATA": str(tmp_path), "HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": "named.json"}
    assert GoogleCloudKms(KEY, environ)._credentials_file() == "named.json"
