"""The secret that `pickle` left behind is found again where this machine's configuration has it, and no other is."""

import pickle

import pytest

from lakekey.configuration.target import resolve
from lakekey.configuration.unpickled import client_secret, resolved_here, sdk_settings
from lakekey.errors import ConfigurationError

HOST = "https://dbc.cloud.databricks.com"
SECRET = "dose-of-today"
APP = f"[prod]\nhost = {HOST}\nclient_id = the-app\nclient_secret = {SECRET}\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Writes this machine's file of profiles; returns its path."""

    def write(text, name="profiles"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
        return str(path)

    return write


def carried(target):
    """The target as another machine has it."""
    return pickle.loads(pickle.dumps(target))


def test_secret_that_was_not_left_behind_is_taken():
    assert client_secret(resolve(None, {}, host=HOST, client_id="the-app", client_secret=SECRET)) == SECRET


def test_secret_of_the_same_profile_is_found(here):
    here(APP)
    target = carried(resolve("prod"))
    assert not target.client_secret
    assert client_secret(target) == SECRET


def test_secret_is_found_where_the_file_of_profiles_has_another_place(here, tmp_path):
    here(APP, "of another machine")
    target = carried(resolve("prod", config_file=str(tmp_path / "of another machine")))
    (tmp_path / "of another machine").unlink()
    here(APP)
    assert client_secret(target) == SECRET


def test_secret_of_the_environment_is_found_for_a_host_that_was_an_argument(monkeypatch):
    target = carried(resolve(None, {}, host=HOST, client_id="the-app", client_secret=SECRET))
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", SECRET)
    assert client_secret(target) == SECRET


@pytest.mark.parametrize("profile", ["", APP.replace("the-app", "another-app"), APP.replace(SECRET, "")])
def test_secret_that_is_not_here_or_of_another_app_is_an_error(here, profile):
    here(APP)
    target = carried(resolve("prod"))
    here(profile)
    with pytest.raises(ConfigurationError, match="pickles do not carry it") as caught:
        client_secret(target)
    assert caught.value.profile == "prod"


def test_token_of_the_sdk_is_found_for_its_host(here):
    here(f"[prod]\nhost = {HOST}\ntoken = {SECRET}\nauth_type = pat\n")
    found = list(resolved_here(carried(resolve("prod"))))
    assert {(each.auth_type, each.host) for each in found} == {("pat", HOST)}
    assert found[0].sdk_settings["token"] == SECRET


def test_secret_of_a_workspace_that_azure_would_be_asked_for_is_not_taken(here):
    azure = (
        f"auth_type = azure-client-secret\nazure_client_id = app\nazure_tenant_id = t\nazure_client_secret = {SECRET}\n"
    )
    here(f"[prod]\nhost = https://adb-1.1.azuredatabricks.net\n{azure}")
    target = carried(resolve("prod"))
    here(f"[prod]\nazure_workspace_resource_id = /subscriptions/s/another\n{azure}")
    assert [each for each in resolved_here(target) if "azure_client_secret" in each.sdk_settings] == []


def test_token_of_another_host_that_the_profile_leads_to_here_is_not_taken(here):
    here(f"[prod]\nhost = {HOST}\ntoken = {SECRET}\nauth_type = pat\n")
    target = carried(resolve("prod"))
    here(f"[prod]\nhost = https://other.cloud.databricks.com\ntoken = {SECRET}\nauth_type = pat\n")
    assert [each for each in resolved_here(target) if "token" in each.sdk_settings] == []


OTHER = "https://other.cloud.databricks.com"


@pytest.mark.parametrize(
    "lines",
    [
        f"host = {OTHER}\nauth_type = oauth-m2m",  # the profile by itself is an error
        f"host = {OTHER}\nauth_type = no-such-type",
        f"host = {OTHER}\noauth_callback_port = x",
        f"host = {OTHER}:8443",
        "host = ftp://other.cloud.databricks.com",
        "host = https//other.cloud.databricks.com\noauth_callback_port = x",
    ],
)
def test_token_beside_another_host_is_not_taken_where_the_profile_is_wrong_too(here, lines):
    here(f"[prod]\nhost = {HOST}\ntoken = {SECRET}\nauth_type = pat\n")
    target = carried(resolve("prod"))
    here(f"[prod]\ntoken = {SECRET}\n{lines}\n")
    assert [each for each in resolved_here(target) if "token" in each.sdk_settings] == []


@pytest.mark.parametrize("lines", ["", f"host = {HOST}\n", f"host = {HOST.upper()}/?o=1\n"])
def test_token_of_the_sdk_is_found_where_the_host_was_an_argument(here, lines):
    here(f"[prod]\n{lines}token = {SECRET}\nauth_type = pat\n")
    found = list(resolved_here(carried(resolve("prod", host=HOST))))
    assert {(each.auth_type, each.host) for each in found} == {("pat", HOST)}
    assert SECRET in {each.sdk_settings.get("token") for each in found}


@pytest.mark.parametrize("profile", ["prod", None])
def test_token_of_the_environment_is_found_where_the_host_was_an_argument(here, monkeypatch, tmp_path, profile):
    here(f"[prod]\nhost = {OTHER}\n")  # names no host of the token's
    target = carried(resolve(profile, host=HOST, auth_type="pat", token=SECRET))
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    assert sdk_settings(target)["token"] == SECRET
    if profile is None:  # a variable may name a profile that only other machines have
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "missing"))
        monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "prod")
        assert sdk_settings(target)["token"] == SECRET


@pytest.mark.parametrize("host", [OTHER, f"{HOST}:8443", "ftp://dbc.cloud.databricks.com"])
def test_token_beside_another_host_in_the_profile_is_not_given_to_the_host_of_an_argument(here, host):
    here(f"[prod]\ntoken = {SECRET}\nauth_type = pat\n")
    target = carried(resolve("prod", host=HOST))
    here(f"[prod]\nhost = {host}\ntoken = {SECRET}\nauth_type = pat\n")
    with pytest.raises(ConfigurationError, match="the one that is here is for another identity or workspace"):
        sdk_settings(target)


def test_token_beside_another_host_in_the_environment_is_not_given_to_the_host_of_an_argument(monkeypatch):
    target = carried(resolve(None, {}, host=HOST, auth_type="pat", token=SECRET))
    monkeypatch.setenv("DATABRICKS_HOST", OTHER)
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    with pytest.raises(ConfigurationError, match=rf"host is {OTHER} \(DATABRICKS_HOST\), not {HOST}"):
        sdk_settings(target)
    monkeypatch.setenv("DATABRICKS_HOST", HOST)
    assert sdk_settings(target)["token"] == SECRET


def test_session_of_a_person_is_looked_for_as_theirs(here):
    here(f"[prod]\nhost = {HOST}\n")
    target = resolve("prod", user="ada@example.com")
    connected = pickle.loads(pickle.dumps(target))
    object.__setattr__(connected, "connect_url", "https://portal.example.com")  # as a portal's store has it
    assert "ada@example.com" in {each.user for each in resolved_here(connected)}
    assert {each.user for each in resolved_here(target)} == {None}
