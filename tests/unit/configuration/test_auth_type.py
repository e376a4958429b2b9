"""Which grant settings mean, where they contradict each other, and what does not count then."""

import sys

import pytest

from lakekey.cache import app_registrations
from lakekey.cache.client_secrets import put_secret
from lakekey.cache.opening import open_cache
from lakekey.configuration.auth_type import conflicts, select
from lakekey.configuration.layers import read_layers
from lakekey.configuration.settings import U2M
from lakekey.errors import ConfigurationError

HOST = "https://w.example.com"
CLIENT = {"DATABRICKS_CLIENT_ID": "theirs", "DATABRICKS_CLIENT_SECRET": "made-up-of-theirs"}
ADA = "user = ada@example.com"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb2JvdCJ9.c2ln"
FEDERATED = {"DATABRICKS_OIDC_TOKEN": JWT}
METADATA = {"DATABRICKS_METADATA_SERVICE_URL": "http://localhost:1/m"}
PRINCIPAL = "client_id = robot\nclient_secret = made-up-of-robot"


@pytest.fixture
def chosen(tmp_path):
    """Selects a grant; returns it, and the layers."""

    def choose(profile="", environ=None, **arguments):
        path = tmp_path / "profiles"
        path.write_text(f"[prod]\nhost = {HOST}\n{profile}\n")
        environ = {
            "DATABRICKS_CONFIG_FILE": str(path), "LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), **(environ or {})
        }  # fmt: skip
        layers = read_layers("prod", environ, arguments)
        return select(layers, environ), layers

    return choose


@pytest.mark.parametrize(
    ("profile", "environ", "arguments", "grant", "client"),
    [
        (PRINCIPAL, {}, {}, "oauth-m2m", "robot"),
        ("auth_type = pat\ntoken = dapi1", {}, {"client_id": "c", "client_secret": "made-up-of-c"}, "oauth-m2m", "c"),
        (f"{PRINCIPAL}\nauth_type = external-browser", {}, {"client_secret": "made-up-new"}, U2M, "robot"),
        ("", CLIENT, {"user": "ada@example.com"}, U2M, None),
        ("", {"DATABRICKS_CLIENT_ID": "app"}, {"user": "ada@example.com"}, U2M, "app"),
        ("", {"DATABRICKS_AUTH_TYPE": "pat"}, {"user": "ada@example.com"}, U2M, None),
        ("auth_type = external-browser", {"DATABRICKS_AUTH_TYPE": "pat"}, {"user": "ada@example.com"}, U2M, None),
        (PRINCIPAL, CLIENT, {"client_id": "app"}, U2M, "app"),
        ("", {}, {"token": "dapi1"}, "pat", None),
    ],
)
def test_argument_outweighs_what_stands_around_it(chosen, profile, environ, arguments, grant, client):
    found, layers = chosen(profile, environ, **arguments)
    assert (found, layers.get("client_id")) == (grant, client)


@pytest.mark.parametrize(
    ("place", "arguments", "grant"),
    [
        ("", {}, "model-serving"),
        ("user = ada@example.com", {}, U2M),
        ("", {"redirect_port": 8030}, U2M),
        ("user = ada@example.com", {"redirect_port": 8030}, U2M),
    ],
)
def test_place_that_the_program_runs_at_signs_in_only_where_no_person_is_named(
    chosen, tmp_path, monkeypatch, place, arguments, grant
):
    (tmp_path / "model-dependencies-oauth-token").write_text("{}")
    server = {"IS_IN_DB_MODEL_SERVING_ENV": "true", "SERVING_CREDENTIALS_DIR": str(tmp_path)}
    for name, value in server.items():  # the SDK, where it is loaded, looks there
        monkeypatch.setenv(name, value)
    assert chosen(place, server, **arguments)[0] == grant


def test_model_server_knows_its_workspace(tmp_path):
    environ = {"DATABRICKS_CONFIG_FILE": str(tmp_path / "none"), "DB_MODEL_SERVING_HOST_URL": HOST}
    for auth_type, host in (("model-serving", HOST), ("pat", None)):
        layers = read_layers(None, environ, {"auth_type": auth_type})
        assert (select(layers, environ), layers.get("host")) == (auth_type, host)


def test_app_of_the_portal_counts_for_a_person_who_is_named(chosen, tmp_path):
    app = app_registrations.AppRegistration(
        "app", "app-of-the-portal", hosts=(HOST,), redirect_uri="https://portal.example.com/callback/app"
    )
    cache = open_cache({"LAKEKEY_CACHE_DIR": str(tmp_path / "cache")})
    cache.put(app_registrations.NAME, app_registrations.entry_of([app]), replaces=None)
    _, layers = chosen("user = ada@example.com")
    assert (layers.get("client_id"), layers.connect_url) == ("app-of-the-portal", "https://portal.example.com/#prod")
    _, layers = chosen()
    assert (layers.get("client_id"), layers.connect_url) == (None, None)
    grant, layers = chosen("user = ada@example.com", {"DATABRICKS_AUTH_TYPE": "pat", "DATABRICKS_TOKEN": "dapi1"})
    assert (grant, layers.get("client_id"), layers.connect_url) == ("pat", None, None)


def test_secret_that_is_sealed_is_looked_for_beside_a_client_without_one(chosen, tmp_path):
    cache = open_cache({"LAKEKEY_CACHE_DIR": str(tmp_path / "cache")})
    put_secret(cache, HOST, None, "robot", "made-up-and-sealed")
    assert chosen("client_id = robot")[0] == "oauth-m2m"
    assert chosen("client_id = another")[0] == U2M
    found, layers = chosen("client_id = robot\nauth_type = pat\ntoken = dapi1")
    assert (found, layers.get("client_secret")) == ("pat", None)


@pytest.mark.parametrize(
    ("profile", "environ", "said"),
    [
        (PRINCIPAL, {}, []),
        (f"{PRINCIPAL}\nauth_type = oauth-m2m\nuser = ada@example.com", {}, ["user (profile) is not used with oauth-m2m"]),
        ("user = ada@example.com", {}, []),
        (f"{PRINCIPAL}\ntoken = dapi1", {}, ["token (profile) is for pat, and is not used with oauth-m2m"]),
        (
            f"{PRINCIPAL}\nauth_type = pat\ntoken = dapi1",
            {},
            ["client_id (profile) is not used with pat", "client_secret (profile) is not used with pat"],
        ),
        (
            f"{PRINCIPAL}\nauth_type = env-oidc\noidc_token_env = TOKEN",
            {"TOKEN": "a.b.c"},
            ["client_secret (profile) is not used with env-oidc"],
        ),
        (
            "auth_type = external-browser",
            CLIENT,
            [
                f"{name} ({variable}) does not count: auth_type (profile) says that a person signs in"
                for name, variable in (
                    ("client_secret", "DATABRICKS_CLIENT_SECRET"), ("client_id", "DATABRICKS_CLIENT_ID"),
                )
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_set_for_another_grant_is_named(chosen, profile, environ, said):
    grant, layers = chosen(profile, environ)
    assert conflicts(layers, grant) == said


@pytest.mark.parametrize(
    ("profile", "environ", "arguments"),
    [
        (f"{PRINCIPAL}\n{ADA}", {}, {}),
        ("auth_type = pat\ntoken = dapi1", {}, {"user": "ada@example.com"}),
        ("metadata_service_url = http://localhost:1/m", {}, {"user": "ada@example.com"}),
    ],
)
def test_person_who_is_named_is_never_signed_in_as_another_identity(chosen, profile, environ, arguments):
    with pytest.raises(ConfigurationError, match=r"says that ada@example\.com signs in, and .* signs no person in"):
        chosen(profile, environ, **arguments)


@pytest.mark.parametrize(
    ("profile", "environ", "grant"),
    [
        (ADA, CLIENT, "oauth-m2m"),
        (f"{ADA}\nclient_id = app", FEDERATED, "env-oidc"),
        (ADA, METADATA, "metadata-service"),
    ],
)
def test_profiles_person_gives_way_to_what_stands_in_the_environment(chosen, profile, environ, grant):
    assert chosen(profile, environ)[0] == grant


@pytest.mark.parametrize("profile", ["", "client_id = app"])
def test_person_who_is_an_argument_signs_in_beside_a_token_of_an_identity_provider(chosen, profile):
    assert chosen(profile, FEDERATED, user="ada@example.com")[0] == U2M


def test_token_of_an_identity_provider_is_found_by_a_variable_or_a_file(chosen, tmp_path):
    (tmp_path / "token").write_text(JWT)
    assert chosen("client_id = app", FEDERATED)[0] == "env-oidc"
    assert chosen(f"client_id = app\noidc_token_filepath = {tmp_path / 'token'}")[0] == "file-oidc"


def test_identity_of_the_environment_does_not_count_where_an_argument_says_that_a_person_signs_in(chosen):
    assert chosen("", METADATA)[0] == "metadata-service"
    grant, layers = chosen("", METADATA, redirect_port=8030)
    assert grant == U2M
    (said,) = conflicts(layers, grant)
    assert said.endswith("does not count: the argument redirect_port says that a person signs in")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"client_id": "c", "client_secret": "made-up-of-c", "token": "dapi1"}, "client_secret and token"),
        ({"user": "ada@example.com", "token": "dapi1"}, "token and user"),
    ],
)
def test_two_identities_among_the_arguments_are_refused(chosen, arguments, names):
    with pytest.raises(ConfigurationError, match=f": {names} are both given"):
        chosen(**arguments)


def test_person_and_the_secret_of_an_app_for_people_are_one_identity(chosen):
    profile = "auth_type = external-browser\nclient_id = app"
    assert chosen(profile, user="ada@example.com", client_secret="made-up-of-app")[0] == U2M


def test_usual_case_imports_nothing_that_looks_for_other_identities(chosen, monkeypatch):
    names = ("lakekey.workload_identity", "lakekey.configuration.sdk_identities")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert chosen()[0] == U2M
    assert [name for name in names if name in sys.modules] == []
