"""The same sign-ins against oidc-provider, a certified OAuth server that this project did not write."""

import hashlib

import pytest

import lakekey
from support import processes
from support.inside import session_of
from support.tiny_client import TinyClient, whoami

ADA = "ada@example.com"
REFRESHED = """
import lakekey
provider = lakekey.provider()
token = provider.token().access_token
provider.served(token)  # else a token that replaced a refused one is on trial, and kept
provider.invalidate(token)
print(provider.token().access_token)
"""
HEADER = "import lakekey; print(lakekey.provider().headers()['Authorization'])"


@pytest.fixture
def server(oidc_server, monkeypatch):
    """The server, with an environment that leads to it and a person at the browser."""
    for name, value in {**oidc_server.environment(), "LAKEKEY_INTERACTIVE": "browser"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BROWSER", in_the_foreground(oidc_server.browser()))
    return oidc_server


def in_the_foreground(browser):
    """Waited for by the module that starts it: one that is left behind is a warning in the test's own process."""
    return browser.removesuffix(" &")


@pytest.fixture
def person(server):
    return lakekey.provider()


@pytest.fixture
def principal(server):
    app = server.service_principal
    return lakekey.provider(client_id=app.client_id, client_secret=app.client_secret)


def bearer(provider):
    return provider.headers()["Authorization"].removeprefix("Bearer ")


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def renew(provider):
    token = bearer(provider)
    provider.served(token)
    provider.invalidate(token)
    return bearer(provider)


def test_a_person_signs_in_and_the_api_knows_who(server, person):
    assert whoami(server, bearer(person)).json()["userName"] == ADA
    assert person.identity() == ADA
    assert server.counters()["requests.token.authorization_code"] == 1


def test_a_service_principal_signs_in_by_http_basic(server, principal):
    assert whoami(server, bearer(principal)).status_code == 200
    assert server.counters()["requests.token"] == server.counters()["requests.token.client_credentials"] == 1


def test_no_code_verifier_or_token_is_put_into_an_address(server, person):
    tokens = (bearer(person), renew(person), session_of(person).peek().refresh_token)
    asked = " ".join(entry["path"] for entry in server.log())
    assert "/oidc/v1/token" in asked
    assert not [word for word in (*tokens, "code_verifier=", "client_secret=") if word in asked]


def test_a_custom_app_with_a_secret_signs_a_person_in(server):
    app = server.custom_app
    provider = lakekey.provider(
        auth_type="external-browser",
        client_id=app.client_id,
        client_secret=app.client_secret,
        redirect_url=app.redirect_uris[0],
    )
    assert whoami(server, bearer(provider)).json()["userName"] == ADA
    assert renew(provider) == bearer(provider)


def test_each_refresh_rotates_and_the_stored_token_is_the_servers_current_one(server, person):
    held = [bearer(person)]
    spent = [session_of(person).peek().refresh_token]
    for _ in range(2):
        held.append(renew(person))
        spent.append(session_of(person).peek().refresh_token)
    assert len(set(held)) == len(set(spent)) == 3
    assert [server.token_state(token) for token in spent] == ["consumed", "consumed", "current"]
    assert server.counters()["grant.revoked"] == 0


def test_reusable_refresh_tokens_work_too(server, person):
    server.set_rotation(single_use=False)
    bearer(person)
    kept = session_of(person).peek().refresh_token
    renew(person)
    assert (session_of(person).peek().refresh_token, server.token_state(kept)) == (kept, "current")


def test_refresh_token_that_another_program_used_ends_the_session_cleanly(server, person, person_leaves):
    bearer(person)
    stolen = session_of(person).peek().refresh_token
    assert TinyClient(server).refresh(stolen).status_code == 200
    person_leaves()
    with pytest.warns(lakekey.ServicePrincipalMissingWarning):
        unwatched = lakekey.provider()
    with pytest.raises(lakekey.LoginRequired, match="the session is over") as caught:
        renew(unwatched)
    assert caught.value.hint == f"run: lakekey login --host {server.host}"
    assert server.current_refresh_tokens() == []  # the whole family: the thief's token too
    asked = server.counters()["requests.token"]
    with pytest.raises(lakekey.LoginRequired):
        unwatched.login()
    assert server.counters()["requests.token"] == asked


def test_a_revoked_session_costs_a_person_one_sign_in(server, person):
    first = bearer(person)
    server.revoke_all()
    second = renew(person)
    assert first != second
    assert whoami(server, second).json()["userName"] == ADA
    counts = server.counters()
    assert (counts["requests.token.authorization_code"], counts["requests.token.refresh_token"]) == (2, 1)


def test_each_of_three_processes_in_turn_rotates_the_refresh_token(server, person):
    seen = {bearer(person)}
    for _ in range(3):
        seen.add(processes.run(REFRESHED))
        stored = session_of(person).peek().refresh_token
        assert server.current_refresh_tokens(user=ADA) == [digest(stored)]
    assert len(seen) == 4
    counts = server.counters()
    assert (counts["requests.token.authorization_code"], counts["requests.token.refresh_token"]) == (1, 3)
    assert counts["grant.revoked"] == 0


def test_processes_that_start_together_share_one_login(server):
    programs = [processes.start(HEADER) for _ in range(3)]
    assert len({processes.finish(program) for program in programs}) == 1
    assert server.counters()["requests.token"] == 1


def test_processes_share_a_service_principals_token(server, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", server.service_principal.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", server.service_principal.client_secret)
    programs = [processes.start(HEADER) for _ in range(3)]
    assert len({processes.finish(program) for program in programs}) == 1
    assert server.counters()["requests.token"] == 1


def test_a_wrong_secret_is_refused(server):
    provider = lakekey.provider(client_id=server.service_principal.client_id, client_secret="wrong")
    with pytest.raises(lakekey.CredentialsRefused, match="client id or its secret") as caught:
        provider.headers()
    assert (caught.value.error, caught.value.profile) == ("invalid_client", server.host)


def test_a_person_who_declines_is_a_login_denied(server, monkeypatch):
    monkeypatch.setenv("BROWSER", in_the_foreground(server.browser(decline=True)))
    with pytest.raises(lakekey.LoginDenied, match="access_denied"):
        lakekey.provider().headers()
    assert server.counters()["requests.token"] == 0
