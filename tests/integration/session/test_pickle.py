"""A provider that travels: it carries no secret, and finds its session where it arrives, or says why it cannot."""

import base64
import copy
import json
import pickle
import subprocess
import sys

import pytest

import lakekey
from support.inside import session_of
from support.sessions import PATIENCE, Machine

pytestmark = [pytest.mark.on_windows, pytest.mark.usefixtures("unattended")]

_ARRIVES = """
import base64, json, pickle, sys
from support.reports import outcome, report
provider = pickle.loads(base64.b64decode(sys.stdin.readline()))
report("result", kind=provider.auth_type(), **outcome(lambda: provider.headers()["Authorization"]))
"""


@pytest.fixture
def person(oidc_server, tmp_path):
    """A machine whose person's session has a live access token."""
    machine = Machine(oidc_server, tmp_path / "cache")
    machine.sign_in(left=3500)
    oidc_server.reset()
    return machine


def elsewhere(travelled, environ):
    """What another process makes of a pickle."""
    child = subprocess.run(
        [sys.executable, "-c", _ARRIVES],
        input=base64.b64encode(travelled).decode() + "\n",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


def bare(machine):
    """A machine with the same cache, whose environment knows no credentials."""
    return {name: value for name, value in machine.environ.items() if not name.startswith("DATABRICKS_")}


def assert_no_secret(travelled, *secrets):
    for secret in secrets:
        assert secret
        for form in (secret.encode(), base64.b64encode(secret.encode()), secret.encode("utf-16-le")):
            assert form not in travelled


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_persons_provider_carries_no_token_and_finds_its_session(person, protocol):
    provider = person.provider()
    header = provider.headers()
    travelled = pickle.dumps(provider, protocol)
    entry = person.stored()
    assert_no_secret(travelled, entry.access_token, entry.refresh_token)
    assert pickle.loads(travelled).headers() == header
    assert person.token_requests() == 0


def test_a_persons_provider_works_in_another_process_with_the_same_cache(person):
    arrived = elsewhere(pickle.dumps(person.provider()), bare(person))
    assert (arrived["kind"], arrived["value"]) == ("external-browser", f"Bearer {person.stored().access_token}")


def test_a_persons_provider_says_what_is_missing_where_there_is_no_session(person, tmp_path):
    person.directory.rename(tmp_path / "gone")
    arrived = elsewhere(pickle.dumps(person.provider()), bare(person))
    assert arrived["error"] == "LoginRequired"
    assert f"lakekey login --host {person.server.host}" in arrived["message"]


def test_a_service_principals_provider_carries_no_secret_and_serves_the_cached_token(service):
    provider = service.provider()
    header = provider.headers()["Authorization"]
    travelled = pickle.dumps(provider)
    assert_no_secret(travelled, service.server.service_principal.client_secret, service.stored().access_token)
    assert elsewhere(travelled, bare(service))["value"] == header
    assert service.token_requests() == 1


def test_without_a_cached_token_it_says_that_the_secret_was_left_behind(service):
    arrived = elsewhere(pickle.dumps(service.provider()), bare(service))
    assert arrived["error"] == "ConfigurationError"
    assert "pickles do not carry it" in arrived["message"]
    assert "DATABRICKS_CLIENT_SECRET" in arrived["message"]
    assert service.token_requests() == 0


def test_it_finds_the_secret_in_the_environment_it_arrives_in(service):
    arrived = elsewhere(pickle.dumps(service.provider()), service.environ)
    assert arrived["value"] == f"Bearer {service.stored().access_token}"
    assert service.token_requests() == 1


def test_it_does_not_take_the_secret_of_another_client(service):
    other = {"DATABRICKS_CLIENT_ID": "another-app", "DATABRICKS_CLIENT_SECRET": "another secret"}
    arrived = elsewhere(pickle.dumps(service.provider()), {**service.environ, **other})
    assert arrived["error"] == "ConfigurationError"
    assert service.token_requests() == 0


def test_the_credentials_alone_are_enough_in_the_environment_it_arrives_in(service):
    without_host = {name: value for name, value in service.environ.items() if name != "DATABRICKS_HOST"}
    assert elsewhere(pickle.dumps(service.provider()), without_host)["value"]
    assert service.token_requests() == 1


def test_a_profile_of_a_file_that_was_named_as_an_argument_is_found_there_again(service, tmp_path):
    principal = service.server.service_principal
    profile = tmp_path / "profiles"
    profile.write_text(
        f"[prod]\nhost = {service.server.host}\nclient_id = {principal.client_id}\n"
        f"client_secret = {principal.client_secret}\nca_file = {service.server.ca_file}\n"
    )
    travelled = pickle.dumps(lakekey.provider("prod", config_file=str(profile)))
    assert elsewhere(travelled, bare(service))["value"]
    profile.unlink()
    elsewhere_cached = {"LAKEKEY_CACHE_DIR": str(tmp_path / "another cache")}
    assert elsewhere(travelled, {**bare(service), **elsewhere_cached})["error"] == "ConfigurationError"
    assert elsewhere(travelled, {**service.environ, **elsewhere_cached})["value"]  # without the file, by variables


def test_a_profile_takes_its_secret_from_the_file_it_finds(service, tmp_path, monkeypatch):
    principal = service.server.service_principal
    profile = tmp_path / "databrickscfg"
    profile.write_text(
        f"[prod]\nhost = {service.server.host}\nclient_id = {principal.client_id}\n"
        f"client_secret = {principal.client_secret}\nca_file = {service.server.ca_file}\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profile))
    travelled = pickle.dumps(lakekey.provider("prod"))
    assert_no_secret(travelled, principal.client_secret)
    with_file = {**bare(service), "DATABRICKS_CONFIG_FILE": str(profile)}
    assert elsewhere(travelled, with_file)["value"] == f"Bearer {service.stored().access_token}"
    assert service.token_requests() == 1
    profile.unlink()
    arrived = elsewhere(travelled, {**with_file, "LAKEKEY_CACHE_DIR": str(tmp_path / "another cache")})
    assert arrived["error"] == "ConfigurationError"
    assert arrived["message"].startswith("prod: ")


def test_copies_within_a_process_are_as_good_as_the_original(service):
    provider = service.provider()
    for made in (
        copy.copy(provider),
        copy.deepcopy(provider),
        copy.deepcopy({"credentials": [provider]})["credentials"][0],
    ):
        assert made.target.client_secret == service.server.service_principal.client_secret
        assert made.headers() == provider.headers()
    assert copy.deepcopy(provider) is provider, "its locks and its session are one"
    assert service.token_requests() == 1


def test_neither_repr_nor_state_of_a_provider_holds_a_secret(service):
    provider = service.provider()
    provider.headers()
    secrets = (service.server.service_principal.client_secret, service.stored().access_token)
    for shown in (repr(provider), repr(provider.target), repr(provider.token()), repr(session_of(provider).peek())):
        assert_no_secret(shown.encode(), *secrets)


def test_a_pickle_names_the_public_class():
    provider = lakekey.provider(host="https://dev.cloud.databricks.com", client_id="id", client_secret="a secret")
    assert b"lakekey" in (written := pickle.dumps(provider))
    assert b"lakekey.providers.provider" not in written
    assert type(pickle.loads(written)) is lakekey.Provider


@pytest.mark.usefixtures("attended")
def test_provider_that_asks_no_person_asks_none_where_it_arrives(oidc_server, tmp_path):
    target = Machine(oidc_server, tmp_path / "cache").target
    arrived = pickle.loads(pickle.dumps(lakekey.Provider(target, "never")))
    assert arrived.needs_login()
    with pytest.raises(lakekey.LoginRequired):
        arrived.headers()


class Wrapper:
    """A source in the place of another one."""

    def __init__(self, source):
        self.target = source.target
        self.headers = lambda: {"Authorization": "Bearer wrapped"}


def test_wrapper_around_a_source_travels_by_its_name(person):
    arrived = pickle.loads(pickle.dumps(lakekey.Provider(person.target, None, Wrapper)))
    assert arrived()() == arrived.headers() == {"Authorization": "Bearer wrapped"}
