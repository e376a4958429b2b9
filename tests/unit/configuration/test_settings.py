"""Each setting, changed in every way in which people get it wrong: one documented error, and nothing else."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakekey import ConfigurationError
from lakekey._hosts import ZONES, _plainly_written, cloud_of, is_account_console, normalize_host
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import resolve

pytestmark = pytest.mark.every_input

HOST = "https://one.cloud.databricks.com"
SECRET = "dose-a-secret-that-must-not-be-seen"
TEXTS = [name for name, setting in SETTINGS.items() if setting.kind in ("text", "path")]
NUMBERS = [name for name, setting in SETTINGS.items() if setting.kind in ("port", "seconds", "minutes")]


@pytest.fixture
def profiles(tmp_path):
    """Writes a profile file; resolves a profile of it in an environment that holds nothing else."""

    def write(text):
        (tmp_path / "databrickscfg").write_text(text, encoding="utf-8")
        return lambda profile=None, environ=None, **arguments: resolve(
            profile, {"DATABRICKS_CONFIG_FILE": str(tmp_path / "databrickscfg"), **(environ or {})}, **arguments
        )

    return write


def refused(**arguments):
    with pytest.raises(ConfigurationError) as caught:
        resolve(None, {}, **{"host": HOST, **arguments})
    error = caught.value
    assert error.hint
    assert SECRET not in str(error) + repr(error.__dict__)
    return error.message


# Every setting


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("blank", ["", "  "])
def test_an_argument_that_is_blank_is_an_error_that_names_it(name, blank):
    assert refused(**{name: blank}).startswith(f"{name} (argument) ")


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("wrong", [object(), b"bytes", {"a": 1}], ids=["object", "bytes", "mapping"])
def test_an_argument_of_the_wrong_type_is_an_error_that_names_it(name, wrong):
    assert refused(**{name: wrong}).startswith(f"{name} (argument) is ")


@pytest.mark.parametrize(("wrong", "said"), [("", "empty"), (" ", "empty"), (7, "of type int, not text")])
def test_the_file_of_profiles_is_an_argument_like_the_others(wrong, said):
    assert refused(config_file=wrong) == f"config_file (argument) is {said}"


@pytest.mark.parametrize("name", TEXTS)
def test_a_number_is_not_text(name):
    assert refused(**{name: 7}) == f"{name} (argument) is of type int, not text"


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "google_credentials"])
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\u2028"])
def test_a_value_with_an_unprintable_character_is_an_error(name, character):
    assert "unprintable character" in refused(**{name: f"{SECRET}{character}x"})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("wrong", ["soon", 0, -1, "-5", float("inf"), float("nan"), True, "1e400", [3]])
def test_a_number_that_is_none_or_not_positive_is_an_error(name, wrong):
    what = "not a port" if name == "redirect_port" else "not a positive number"
    if name != "redirect_port" and wrong in (float("inf"), "1e400"):
        what = "too large"
    assert refused(**{name: wrong}).endswith(f"which is {what}")


def test_a_port_ends_with_the_last_that_there_is():
    assert resolve(None, {}, host=HOST, redirect_port="65535").redirect_port == 65535
    assert refused(redirect_port=65536) == "redirect_port (argument) is 65536, which is not a port"


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.variables])
def test_a_variable_that_is_blank_is_unset(name):
    found = resolve(None, {"DATABRICKS_HOST": HOST} | dict.fromkeys(SETTINGS[name].variables, " "), host=HOST)
    assert name not in found.sources or name == "host"
    assert found.auth_type == "external-browser"


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "host"])
def test_a_key_without_a_value_is_unset(profiles, name):
    found = profiles(f"[dev]\nhost = {HOST}\n{name} =\n")("dev")
    assert set(found.sources) == {"host"}


def test_a_value_that_runs_over_into_the_next_line_is_an_error_without_its_text(profiles):
    with pytest.raises(ConfigurationError, match=r"dev: client_secret \(profile\) holds a line break") as caught:
        profiles(f"[dev]\nhost = {HOST}\nclient_id = app\nclient_secret = {SECRET}\n  {SECRET}\n")("dev")
    assert SECRET not in repr(caught.value.__dict__)


def test_a_setting_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(ConfigurationError, match="there is no setting 'warehouse'") as caught:
        resolve(None, {}, host=HOST, warehouse="w")
    assert "warehouse_id" in caught.value.hint


def test_unicode_stays_as_it_is_where_it_may_stand(profiles):
    target = profiles(f"[büro]\nhost = {HOST}\nuser = zoë@example.com\ncatalog = données\n")("büro")
    assert (target.profile, target.user, target.catalog) == ("büro", "zoë@example.com", "données")


# Hosts


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("one.cloud.databricks.com", HOST),
        ("https://one.cloud.databricks.com/", HOST),
        ("https://ONE.cloud.databricks.com:443", HOST),
        ("  https://one.cloud.databricks.com/sql/warehouses?o=1#x ", HOST),
        ("https://one.cloud.databricks.com:8443", f"{HOST}:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("localhost:9000", "https://localhost:9000"),
        ("adb-12.3.azuredatabricks.net:443/", "https://adb-12.3.azuredatabricks.net"),
        (f"https://{'a' * 63}.cloud.databricks.com", f"https://{'a' * 63}.cloud.databricks.com"),
        ("https://one.cloud.databricks.com.", f"{HOST}."),
    ],
)
def test_hosts_are_normalized(address, host):
    assert normalize_host(address) == host
    assert normalize_host(host) == host


@given(name=st.from_regex(r"[a-z0-9.-]{1,9}", fullmatch=True), port=st.sampled_from(["", ":443", ":8443", ":0443"]))
@settings(max_examples=200, database=None)
def test_the_short_way_for_plain_hosts_leads_to_the_same_form_as_the_long_one(name, port):
    plain = _plainly_written(f"https://{name}{port}/")
    try:
        long_way = normalize_host(f"HTTPS://{name}{port}/")  # in capitals it is not plain
    except ConfigurationError:
        long_way = None
    assert plain in (None, long_way)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://one.cloud.databricks.com", "would send credentials in clear"),
        ("ftp://one.cloud.databricks.com", "would send credentials in clear"),
        ("https://", "is not an address"),
        ("https://:443", "is not an address"),
        ("https://one:port", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https://two words", "is not an address"),
        ("https://one%2ecloud", "is not an address"),
        ("https://one..cloud.databricks.com", "is not an address"),
        (f"https://{'a' * 64}.cloud.databricks.com", "is not an address"),
        (f"HTTPS://{'a' * 64}.cloud.databricks.com", "is not an address"),
        ("https://evil.example\\.cloud.databricks.com", "is not an address"),
        ("https://dаtabricks.com", "is not ASCII"),  # noqa: RUF001 - a Cyrillic letter, which is the point
        (f"https://me:{SECRET}@one.cloud.databricks.com", "holds a user name or password"),
        ("https://one.cloud.databricks.com@evil.example", "holds a user name or password"),
    ],
)
def test_a_host_that_credentials_must_not_be_sent_to_is_an_error(address, said):
    message = refused(host=address)
    assert message.startswith("host (argument) ")
    assert said in message


@pytest.mark.parametrize("zone", ZONES)
def test_the_dns_zones_of_the_platform_are_known(zone):
    assert cloud_of(f"https://adb-1{zone}") in ("AWS", "Azure", "GCP")
    assert cloud_of(f"https://adb-1{zone}.evil.example") is None


def test_an_account_console_needs_its_account():
    assert is_account_console("https://accounts.azuredatabricks.net")
    assert not is_account_console(HOST)
    assert "account_id is missing" in refused(host="https://accounts.cloud.databricks.com")
    assert resolve(None, {}, host="https://accounts.cloud.databricks.com", account_id="a").account_id == "a"


def test_a_discovery_url_that_is_not_secure_is_an_error():
    assert "discovery_url" in refused(discovery_url="http://one.example/.well-known/x")


# Compute


def test_the_warehouse_of_the_stronger_level_counts(profiles):
    resolved = profiles(f"[dev]\nhost = {HOST}\nhttp_path = /sql/1.0/warehouses/profile\n")
    assert resolved("dev").http_path == "/sql/1.0/warehouses/profile"
    assert resolved("dev", {"DATABRICKS_WAREHOUSE_ID": "env"}).http_path == "/sql/1.0/warehouses/env"
    assert resolved("dev", {"DATABRICKS_WAREHOUSE_ID": "env"}, http_path="/mine").http_path == "/mine"


def test_a_cluster_of_a_known_workspace_has_a_path_for_sql():
    target = resolve(None, {}, host=HOST, cluster_id="c-1", workspace_id="42")
    assert target.http_path == "/sql/protocolv1/o/42/c-1"
    assert resolve(None, {}, host=HOST, cluster_id="c-1").http_path is None


def test_serverless_compute_is_a_setting_of_the_sdk():
    target = resolve(None, {"DATABRICKS_SERVERLESS_COMPUTE_ID": "auto"}, host=HOST)
    assert target.serverless_compute_id == "auto"
    assert target.sources["serverless_compute_id"] == "DATABRICKS_SERVERLESS_COMPUTE_ID"


# Files, and what they contradict


def test_a_key_whose_certificate_was_forgotten_is_pointed_out():
    assert "client_cert is not" in refused(host="https://lakehouse.example.com", client_key="/a.key")


def test_authorization_details_are_json():
    assert "is not JSON" in refused(authorization_details="[{")
    assert resolve(None, {}, host=HOST, authorization_details='[{"type": "x"}]').authorization_details


@pytest.mark.parametrize(
    "scopes", ["sql jobs", "jobs,sql", ["sql", "jobs"], ("jobs", "sql"), {"jobs", "sql", "offline_access"}]
)
def test_scopes_are_a_list_or_a_text(scopes):
    assert resolve(None, {}, host=HOST, scopes=scopes).scopes == ("jobs", "sql")


@pytest.mark.parametrize("scopes", [[], [""], ",", [1], 5])
def test_scopes_that_are_none_are_an_error(scopes):
    assert refused(scopes=scopes).startswith("scopes (argument) ")


def test_every_value_remembers_where_it_comes_from(profiles):
    resolved = profiles(f"[dev]\nhost = {HOST}\nclient_id = app\nwarehouse_id = w\n")
    target = resolved("dev", {"DATABRICKS_WAREHOUSE_ID": "v"}, user="ada@example.com")
    assert dict(target.sources) == {
        "host": "profile", "client_id": "profile", "warehouse_id": "DATABRICKS_WAREHOUSE_ID", "user": "argument",
    }  # fmt: skip


def test_the_place_and_the_key_of_the_cache_are_settings_of_a_profile(profiles):
    target = profiles(f"[dev]\nhost = {HOST}\ncache_dir = /somewhere\nkey_file = /secrets/key\nstore = memory:\n")(
        "dev"
    )
    seen = target.cache_environment({"LAKEKEY_CACHE_DIR": "/default", "HOME": "/h"})
    assert seen == {"LAKEKEY_CACHE_DIR": "/somewhere", "LAKEKEY_KEY_FILE": "/secrets/key", "HOME": "/h"}
    assert target.store == "memory:"


# Which profile


def test_nothing_is_inherited_from_the_default_section(profiles):
    resolved = profiles(f"[DEFAULT]\nhost = {HOST}\ncluster_id = c\n[dev]\nhost = https://two.example\n")
    assert resolved("dev").cluster_id is None
    assert resolved().cluster_id == "c"
    assert resolved().profile is None


def test_the_files_own_default_comes_before_the_default_section(profiles):
    resolved = profiles(
        f"[DEFAULT]\nhost = {HOST}\n[dev]\nhost = https://two.example\n[__settings__]\ndefault_profile = dev\n"
    )
    assert resolved().profile == "dev"
    assert resolved(environ={"DATABRICKS_CONFIG_PROFILE": "DEFAULT"}).host == HOST


def test_a_stray_variable_that_keeps_the_default_profile_from_being_read_is_named(profiles):
    with pytest.raises(ConfigurationError, match="there is no host") as caught:
        profiles(f"[DEFAULT]\nhost = {HOST}\n")(environ={"ARM_CLIENT_ID": "app"})
    assert "not read beside ARM_CLIENT_ID" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"host = {HOST}\nclient_secret = {SECRET}\n", "is malformed at line 1"),
        (f"[dev]\nhost = {HOST}\nclient_secret {SECRET}\n", "is malformed at line 3"),
        (f"[dev]\nclient_secret = {SECRET}\nclient_secret = {SECRET}\n", "is malformed at line 3"),
        (f"[dev]\nclient_secret = {SECRET}\n[dev]\nhost = {HOST}\n", "is malformed at line 3"),
    ],
    ids=["no section", "no equals sign", "a key twice", "a section twice"],
)
def test_a_malformed_file_is_an_error_that_shows_the_line_and_not_the_text(profiles, text, said):
    with pytest.raises(ConfigurationError) as caught:
        profiles(text)("dev")
    assert said in caught.value.message
    assert SECRET not in str(caught.value) + repr(caught.value.__dict__)


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    (tmp_path / "cfg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read: it is not UTF-8 text"):
        resolve("dev", {"DATABRICKS_CONFIG_FILE": str(tmp_path / "cfg")})


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "cfg").write_text(f"[dev]\nhost = {HOST}\n", encoding="utf-8-sig")
    assert resolve("dev", {"DATABRICKS_CONFIG_FILE": str(tmp_path / "cfg")}).host == HOST


@pytest.mark.posix_owners
def test_a_file_that_may_not_be_read_is_an_error_and_no_reason_to_use_another_identity(tmp_path):
    config_file = tmp_path / "cfg"
    config_file.write_text(f"[dev]\nhost = {HOST}\n")
    config_file.chmod(0)
    # A process that may read everything gives that up first, and with it perhaps its interpreter's own files.
    program = (
        "import contextlib, os, shlex, sys, lakekey.configuration.target as t, lakekey.errors as e\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: t.resolve(None, {'DATABRICKS_CONFIG_FILE': sys.argv[1]})\n"
        "except e.ConfigurationError as error: print(error)\n"
    )
    for parent in [tmp_path, *tmp_path.parents][:4]:
        if parent.owner() == tmp_path.owner() and os.path.basename(parent).startswith("pytest"):
            parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", program, str(config_file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == f"{config_file} cannot be read: Permission denied (ls -l {config_file})"
