"""The watch over the run's secrets sees what it should: each place where one could show is shown to be watched."""

import logging
import pickle
import subprocess
import sys

import pytest

import lakekey
from lakekey.cache import Entry
from support.programs import Program, environment
from support.secret_scan import Watch

SECRET = "a-secret-of-this-test"


@pytest.fixture
def settings(oidc_server, tmp_path):
    return environment(oidc_server, tmp_path / "cache")


def test_a_whole_life_shows_no_secret(oidc_server, settings, secret_watch, tmp_path):
    """Sign-in, refresh, refusals, service principal and sign-out, with everything that is said on the way."""
    code = (
        "import lakekey, logging, os, pickle, sys\n"
        "client, secret = sys.stdin.readline().split()\n"  # not by its environment, which its children would share
        "p = lakekey.provider(scopes='all-apis openid email')\n"
        "for _ in range(2): p.invalidate(p.token().access_token)\n"
        "print(repr([p, p.target, p.token(), p.session.peek(), p.session.cache, p.session.renewal]))\n"
        "pickle.loads(pickle.dumps(p)).headers()\n"
        "m = lakekey.provider(client_id=client, client_secret=secret, auth_type='oauth-m2m')\n"
        "m.headers(); print(repr([m, m.target]))\n"
        "w = lakekey.provider(client_id=client, client_secret=secret[::-1], auth_type='oauth-m2m')\n"
        "try: w.headers()\n"
        "except lakekey.CredentialsRefused: logging.exception('refused')\n"
        "p.logout(); m.logout()\n"
    )
    principal = oidc_server.service_principal
    before = set(secret_watch.secrets)
    watch = Watch()
    directory = tmp_path / "own"
    directory.mkdir()
    variables = {**settings, "BROWSER": oidc_server.browser(), "TESTS_SECRET_SCAN": str(directory)}
    with watch.test(directory), Program(code, environment=variables) as program:
        program.send(f"{principal.client_id} {principal.client_secret}")
        status, _, errors = program.ends()
        assert status == 0, errors
    # code, verifier, two tokens and an ID token of the sign-in; two refreshes; two secrets, each as is and as Basic, of
    # which the right one may be known from an earlier test of the same server.
    assert len(watch.secrets - before) >= 12
    assert principal.client_secret in watch.secrets
    assert watch.places > 100


LEAKS = {
    "a log record": "from lakekey import _log; _log.debug('x', 'token %s', leak)",
    "an error": "from lakekey.errors import LoginFailed; LoginFailed(f'code {leak}')",
    "a hint": "from lakekey.errors import LoginFailed; LoginFailed('no', hint=leak)",
    "a repr": "from lakekey.oauth.transport import Answer; kept = Answer(200, leak, b'', None)",
    "an environment": "from lakekey.login import browser; browser.open_browser(['true'], 'u', {'PATH': '/bin', 'X': leak})",
    "a command line": "from lakekey.login import browser; browser.open_browser(['true', '%s'], leak, {'PATH': '/bin'})",
    "what is printed": "import sys; print(leak, file=sys.stderr)",
}


@pytest.mark.parametrize("place", LEAKS)
def test_a_leak_is_found_out(tmp_path, place):
    watch = Watch()
    watch.secrets.add(SECRET)
    code = f"import os; leak = os.environ['LEAK']\n{LEAKS[place]}\n"
    with (
        pytest.raises(AssertionError, match="a secret showed"),
        watch.test(tmp_path),
        Program(code, environment={"TESTS_SECRET_SCAN": str(tmp_path), "LEAK": SECRET}) as program,
    ):
        assert program.ends()[0] == 0


def test_the_environment_of_a_browser_holds_no_secret_of_ours(settings):
    code = (
        "import os, sys; from lakekey.login import browser\n"
        "browser.open_browser([sys.executable, '-c', 'import os; open(os.environ[\"OUT\"], \"w\").write(repr(os.environ))'],"
        " 'u', dict(os.environ))\n"
    )
    names = ("DATABRICKS_CLIENT_SECRET", "DATABRICKS_TOKEN", "LAKEKEY_KEY", "LAKEKEY_PASSPHRASE", "ARM_CLIENT_SECRET")
    out = settings["LAKEKEY_CACHE_DIR"] + ".out"
    variables = {**settings, **dict.fromkeys(names, SECRET), "OUT": out}
    done = subprocess.run(
        [sys.executable, "-c", code + "import threading; [t.join() for t in threading.enumerate() if t.name == 'lakekey-browser']"],
        env=variables, check=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    with open(out, encoding="utf-8") as file:
        assert SECRET not in file.read()


def test_no_repr_of_what_holds_secrets_shows_them():
    from lakekey.cache.keys import KeyRing, key_id
    from lakekey.oauth.authorization_code import AuthorizationRequest
    from lakekey.oauth.client import Client
    from lakekey.oauth.device import DeviceCode
    from lakekey.oauth.loopback import Request
    from lakekey.oauth.pkce import Pkce
    from lakekey.oauth.token_response import TokenResponse

    key = SECRET.ljust(32).encode()
    holders = [
        Entry({"host": "h"}, access_token=SECRET, refresh_token=SECRET, client_secret=SECRET),
        TokenResponse(SECRET, 1.0, SECRET, None, SECRET),
        Pkce(SECRET, "challenge"),
        AuthorizationRequest("u", "s", "r", Pkce(SECRET, "challenge")),
        Client("id", SECRET, (), None, None),
        DeviceCode(SECRET, "user code", "https://w", 1.0, 1.0),
        Request("GET", f"/?code={SECRET}", ()),
        KeyRing({key_id(key): key}, key_id(key), "file", "/x"),
        lakekey.provider(host="https://w.example.com", client_id="i", client_secret=SECRET).target,
        lakekey.Token(SECRET, "Bearer", __import__("datetime").datetime.now(), ()),
    ]
    for holder in holders:
        assert SECRET not in f"{holder!r} {holder} {holder:}"
    logging.getLogger("lakekey.test").debug("%s", holders)
    assert SECRET.encode() not in pickle.dumps(holders[-2])
