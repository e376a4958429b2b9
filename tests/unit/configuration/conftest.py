"""What tests of the configuration share."""

import pytest


@pytest.fixture
def config(tmp_path):
    """Writes the file of profiles; returns the environment that names it."""

    def write(text):
        path = tmp_path / "profiles"
        path.write_text(text)
        return {"DATABRICKS_CONFIG_FILE": str(path)}

    return write
