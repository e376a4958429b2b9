"""What a host says of its authorization server is remembered, sealed: an hour where it said so, a minute where not."""

import os
import subprocess
import sys

import pytest

import lakekey
from lakekey import ConfigurationError, TokenEndpointError
from lakekey.cache.opening import open_cache
from lakekey.oauth.discovery import Metadata, default_issuer, discover
from lakekey.oauth.transport import Transport
from lakekey.session.discovery_cache import RememberedDiscovery
from support.discovery import Finder


@pytest.fixture
def box(lakekey_environment, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", lakekey_environment.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", lakekey_environment.client_secret)
    return lakekey_environment


def routes(box):
    asked = [record.route for record in box.log]
    box.reset_log()
    return asked


def in_a_new_process(code="p.headers()"):
    program = f"import lakekey\np = lakekey.provider()\n{code}"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_new_process_on_a_warm_cache_makes_no_request_and_its_refresh_only_the_token_request(box):
    in_a_new_process()
    assert routes(box) == ["config", "discovery", "token"]
    in_a_new_process()
    assert routes(box) == []
    in_a_new_process("p.invalidate(p.token().access_token)")
    assert routes(box) == ["token"]


def test_a_person_who_signs_in_again_needs_no_discovery(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "external-browser")
    monkeypatch.delenv("DATABRICKS_CLIENT_ID")
    monkeypatch.delenv("DATABRICKS_CLIENT_SECRET")
    lakekey.provider().login()
    assert routes(box)[:2] == ["config", "discovery"]
    lakekey.provider().login()
    assert not {"config", "discovery"} & set(routes(box))


def test_what_is_remembered_is_not_listed_as_a_session(box):
    lakekey.provider().headers()
    cache = open_cache()
    assert len(cache.list()) == 1
    assert len(cache.store.list()) == 2


def test_what_is_remembered_is_sealed(box):
    lakekey.provider().headers()
    directory = os.path.join(os.environ["LAKEKEY_CACHE_DIR"], "entries")
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            assert b"/oidc/v1/token" not in file.read()


FOUND = Metadata("https://h/oidc", "https://h/oidc/v1/authorize", "https://h/oidc/v1/token", audience="aud")


@pytest.fixture
def remembered():
    """Discovery by a process that starts at a given time, on the machine's one cache."""

    def at(moment, find, account_id=None):
        about = {"host": "https://h", "account_id": account_id, "discovery_url": None}
        return RememberedDiscovery(open_cache(), **about, find=find, clock=lambda: moment)

    return at


def test_it_is_asked_for_again_after_an_hour(remembered):
    find = Finder(FOUND)
    assert remembered(1000.0, find)() == FOUND
    assert remembered(1000.0 + 3599, find)() == FOUND
    assert find.asked == 1
    assert remembered(1000.0 + 3600, find)() == FOUND
    assert find.asked == 2


def test_a_clock_that_was_set_back_does_not_keep_it(remembered):
    find = Finder(FOUND)
    remembered(10_000.0, find)()
    remembered(9_000.0, find)()
    assert find.asked == 2


def test_a_guess_is_kept_for_a_minute(remembered):
    find = Finder(FOUND._replace(guessed=True))
    remembered(1000.0, find)()
    remembered(1059.0, find)()
    assert find.asked == 1
    remembered(1060.0, find)()
    assert find.asked == 2


def test_a_wrong_answer_is_remembered_for_a_minute_and_then_asked_for_again(remembered):
    find = Finder(TokenEndpointError("no metadata", status=404, hint="check the host"))
    for moment in (1000.0, 1059.0):
        with pytest.raises(TokenEndpointError, match="no metadata") as caught:
            remembered(moment, find)()
        assert (caught.value.status, caught.value.hint) == (404, "check the host")
    assert find.asked == 1
    find.answer = FOUND
    assert remembered(1060.0, find)() == FOUND


@pytest.mark.parametrize("status", [None, 429, 503])
def test_what_may_pass_in_a_moment_is_not_remembered(remembered, status):
    find = Finder(TokenEndpointError("busy", status=status))
    for _ in range(2):
        with pytest.raises(TokenEndpointError):
            remembered(1000.0, find)()
    assert find.asked == 2


def test_accounts_of_one_host_are_remembered_apart(remembered):
    find = Finder(FOUND)
    remembered(1000.0, find, account_id="one")()
    remembered(1000.0, find, account_id="two")()
    assert find.asked == 2


# What hosts answer


def found(box, **options):
    return discover(Transport(ca_file=box.ca_file), box.host, **options)


def config(box, **fields):
    box.fault("config", status=200, body=fields)


def test_a_placeholder_is_filled_in_from_the_configuration_or_the_document_itself(box):
    placeholder = f"{box.host}/oidc/accounts/{{account_id}}"
    account = f"{box.host}/oidc/accounts/{box.account_id}"
    config(box, oidc_endpoint=placeholder)
    assert found(box, account_id=box.account_id).issuer == account
    config(box, oidc_endpoint=placeholder, account_id=box.account_id)
    metadata = found(box)
    assert (metadata.issuer, metadata.audience) == (account, box.account_id)
    config(box, oidc_endpoint=placeholder)
    with pytest.raises(ConfigurationError, match="account_id is missing"):
        found(box)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404, "body": "<html>"},
        {"status": 200, "body": "<html>the console</html>"},
        {"status": 200, "body": "[]", "content_type": "application/json"},
        {"status": 200, "body": "{", "content_type": "application/json"},
        {"status": 200, "body": {"oidc_endpoint": 7}},
        {"status": 200, "body": {"oidc_endpoint": "not an address"}},
    ],
    ids=["absent", "HTML", "a list", "cut off", "a number", "no address"],
)
def test_a_document_that_is_absent_or_wrong_leaves_the_default(box, answer):
    box.fault("config", **answer)
    metadata = found(box)
    assert (metadata.issuer, metadata.guessed) == (f"{box.host}/oidc", False)


@pytest.mark.parametrize("trouble", [{"status": 503}, {"drop": True}])
def test_a_document_that_is_missing_for_the_moment_leaves_a_guess(box, trouble):
    box.fault("config", **trouble)
    assert found(box).guessed


@pytest.mark.parametrize(
    "console", ["https://accounts.cloud.databricks.com", "https://accounts-dod.cloud.databricks.us"]
)
def test_an_account_console_has_an_authorization_server_for_each_account(console):
    assert default_issuer(console, "acc") == f"{console}/oidc/accounts/acc"
    assert default_issuer("https://one.cloud.databricks.com", "acc") == "https://one.cloud.databricks.com/oidc"


def test_a_discovery_url_is_taken_at_its_word(box):
    url = f"{box.host}/oidc/accounts/{box.account_id}/.well-known/oauth-authorization-server"
    box.reset_log()
    assert found(box, discovery_url=url).issuer == f"{box.host}/oidc/accounts/{box.account_id}"
    assert routes(box) == ["discovery"]


def test_endpoints_of_another_host_are_refused_and_nothing_is_remembered(box):
    evil = "https://evil.example/oidc"
    body = {"issuer": f"{box.host}/oidc", "authorization_endpoint": f"{evil}/a", "token_endpoint": f"{evil}/t"}
    box.fault("discovery", status=200, body=body, times=None)
    with pytest.raises(TokenEndpointError, match="names a foreign authorization_endpoint"):
        lakekey.provider().headers()
    box.clear_faults()
    assert lakekey.provider().headers()
