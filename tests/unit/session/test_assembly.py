"""What renews a session is put together from its target."""

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.oauth import revocation
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.grants import ClientCredentials, RefreshToken
from lakekey.oauth.token_exchange import TokenExchange
from lakekey.session import assembly
from lakekey.session.assembly import assemble, client_of, transport_of
from lakekey.session.credential import Credential
from lakekey.session.entry_queue import EntryQueue
from support.model_providers import cache_over

HOST = "https://dbc.cloud.databricks.com"
SECRET = "dose-of-salt"
FOUND = Metadata(f"{HOST}/oidc", f"{HOST}/authorize", f"{HOST}/token")


def target(**settings):
    return resolve(None, {}, host=HOST, **settings)


def principal(**settings):
    return target(client_id="an-app", client_secret=SECRET, **settings)


@pytest.fixture
def renewal():
    def renewal(of, interactive="never"):
        credential = Credential(of, cache=cache_over(), environ={}, interactive=interactive)
        return assemble(credential, EntryQueue(credential))

    return renewal


@pytest.mark.parametrize("interactive", ["never", "browser"])
@pytest.mark.parametrize(
    ("of", "grant"),
    [
        (principal(), ClientCredentials),
        (target(), RefreshToken),
    ],
    ids=["service principal", "person"],
)
def test_grant_is_that_of_the_target_and_only_a_person_who_is_there_signs_in(renewal, of, grant, interactive):
    made = renewal(of, interactive)
    assert type(made._grant) is grant
    assert (made._sign_in is not None) is (grant is RefreshToken and interactive == "browser")


@pytest.mark.parametrize("interactive", ["never", "browser"])
def test_federated_identity_is_exchanged_and_no_person_asked(renewal, interactive, tmp_path):
    (tmp_path / "token").write_text("e30.eyJpc3MiOiAiaXNzdWVyIiwgInN1YiI6ICJqb2IifQ.e30")
    federated = target(auth_type="file-oidc", oidc_token_filepath=str(tmp_path / "token"), client_id="an-app")
    made = renewal(federated, interactive)
    assert type(made._grant) is TokenExchange
    assert made._sign_in is None


def test_refresh_token_is_revoked_or_else_the_access_token(renewal, monkeypatch):
    revoked = []
    monkeypatch.setattr(revocation, "revoke", lambda _, token, **hint: revoked.append((token, hint)) or "revoked")
    revoke = renewal(target())._revoke
    assert revoke(Entry({}, access_token="access", refresh_token="refresh")) == "revoked"
    assert revoke(Entry({}, access_token="access")) == "revoked"
    assert revoked == [("refresh", {}), ("access", {"hint": "access_token"})]


@pytest.mark.parametrize(
    ("of", "scopes"),
    [
        (target(scopes=["sql", "jobs"]), ("jobs", "offline_access", "sql")),
        (target(scopes=["sql"], disable_oauth_refresh_token=True), ("sql",)),
        (principal(scopes=["sql"]), ("sql",)),
    ],
    ids=["person", "person who wants no refresh token", "service principal"],
)
def test_refresh_token_is_asked_for_where_one_is_of_use(of, scopes):
    assert client_of(of).scopes == scopes


@pytest.mark.parametrize(
    ("of", "secret"),
    [
        (principal(), SECRET),
        (target(), None),
        (target(auth_type="external-browser", client_id="a-web-app", client_secret=SECRET), SECRET),
        (target(auth_type="external-browser", client_id="a-web-app"), None),
    ],
    ids=["service principal", "person", "app with a secret", "app without one"],
)
def test_client_has_the_secret_of_its_app(of, secret):
    assert client_of(of).secret == secret


@pytest.fixture
def asked(monkeypatch):
    asked = []

    def discover(_, host, **about):
        asked.append((host, about))
        return FOUND

    monkeypatch.setattr(assembly, "discover", discover)
    return asked


def test_authorization_server_is_asked_for_once_by_each_client(asked):
    before = []
    client = client_of(target(account_id="an-account"), before_asking=lambda: before.append(len(asked)))
    assert asked == []
    assert client.discover() == client.discover() == FOUND
    assert asked == [(HOST, {"account_id": "an-account", "discovery_url": None})]
    assert before == [0]
    assert client_of(target()).discover() == FOUND
    assert len(asked) == 2


def test_authorization_server_is_remembered_in_a_cache(asked):
    cache = cache_over()
    for _ in range(2):
        assert client_of(target(), cache).discover() == FOUND
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("settings", "certificate"),
    [
        ({}, None),
        ({"client_cert": "/c.pem"}, ("/c.pem", "/c.pem")),
        ({"client_cert": "/c.pem", "client_key": "/k.pem"}, ("/c.pem", "/k.pem")),
    ],
)
def test_client_shows_its_certificate_where_it_has_one(settings, certificate):
    assert transport_of(target(**settings))._client_certificate == certificate
