"""Signing out, and what `status` says before and after."""

import contextlib
import json
import time
from datetime import UTC, datetime

import pytest

import lakekey as product
from lakekey.cache.opening import open_cache
from support.inside import session_of
from support.program import lakekey


def run(settings, *arguments):
    with lakekey(*arguments, environment=settings) as program:
        return program.ends()


def sign_in(server, settings, *arguments):
    with lakekey("login", *arguments, environment=settings) as program:
        server.sign_in(program.url())
        assert program.ends()[0] == 0
    cache = open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"})
    return next(entry for name in cache.list() if (entry := cache.get(name)).identity)


def test_logout_removes_the_entry_and_revokes_the_session(oidc_server, settings):
    entry = sign_in(oidc_server, settings)
    status, output, _ = run(settings, "logout")
    assert status == 0
    assert "The server has revoked it, too." in output
    assert oidc_server.token_state(entry.refresh_token) == "revoked"
    assert open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"}).list() == []
    assert run(settings, "status")[1].startswith("No session yet")
    assert "There was no session" in run(settings, "logout")[1]


def test_logout_of_a_server_without_revocation_says_so(oidc_server, settings):
    # Before the sign-in: what is said then is remembered.
    oidc_server.fault("discovery", "edit", times=None, remove=["revocation_endpoint"])
    entry = sign_in(oidc_server, settings)
    status, output, _ = run(settings, "logout", "--json")
    assert (status, json.loads(output)["revocation"]) == (0, "not offered")
    assert oidc_server.is_current(entry.refresh_token)


@pytest.mark.parametrize(
    ("trouble", "outcome", "sentence"),
    [
        (400, "refused", "The server refused to revoke it"),
        (500, "failed", "did not confirm revocation"),
        ("down", "failed", "did not confirm revocation"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "words"])
def test_logout_succeeds_although_the_server_does_not_revoke(
    oidc_server, settings, trouble, outcome, sentence, as_json
):
    sign_in(oidc_server, settings)
    if trouble == "down":
        server = oidc_server.offline()
    else:
        oidc_server.fault("revoke", "status", times=None, status=trouble, body="no")
        server = contextlib.nullcontext()
    with server:
        status, output, _ = run(settings, "logout", *(["--json"] if as_json else []))
    assert status == 0
    assert json.loads(output)["revocation"] == outcome if as_json else sentence in output
    assert open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"}).list() == []


def test_a_program_that_is_signed_out_asks_for_a_login(oidc_server, settings, monkeypatch, person_leaves):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    sign_in(oidc_server, settings)
    person_leaves()
    with pytest.warns(product.ServicePrincipalMissingWarning):
        provider = product.provider()
    assert provider.headers()
    assert provider.logout()
    assert not provider.logout()
    with pytest.raises(product.LoginRequired):
        provider.headers()


def test_status_says_who_how_where_and_until_when(oidc_server, settings, tmp_path):
    file = tmp_path / "databrickscfg"
    file.write_text(
        f"[prod]\nhost = {oidc_server.host}\nauth_type = external-browser\n"
        "absolute_session_lifetime_in_minutes = 600\nrefresh_token_lifetime_in_minutes = 120\n"
    )
    settings = {**settings, "DATABRICKS_CONFIG_FILE": str(file), "DATABRICKS_HOST": ""}
    began = time.time()
    sign_in(oidc_server, settings, "prod")
    facts = json.loads(run(settings, "status", "prod", "--json")[1])
    assert facts["profile"] == "prod"
    assert facts["identity"] == "ada@example.com"
    assert facts["auth_type"] == "external-browser"
    assert facts["store"] == settings["LAKEKEY_CACHE_DIR"]
    assert facts["key_source"] == "file"
    assert facts["state"] == "signed in"
    assert facts["reason"] is None
    for name, seconds in (("expires_at", 3600), ("refresh_expires_at", 7200), ("session_ends_at", 36000)):
        told = datetime.fromisoformat(facts[name]).timestamp()
        assert began + seconds - 1 <= told <= time.time() + seconds
    shown = run(settings, "status", "prod")[1]
    for line in ("identity", "grant", "kept in", "key", "access token ends", "refresh token ends", "session ends",
                 "last renewed"):  # fmt: skip
        assert f"\n{line}" in f"\n{shown}"
    table = run(settings, "status")[1]
    assert "prod" in table
    assert "ada@example.com" in table


def test_status_names_no_app_in_the_place_of_a_person_who_did_not_sign_in(oidc_server, settings):
    assert run({**settings, "LAKEKEY_LOGIN_TIMEOUT": "0.1"}, "login")[0] == 1
    table = run(settings, "status")[1]
    assert "external-browser" in table
    assert "databricks-cli" not in table


def test_status_shows_the_last_error(oidc_server, settings):
    entry = sign_in(oidc_server, settings)
    oidc_server.revoke_all()
    code = run({**settings, "LAKEKEY_INTERACTIVE": "never"}, "token")
    assert code[0] == 0  # the access token still lives
    assert entry.refresh_token
    cache = open_cache({**settings, "LAKEKEY_KEY_SOURCE": "file"})
    (name,) = cache.list()
    stored = cache.read(name)
    cache.put(name, stored.entry._replace(expires_at=time.time() - 1), replaces=stored.envelope)
    assert run({**settings, "LAKEKEY_INTERACTIVE": "never"}, "token")[0] == 3
    status, output, _ = run(settings, "status", "--json")
    (facts,) = json.loads(output)["sessions"]
    assert (status, facts["state"]) == (0, "expired")
    assert "the session is over" in facts["reason"]
    assert facts["failed_at"]
    assert "last error" in run(settings, "status", "--host", oidc_server.host)[1]


def test_an_end_that_the_server_names_is_kept(oidc_server, settings):
    oidc_server.fault("token", "edit", set={"refresh_token_expires_in": 5400})
    entry = sign_in(oidc_server, settings)
    assert entry.refresh_expires_at == pytest.approx(entry.issued_at + 5400)


def test_a_session_that_nears_its_end_warns_ahead(oidc_server, settings, monkeypatch, caplog):
    for name, value in {**settings, "BROWSER": oidc_server.browser()}.items():
        monkeypatch.setenv(name, value)
    oidc_server.set_ttl(access=60)
    provider = product.provider(absolute_session_lifetime_in_minutes=60)
    told = []
    provider.on_session_ending(told.append)
    provider.on_session_ending(lambda _: 1 / 0)  # a host's mistake is not the session's
    provider.headers()
    assert told == []
    cache, name = session_of(provider).cache, session_of(provider).entry_id
    stored = cache.read(name)
    # An hour ago, all but five minutes.
    aged = stored.entry._replace(
        logged_in_at=stored.entry.logged_in_at - 3300, session_ends_at=stored.entry.session_ends_at - 3300
    )
    cache.put(name, aged, replaces=stored.envelope)
    for _ in range(2):
        provider.invalidate(provider.token().access_token)
    (ending,) = told
    assert ending.identity == "ada@example.com"
    assert ending.login_command == f"lakekey login --host {oidc_server.host}"
    assert abs(ending.ends_at.timestamp() - datetime.now(UTC).timestamp() - 300) < 30
    records = [record.getMessage() for record in caplog.records if "the session ends at" in record.getMessage()]
    assert len(records) == 1
    assert "ends soon" in run(settings, "status")[1]
