"""Hosted sign-in at an authorization server of others, which is certified for OpenID Connect; and on a full disk."""

import os
from urllib.parse import urlsplit

import pytest

import lakekey
from lakekey.errors import CacheError, LoginFailed, LoginRequired, WrongIdentity
from lakekey.web import begin_sign_in, finish_sign_in
from lakekey.web.browser import new_value
from support.disks import Disk
from support.tiny_client import REDIRECT, whoami
from support.web_people import query_of

from .conftest import ADA, GRACE

pytestmark = pytest.mark.filterwarnings("ignore::lakekey.ServicePrincipalMissingWarning")


@pytest.fixture
def settings(oidc_server, unattended):
    return {"host": oidc_server.host, "ca_file": oidc_server.ca_file, "scopes": "all-apis openid email profile"}


def begin(settings, user=ADA):
    return begin_sign_in(user=user, redirect_uri=REDIRECT, **settings)


def sign_in(server, begun, user):
    """What the browser brings back."""
    return query_of(server.sign_in(begun.url, user, deliver=False).redirect)


def test_person_connects_and_the_token_is_renewed_at_the_certified_server(oidc_server, settings):
    begun = begin(settings)
    answer = sign_in(oidc_server, begun, ADA)
    assert "iss=" in answer
    done = finish_sign_in(answer=answer, user=ADA, browser=begun.cookie.value, **settings)
    assert done.who == ADA
    provider = lakekey.provider(user=ADA, **settings)
    first = provider.token().access_token
    assert provider.invalidate(first)
    assert whoami(oidc_server, provider.token().access_token).json()["userName"] == ADA


def test_b04_injected_code_is_refused_by_the_certified_server(oidc_server, settings):
    first, second = begin(settings), begin(settings)
    stolen, kept = sign_in(oidc_server, first, ADA), sign_in(oidc_server, second, ADA)
    code, state = (dict(part.split("=", 1) for part in answer.split("&")) for answer in (stolen, kept))
    injected = kept.replace(state["code"], code["code"])
    with pytest.raises(LoginFailed, match="did not accept the sign-in's code"):
        finish_sign_in(answer=injected, user=ADA, browser=second.cookie.value, **settings)
    with pytest.raises(LoginRequired):
        lakekey.provider(user=ADA, **settings).headers()


def test_b05_reload_does_not_spend_the_code_again_at_the_certified_server(oidc_server, settings):
    begun = begin(settings)
    answer = sign_in(oidc_server, begun, ADA)
    before = oidc_server.counters()["requests.token"]
    for _ in range(3):
        assert finish_sign_in(answer=answer, user=ADA, browser=begun.cookie.value, **settings).who == ADA
    assert oidc_server.counters()["requests.token"] == before + 1


def test_b01_and_b23_other_browsers_and_other_people_are_refused_with_the_certified_server(oidc_server, settings):
    begun = begin(settings)
    answer = sign_in(oidc_server, begun, GRACE)
    with pytest.raises(LoginFailed, match="another browser"):
        finish_sign_in(answer=answer, user=ADA, browser=new_value(), **settings)
    with pytest.raises(WrongIdentity, match=f"{GRACE} signed in, and {ADA} was expected"):
        finish_sign_in(answer=answer, user=ADA, browser=begun.cookie.value, **settings)
    assert urlsplit(begun.url).hostname in ("127.0.0.1", "localhost")


def test_b27_full_disk_begins_no_sign_in_that_only_one_process_would_know_of(place, tmp_path, monkeypatch):
    disk = Disk.mount(tmp_path / "disk")
    if disk is None and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip("this user may not mount a file system")
    try:
        monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(disk.where / "cache"))
        place.register()
        begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
        answer = query_of(place.consent(begun.url))
        disk.fill()
        with pytest.raises(CacheError):
            begin_sign_in("prod", user=GRACE, redirect_uri=place.redirect_uri)
        with pytest.raises(CacheError):
            finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value)
        assert not place.token_requests()
        disk.free()
        assert finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value).code == "connected"
    finally:
        disk.unmount()
