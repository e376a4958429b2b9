"""What a custom app is told before a browser opens: which answer refuses it, and which setting is likely wrong."""

import logging

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import CredentialsRefused, LoginFailed
from lakekey.login import preflight
from lakekey.oauth.authorization_code import AuthorizationRequest
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.pkce import new_pkce
from lakekey.oauth.transport import Transport

REDIRECT = "http://localhost:8020/signed-in"
CLIENT = "check client_id: the server does not know the-app"
SCOPES = "one of the scopes all-apis, sql is not allowed: fix scopes, or the registration of the app the-app"
GENERAL = "compare client_id, redirect_url and scopes with the registration of the app the-app"
CONFIDENTIAL = "the app may be confidential and want its secret: lakekey secret set"
WRONG = "the secret of the app the-app is wrong or has expired: lakekey secret set"
SPA = "register the redirect address of the app the-app for mobile and desktop applications, not for a single page"


def target(**settings):
    settings = {"client_id": "the-app", "scopes": "all-apis sql", "auth_type": "external-browser", **settings}
    return resolve(host="https://w.example.com", **settings)


def asked_ahead(server, answers, *, url=None, **settings):
    """Ask a server ahead that answers so, by path; it sees queries, too."""
    for path, answer in answers.items():
        server.answer(path, **{"content_type": "text/html", **answer})
    fetch = server.answer_for
    server.answer_for = lambda path: fetch(path.partition("?")[0])
    url = url or server.url
    metadata = Metadata(url, f"{url}/authorize", f"{url}/token")
    wanted = target(**settings)
    client = Client(wanted.client_id, None, ("all-apis", "sql"), Transport(), lambda: metadata)
    request = AuthorizationRequest(f"{url}/authorize?state=the-persons", "the-persons", REDIRECT, new_pkce())
    preflight.check(wanted, client, request)


def refused(server, answers, **settings):
    with pytest.raises(LoginFailed) as caught:
        asked_ahead(server, answers, **settings)
    said = caught.value.message.removeprefix("the server refuses this app's sign-ins (").removesuffix(")")
    return said, caught.value.hint


def paths(server):
    return [asked.path.partition("?")[0] for asked in server.asked]


def test_client_of_the_platform_is_not_asked_about(server):
    asked_ahead(server, {"/authorize": {"status": 400, "body": "client is invalid"}}, client_id="databricks-cli")
    assert server.asked == []


def test_page_for_the_person_is_left_to_the_browser(server):
    asked_ahead(server, {"/authorize": {"body": "<p>Who are you? Not an unknown client</p>"}})
    assert paths(server) == ["/authorize"]
    assert server.asked[0].headers["Accept"] == "text/html"
    assert "the-persons" not in server.asked[0].path


@pytest.mark.parametrize("status", [400, 404, 428, 430, 499])
def test_status_that_blames_the_request_refuses_the_app(server, status):
    assert (
        refused(server, {"/authorize": {"status": status, "body": "The client is invalid"}})[0]
        == "The client is invalid"
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_status_that_blames_the_moment_is_left_to_the_browser(server, status):
    asked_ahead(server, {"/authorize": {"status": status, "body": "The client is invalid"}})


def test_server_that_cannot_be_asked_is_left_to_the_browser(server, caplog):
    caplog.set_level(logging.DEBUG, logger="lakekey")
    asked_ahead(server, {}, url="http://127.0.0.1:9")
    assert "the authorization endpoint could not be asked ahead: " in caplog.text


@pytest.mark.parametrize("error", ["invalid_scope", "unauthorized_client", "invalid_request"])
def test_answer_that_refuses_the_app_is_read_from_the_redirect(server, error):
    location = f"{REDIRECT}?error={error}&error_description=no%20such%20scope&state=s"
    said, hint = refused(server, {"/authorize": {"status": 302, "Location": location}})
    assert (said, hint) == (f"{error} no such scope", SCOPES)


@pytest.mark.parametrize("query", ["error=login_required&error_description=scope", "error=access_denied", "code=c", ""])
def test_answer_that_refuses_a_request_without_a_person_is_none(server, query):
    asked_ahead(server, {"/authorize": {"status": 302, "Location": f"{REDIRECT}?{query}"}})
    assert paths(server) == ["/authorize"]


def test_request_that_is_handed_on_is_followed_once(server):
    answers = {
        "/authorize": {"status": 302, "Location": "/elsewhere/authorize?client_id=x"},
        "/elsewhere/authorize": {"status": 400, "body": "The client is invalid"},
    }
    assert refused(server, answers)[1].startswith(CLIENT)
    assert paths(server) == ["/authorize", "/elsewhere/authorize"]


@pytest.mark.parametrize("location", ["/elsewhere/sign-in", "http://[::1/authorize"])
def test_any_other_redirect_is_for_the_person(server, location):
    asked_ahead(server, {"/authorize": {"status": 302, "Location": location}})
    assert paths(server) == ["/authorize"]


ENTRA = '<script>$Config={"strServiceExceptionMessage":"AADSTS700016: no \\u0027app\\u0027"};</script>'


@pytest.mark.parametrize("status", [200, 401, 499])
def test_page_of_entra_refuses_the_app_whatever_its_status(server, status):
    said, hint = refused(server, {"/authorize": {"status": status, "body": ENTRA}})
    assert said == "AADSTS700016: no 'app'"
    assert hint.startswith(CLIENT)


def test_page_of_entra_in_trouble_is_left_to_the_browser(server):
    asked_ahead(server, {"/authorize": {"status": 500, "body": ENTRA}})


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("plain words", "plain words"),
        ("<p>words", "words"),
        ("<p>a</p>tail", "a tail"),
        ("<TITLE>Oops</TITLE><STYLE>p{}</STYLE><p>The client\n is&nbsp;<b>invalid</b></p>&amp; more",
         "The client is invalid & more"),
        ("<p>said</p><script>var hidden = '<p>not said</p>'", "said"),
        ("<p>said</p><a href=", "said"),
        ("x" * 400, "x" * 300),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 298),
    ],
)  # fmt: skip
def test_words_of_a_page_are_what_it_shows(server, page, words):
    assert refused(server, {"/authorize": {"status": 400, "body": page}})[0] == words


HINTS = {
    "AADSTS9002326: cross-origin, redirect_uri": SPA,
    "the redirect_uri is not registered": f"register the redirect URL {REDIRECT} of the app the-app, or set",
    "AADSTS7000215: invalid client secret": WRONG,
    "no client authentication": GENERAL,
    "unknown client": CLIENT,
    "a scope that is not allowed": SCOPES,
    "something else": GENERAL,
}


@pytest.mark.parametrize("said", HINTS)
def test_words_of_the_page_lead_to_the_setting(server, said):
    assert refused(server, {"/authorize": {"status": 400, "body": said}})[1].startswith(HINTS[said])


def test_scope_is_not_taken_for_the_secret_that_is_there(server):
    answers = {"/authorize": {"status": 400, "body": "a scope that is not allowed"}}
    assert refused(server, answers, client_secret="dose-of-app")[1] == SCOPES


@pytest.mark.parametrize(
    ("error", "message", "secret", "hint"),
    [
        ("invalid_client", "no", None, CONFIDENTIAL),
        ("invalid_client", "no", "dose-of-app", WRONG),
        ("invalid_client", "AADSTS7000222: expired", None, WRONG),
        ("unauthorized_client", "AADSTS7000218: client_secret", None, CONFIDENTIAL),
        ("unauthorized_client", "not for this redirect_uri", None, GENERAL),
        ("unauthorized_client", "not for this redirect_uri", "dose-of-app", GENERAL),
        ("invalid_scope", "no", None, SCOPES),
    ],
)
def test_refusal_of_the_token_endpoint_leads_to_the_setting(error, message, secret, hint):
    found = preflight.explained(target(client_secret=secret), CredentialsRefused(message, error=error))
    assert (found.message, found.error) == (message, error)
    assert found.hint == hint


def test_hint_names_the_profile(tmp_path):
    (tmp_path / "cfg").write_text("[the work]\nhost = https://w.example.com\nclient_id = the-app\n")
    wanted = resolve("the work", {}, config_file=str(tmp_path / "cfg"), auth_type="external-browser")
    found = preflight.explained(wanted, CredentialsRefused("no", error="invalid_client"))
    assert found.hint.startswith("the app may be confidential and want its secret: lakekey secret set ")
    assert found.hint.endswith(("'the work'", '"the work"'))
    assert found.profile == "the work"
