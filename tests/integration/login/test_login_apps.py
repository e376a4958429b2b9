"""Custom OAuth apps: their own address, ports, scopes and secret, and what is said when the server refuses them."""

import json
import os
import pty
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from lakekey.cache.opening import open_cache
from support.program import Program, environment, free_port, lakekey


@pytest.fixture
def app(oidc_server, tmp_path):
    return App(oidc_server, tmp_path)


class App:
    """A confidential app that is registered with one fixed redirect address, and a profile for it."""

    def __init__(self, server, directory, redirect_host="localhost"):
        self.server, self.directory = server, directory
        self.redirect = f"http://{redirect_host}:{free_port()}/signed-in"
        self.client_id, self.secret = f"app-{free_port()}", "the-app-secret-4c1d"
        server.add_client(
            client_id=self.client_id, client_secret=self.secret, redirect_uris=[self.redirect],
            application_type="web", token_endpoint_auth_method="client_secret_basic",
        )  # fmt: skip
        self.settings = environment(server, directory / "cache", DATABRICKS_CONFIG_FILE=str(directory / "cfg"))
        for name in ("DATABRICKS_HOST", "DATABRICKS_OAUTH_CALLBACK_PORT"):
            self.settings[name] = ""

    def profile(self, **changes):
        fields = {
            "host": self.server.host, "auth_type": "external-browser", "client_id": self.client_id,
            "client_secret": self.secret, "redirect_url": self.redirect, "scopes": "all-apis", **changes,
        }  # fmt: skip
        lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
        (self.directory / "cfg").write_text("\n".join(["[app]", *lines, ""]))
        return self

    def run(self, *arguments, typed=None):
        with lakekey(*arguments, environment=self.settings) as program:
            if typed is not None:
                program.send(typed)
            return program.ends()

    def login(self, **person):
        with lakekey("login", "app", environment=self.settings) as program:
            self.server.sign_in(program.url(), **person)
            return program.ends()


def test_a_confidential_app_signs_in_at_its_registered_address(app):
    status, output, errors = app.profile().login()
    assert status == 0, errors
    assert "as ada@example.com" in output


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_app_may_have_registered_either_loopback_address(oidc_server, tmp_path, host):
    status, output, errors = App(oidc_server, tmp_path, host).profile().login()
    assert status == 0, errors
    assert "as ada@example.com" in output


def test_a_pickled_provider_of_an_app_finds_its_secret_again(app):
    app.profile().login()
    code = (
        "import lakekey, pickle; p = pickle.loads(pickle.dumps(lakekey.provider('app')))\n"
        "t = p.token().access_token; p.invalidate(t); print(p.token().access_token != t)"
    )
    with Program(code, environment=app.settings) as program:
        assert program.ends()[1] == "True\n"


def test_extras_of_the_profile_reach_the_authorization_endpoint(app):
    app.profile(authorize_extras="prompt=login&domain_hint=example.com")
    with lakekey("login", "app", environment=app.settings) as program:
        query = parse_qs(urlsplit(program.url()).query)
    assert (query["prompt"], query["domain_hint"]) == (["login"], ["example.com"])


@pytest.mark.parametrize(
    "name",
    ["state", "code_challenge", "redirect_uri", "client_id", "response_type", "request_uri", "request", "nonce",
     "response_mode", "assume_group", "authorization_details"],
)  # fmt: skip
def test_extras_cannot_replace_what_protects_the_sign_in(app, name):
    status, _, errors = app.profile(authorize_extras=f"{name}=mine").run("login", "app")
    assert status == 2
    assert f"{name} is not for the configuration to choose" in errors


REFUSALS = {
    "an address that is not registered": (
        {"redirect_url": "http://localhost:{port}/elsewhere"},
        "register the redirect URL http://localhost:{port}/elsewhere",
    ),
    "an unknown client": (
        {"client_id": "unknown-app", "client_secret": None},
        "check client_id: the server does not know unknown-app",
    ),
    "a scope that is not allowed": ({"scopes": "all-apis sql"}, "one of the scopes all-apis, sql is not allowed"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_app_is_told_its_wrong_setting_before_a_browser_opens(app, case):
    app.server.add_client(
        client_id=app.client_id, client_secret=app.secret, redirect_uris=[app.redirect],
        application_type="web", token_endpoint_auth_method="client_secret_basic", scope="all-apis offline_access",
    )  # fmt: skip
    changes, hint = REFUSALS[case]
    port = str(free_port())
    changes = {name: value and value.replace("{port}", port) for name, value in changes.items()}
    status, _, errors = app.profile(**changes).run("login", "app")
    assert status == 1
    assert hint.replace("{port}", port) in errors
    assert "/authorize?" not in errors


ENTRA = {
    "AADSTS50011: The redirect URI \\u0027http://localhost\\u0027 does not match": "register the redirect URL http://local",
    "AADSTS700016: Application with identifier \\u0027x\\u0027 was not found": "check client_id: the server does not know",
    "AADSTS650053: The application asked for scope \\u0027sql\\u0027 that does not exist": "is not allowed: fix scopes",
}


@pytest.mark.parametrize("refusal", ENTRA)
@pytest.mark.parametrize("handed_on", [False, True], ids=["itself", "handed on"])
def test_entra_refuses_an_app_in_the_script_of_a_page_that_seems_well(app, refusal, handed_on):
    page = (
        f'<html><script>$Config={{"pgid":"ConvergedError","strServiceExceptionMessage":"{refusal}"}};</script></html>'
    )
    if handed_on:  # as a Databricks host does that Entra ID backs
        onward = f"{app.server.host}/oidc/v1/authorize?client_id=at-entra"
        app.server.fault("authorize", "status", status=302, headers={"Location": onward}, body="")
    app.server.fault("authorize", "status", status=200, body=page)
    status, _, errors = app.profile().run("login", "app")
    assert status == 1
    assert ENTRA[refusal] in errors
    assert refusal.replace("\\u0027", "'") in errors
    assert "/authorize?" not in errors


@pytest.mark.parametrize(
    "location", ["http://192.0.2.1/authorize", "https://[/authorize", "https://127.0.0.1:9/authorize"]
)
def test_a_request_that_is_handed_on_to_nowhere_is_left_to_the_browser(app, location):
    app.server.fault("authorize", "status", status=302, headers={"Location": location}, body="")
    assert app.profile().login()[0] == 0


@pytest.mark.parametrize(
    ("secret", "hint"), [(None, "may be confidential"), ("wrong-secret", "is wrong or has expired")]
)
def test_a_missing_or_wrong_secret_is_named_when_the_code_is_exchanged(app, secret, hint):
    status, _, errors = app.profile(client_secret=secret).login()
    assert status == 1
    assert hint in errors
    assert "lakekey secret set app" in errors
    assert app.secret not in errors
    assert "wrong-secret" not in errors


def test_an_address_elsewhere_can_only_be_pasted(app):
    elsewhere = "https://apps.example.com/signed-in"
    app.server.add_client(
        client_id=app.client_id, client_secret=app.secret, redirect_uris=[elsewhere],
        application_type="web", token_endpoint_auth_method="client_secret_basic",
    )  # fmt: skip
    app.profile(redirect_url=elsewhere)
    with lakekey("login", "app", environment=app.settings) as program:
        answer = app.server.sign_in(program.url(), deliver=False)
        program.send(answer.redirect)
        assert program.ends()[0] == 0


@pytest.mark.parametrize(
    "value", ["http://192.0.2.1:8020", "http://example.com/", "ftp://localhost", "http://localhost:8020/?x=1", "localhost",
              "http://localhost:99999", "http://[localhost:8020"],
)  # fmt: skip
def test_an_address_that_no_answer_can_come_to_is_refused(app, value):
    status, _, errors = app.profile(redirect_url=value).run("login", "app")
    assert status == 2
    assert "is not an address that a sign-in can come back to" in errors


# Sealed secrets


def test_a_secret_is_sealed_once_and_then_needs_no_place_in_the_profile(app):
    status, output, _ = app.profile(client_secret=None).run("secret", "set", "app", typed=app.secret)
    assert status == 0
    assert "Sealed in" in output
    assert app.login()[0] == 0
    for directory, _, files in os.walk(app.directory):
        for file in files:
            with open(os.path.join(directory, file), "rb") as stored:
                assert app.secret.encode() not in stored.read()
    assert app.client_id in app.run("secret", "list")[1]
    assert app.client_id not in app.run("status")[1]


def test_a_service_principal_signs_in_by_its_sealed_secret(oidc_server, tmp_path):
    app, principal = App(oidc_server, tmp_path), oidc_server.service_principal
    app.profile(client_id=principal.client_id, client_secret=None, auth_type=None, redirect_url=None)
    assert app.run("secret", "set", "app", typed=principal.client_secret)[0] == 0
    status, output, errors = app.run("login", "app", "--json")
    assert status == 0, errors
    assert json.loads(output)["auth_type"] == "oauth-m2m"
    code = (
        "import lakekey, pickle; p = pickle.loads(pickle.dumps(lakekey.provider('app')))\n"
        "p.login(); print(p.auth_type(), p.target.sources['client_secret'])"
    )
    with Program(code, environment=app.settings) as program:
        assert program.ends()[1] == "oauth-m2m cache\n"


def test_secret_of_a_service_principal_is_tried_at_once_where_asked(oidc_server, tmp_path):
    app, principal = App(oidc_server, tmp_path), oidc_server.service_principal
    app.profile(client_id=principal.client_id, client_secret=None, auth_type=None, redirect_url=None)
    status, _, errors = app.run("secret", "set", "app", "--check", typed="a-wrong-secret")
    assert status == 1
    assert "does not accept the client id or its secret" in errors
    status, output, _ = app.run("secret", "set", "app", "--check", typed=principal.client_secret)
    assert status == 0
    assert f"It works: {oidc_server.host} gave a token for {principal.client_id}." in output


def test_secret_of_a_persons_app_is_sealed_and_not_tried(app):
    status, _, errors = app.profile(client_secret=None).run("secret", "set", "app", "--check", typed=app.secret)
    assert status == 2
    assert "lakekey login app" in errors
    assert app.login()[0] == 0


def test_a_removed_secret_is_gone(app):
    app.profile(client_secret=None).run("secret", "set", "app", typed=app.secret)
    assert "Removed" in app.run("secret", "remove", "app")[1]
    assert "There was none" in app.run("secret", "remove", "app")[1]
    assert "No client secret" in app.run("secret", "list")[1]


def test_a_secret_in_the_profile_is_pointed_out(app):
    assert "take the line client_secret out" in app.profile().run("secret", "set", "app", typed=app.secret)[1]


def test_no_secret_for_no_client(app):
    status, _, errors = app.profile(client_id=None, client_secret=None).run("secret", "set", "app", typed="x")
    assert status == 2
    assert "client_id is missing" in errors


def test_useless_secret_is_not_sealed(app):
    app.profile(client_secret=None, auth_type=None, redirect_url=None, user="ada@example.com")
    status, _, errors = app.run("secret", "set", "app", typed=app.secret)
    assert status == 2
    assert "oauth-m2m signs no person in" in errors
    assert "No client secret" in app.run("secret", "list")[1]


def test_login_asks_for_a_missing_secret_without_echo(oidc_server, tmp_path):
    app, principal = App(oidc_server, tmp_path), oidc_server.service_principal
    app.profile(client_id=principal.client_id, client_secret=None, auth_type="oauth-m2m", redirect_url=None)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", "from lakekey.cli import run; run()", "login", "app"],
        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **app.settings}, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(slave)
        shown = b""
        while b"Client secret of" not in shown:
            shown += os.read(master, 4096)
        os.write(master, principal.client_secret.encode() + b"\n")
        try:
            while chunk := os.read(master, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        assert process.wait(20) == 0, shown
    os.close(master)
    assert principal.client_secret.encode() not in shown
    assert b"Signed in to" in shown
    cache = open_cache({**app.settings, "LAKEKEY_KEY_SOURCE": "file"})
    assert len(cache.list()) == 2  # the secret, and what it fetched


def test_without_refresh_tokens_none_is_asked_for_or_kept(app):
    with lakekey("login", "app", environment=app.profile(disable_oauth_refresh_token="true").settings) as program:
        url = program.url()
        app.server.sign_in(url)
        assert program.ends()[0] == 0
    assert parse_qs(urlsplit(url).query)["scope"] == ["all-apis"]
    cache = open_cache(app.settings)
    sessions = [entry for entry in map(cache.get, cache.list()) if entry is not None and entry.access_token]
    assert [entry.refresh_token for entry in sessions] == [""]
    assert app.run("token", "app")[0] == 0
    # A session that has a refresh token, from before the setting, is another one.
    app.settings["LAKEKEY_INTERACTIVE"] = "never"
    assert app.profile().run("token", "app")[0] == 3
