"""What a setting is, and how its value is brought into form or refused."""

import os
import pathlib

import pytest

from lakekey.configuration.settings import CONFIG_FILE, SETTINGS, Given, Record, Setting, cache_environment, checked
from lakekey.errors import ConfigurationError

OURS = [name for name in SETTINGS if name in vars(Given)]


def refusal(name, value):
    with pytest.raises(ConfigurationError) as caught:
        checked(name, value, "profile", "dev")
    assert caught.value.profile == "dev"
    return caught.value


def named(test):
    return {name for name, setting in SETTINGS.items() if test(setting)}


def test_these_settings_are_never_shown_or_pickled():
    assert named(lambda setting: setting.secret) == {
        "client_secret", "token", "password", "metadata_service_url", "azure_client_secret", "google_credentials",
    }  # fmt: skip


def test_settings_are_ours_or_only_the_sdks_own_strategies_read_them():
    assert named(lambda setting: setting.delegated) == {*SETTINGS} - {*OURS}
    assert [SETTINGS[name].variables for name in ("azure_use_msi", "cloud", "catalog")] == [
        ("ARM_USE_MSI",), ("DATABRICKS_CLOUD",), (),
    ]  # fmt: skip
    assert (CONFIG_FILE.kind, CONFIG_FILE.secret, CONFIG_FILE.delegated) == ("path", False, False)
    assert Setting() == ((), (), "", "text", False, False)


def test_record_has_its_values_and_does_not_change():
    record = Record(host="h")
    assert record.host == "h"
    for change in (lambda: setattr(record, "host", "other"), lambda: delattr(record, "host")):
        with pytest.raises(AttributeError, match=r"a Record is immutable: cannot (set|delete) host"):
            change()


def test_cache_sees_what_a_profile_says_of_it_and_its_own_variables_as_they_are():
    environ = {"LAKEKEY_CACHE_DIR": "~/from-variable", "HOME": "/h"}
    values = {"cache_dir": "/from-variable", "key_source": None, "key_file": None}
    assert cache_environment(environ, values, {"cache_dir": "LAKEKEY_CACHE_DIR"}) is environ
    assert cache_environment(environ, values, {"cache_dir": "profile"}) == {
        **environ,
        "LAKEKEY_CACHE_DIR": "/from-variable",
    }
    assert cache_environment({}, {**values, "key_source": "env"}, {"cache_dir": "LAKEKEY_CACHE_DIR"}) == {
        "LAKEKEY_KEY_SOURCE": "env"
    }


@pytest.mark.parametrize(
    ("name", "value", "formed"),
    [
        ("catalog", " c ", "c"),
        ("azure_use_msi", True, "true"),
        ("azure_use_msi", False, "false"),
        ("google_credentials", '{\n"a": 1}', '{\n"a": 1}'),
        ("scopes", "sql, jobs offline_access sql", ("jobs", "sql")),
        ("scopes", [" sql ", ""], ("sql",)),
        ("scopes", ("sql",), ("sql",)),
        ("scopes", frozenset({"offline_access"}), ()),
        ("disable_oauth_refresh_token", True, True),
        ("disable_oauth_refresh_token", False, False),
        ("disable_oauth_refresh_token", " YES ", True),
        ("disable_oauth_refresh_token", "off", False),
        ("redirect_port", "1", 1),
        ("redirect_port", 65535, 65535),
        ("login_timeout", "0.5", 0.5),
        ("lock_timeout", 2**31 - 1, 2.0**31 - 1),
        ("refresh_token_lifetime_in_minutes", "30", 30.0),
    ],
)
def test_value_is_brought_into_form(name, value, formed):
    found = checked(name, value, "argument", None)
    assert (found, type(found)) == (formed, type(formed))


class Unshowable:
    def __repr__(self):
        raise RuntimeError("not shown")

    __fspath__ = __repr__


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("redirect_port", 10**5000, "redirect_port (profile) is of type int, which is not a port"),
        ("login_timeout", 10**5000, "login_timeout (profile) is of type int, which is not a positive number"),
        ("lock_timeout", Unshowable(), "lock_timeout (profile) is of type Unshowable, which is not a positive number"),
    ],
    ids=["port", "seconds", "class"],
)
def test_value_that_cannot_be_shown_is_refused_by_its_type(name, value, said):
    assert refusal(name, value).message == said


def test_path_object_that_fails_is_an_error_with_its_setting():
    os.PathLike.register(Unshowable)
    error = refusal("cache_dir", Unshowable())
    assert error.message == "cache_dir (profile) is of type Unshowable, which gives no path: RuntimeError"


@pytest.mark.parametrize("value", ["12", "abc", "a-1_b", " 7 ", "none"])
def test_id_of_a_workspace_need_not_be_a_number(value):
    assert checked("workspace_id", value, "profile", "dev") == value.strip()


@pytest.mark.parametrize("value", ["1&x=2", "1/2", "12 34", "-", "-1", "\u0661", "1%2"])
def test_what_would_change_a_path_is_not_the_id_of_a_workspace(value):
    said = f"workspace_id (profile) is {value!r}, which cannot be a workspace's id"
    assert refusal("workspace_id", value).message == said


def test_path_may_be_given_as_one(tmp_path):
    for name in ("cache_dir", "config_file"):
        assert checked(name, pathlib.Path(tmp_path), "argument", None) == str(tmp_path)
    assert refusal("catalog", pathlib.Path(tmp_path)).message.endswith("Path, not text")


def test_tilde_is_the_home_directory_in_a_path_alone(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert pathlib.PurePath(checked("cache_dir", "~/c", "argument", None)) == pathlib.PurePath(tmp_path, "c")
    assert checked("catalog", "~/c", "argument", None) == "~/c"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("catalog", 7, "catalog (profile) is of type int, not text"),
        ("catalog", True, "catalog (profile) is of type bool, not text"),
        ("catalog", " ", "catalog (profile) is empty"),
        ("catalog", "a\nb", "catalog (profile) holds a line break or another unprintable character"),
        ("scopes", 7, "scopes (profile) is neither a string nor a list of strings"),
        ("scopes", ["sql", 7], "scopes (profile) is neither a string nor a list of strings"),
        ("scopes", " , ", "scopes (profile) names no scope"),
        ("scopes", [" "], "scopes (profile) names no scope"),
        ("disable_oauth_refresh_token", "perhaps", "disable_oauth_refresh_token (profile) is neither true nor false"),
        ("disable_oauth_refresh_token", 1, "disable_oauth_refresh_token (profile) is neither true nor false"),
        ("redirect_port", 0, "redirect_port (profile) is 0, which is not a port"),
        ("redirect_port", 65536, "redirect_port (profile) is 65536, which is not a port"),
        ("redirect_port", True, "redirect_port (profile) is True, which is not a port"),
        ("login_timeout", 0, "login_timeout (profile) is 0, which is not a positive number"),
        ("login_timeout", True, "login_timeout (profile) is True, which is not a positive number"),
        ("login_timeout", "soon", "login_timeout (profile) is 'soon', which is not a positive number"),
        ("lock_timeout", 2**31, "lock_timeout (profile) is 2147483648, which is too large"),
        ("lock_timeout", "1e10", "lock_timeout (profile) is '1e10', which is too large"),
    ],
)
def test_value_that_a_setting_does_not_take_is_refused_with_its_source(name, value, said):
    refused = refusal(name, value)
    assert refused.message == said
    assert refused.hint


def test_hint_for_a_number_says_its_bounds():
    assert refusal("redirect_port", 0).hint == "set redirect_port to a number from 1 to 65535"
    said = "set lock_timeout to a number of seconds above 0 and up to 2147483647"
    assert refusal("lock_timeout", 0).hint == refusal("lock_timeout", "1e10").hint == said
    assert checked("lock_timeout", 2**31 - 1, "profile", None) == 2**31 - 1
