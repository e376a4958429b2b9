"""What ``lakekey status`` says of a file of profiles that it cannot use."""

import pytest

from lakekey.cli import status


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What is said of a file, as it stands in the variable."""

    def ask(file):
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", file)
        status._report_unusable_profiles()
        out, err = capsys.readouterr()
        assert out == ""
        return " ".join(err.split())

    return ask


def test_file_of_profiles_that_is_not_there_is_named_with_its_variable(said, tmp_path):
    missing = tmp_path / "missing"
    hint = "correct the variable, or have the file made: lakekey login NAME --host https://…"
    assert said(str(missing)) == f"lakekey: there is no file {missing} (DATABRICKS_CONFIG_FILE) → {hint}"


@pytest.mark.parametrize("content", [b"\xff\xfea", b"no section = x\n", None], ids=["encoding", "text", "directory"])
def test_file_of_profiles_that_cannot_be_read_is_named(said, tmp_path, content):
    file = tmp_path / "profiles"
    file.mkdir() if content is None else file.write_bytes(content)
    assert said(str(file)).startswith(f"lakekey: {file} ")


def test_nothing_is_said_of_profiles_that_can_be_used(said, tmp_path, monkeypatch):
    file = tmp_path / "profiles"
    file.write_text("[prod]\nhost = https://dbc-1.cloud.databricks.com\n")
    assert said(str(file)) == ""
    monkeypatch.setenv("HOME", str(tmp_path))  # which has no file of that name, as on most new machines
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert said(" ") == ""
