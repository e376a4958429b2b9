"""RFC 6749 §4.1 with RFC 7636: signing in and redeeming the code."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lakekey.sandbox import Sandbox

CLIENT = "databricks-cli"


def test_a_person_signs_in_end_to_end(box, client, callback):
    person = box.person("grace@example.com")
    assert person(client.authorization_url(redirect_uri=callback.uri)), person.problem
    assert person.final_page == "You can close this page."
    assert callback.answer["state"] == "a-state"
    assert callback.answer["iss"] == f"{box.host}/oidc"
    answer = client.redeem(callback.answer["code"], redirect_uri=callback.uri).json()
    assert answer["token_type"] == "Bearer"
    assert client.me(answer["access_token"]).json()["userName"] == "grace@example.com"
    assert box.counters["logins"] == box.counters["token.authorization_code"] == 1


def test_a_person_who_cancels_sends_access_denied_home(box, client, callback):
    person = box.person(decision="cancel")
    assert person(client.authorization_url(redirect_uri=callback.uri)), person.problem
    assert callback.answer["error"] == "access_denied"
    assert callback.answer["state"] == "a-state"
    assert callback.answer["iss"] == f"{box.host}/oidc"
    assert (box.counters["logins"], box.counters["cancellations"]) == (0, 1)


@pytest.mark.parametrize("method", ["plain", None])
def test_pkce_without_s256_is_refused(client, method):
    refusal = client.refusal(code_challenge_method=method)
    assert refusal["error"] == "invalid_request"
    assert refusal["iss"] == client.issuer


def test_a_request_without_a_challenge_is_refused(client):
    assert client.refusal(code_challenge=None)["error"] == "invalid_request"


def test_a_scope_that_does_not_exist_is_refused(client):
    assert client.refusal(scope="everything")["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example", "http://127.0.0.1:8020/other", "http://127.0.0.1@evil.example:8020", "http://[", None],
)
def test_an_unregistered_redirect_uri_gets_a_page_and_no_redirect(client, uri):
    page = client.http.get(client.authorization_url(redirect_uri=uri), allow_redirects=False, timeout=10)
    assert page.status_code == 400
    assert "invalid_request" in page.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_loopback_redirect_uri_may_have_any_port(client, host):
    uri = f"http://{host}:54321"
    code = client.sign_in(redirect_uri=uri)["code"]
    assert client.redeem(code, redirect_uri=uri).status_code == 200


def test_a_wrong_verifier_is_refused(client):
    client.assert_refused(client.redeem(client.sign_in()["code"], code_verifier="x" * 43), 400, "invalid_grant")


def test_a_missing_verifier_is_refused(client):
    client.assert_refused(client.redeem(client.sign_in()["code"], code_verifier=None), 400, "invalid_request")


def test_the_redirect_uri_of_the_redemption_has_to_match(client):
    answer = client.redeem(client.sign_in()["code"], redirect_uri="http://127.0.0.1:8021")
    client.assert_refused(answer, 400, "invalid_grant")


def test_a_code_belongs_to_its_client(client):
    answer = client.redeem(client.sign_in()["code"], client_id="databricks-sql-python")
    client.assert_refused(answer, 400, "invalid_grant")


def test_a_code_used_twice_revokes_what_the_first_use_got(client):
    code = client.sign_in()["code"]
    tokens = client.redeem(code).json()
    client.assert_refused(client.redeem(code), 400, "invalid_grant")
    assert client.me(tokens["access_token"]).status_code == 401
    client.assert_refused(client.refresh(tokens["refresh_token"]), 400, "invalid_grant")


def test_of_many_uses_of_one_code_at_once_at_most_one_wins(client):
    code = client.sign_in()["code"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.redeem(code), range(8)))
    assert [answer.status_code for answer in answers].count(200) == 1


def test_without_offline_access_there_is_no_refresh_token(client):
    assert "refresh_token" not in client.tokens(scope="sql")


def test_opaque_tokens_are_not_jwts_and_work(client_of):
    with Sandbox(opaque_tokens=True) as box:
        client = client_of(box)
        access = client.tokens()["access_token"]
        assert access.count(".") == 0
        assert client.me(access).status_code == 200
