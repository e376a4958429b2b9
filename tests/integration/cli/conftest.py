"""The workspace and the profiles that the tests of the command line begin with."""

import pytest


@pytest.fixture
def box(unnamed_workspace, monkeypatch, tmp_path):
    """A workspace, with a profile of a person (``me``) and one of a service principal (``job``)."""
    box = unnamed_workspace
    file = tmp_path / "databrickscfg"
    file.write_text(
        f"[me]\nhost = {box.host}\nauth_type = external-browser\n\n[job]\nhost = {box.host}\n"
        f"warehouse_id = sandbox\nclient_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    return box
