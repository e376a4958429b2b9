"""Whatever is configured, by whatever way, it is a target or an error of ours."""

import math
import pathlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakekey.cli.doctor.checks import Examination
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import resolve
from lakekey.errors import LakekeyError

pytestmark = pytest.mark.every_input
HOST = "https://dbc.cloud.databricks.com"
ODD_TEXTS = [
    "", " ", "\t\n", "x", "\0", "a\nb", "é", "\ud800", "\u202e", "0", "-1", "nan", "1e400", "9" * 5000, "true", "none", "None", "[]", "{",
    "[" * 5000, "https:/h", "https://[", "http://[::1", "//", "https://h:99999999999999999999", "?o=1", "h?o=&o=2", "~unknown-user/x", "~\0", "/", "/proc/self/mem",
    "%(x)s", "=", ":", "external-browser", "oauth-m2m", "pat", "file-oidc", "azure-client-secret", "runtime", "model-serving", "gcp-iam",
]  # fmt: skip
ODD_VALUES = [
    *ODD_TEXTS, 0, -1, 1.5, math.nan, math.inf, 10**400, True, False, b"bytes", [], ["sql"], [None], (), {}, {"a": 1}, set(), object(), pathlib.Path("x"), len, range(3),
]  # fmt: skip


def come_to_an_end(profile, environ, arguments):
    for look in (lambda: resolve(profile, environ, **arguments), Examination(profile, arguments, environ).resolve):
        try:
            target = look()
        except LakekeyError as error:
            assert error.message
            assert error.hint
        else:
            repr(target)
            assert isinstance(target.cache_key_fields(), dict)
            assert target.login_command


@pytest.mark.parametrize("name", [*SETTINGS, "config_file"])
def test_argument_ends_in_no_foreign_error(name, tmp_path):
    for value in ODD_VALUES:
        for beside in ({}, {"host": HOST}, {"host": HOST, "client_id": "c", "client_secret": "s"}):
            come_to_an_end(None, {}, {**beside, name: value})


@pytest.mark.parametrize("name", [*SETTINGS, "config_file", "profile"])
def test_variable_ends_in_no_foreign_error(name):
    variables = (
        SETTINGS[name].variables if name in SETTINGS else (f"DATABRICKS_CONFIG_{name.removeprefix('config_').upper()}",)
    )
    for value in ODD_TEXTS:
        for variable in variables:
            for beside in ({}, {"DATABRICKS_HOST": HOST}):
                come_to_an_end(None, {**beside, variable: value}, {})


@pytest.mark.parametrize("profile", [None, "a", "b", "__settings__", "", " ", "\0", "a\nb", 1, b"a", [], "%(a)s"])
def test_profile_ends_in_no_foreign_error(profile, tmp_path):
    file = tmp_path / "cfg"
    file.write_text(f"[DEFAULT]\n\n[a]\nhost = {HOST}\n")
    for given_as in ({"DATABRICKS_CONFIG_FILE": str(file)}, {"DATABRICKS_CONFIG_FILE": str(tmp_path)}, {}):
        come_to_an_end(profile, given_as, {})
        come_to_an_end(profile, {}, {"config_file": given_as.get("DATABRICKS_CONFIG_FILE")})


@pytest.mark.parametrize("name", [*SETTINGS])
def test_setting_of_a_file_ends_in_no_foreign_error(name, tmp_path):
    file = tmp_path / "cfg"
    for value in ODD_TEXTS:
        for beside in ("", f"host = {HOST}\n"):
            if name == "host" and beside:
                continue
            file.write_bytes(f"[a]\n{beside}{name} = {value}\n".encode(errors="surrogatepass"))
            come_to_an_end("a", {}, {"config_file": str(file)})


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(["[DEFAULT]", "[a]", "[__settings__]", "default_profile = a", "default_profile=", "host = https://h.example", "[", "]", "=", " ", "\t", "\r", "\n", "\0", "\ufeff", "auth_type = pat", "token = t"])).map(lambda words: "\n".join(words).encode())),
       st.sampled_from([None, "a", "DEFAULT"]))  # fmt: skip
def test_any_bytes_as_a_file_end_in_no_foreign_error(tmp_path, content, profile):
    file = tmp_path / "cfg"
    file.write_bytes(content)
    come_to_an_end(profile, {}, {"config_file": str(file)})
    come_to_an_end(profile, {"DATABRICKS_CONFIG_FILE": str(file)}, {})


def test_file_given_as_an_argument_whose_default_names_no_host_is_an_error_of_ours(tmp_path):
    file = tmp_path / "cfg"
    file.write_text("[DEFAULT]\n\n[abc]\nhost = https://foo\n")
    for environ, arguments in (({}, {"config_file": str(file)}), ({"DATABRICKS_CONFIG_FILE": str(file)}, {})):
        with pytest.raises(LakekeyError, match="there is no host"):
            resolve(None, environ, **arguments)
