"""The secret that `pickle` left behind is found again where this machine's configuration has it, and no other is."""

import pickle

import pytest

from lakekey.cache.app_registrations import NAME, AppRegistration, entry_of
from lakekey.cache.client_secrets import put_secret
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import resolve
from lakekey.configuration.unpickled import client_secret, sdk_settings
from lakekey.errors import ConfigurationError

HOST = "https://dbc.cloud.databricks.com"
OTHER = "https://other.cloud.databricks.com"
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
    assert sdk_settings(carried(resolve("prod")))["token"] == SECRET


def test_secret_of_a_workspace_that_azure_would_be_asked_for_is_not_taken(here):
    azure = (
        f"auth_type = azure-client-secret\nazure_client_id = app\nazure_tenant_id = t\nazure_client_secret = {SECRET}\n"
    )
    here(f"[prod]\nhost = https://adb-1.1.azuredatabricks.net\n{azure}")
    target = carried(resolve("prod"))
    here(f"[prod]\nazure_workspace_resource_id = /subscriptions/s/another\n{azure}")
    with pytest.raises(
        ConfigurationError, match=r"is /subscriptions/s/another \(profile prod\), and no host is named "
    ):
        sdk_settings(target)


def test_token_of_another_host_that_the_profile_leads_to_here_is_not_taken(here):
    here(f"[prod]\nhost = {HOST}\ntoken = {SECRET}\nauth_type = pat\n")
    target = carried(resolve("prod"))
    here(f"[prod]\nhost = {OTHER}\ntoken = {SECRET}\nauth_type = pat\n")
    with pytest.raises(ConfigurationError, match=rf"host is {OTHER} \(profile prod\), not {HOST} "):
        sdk_settings(target)


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
    with pytest.raises(ConfigurationError, match=r"host is \S+ \(profile prod\), not"):
        sdk_settings(target)


@pytest.mark.parametrize("lines", ["", f"host = {HOST}\n", f"host = {HOST.upper()}/?o=1\n"])
def test_token_of_the_sdk_is_found_where_the_host_was_an_argument(here, lines):
    here(f"[prod]\n{lines}token = {SECRET}\nauth_type = pat\n")
    assert sdk_settings(carried(resolve("prod", host=HOST)))["token"] == SECRET


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


def test_secret_of_a_portals_app_is_found_for_the_person_and_the_host(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    monkeypatch.setenv("LAKEKEY_STORE", place := f"file:{tmp_path / 'shared'}")
    app = AppRegistration(
        "app", "client-of-app", (HOST,), secret=SECRET, redirect_uri="https://portal.example.com/callback/app",
        is_default=True,
    )  # fmt: skip
    open_cache(place=place).put(NAME, entry_of([app]), replaces=None)
    target = carried(resolve(host=HOST, user="ada@example.com"))
    assert (target.client_secret, target.connect_url) == (None, "https://portal.example.com/")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "a-service-principal")  # which signs no person in
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "dose-of-another")
    assert client_secret(target) == SECRET
    monkeypatch.delenv("LAKEKEY_STORE")
    with pytest.raises(ConfigurationError, match="pickles do not carry it"):
        client_secret(target)


def test_sealed_secret_is_found_for_the_host_and_the_account_that_it_was_sealed_for(here, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    monkeypatch.setenv("LAKEKEY_STORE", place := f"file:{tmp_path / 'shared'}")
    put_secret(open_cache(place=place), HOST, "a-1", "the-app", SECRET)
    here(f"[prod]\nhost = {HOST}\nclient_id = the-app\naccount_id = a-1\n")
    target = carried(resolve("prod"))
    assert (target.auth_type, target.sources["client_secret"]) == ("oauth-m2m", "cache")
    assert client_secret(target) == SECRET
    here("")
    assert client_secret(target) == SECRET
    for line in (f"host = {OTHER}", "account_id = a-2"):
        here(f"[prod]\nclient_id = the-app\n{line}\n")
        assert client_secret(target) == SECRET


def test_secret_of_an_app_that_stands_beside_another_host_is_not_sent_to_the_hosts_own(here, monkeypatch):
    here(APP)
    target = carried(resolve("prod"))
    here(APP.replace(HOST, OTHER))
    with pytest.raises(ConfigurationError, match=rf"host is {OTHER} \(profile prod\), not {HOST} ") as caught:
        client_secret(target)
    assert caught.value.hint.startswith("set DATABRICKS_CLIENT_SECRET")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", SECRET)  # it would be used for the host of the profile here
    with pytest.raises(ConfigurationError, match=rf"host is {OTHER} \(profile prod\), not {HOST} "):
        client_secret(target)
    monkeypatch.setenv("DATABRICKS_HOST", HOST)
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "the-app")
    assert client_secret(target) == SECRET


def test_secret_of_the_profile_is_found_beside_variables_of_another_app_and_workspace(here, monkeypatch):
    here(APP)
    target = carried(resolve("prod"))
    monkeypatch.setenv("DATABRICKS_HOST", OTHER)  # as where Databricks runs the program
    for client in ("another-app", "the-app"):
        monkeypatch.setenv("DATABRICKS_CLIENT_ID", client)
        monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "dose-of-another")
        assert client_secret(target) == SECRET


@pytest.mark.parametrize("issuer", ["https://idp.example.com", "https://ada:dose-of-ada@idp.example.com"])
def test_secret_of_an_app_is_not_sent_to_another_authorization_server(here, issuer):
    here(f"{APP}discovery_url = {HOST}/metadata\n")
    target = carried(resolve("prod"))
    assert client_secret(target) == SECRET
    here(f"{APP}discovery_url = {issuer}/metadata\n")
    with pytest.raises(ConfigurationError, match=rf"discovery_url is \S+ \(profile prod\), not {HOST} ") as caught:
        client_secret(target)
    assert "dose-of-ada" not in str(caught.value)


def test_secret_of_a_persons_app_is_found_beside_variables_of_a_service_principal(here, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "a-service-principal")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "dose-of-another")
    for client in ("client_id = the-app\n", ""):
        here(f"[prod]\nhost = {HOST}\nauth_type = external-browser\nclient_secret = {SECRET}\n{client}")
        assert client_secret(carried(resolve("prod"))) == SECRET


def test_other_host_that_was_known_beside_a_secret_is_not_known_beside_another_profiles(here, monkeypatch):
    beside_another = f"host = {OTHER}\ntoken = {SECRET}\nauth_type = pat\n"
    here(f"[prod]\n{beside_another}")
    target = carried(resolve("prod", host=HOST))
    assert sdk_settings(target)["token"] == SECRET
    here(f"[dev]\n{beside_another}")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "dev")
    with pytest.raises(ConfigurationError, match=rf"host is {OTHER} \(profile dev\), not {HOST} "):
        sdk_settings(target)


def test_other_host_that_was_known_beside_a_secret_of_the_environment_is_known_without_the_profile(here, monkeypatch):
    here(f"[prod]\nhost = {HOST}\nauth_type = pat\n")
    monkeypatch.setenv("DATABRICKS_HOST", OTHER)
    monkeypatch.setenv("DATABRICKS_TOKEN", SECRET)
    target = carried(resolve("prod", host=HOST))
    here("")
    assert sdk_settings(target)["token"] == SECRET
