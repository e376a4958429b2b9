"""What a notebook looks for first: profiles, and a sign-in and sign-out by name."""

import pytest

from lakekey.errors import ConfigurationError
from lakekey.providers import notebook
from lakekey.providers.notebook import ProfileInfo, login, logout, profiles

HOST = "https://dbc.cloud.databricks.com"


class Made:
    """A provider that notes what it is told."""

    told = ()

    def login(self, **how):
        self.told = ("login", how)

    def logout(self):
        return True


@pytest.fixture
def made(monkeypatch):
    made, asked = Made(), []
    monkeypatch.setattr(notebook, "provider", lambda *given, **settings: asked.append((given, settings)) or made)
    return made, asked


def test_sign_in_returns_the_provider_that_was_signed_in(made):
    provider, asked = made
    assert login("prod", user="ada@example.com") is provider
    assert provider.told == ("login", {"switch": False})
    assert login(switch=True) is provider
    assert provider.told == ("login", {"switch": True})
    assert asked == [(("prod",), {"user": "ada@example.com"}), ((None,), {})]


def test_sign_out_says_whether_there_was_a_session(made):
    assert logout("prod") is True
    assert made[1] == [(("prod",), {})]


@pytest.fixture
def file(tmp_path, monkeypatch):
    file = tmp_path / "databrickscfg"
    file.write_text(f"[prod]\nhost = {HOST}\n[wrong]\nauth_type = nonsense\n[DEFAULT]\nhost = {HOST}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", f" {file} ")
    monkeypatch.delenv("DATABRICKS_CONFIG_PROFILE", raising=False)
    return file


def test_each_profile_is_shown_as_it_resolves_by_itself(file, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://another.example.com")
    monkeypatch.setenv("ARM_TENANT_ID", "a-tenant")
    found = {each.name: each for each in profiles()}
    assert found["prod"] == ProfileInfo("prod", HOST, "external-browser", False, None)
    assert found["DEFAULT"].is_default
    wrong = found["wrong"]
    assert (wrong.host, wrong.auth_type, wrong.is_default) == (None, None, False)
    assert wrong.problem


def test_profile_of_the_environment_is_the_default(file, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", " wrong ")
    assert {each.name: each.is_default for each in profiles()} == {"prod": False, "wrong": True, "DEFAULT": False}


def test_file_that_cannot_be_read_is_an_error(file):
    file.write_text("host = no section before it\n")
    with pytest.raises(ConfigurationError):
        profiles()
