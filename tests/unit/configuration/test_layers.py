"""What each layer says, which of them counts, and what is not listened to."""

import pytest

from lakekey.configuration.layers import (
    ARGUMENT,
    ENVIRONMENT,
    PROFILE,
    Layers,
    SourcedValue,
    directly_configured,
    read_layers,
)
from lakekey.errors import ConfigurationError

HOST = "https://w.cloud.databricks.com"
SECRET = "dose-a-secret"


@pytest.fixture
def layers():
    """Two settings, of which the argument says one and the others say both."""
    said = {
        ARGUMENT: {"host": SourcedValue("argument.example", ARGUMENT)},
        ENVIRONMENT: {"host": SourcedValue("env.example", "DATABRICKS_HOST"), "user": SourcedValue("env", "A_USER")},
        PROFILE: {"host": SourcedValue("profile.example", PROFILE), "user": SourcedValue("profile", PROFILE)},
    }
    return Layers("dev", "/profiles", said)


def test_strongest_layer_that_says_something_counts(layers):
    assert [layers.layer(name) for name in ("host", "user", "catalog")] == [ARGUMENT, ENVIRONMENT, None]
    assert [layers.raw(name) for name in ("host", "user", "catalog")] == ["argument.example", "env", None]
    assert [layers.get(name) for name in ("host", "user", "catalog")] == ["argument.example", "env", None]
    assert [layers.source(name) for name in ("host", "user", "catalog")] == [ARGUMENT, "A_USER", ""]
    assert layers.sources() == {"host": ARGUMENT, "user": "A_USER"}


def test_layer_that_is_ignored_gives_way_to_the_next_and_leaves_the_reason(layers):
    layers.ignore(ENVIRONMENT, "user", "for a test")
    layers.ignore(ARGUMENT, "user", "it says nothing of it")
    assert not layers.has(ENVIRONMENT, "user")
    assert layers.has(PROFILE, "user")
    assert layers.source("user") == PROFILE
    assert layers.ignored == {("user", "A_USER"): "for a test"}


def test_value_is_brought_into_form_only_where_it_is_asked_for(layers):
    layers.layers[PROFILE]["login_timeout"] = SourcedValue(" 5 ", PROFILE)
    layers.layers[PROFILE]["lock_timeout"] = SourcedValue("soon", PROFILE)
    assert (layers.get("login_timeout"), layers.raw("login_timeout")) == (5.0, " 5 ")
    assert layers.raw("lock_timeout") == "soon"
    with pytest.raises(ConfigurationError, match=r"lock_timeout \(profile\) is 'soon'") as caught:
        layers.get("lock_timeout")
    assert caught.value.profile == "dev"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("workspace_id", "NONE", None), ("workspace_id", "7", "7"), ("catalog", "none", "none")],
)
def test_only_a_workspace_may_be_called_none(layers, name, value, found):
    layers.layers[PROFILE][name] = SourcedValue(value, PROFILE)
    assert layers.get(name) == found


def test_value_shows_where_it_was_found_and_not_itself():
    assert repr(SourcedValue(SECRET, "DATABRICKS_CLIENT_SECRET")) == "SourcedValue(source='DATABRICKS_CLIENT_SECRET')"


def test_each_setting_is_read_under_the_first_of_its_variables_that_is_not_blank(config):
    first, second = "DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"
    none = config("")
    for environ, source in (({first: "/a", second: "/b"}, first), ({first: " ", second: "/b"}, second)):
        assert read_layers(None, {**none, **environ}, {}).source("oidc_token_filepath") == source
    assert not read_layers(None, {**none, first: " "}, {}).has(ENVIRONMENT, "oidc_token_filepath")


def test_setting_is_read_from_a_profile_under_its_own_name_before_an_alias(config):
    for text, said in (("audience = other", "other"), ("audience = other\ntoken_audience = own", "own")):
        found = read_layers("dev", config(f"[dev]\n{text}\nfoo = bar\ncatalog =\n"), {})
        assert found.raw("token_audience") == said
        assert not found.has(PROFILE, "catalog")
    assert found.keys == ("audience", "token_audience", "foo", "catalog")
    assert found.profile == "dev"


def test_argument_that_is_none_is_not_given_and_the_file_of_profiles_may_be_one(config):
    environ = config(f"[dev]\nhost = {HOST}\n")
    path = environ["DATABRICKS_CONFIG_FILE"]
    found = read_layers("dev", {}, {"config_file": path, "user": None})
    assert found.layers[ARGUMENT] == {"config_file": SourcedValue(path, ARGUMENT)}
    assert found.sources() == {"host": PROFILE, "config_file": ARGUMENT}
    assert found.config_file == path
    assert "config_file" not in read_layers("dev", environ, {}).sources()


def test_default_profile_is_read_where_nothing_is_configured_beside_it(config):
    environ = config(f"[DEFAULT]\nhost = {HOST}\ncatalog = c\n")
    assert read_layers(None, environ, {"user": "ada"}).raw("catalog") == "c"
    for variables, arguments in (({}, {"host": HOST}), ({"DATABRICKS_TOKEN": SECRET}, {}), ({}, {"client_id": "app"})):
        found = read_layers(None, {**environ, **variables}, arguments)
        assert (found.config_file, found.raw("catalog"), found.others) == (None, None, [])
    assert read_layers("DEFAULT", environ, {"host": HOST}).raw("catalog") == "c"


def test_other_profiles_are_named_only_where_none_was_and_none_is_the_default_one(config):
    environ = config(f"[prod]\nhost = {HOST}\n")
    path = environ["DATABRICKS_CONFIG_FILE"]
    assert read_layers(None, environ, {}).others == ["prod"]
    assert read_layers(None, {}, {"config_file": path}).others == ["prod"]
    assert read_layers("prod", environ, {}).others == []
    assert read_layers(None, environ, {"host": HOST}).others == []
    default = config(f"[DEFAULT]\nhost = {HOST}\n[prod]\nhost = {HOST}\n")
    assert read_layers(None, default, {}).others == []


def test_what_is_configured_without_a_profile_is_named_by_its_source():
    host, token = {"host": SourcedValue(HOST, "DATABRICKS_HOST")}, {"token": SourcedValue(SECRET, ARGUMENT)}
    neither = {"catalog": SourcedValue("c", ARGUMENT), "config_file": SourcedValue("/profiles", ARGUMENT)}
    assert directly_configured(neither, host) == "DATABRICKS_HOST"
    assert directly_configured({**neither, **token}, host) == ARGUMENT
    assert directly_configured(neither) is None


@pytest.mark.parametrize(("given", "said"), [(7, "is of type int, not text"), (" ", "name is empty")])
def test_profile_is_named_by_text(given, said):
    with pytest.raises(ConfigurationError, match=said):
        read_layers(given, {}, {})


def test_argument_names_the_profile_before_the_variable_which_may_be_blank(config):
    environ = config(f"[dev]\nhost = {HOST}\n[prod]\nhost = {HOST}\n[DEFAULT]\nhost = {HOST}\n")
    named = {**environ, "DATABRICKS_CONFIG_PROFILE": " prod "}
    assert read_layers(" dev ", named, {}).profile == "dev"
    assert read_layers(None, named, {}).profile == "prod"
    assert read_layers(None, {**environ, "DATABRICKS_CONFIG_PROFILE": " "}, {}).profile is None


def test_profile_of_a_variable_may_be_missing_only_with_its_file_and_beside_a_host(config, tmp_path):
    variable = {"DATABRICKS_CONFIG_PROFILE": "dev"}
    nowhere = {"DATABRICKS_CONFIG_FILE": str(tmp_path / "nowhere")}
    host = {"host": HOST}
    assert read_layers(None, {**nowhere, **variable}, host).profile is None
    assert read_layers(None, {**nowhere, **variable, "DATABRICKS_HOST": HOST}, {}).profile is None
    for profile, environ, arguments in (
        (None, {**nowhere, **variable}, {}),
        ("dev", nowhere, host),
        (None, {**config("[prod]\n"), **variable}, host),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_layers(profile, environ, arguments)
        assert caught.value.profile == "dev"


@pytest.mark.parametrize(
    ("given", "hint"), [("hots", "did you mean host?"), ("xxxxxxxx", "settings: host, account_id,")]
)
def test_setting_that_does_not_exist_is_answered_with_those_that_may_be_meant(given, hint):
    with pytest.raises(ConfigurationError, match=f"there is no setting '{given}'") as caught:
        read_layers(None, {}, {given: "x", "host": HOST})
    assert caught.value.hint.startswith(hint)
