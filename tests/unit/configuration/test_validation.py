"""What belongs together in a configuration: what it comes to, and what an error says of what is missing."""

import pytest

from lakekey.configuration.target import resolve
from lakekey.configuration.validation import names_nothing
from lakekey.errors import ConfigurationError

HOST = "https://dbc.cloud.databricks.com"
CONSOLE = "https://accounts.cloud.databricks.com"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"
SECRET = "dose-of-today"


def refusal(profile, environ, **arguments):
    with pytest.raises(ConfigurationError) as caught:
        resolve(profile, environ, **arguments)
    return caught.value


def test_waits_last_two_minutes_for_a_person_and_one_for_a_process_unless_set():
    target = resolve(environ={}, host=HOST)
    assert (target.login_timeout, target.lock_timeout) == (120.0, 60.0)
    target = resolve(environ={}, host=HOST, login_timeout=7.0, lock_timeout=8.0)
    assert (target.login_timeout, target.lock_timeout) == (7.0, 8.0)


def test_strategy_of_the_sdk_gets_what_is_set_for_it_and_no_other_grant_does():
    arguments = {"host": HOST, "account_id": "an-account", "client_id": "the-app"}
    target = resolve(environ={}, auth_type="pat", token=SECRET, **arguments)
    assert dict(target.sdk_settings) == {"token": SECRET, "account_id": "an-account", "client_id": "the-app"}
    assert dict(resolve(environ={}, **arguments).sdk_settings) == {}


def test_secret_of_an_app_is_for_the_grants_that_send_it():
    for auth_type, secret in (("external-browser", SECRET), ("oauth-m2m", SECRET), ("azure-cli", None)):
        target = resolve(environ={}, host=HOST, client_id="the-app", client_secret=SECRET, auth_type=auth_type)
        assert target.client_secret == secret


def test_host_may_be_missing_only_where_azure_is_asked_for_it():
    azure = {"azure_client_id": "app", "azure_client_secret": SECRET, "azure_tenant_id": "t"}
    target = resolve(environ={}, auth_type="azure-client-secret", azure_workspace_resource_id=RESOURCE, **azure)
    assert target.host == ""
    assert "no host" in refusal(None, {}, auth_type="azure-client-secret", **azure).message
    person = refusal(None, {}, auth_type="external-browser", azure_workspace_resource_id=RESOURCE)
    assert "no host" in person.message


def test_key_that_is_nearly_right_is_named_where_a_setting_is_missing(config):
    environ = config(f"[prod]\nhots = {HOST}\n[app]\nhost = {HOST}\nclient_id = a\nclient_secrt = {SECRET}\n")
    assert refusal("prod", environ).hint.startswith("did you mean host? [prod] of ")
    assert refusal("prod", environ).hint.endswith(" says hots")
    assert refusal("app", environ, auth_type="oauth-m2m").hint.endswith(" says client_secrt")


def test_profile_without_a_host_is_to_get_one(config):
    environ = config("[prod]\nclient_id = the-app\n")
    assert refusal("prod", environ).hint.startswith("add host = https://… to it in ")


def test_missing_secret_is_to_be_sealed_and_a_missing_client_to_be_set(config):
    environ = config(f"[prod]\nhost = {HOST}\nauth_type = oauth-m2m\nclient_id = the-app\n")
    assert refusal("prod", environ).hint.endswith("or seal it: lakekey secret set prod")
    environ = config(f"[prod]\nhost = {HOST}\nauth_type = oauth-m2m\nclient_secret = {SECRET}\n")
    assert refusal("prod", environ).hint == "set client_id in the profile, or DATABRICKS_CLIENT_ID"
    error = refusal(None, {}, host=HOST, auth_type="oauth-m2m", client_id="the-app")
    assert error.hint == "set client_secret in the profile, or DATABRICKS_CLIENT_SECRET"


def test_error_names_the_profile_and_without_one_the_host(config):
    environ = config(f"[prod]\nhost = {HOST}\n")
    assert refusal("prod", environ, auth_type="oauth-m2m").profile == "prod"
    assert refusal(None, {}, host=HOST, auth_type="oauth-m2m").profile == HOST
    assert refusal("prod", environ, auth_type="github-oidc").profile == "prod"
    assert refusal(None, {}, host=HOST, auth_type="github-oidc").profile == HOST


def test_secret_that_does_not_count_is_told_with_the_reason_where_it_is_missing(config):
    environ = config(f"[prod]\nhost = {HOST}\nauth_type = oauth-m2m\nclient_id = one\nclient_secret = {SECRET}\n")
    error = refusal("prod", {**environ, "DATABRICKS_CLIENT_ID": "another"})
    assert "client_secret is missing, which oauth-m2m needs; client_secret (profile) does not count: " in error.message
    assert "it stands beside another client_id" in error.message


def test_role_of_a_group_is_for_the_grants_that_can_assume_it():
    assert "group's role" in refusal(None, {}, host=HOST, auth_type="pat", token=SECRET, group_id="7").message
    assert resolve(environ={}, host=HOST, auth_type="runtime-oauth", group_id="7").group_id == "7"


def test_account_console_needs_the_account_unless_the_sdk_signs_in():
    assert refusal(None, {}, host=CONSOLE).message.endswith("account_id is missing")
    assert resolve(environ={}, host=CONSOLE, auth_type="pat", token=SECRET).host == CONSOLE


def test_address_from_the_browser_names_the_account_unless_as_strong_a_setting_does(tmp_path):
    copied = f"{CONSOLE}/login?account_id=a-1"
    target = resolve(None, {"DATABRICKS_ACCOUNT_ID": "a-2"}, host=copied)
    assert (target.host, target.account_id, target.cache_key_fields()["account"]) == (CONSOLE, "a-1", "a-1")
    assert target.login_command == f"lakekey login --host {CONSOLE} --account-id a-1"
    assert resolve(None, {}, host=copied, account_id="a-3").account_id == "a-3"
    profiles = tmp_path / "profiles"
    profiles.write_text(f"[prod]\nhost = {copied}\n", encoding="utf-8")
    assert resolve("prod", {}, config_file=profiles).account_id == "a-1"
    environ = {"DATABRICKS_ACCOUNT_ID": "a-2"}
    assert resolve("prod", environ, config_file=profiles).account_id == "a-2"


def test_account_in_the_address_of_a_workspace_makes_no_other_identity_of_its_profile(tmp_path):
    profiles = tmp_path / "profiles"
    profiles.write_text(f"[one]\nhost = {HOST}/?account_id=a-1\n[two]\nhost = {HOST}\n", encoding="utf-8")
    one, two = (resolve(name, {}, config_file=profiles) for name in ("one", "two"))
    assert one.cache_key_fields() == two.cache_key_fields()
    assert resolve(None, {}, host=f"{HOST}/?account_id=a-1").account_id is None
    assert resolve("one", {"DATABRICKS_ACCOUNT_ID": "a-2"}, config_file=profiles).account_id == "a-2"


@pytest.mark.parametrize(("count", "end"), [(5, "p4"), (6, "p4, …")])
def test_first_five_profiles_are_named_where_none_is(config, count, end):
    environ = config("".join(f"[p{number}]\nhost = {HOST}\n" for number in range(count)))
    assert refusal(None, environ).hint == f"name a profile: p0, p1, p2, p3, {end}"


def test_error_that_asks_for_a_profile_names_nothing_and_another_does():
    assert names_nothing(refusal(None, {"DATABRICKS_CONFIG_FILE": "/nowhere"}))
    assert not names_nothing(ConfigurationError("another", hint=None))
    assert not names_nothing(ConfigurationError("another", hint="set it"))
