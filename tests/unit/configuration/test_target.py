"""From arguments, environment and profile to a target."""

import pickle
import shlex

import pytest

from lakekey.cli.arguments import parse, target_settings
from lakekey.configuration.target import SETTINGS, normalize_host, person_key, resolve
from lakekey.errors import ConfigurationError

HOST = "https://dbc.cloud.databricks.com"
OTHER = "https://other.cloud.databricks.com"
SECRET = "dose-a-secret"


def test_an_argument_goes_before_the_environment_and_that_before_the_profile(config):
    profile = f"[prod]\nhost = {HOST}\nclient_id = from-profile\nwarehouse_id = from-profile\ncluster_id = from-profile"
    environ = {**config(profile), "DATABRICKS_CLIENT_ID": "from-env", "DATABRICKS_WAREHOUSE_ID": "from-env"}
    target = resolve("prod", environ, client_id="from-argument")
    assert (target.client_id, target.warehouse_id, target.cluster_id) == ("from-argument", "from-env", "from-profile")
    assert dict(target.sources) == {
        "client_id": "argument", "warehouse_id": "DATABRICKS_WAREHOUSE_ID", "host": "profile", "cluster_id": "profile",
    }  # fmt: skip


def test_without_anything_else_a_person_signs_in_with_the_built_in_client():
    target = resolve(environ={}, host=HOST)
    assert (target.auth_type, target.client_id, target.scopes) == ("external-browser", "databricks-cli", ("all-apis",))
    assert target.is_person


def test_a_client_id_and_secret_are_a_service_principal():
    target = resolve(environ={}, host=HOST, client_id="app", client_secret=SECRET)
    assert (target.auth_type, target.is_person) == ("oauth-m2m", False)


@pytest.mark.parametrize("none", ["none", "None", " NONE "])
def test_workspace_id_none_is_not_a_workspace(config, none):
    environ = config(f"[prod]\nhost = {HOST}\nworkspace_id = {none}\ncluster_id = c\n")
    target = resolve("prod", environ)
    assert (target.workspace_id, target.http_path) == (None, None)
    assert resolve(environ={}, host=f"{HOST}?o=1", workspace_id=none).workspace_id is None
    assert resolve("prod", environ, host=f"{HOST}?o=1").workspace_id == "1"


OTHER = "https://other.cloud.databricks.com"


@pytest.mark.parametrize(
    ("profile", "arguments", "variables", "workspace", "source"),
    [
        ("workspace_id = 11", {"host": f"{HOST}/?o=22"}, {}, "22", "argument"),
        ("workspace_id = 11", {}, {"DATABRICKS_HOST": f"{HOST}/?o=22"}, "22", "DATABRICKS_HOST"),
        ("workspace_id = 11", {"host": HOST}, {}, "11", "profile"),
        ("workspace_id = 11", {"host": f"{HOST.upper()}:443/"}, {}, "11", "profile"),
        ("workspace_id = 11", {"host": OTHER}, {}, None, None),
        ("workspace_id = 11", {"host": f"{OTHER}/?o=22"}, {}, "22", "argument"),
        ("workspace_id = 11", {}, {"DATABRICKS_HOST": OTHER}, None, None),
        ("", {"host": OTHER}, {"DATABRICKS_WORKSPACE_ID": "33"}, "33", "DATABRICKS_WORKSPACE_ID"),
        ("", {"host": f"{HOST}/?o=22"}, {"DATABRICKS_WORKSPACE_ID": "33"}, "22", "argument"),
        ("", {"host": OTHER}, {"DATABRICKS_HOST": HOST, "DATABRICKS_WORKSPACE_ID": "33"}, None, None),
        ("workspace_id = 11", {"host": OTHER, "workspace_id": "44"}, {}, "44", "argument"),
        ("workspace_id = 11", {"host": f"{HOST}/?o=22", "workspace_id": "44"}, {}, "44", "argument"),
        ("workspace_id = 11", {}, {"DATABRICKS_WORKSPACE_ID": "33"}, "33", "DATABRICKS_WORKSPACE_ID"),
    ],
)
def test_workspace_id_belongs_to_the_host_beside_it(config, profile, arguments, variables, workspace, source):
    environ = {**config(f"[prod]\nhost = {HOST}\naccount_id = a-1\n{profile}\n"), **variables}
    target = resolve("prod", environ, cluster_id="c", **arguments)
    assert (target.workspace_id, target.sources.get("workspace_id")) == (workspace, source)
    assert target.http_path == (workspace and f"/sql/protocolv1/o/{workspace}/c")
    assert target.account_id == "a-1"  # a host is not an account's alone


def test_workspace_of_the_profiles_address_is_that_of_the_same_host_given_without_it(config):
    environ = config(f"[prod]\nhost = {HOST}/?o=11\n")
    assert resolve("prod", environ, host=HOST).workspace_id == "11"
    assert resolve("prod", environ, host=OTHER).workspace_id is None
    assert resolve("prod", environ, host=f"{HOST}/?o=22").workspace_id == "22"


@pytest.mark.parametrize("written", ["o=none", "w=None", "o=%20NONE"])
def test_none_in_an_address_is_none_as_the_setting_says_it(config, written):
    environ = config(f"[prod]\nhost = {HOST}\nworkspace_id = 11\n")
    assert resolve("prod", environ, host=f"{HOST}/?{written}").workspace_id is None
    assert resolve("prod", environ, host=f"{HOST}/?{written}", workspace_id="22").workspace_id == "22"


@pytest.mark.parametrize("query", ["w=a b", "o=a%2Fb", "o=11&w=a b"])
def test_what_an_address_names_that_cannot_be_a_workspace_is_refused_beside_a_good_id_too(query):
    with pytest.raises(ConfigurationError, match=r"\?o= or \?w= whose id it cannot be"):
        resolve(environ={}, host=f"{HOST}/?{query}")


def test_workspace_beside_what_is_not_a_host_does_not_count(config):
    environ = config("[prod]\nhost = https//slip\nworkspace_id = 11\n")
    assert resolve("prod", environ, host=HOST).workspace_id is None


def test_workspace_of_the_address_reaches_the_sdks_own_strategies():
    target = resolve(environ={}, host=f"{HOST}/?o=22", auth_type="pat", token=SECRET)
    assert target.sdk_settings["workspace_id"] == "22"


def test_mistyped_setting_or_auth_type_is_answered_with_the_near_one():
    for arguments, near in (
        ({"hots": HOST}, "host"),
        ({"warehouseid": "w"}, "warehouse_id"),
        ({"host": HOST, "auth_type": "oauth_m2m"}, "oauth-m2m"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            resolve(environ={}, **arguments)
        assert f"did you mean {near}?" in caught.value.hint


def test_without_a_default_profile_the_hint_names_those_there_are(config):
    with pytest.raises(ConfigurationError, match="there is no host") as caught:
        resolve(None, config(f"[prod]\nhost = {HOST}\n[nightly]\nhost = {HOST}\n"))
    assert caught.value.hint == "name a profile: prod, nightly"


def test_a_client_id_alone_is_a_custom_app_for_people():
    target = resolve(environ={}, host=HOST, client_id="app")
    assert (target.auth_type, target.client_id) == ("external-browser", "app")


def test_an_auth_type_that_is_named_leaves_the_environments_secret_aside():
    environ = {"DATABRICKS_CLIENT_ID": "app", "DATABRICKS_CLIENT_SECRET": SECRET}
    target = resolve(environ=environ, host=HOST, auth_type="external-browser")
    assert (target.client_id, target.client_secret) == ("databricks-cli", None)


def test_a_secret_that_is_given_leaves_the_environments_auth_type_aside():
    environ = {"DATABRICKS_AUTH_TYPE": "external-browser"}
    assert resolve(environ=environ, host=HOST, client_id="a", client_secret=SECRET).auth_type == "oauth-m2m"


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({}, "there is no host"),
        ({"host": HOST, "auth_type": "oauth-m2m"}, "client_id is missing"),
        ({"host": HOST, "auth_type": "oauth-m2m", "client_id": "a"}, "client_secret is missing"),
        ({"host": HOST, "auth_type": "magic"}, r"auth_type 'magic' \(argument\) is not supported"),
        ({"host": HOST, "hosst": "x"}, "there is no setting 'hosst'"),
        ({"host": HOST, "login_timeout": "soon"}, r"login_timeout \(argument\) is 'soon'"),
        ({"host": HOST, "redirect_port": 0}, r"redirect_port \(argument\) is 0"),
    ],
)
def test_what_is_missing_or_wrong_is_reported_with_what_helps(arguments, missing):
    with pytest.raises(ConfigurationError, match=missing) as caught:
        resolve(environ={}, **arguments)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "host"),
    [
        (HOST, HOST),
        ("dbc.cloud.databricks.com", HOST),
        (f" {HOST}/ ", HOST),
        (f"{HOST}:443/?o=123", HOST),
        ("https://DBC.cloud.databricks.com", HOST),
        ("https://127.0.0.1:8443/path", "https://127.0.0.1:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_hosts_are_normalized(given, host):
    assert normalize_host(given, None) == host


@pytest.mark.parametrize(
    "host", ["", None, "http://dbc.cloud.databricks.com", "ftp://x", "https://", "https://u:hunter2@x", "https://x:y"]
)
def test_a_host_that_credentials_may_not_be_sent_to_is_refused(host):
    with pytest.raises(ConfigurationError) as caught:
        normalize_host(host, "prod")
    assert caught.value.profile == "prod"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scopes", ["sql, all-apis", "all-apis sql", ["sql", "all-apis", "sql", "offline_access"]])
def test_scopes_are_sorted_without_offline_access(scopes):
    assert resolve(environ={}, host=HOST, scopes=scopes).scopes == ("all-apis", "sql")


def test_a_warehouse_id_gives_the_http_path_unless_that_is_set():
    assert resolve(environ={}, host=HOST, warehouse_id="w1").http_path == "/sql/1.0/warehouses/w1"
    assert resolve(environ={}, host=HOST, warehouse_id="w1", http_path="/x").http_path == "/x"


def test_none_counts_as_not_given():
    assert resolve(environ={"DATABRICKS_HOST": HOST}, host=None).host == HOST


def test_an_ambient_host_is_not_mixed_with_a_default_profile(config):
    environ = {**config(f"[DEFAULT]\nhost = {OTHER}\nclient_id = x\n"), "DATABRICKS_HOST": HOST}
    target = resolve(None, environ)
    assert (target.host, target.client_id, target.profile) == (HOST, "databricks-cli", None)


def test_the_default_profile_serves_where_nothing_is_named(config):
    environ = config(f"[__settings__]\ndefault_profile = work\n\n[work]\nhost = {HOST}\n")
    assert (resolve(None, environ).profile, resolve(None, environ).host) == ("work", HOST)


def test_the_environment_may_name_the_profile(config):
    environ = {**config(f"[work]\nhost = {HOST}\n"), "DATABRICKS_CONFIG_PROFILE": "work"}
    assert resolve(None, environ).profile == "work"


def identity(**settings):
    return resolve(environ={}, **{"host": HOST, **settings}).cache_key_fields()


def test_profiles_that_differ_in_nothing_that_matters_share_one_login(config):
    environ = config(f"[a]\nhost = {HOST}\nwarehouse_id = w1\n[b]\nhost = {HOST}/\nscopes = all-apis\n")
    assert resolve("a", environ).cache_key_fields() == resolve("b", environ).cache_key_fields() == identity()


@pytest.mark.parametrize(
    "settings",
    [
        {"host": OTHER},
        {"client_id": "app"},
        {"scopes": "sql"},
        {"user": "ada@example.com"},
        {"account_id": "a"},
        {"group_id": "g"},
        {"authorization_details": "[]"},
        {"discovery_url": f"{HOST}/oidc/.well-known/oauth-authorization-server"},
        {"client_id": "databricks-cli", "client_secret": SECRET},
    ],
    ids=lambda settings: list(settings)[-1],
)
def test_credentials_that_differ_are_kept_apart(settings):
    assert identity(**settings) != identity()


def test_the_case_of_a_user_name_does_not_matter():
    assert identity(user="Ada@Example.com") == identity(user="ada@example.com")


def test_the_proof_ties_a_token_to_its_secret_and_shows_none_of_it():
    def proof(secret):
        return resolve(environ={}, host=HOST, client_id="app", client_secret=secret).secret_digest

    assert proof(SECRET) == proof(SECRET) != proof("another")
    assert SECRET not in proof(SECRET)
    assert resolve(environ={}, host=HOST).secret_digest == ""


def test_the_secret_is_in_no_repr_summary_or_pickle():
    target = resolve(environ={}, host=HOST, client_id="app", client_secret=SECRET)
    pickled = pickle.dumps(target)
    shown = f"{target!r} {target} {target.description()} {target.cache_key_fields()} {dict(target.sources)} {pickled!r}"
    assert SECRET not in shown
    assert pickle.loads(pickled).cache_key_fields() == target.cache_key_fields()


def test_a_target_does_not_change():
    target = resolve(environ={}, host=HOST)
    with pytest.raises(AttributeError, match="immutable"):
        target.host = OTHER
    with pytest.raises(AttributeError, match="immutable"):
        del target.host


def test_the_login_command_names_the_profile_or_the_host(config):
    assert resolve("work", config(f"[work]\nhost = {HOST}\n")).login_command == "lakekey login work"
    assert resolve(environ={}, host=HOST).login_command == f"lakekey login --host {HOST}"


def test_the_login_command_leads_to_the_same_credential_whatever_the_arguments_were(config, tmp_path):
    environ = config(f"[my work]\nhost = {HOST}\n")
    path = tmp_path / "other databrickscfg"
    path.write_text(f"[work]\nhost = {HOST}\nuser = ada@example.com\n")
    given = {"auth_type": "external-browser", "client_id": "app", "scopes": ["sql", "jobs"], "account_id": "42"}
    for profile, arguments in (
        (None, {"host": HOST, "user": "grace@example.com"}),
        (None, {"host": OTHER, **given}),
        ("my work", given),
        ("my work", {"host": OTHER, "ca_file": "/a b/ca.pem"}),
        ("work", {"config_file": path}),
    ):
        target = resolve(profile, environ, **arguments)
        parsed = parse(shlex.split(target.login_command)[1:])
        again = resolve(parsed.profile, environ, **target_settings(parsed))
        assert (again.cache_key_fields(), again.ca_file) == (target.cache_key_fields(), target.ca_file)


def test_what_the_profile_or_a_variable_says_need_not_be_said_again(config):
    environ = {**config(f"[work]\nhost = {HOST}\nscopes = sql\n"), "DATABRICKS_ACCOUNT_ID": "42"}
    assert resolve("work", environ).login_command == "lakekey login work"


def test_every_setting_of_ours_is_an_attribute():
    target = resolve(environ={}, host=HOST)
    assert [name for name in SETTINGS if not (SETTINGS[name].delegated or hasattr(target, name))] == []


@pytest.mark.parametrize(("said", "meant"), [("true", True), ("1", True), (True, True), ("No", False), (False, False)])
def test_switch_is_on_or_off(said, meant):
    assert resolve(environ={}, host=HOST, disable_oauth_refresh_token=said).disable_oauth_refresh_token is meant


def test_switch_that_is_neither_is_an_error():
    with pytest.raises(ConfigurationError, match=r"disable_oauth_refresh_token \(argument\) is neither true nor false"):
        resolve(environ={}, host=HOST, disable_oauth_refresh_token="maybe")


def test_default_profile_is_not_named_in_a_command_and_a_host_of_the_environment_is(config):
    environ = config(f"[DEFAULT]\nhost = {HOST}\n")
    assert resolve(None, environ).login_command == "lakekey login"
    assert resolve(None, {**environ, "DATABRICKS_HOST": OTHER}).login_command == f"lakekey login --host {OTHER}"


def test_session_without_a_refresh_token_is_another_session():
    fields = resolve(environ={}, host=HOST).cache_key_fields()
    without = resolve(environ={}, host=HOST, disable_oauth_refresh_token=True).cache_key_fields()
    assert without == {**fields, "refresh_token": False}
    assert "refresh_token" not in fields


def test_description_has_what_is_set_as_json_gives_it_back():
    assert resolve(environ={}, host=HOST).description() == {
        "host": HOST, "auth_type": "external-browser", "client_id": "databricks-cli", "scopes": ["all-apis"],
    }  # fmt: skip


def test_name_is_compared_in_its_composed_form_and_an_address_without_regard_to_ascii_case():
    assert person_key("Jos\u00e9") == person_key("Jose\u0301") != person_key("jos\u00e9")
    assert person_key("Jos\u00c9@Example.com") == "jos\u00c9@example.com"
    assert person_key("\u212a@example.com") != person_key("k@example.com"), "the Kelvin sign is another letter"
