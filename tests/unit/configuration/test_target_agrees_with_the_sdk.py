"""The same arguments, environment and profiles mean the same to us as to databricks-sdk, but for listed departures.

The SDK's own ``Config`` and its default chain are the oracle. Its request for the host's metadata and its search for the
authorization server are answered here. Each departure on purpose is a test of its own, which shows both sides; the list
stands in docs/reference/configuration.md.
"""

import base64
import json
import logging
import os
import sys
from types import SimpleNamespace
from unittest import mock

import databricks.sdk.config as sdk_config
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from databricks.sdk import credentials_provider
from databricks.sdk.config import Config
from databricks.sdk.oauth import OAuthClient, OidcEndpoints, TokenCache
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from lakekey import sdk
from lakekey._hosts import normalize_host
from lakekey.configuration.settings import M2M, SETTINGS, U2M
from lakekey.configuration.target import DEFAULT_CLIENT, resolve
from lakekey.errors import ConfigurationError
from lakekey.providers.sdk_settings import SdkSettings
from lakekey.providers.sdk_strategy import SdkStrategy

ALWAYS = ("host", "account_id", "workspace_id", "group_id", "cluster_id", "warehouse_id", "token_audience")


def jwt_like(subject):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'iss': 'https://idp', 'sub': subject})}.c2ln"


HOSTS = st.sampled_from(
    [
        "https://one.cloud.databricks.com",
        "https://two.cloud.databricks.com/",
        "three.azuredatabricks.net",
        "https://four.gcp.databricks.com:443",
        "https://127.0.0.1:8443/",
        "http://localhost:9000",
    ]
)
SCOPES = st.sampled_from(["sql", "sql, jobs", "jobs sql", "all-apis,offline_access", "sql,,sql"])
VALUES = {
    "host": HOSTS,
    "account_id": st.sampled_from(["acc-1", "acc-2"]),
    "workspace_id": st.sampled_from(["1", "22"]),
    "group_id": st.sampled_from(["g1"]),
    "client_id": st.sampled_from(["app-1", "app-2"]),
    "client_secret": st.sampled_from(["secret-1", "secret-2"]),
    "cluster_id": st.sampled_from(["c-1", "c-2"]),
    "warehouse_id": st.sampled_from(["w-1", "w-2"]),
    "token_audience": st.sampled_from(["aud"]),
    "auth_type": st.sampled_from([U2M, M2M]),
    "scopes": st.sampled_from(["sql", "sql, jobs", "jobs sql", "all-apis,offline_access", "sql,,sql"]),
    "token": st.sampled_from(["dapi1"]),
    "username": st.sampled_from(["ada"]),
    "azure_client_id": st.sampled_from(["arm-1"]),
}
OAUTH = ("host", "host", "client_id", "client_secret", "auth_type", "account_id", "scopes")
OTHERS = ("workspace_id", "group_id", "cluster_id", "warehouse_id", "token_audience")
FOREIGN = ("token", "username", "azure_client_id")


def level(names, *, variables=False):
    names = [name for name in names if not variables or SETTINGS[name].variables]
    chosen = st.lists(st.sampled_from(names), max_size=5, unique=True)
    return chosen.flatmap(lambda some: st.fixed_dictionaries({name: VALUES[name] for name in some}))


def cases(names):
    """Configurations: what each level says, which profile is named, and how."""
    default = st.fixed_dictionaries({}, optional={"default_profile": st.sampled_from(["dev", "gone", " "])})
    section = st.tuples(st.fixed_dictionaries({"host": HOSTS}), level(names)).map(lambda both: both[0] | both[1])
    sections = {"DEFAULT": section, "dev": section, "__settings__": default}
    file = st.fixed_dictionaries({"prod": level(names)}, optional=sections)
    return st.fixed_dictionaries(
        {
            "arguments": st.one_of(st.just({}), level([name for name in names if name not in FOREIGN])),
            "environment": st.tuples(
                st.sampled_from([{}, {"host": "https://127.0.0.1:8443/"}]), level(names, variables=True)
            ).map(lambda both: both[0] | both[1]),
            "file": st.one_of(st.none(), file, file, file),
            "profile": st.sampled_from([None, None, None, "dev", "prod", "DEFAULT", "gone", "__settings__"]),
            "variable": st.sampled_from([None, None, None, "dev", "gone"]),
            "oidc_token": st.sampled_from([False, False, True]),
        }
    )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any cloud's tools, on which one configuration after the other is tried."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sdk_config, "get_host_metadata", no_metadata)
    monkeypatch.setattr(Config, "load_azure_tenant_id", lambda _: None)
    monkeypatch.setattr(logging.getLogger("databricks.sdk"), "disabled", True)
    endpoints = OidcEndpoints("https://nowhere.invalid/authorize", "https://nowhere.invalid/token")
    monkeypatch.setattr(Config, "databricks_oidc_endpoints", property(lambda _: endpoints))
    return tmp_path / "databrickscfg"


def no_metadata(*_, **__):
    raise ValueError("not fetched here")


def set_up(case, config_file):
    """Write the profiles; returns the environment."""
    config_file.unlink(missing_ok=True)
    if case["file"] is not None:
        lines = []
        for section, values in case["file"].items():
            lines += [f"[{section}]", *(f"{name} = {value}" for name, value in values.items())]
        config_file.write_text("\n".join(lines))
    found = {"DATABRICKS_CONFIG_FILE": str(config_file)}
    found |= {SETTINGS[name].variables[0]: value for name, value in case["environment"].items()}
    if case["variable"]:
        found["DATABRICKS_CONFIG_PROFILE"] = case["variable"]
    if case["oidc_token"]:
        found["DATABRICKS_OIDC_TOKEN"] = jwt_like("w")
    return found


class SignsInNever:
    """Does not sign in, where only what the SDK resolves is wanted."""

    def auth_type(self):
        return "never"

    def __call__(self, cfg):
        return dict


def sdk_resolves(case, config_file, **changes):
    """The SDK's ``Config``, without a sign-in."""
    with mock.patch.dict(os.environ, set_up(case, config_file)):
        named = {"profile": case["profile"]} if case["profile"] else {}
        return Config(**{**case["arguments"], **named, **changes}, credentials_strategy=SignsInNever())


def sdk_signs_in_with(case, config_file):
    """The auth type that the SDK's own chain chooses, or its error's text."""
    with mock.patch.dict(os.environ, set_up(case, config_file)):
        named = {"profile": case["profile"]} if case["profile"] else {}
        try:
            return Config(**case["arguments"], **named).auth_type
        except ValueError as error:
            return str(error)


def we_resolve(case, config_file):
    return resolve(case["profile"], set_up(case, config_file), **case["arguments"])


def section_read(case, config):
    """The section that the SDK has read, as it says by the profile that it remembers."""
    file = case["file"] or {}
    if config.profile:
        return file.get(config.profile, {})
    direct = {**case["arguments"], **case["environment"]}
    if any(name == "host" or SETTINGS[name].method for name in direct):
        return {}
    return file.get("DEFAULT", {})


@pytest.mark.every_input
@given(case=cases((*OAUTH, *OTHERS, *OTHERS, *FOREIGN)))
@settings(max_examples=400, database=None, suppress_health_check=list(HealthCheck))
def test_values_come_from_where_the_sdk_takes_them(machine, case):
    try:
        # With an auth type named, the SDK does not object to credentials of several kinds (departure 2).
        config = sdk_resolves(case, machine, auth_type="never")
    except ValueError:
        event("both refuse")
        with pytest.raises(ConfigurationError):
            we_resolve(case, machine)
        return
    try:
        target = we_resolve(case, machine)
    except ConfigurationError as error:
        event(f"we refuse: {error.message.partition(' (')[0][:40]}")
        if error.message == "there is no host":
            assert not config.host
        elif "there is no file" in error.message:
            assert case["file"] is None  # departure 7
            assert case["profile"] or not config.host
        else:  # departures 5 and 6: half of a service principal
            assert "has no client_id beside it" in error.message or "which oauth-m2m needs" in error.message
        return
    event("both resolve")
    names = ("host", "account_id", "workspace_id", "group_id", "cluster_id", "warehouse_id", "token_audience")
    expected = {name: getattr(config, name) for name in names}
    levels = [case["arguments"], case["environment"], section_read(case, config)]
    if (counts := without_other_hosts_ids(levels)) != levels:
        event("another host's workspace")
        expected["workspace_id"] = next((each["workspace_id"] for each in counts if "workspace_id" in each), None)
    assert {name: getattr(target, name) for name in names} == expected
    assert set(target.scopes) == set(config.get_scopes()) - {"offline_access"}
    if case["file"] is not None:
        assert target.profile == config.profile


def without_other_hosts_ids(levels):
    """The levels without the workspace ids that stand beside another host than the one in force (departure 17)."""
    host = next((normalize_host(found["host"]) for found in levels if "host" in found), None)
    return [
        {name: value for name, value in found.items() if name != "workspace_id"}
        if "host" in found and normalize_host(found["host"]) != host
        else found
        for found in levels
    ]


@pytest.mark.every_input
@given(case=cases((*OAUTH, *OAUTH, "cluster_id")))
@settings(max_examples=400, database=None, suppress_health_check=list(HealthCheck))
def test_the_grant_and_its_client_are_those_that_the_sdk_chooses(machine, case):
    try:
        config = sdk_resolves(case, machine)
    except ValueError:
        assume(False)
    levels = [case["arguments"], case["environment"], section_read(case, config)]
    assume(config.host and (case["file"] is not None or not case["profile"]))
    assume(not departs(levels))
    named = next((found["auth_type"] for found in levels if "auth_type" in found), None)
    chosen = named or sdk_signs_in_with(case, machine)
    if "cannot configure default credentials" in chosen:
        chosen = U2M  # departure 3: where nothing else is configured, a person signs in
    try:
        target = we_resolve(case, machine)
    except ConfigurationError:
        assert chosen == M2M  # departure 6: the SDK says so only when it signs in
        assert "cannot configure default credentials" in sdk_signs_in_with(case, machine)
        return
    event(chosen)
    assert target.auth_type == chosen
    assert target.client_id == (config.client_id or (DEFAULT_CLIENT if chosen == U2M else ""))
    if chosen in (U2M, M2M):
        assert target.client_secret == config.client_secret


def departs(levels):
    """Whether the settings that choose a grant are scattered so that departure 1, 4 or 5 applies."""
    home = {
        name: next((place for place, found in enumerate(levels) if name in found), None)
        for name in ("auth_type", "client_id", "client_secret")
    }
    if home["client_secret"] is None:
        return False
    if home["client_id"] is None:
        return True
    named = home["auth_type"] is not None
    clients = {found["client_id"] for found in levels if "client_id" in found}
    return len(clients) > 1 or (named and len({home["auth_type"], home["client_id"], home["client_secret"]}) > 1)


# The departures, each with the SDK's side


def case(file=None, profile=None, environment=None, variable=None, *, oidc_token=False, **arguments):
    return {
        "arguments": arguments,
        "environment": environment or {},
        "file": file,
        "profile": profile,
        "variable": variable,
        "oidc_token": oidc_token,
    }


HOST = "https://one.cloud.databricks.com"
ADB = "https://adb-1.2.azuredatabricks.net"
RSA_KEY = (
    rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
PAIR = {"client_id": "app-1", "client_secret": "secret-1"}


def test_departure_1_arguments_silence_variables_for_the_same_choice(machine):
    explicit = case(host=HOST, **PAIR, environment={"auth_type": "pat", "token": "dapi1"})
    assert sdk_signs_in_with(explicit, machine) == "pat"
    assert we_resolve(explicit, machine).auth_type == M2M
    person = case(host=HOST, user="ada@example.com", environment=PAIR)
    assert we_resolve(person, machine).auth_type == U2M
    assert we_resolve(person, machine).client_id == DEFAULT_CLIENT


def test_departure_1_an_argument_chooses_over_the_profiles_auth_type(machine):
    profile = {"prod": {"host": HOST, "auth_type": M2M, "client_id": "app-1"}}
    token = case(profile, "prod", token="dapi1")
    assert sdk_signs_in_with(token, machine) != "pat"
    assert we_resolve(token, machine).auth_type == "pat"
    profile["prod"]["auth_type"] = U2M  # a secret alone is that of the profile's app for people
    assert we_resolve(case(profile, "prod", client_secret="secret-1"), machine).auth_type == U2M
    assert we_resolve(case(profile, "prod", **PAIR), machine).auth_type == M2M


def test_departure_1_two_kinds_of_credentials_as_arguments_contradict_each_other(machine):
    both = case(host=HOST, token="dapi1", **PAIR)
    assert "more than one authorization method" in sdk_signs_in_with(both, machine)
    with pytest.raises(ConfigurationError, match="client_secret and token are both given"):
        we_resolve(both, machine)


def test_departure_1_a_person_and_a_service_principal_as_arguments_contradict_each_other(machine):
    both = case(host=HOST, user="ada@example.com", **PAIR)
    with pytest.raises(ConfigurationError, match="client_secret and user are both given"):
        we_resolve(both, machine)
    app = case(host=HOST, user="ada@example.com", auth_type=U2M, **PAIR)
    assert we_resolve(app, machine).client_secret == "secret-1"  # a confidential app for people


@pytest.mark.parametrize(
    ("profile", "grant"),
    [(PAIR, M2M), ({**PAIR, "auth_type": M2M}, M2M), ({"token": "dapi1", "auth_type": "pat"}, "pat")],
    ids=["a secret", "oauth-m2m", "pat"],
)
def test_departure_1_a_user_as_an_argument_is_never_signed_in_as_what_the_profile_holds(machine, profile, grant):
    file = {"prod": {"host": HOST, **profile}}
    assert sdk_signs_in_with(case(file, "prod"), machine) == grant
    with pytest.raises(ConfigurationError, match=rf"ada@example\.com signs in, and {grant} signs no person") as caught:
        we_resolve(case(file, "prod", user="ada@example.com"), machine)
    assert caught.value.hint == "set auth_type = external-browser to sign ada@example.com in, or remove user"
    target = we_resolve(case(file, "prod", user="ada@example.com", auth_type=U2M), machine)
    assert (target.auth_type, target.user, target.client_id) == (U2M, "ada@example.com", DEFAULT_CLIENT)


def test_departure_1_a_user_beside_a_secret_is_an_error_unless_the_grant_is_chosen_elsewhere(machine):
    person = {"host": HOST, "user": "ada@example.com"}
    with pytest.raises(ConfigurationError, match=r"user \(profile\) says that ada@example\.com signs in"):
        we_resolve(case({"prod": {**person, **PAIR}}, "prod"), machine)
    named = we_resolve(case({"prod": {**person, **PAIR, "auth_type": M2M}}, "prod"), machine)
    ambient = we_resolve(case({"prod": person}, "prod", environment=PAIR), machine)
    given = we_resolve(case({"prod": person}, "prod", **PAIR), machine)
    assert (named.auth_type, ambient.auth_type, given.auth_type) == (M2M, M2M, M2M)


def test_departure_2_credentials_of_several_kinds_are_not_an_error_and_only_oauth_is_used_unnamed(machine):
    several = case(host=HOST, environment={**PAIR, "token": "dapi1"})
    assert "more than one authorization method" in sdk_signs_in_with(several, machine)
    assert we_resolve(several, machine).auth_type == M2M
    token = case(host=HOST, environment={"token": "dapi1"})
    assert sdk_signs_in_with(token, machine) == "pat"
    assert we_resolve(token, machine).auth_type == U2M
    named = case(host=HOST, auth_type="pat", environment={"token": "dapi1"})
    assert sdk_signs_in_with(named, machine) == we_resolve(named, machine).auth_type == "pat"


def test_departure_3_where_nothing_else_is_configured_a_person_signs_in(machine):
    bare = case(host=HOST)
    assert "cannot configure default credentials" in sdk_signs_in_with(bare, machine)
    assert we_resolve(bare, machine).auth_type == U2M


GOOGLE = json.dumps(
    {"type": "service_account", "client_email": "a@b", "token_uri": "https://nowhere.invalid", "private_key": RSA_KEY}
)
AZURE = {"azure_client_id": "arm-1", "azure_client_secret": "arm-secret", "azure_tenant_id": "t"}
UNASKED = {
    "azure-client-secret": {"host": "https://adb-1.2.azuredatabricks.net", **AZURE},
    "google-credentials": {"host": "https://1.2.gcp.databricks.com", "google_credentials": GOOGLE},
}


@pytest.mark.parametrize("grant", UNASKED)
def test_identity_that_no_person_chose_is_taken_as_in_the_sdk(machine, grant):
    settings_of = UNASKED[grant]
    around = {name: value for name, value in settings_of.items() if name != "host"}
    for configured in (
        case({"prod": settings_of}, "prod"),
        case(host=settings_of["host"], environment=around),
        case(environment=settings_of),
    ):
        assert sdk_signs_in_with(configured, machine) == we_resolve(configured, machine).auth_type == grant


def test_metadata_service_is_asked_as_in_the_sdk(machine):
    configured = case(host=HOST, environment={"metadata_service_url": "http://127.0.0.1:1/"})
    assert "metadata-service: " in sdk_signs_in_with(configured, machine)
    assert we_resolve(configured, machine).auth_type == "metadata-service"


def test_google_account_to_impersonate_is_taken_as_in_the_sdk(machine):
    configured = case(
        host="https://1.2.gcp.databricks.com", environment={"google_service_account": "robot@project.example"}
    )
    assert "google-id: " in sdk_signs_in_with(configured, machine)
    assert we_resolve(configured, machine).auth_type == "google-id"


def test_departure_1_an_argument_for_people_silences_the_environments_identity(machine):
    for argument in ({"client_id": "people"}, {"user": "ada@example.com"}, {"redirect_port": 8021}):
        target = we_resolve(case(host=ADB, **argument, environment=AZURE), machine)
        assert target.auth_type == U2M


def test_departure_1_a_user_in_the_profile_of_an_azure_service_principal_is_an_error(machine):
    person = {"host": ADB, "user": "ada@example.com"}
    with pytest.raises(ConfigurationError, match=r"user \(profile\) says that ada@example\.com signs in"):
        we_resolve(case({"prod": {**person, **AZURE}}, "prod"), machine)
    with pytest.raises(ConfigurationError, match=r"user \(argument\) says that ada@example\.com signs in"):
        we_resolve(case({"prod": {"host": ADB, **AZURE}}, "prod", user="ada@example.com"), machine)
    assert we_resolve(case({"prod": person}, "prod", environment=AZURE), machine).auth_type == "azure-client-secret"


def test_departure_2_oauth_is_taken_where_an_azure_service_principal_is_configured_too(machine):
    several = case(host=ADB, environment={**PAIR, **AZURE})
    assert "more than one authorization method" in sdk_signs_in_with(several, machine)
    assert we_resolve(several, machine).auth_type == M2M


@pytest.mark.linux_desktop
def test_departure_3_a_login_with_another_tool_is_used_only_where_it_is_named(machine):
    az = machine.parent / "az"
    az.write_text(
        "#!/bin/sh\n"
        'echo \'{"accessToken": "entra", "tokenType": "Bearer", "expiresOn": "2999-01-01 00:00:00.000000"}\'\n'
    )
    az.chmod(0o700)
    logged_in = case(host=ADB)
    assert sdk_signs_in_with(logged_in, machine) == "azure-cli"
    assert we_resolve(logged_in, machine).auth_type == U2M
    named = case(host=ADB, auth_type="azure-cli")
    assert sdk_signs_in_with(named, machine) == we_resolve(named, machine).auth_type == "azure-cli"


def test_departure_11_a_managed_identity_that_the_sdk_does_not_know_is_an_error(machine):
    managed = case(host=ADB, environment={"azure_use_msi": "true"})
    assert "cannot configure default credentials" in sdk_signs_in_with(managed, machine)
    with pytest.raises(ConfigurationError, match=r"azure_use_msi \(ARM_USE_MSI\) asks for a managed identity"):
        we_resolve(managed, machine)
    assert we_resolve(case(host=ADB, auth_type=U2M, environment={"azure_use_msi": "true"}), machine).auth_type == U2M
    assert we_resolve(case(host=ADB, environment={"azure_use_msi": "false"}), machine).auth_type == U2M


def test_departure_12_what_is_meant_for_another_cloud_does_not_count(machine):
    elsewhere = case(host=HOST, environment=AZURE)
    assert "has no attribute" in sdk_signs_in_with(elsewhere, machine)
    assert we_resolve(elsewhere, machine).auth_type == U2M
    google = case(host=HOST, environment={"google_credentials": GOOGLE})
    assert sdk_signs_in_with(google, machine) == "google-credentials"
    assert we_resolve(google, machine).auth_type == U2M


def test_departure_13_an_azure_app_is_no_app_for_people(machine, monkeypatch):
    clients = []
    at_entra_id = OidcEndpoints("https://entra.invalid/authorize", "https://entra.invalid/token")
    monkeypatch.setattr(credentials_provider, "get_azure_entra_id_workspace_endpoints", lambda _: at_entra_id)
    monkeypatch.setattr(OAuthClient, "initiate_consent", lambda self: clients.append(self._client_id))
    monkeypatch.setattr(TokenCache, "load", lambda _: None)
    person = case(host=ADB, auth_type=U2M, environment={"azure_client_id": "arm-1"})
    sdk_signs_in_with(person, machine)
    assert clients == ["arm-1"]
    assert we_resolve(person, machine).client_id == DEFAULT_CLIENT


def test_departure_14_the_databricks_cli_is_asked_for_the_session_of_the_host(machine, monkeypatch):
    asked = []

    def ask(config):
        asked.append((config.profile or None, config.host))
        raise FileNotFoundError

    monkeypatch.setattr(credentials_provider, "DatabricksCliTokenSource", ask)
    profile = case({"prod": {"host": HOST, "auth_type": "databricks-cli"}}, "prod")
    sdk_signs_in_with(profile, machine)
    target = we_resolve(profile, machine)
    with pytest.raises(ValueError, match="databricks-cli"):
        SdkSettings(target).config(target, [])
    assert asked == [("prod", HOST), (None, HOST)]


@pytest.mark.parametrize("grant", ["runtime", "runtime-oauth"])
def test_departure_15_a_notebooks_identity_is_for_its_own_workspace(machine, monkeypatch, grant):
    names = ("init_runtime_native_auth", "init_runtime_repl_auth", "init_runtime_legacy_auth")
    runtime = SimpleNamespace(**dict.fromkeys(names))
    runtime.init_runtime_native_unified = lambda: (ADB, "acc", "7", lambda: {"Authorization": "Bearer a-notebooks"})
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "16.4")
    built = Config(host=HOST, auth_type=grant, scopes=["sql"], profile="")
    assert (built.host, built.workspace_id) == (ADB, "7")
    source = SdkStrategy(resolve(host=HOST, auth_type=grant, scopes=["sql"]))
    with pytest.raises(ConfigurationError, match=f"signs in to host {ADB} alone"):
        source.headers()


def test_departure_16_the_sdks_http_client_is_set_by_arguments_and_variables_alone(machine, monkeypatch):
    machine.write_text(f"[prod]\nhost = {HOST}\nclient_id = app\nclient_secret = made-up-of-app\nrate_limit = 3\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(machine))
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    assert Config(profile="prod", credentials_strategy=SignsInNever()).rate_limit == 3
    assert sdk.config("prod").rate_limit is None
    assert sdk.config("prod", rate_limit=5).rate_limit == 5
    monkeypatch.setenv("DATABRICKS_RATE_LIMIT", "7")
    assert sdk.config("prod").rate_limit == 7


def test_departure_4_a_service_principals_variables_are_not_an_app_for_people(machine):
    dev = {"dev": {"host": HOST, "auth_type": U2M, "client_id": "people"}}
    developer = case(dev, "dev", environment=PAIR)
    assert sdk_resolves(developer, machine).client_id == "app-1"
    target = we_resolve(developer, machine)
    assert (target.client_id, target.client_secret) == ("people", None)


def test_departure_5_a_secret_of_another_client_is_not_sent(machine):
    other = case({"prod": {"host": HOST, **PAIR}}, "prod", environment={"client_id": "app-2"})
    config = sdk_resolves(other, machine)
    assert (config.client_id, config.client_secret) == ("app-2", "secret-1")
    assert we_resolve(other, machine).client_secret is None
    with pytest.raises(ConfigurationError, match=r"client_secret is missing.*stands beside another client_id"):
        we_resolve({**other, "arguments": {"auth_type": M2M}}, machine)


def test_departure_5_a_secret_without_a_client_is_an_error(machine):
    half = case(host=HOST, environment={"client_secret": "secret-1"})
    assert "cannot configure default credentials" in sdk_signs_in_with(half, machine)
    with pytest.raises(ConfigurationError, match=r"DATABRICKS_CLIENT_SECRET.* has no client_id beside it"):
        we_resolve(half, machine)


@pytest.mark.parametrize("auth_type", [M2M, "env-oidc", "file-oidc", "github-oidc", "azure-devops-oidc", "no-such"])
def test_departure_6_what_a_named_grant_lacks_is_reported_at_once_and_by_name(machine, auth_type):
    named = case(host=HOST, auth_type=auth_type)
    assert "cannot configure default credentials" in sdk_signs_in_with(named, machine)
    with pytest.raises(ConfigurationError, match=auth_type):
        we_resolve(named, machine)


def test_departure_7_a_profile_named_as_an_argument_must_be_there(machine):
    gone = case(None, "prod", environment={"host": HOST})
    assert sdk_resolves(gone, machine).host == HOST
    with pytest.raises(ConfigurationError, match="prod: there is no file"):
        we_resolve(gone, machine)
    by_variable = case(None, variable="prod", environment={"host": HOST})
    assert sdk_resolves(by_variable, machine).host == we_resolve(by_variable, machine).host == HOST


@pytest.mark.posix_owners
def test_departure_8_a_file_that_cannot_be_read_is_an_error(machine):
    machine.mkdir()
    environ = {"DATABRICKS_CONFIG_FILE": str(machine)}
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        resolve(None, environ)


def test_departure_9_blank_is_unset_in_a_variable_and_an_error_in_an_argument(machine):
    blank = case(host=HOST, environment={"client_id": " "})
    assert sdk_resolves(blank, machine).client_id == " "
    assert we_resolve(blank, machine).client_id == DEFAULT_CLIENT
    with pytest.raises(ConfigurationError, match=r"client_secret \(argument\) is empty"):
        we_resolve(case(host=HOST, client_secret=""), machine)


def test_departure_10_a_host_keeps_no_path_and_is_in_lower_case(machine):
    pasted = case(host="https://One.cloud.databricks.com/sql/editor?o=123")
    assert sdk_resolves(pasted, machine).host == "https://One.cloud.databricks.com/sql/editor?o=123"
    target = we_resolve(pasted, machine)
    assert (target.host, target.workspace_id) == (HOST, "123")


def test_departure_17_a_workspace_id_beside_another_host_does_not_count(machine):
    profile = {"prod": {"host": ADB, "workspace_id": "11"}}
    other = case(profile, "prod", host=HOST)
    assert sdk_resolves(other, machine).workspace_id == "11"
    assert we_resolve(other, machine).workspace_id is None
    alike = case(profile, "prod", host=f"{ADB}/")
    assert sdk_resolves(alike, machine).workspace_id == we_resolve(alike, machine).workspace_id == "11"
    around = case(host=HOST, environment={"workspace_id": "11"})  # beside no host: it is for any
    assert sdk_resolves(around, machine).workspace_id == we_resolve(around, machine).workspace_id == "11"


@pytest.mark.parametrize(
    ("settings", "workspace"),
    [({"host": HOST}, ""), ({"host": ADB}, "33"), ({"host": ADB, "workspace_id": "none"}, "")],
)
def test_departure_17_the_sdk_is_told_which_workspace_counts(machine, monkeypatch, settings, workspace):
    for name, value in {"HOST": ADB, "WORKSPACE_ID": "33", "TOKEN": "dose-of-one"}.items():
        monkeypatch.setenv(f"DATABRICKS_{name}", value)
    assert sdk.config(**settings, auth_type="pat", token="dose-of-another").workspace_id == workspace


def test_departure_17_the_workspace_of_an_address_is_as_strong_as_the_address(machine):
    pasted = case({"prod": {"host": HOST, "workspace_id": "11"}}, "prod", host=f"{HOST}/?o=22")
    assert sdk_resolves(pasted, machine).workspace_id == "11"
    assert we_resolve(pasted, machine).workspace_id == "22"


@pytest.mark.parametrize("oidc_token", [False, True])
def test_a_token_of_an_identity_provider_that_is_here_is_exchanged_as_in_the_sdk(machine, oidc_token):
    workload = case(host=HOST, client_id="app-1", oidc_token=oidc_token)
    chosen = "env-oidc" if oidc_token else U2M
    assert we_resolve(workload, machine).auth_type == chosen
    if oidc_token:
        assert sdk_signs_in_with(workload, machine) == chosen


def test_both_names_of_the_token_file_and_the_go_sdks_audience_are_known(machine, tmp_path):
    (tmp_path / "token").write_text(jwt_like("w"))
    machine.write_text(f"[ci]\nhost = {HOST}\naudience = aud-go\n")
    for variable in ("DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"):
        environ = {"DATABRICKS_CONFIG_FILE": str(machine), variable: str(tmp_path / "token")}
        target = resolve("ci", environ)
        assert (target.auth_type, target.token_audience) == ("file-oidc", "aud-go")
        with mock.patch.dict(os.environ, environ):
            assert Config(profile="ci").auth_type == "file-oidc"
