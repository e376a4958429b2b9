"""The watch over the run's secrets sees what it should: each place where one could show is shown to be watched."""

import logging
import os
import pickle
import subprocess
import sys

import pytest

import lakekey
from lakekey.cache.entry import Entry
from support.program import Program
from support.secret_scan import Watch

SECRET = "a-secret-of-this-test"


def test_a_whole_life_shows_no_secret(oidc_server, settings, secret_watch, tmp_path):
    """Sign-in, refresh, refusals, service principal and sign-out, with everything that is said on the way."""
    code = (
        "import lakekey, logging, os, pickle, sys\n"
        "client, secret = sys.stdin.readline().split()\n"  # not by its environment, which its children would share
        "p = lakekey.provider(scopes='all-apis openid email')\n"
        "for _ in range(2): p.invalidate(p.token().access_token)\n"
        "print(repr([p, p.target, p.token(), p._source._session.peek(), p._source._session.cache, p._source._session.renewal]))\n"
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
    "a repr": "from lakekey.oauth.answer import Answer; kept = Answer(200, leak, b'', None)",
    "an environment": "from lakekey.login import browser; browser.open_browser(['true'], 'u', {'PATH': '/bin', 'X': leak}, secrets=())",
    "a command line": "from lakekey.login import browser; browser.open_browser(['true', '%s'], leak, {'PATH': '/bin'}, secrets=())",
    "an AttributeError that an error was raised over": (
        "from lakekey.errors import LoginFailed\n"
        "def fail():\n try: getattr(1, leak)\n except AttributeError: raise LoginFailed('no')\n"
        "try: fail()\nexcept LoginFailed: pass"
    ),
    "an AttributeError that an error was raised over, out of sight": (
        "from lakekey.errors import LoginFailed\n"
        "try:\n try: getattr(1, leak)\n except AttributeError: raise LoginFailed('no') from None\n"
        "except LoginFailed: pass"
    ),
    "what is printed": "import sys; print(leak, file=sys.stderr)",
}


def assert_found_out(directory, code, place):
    """A program that has the secret in its environment, runs this code and shows it in such a place."""
    watch = Watch()
    watch.secrets.add(SECRET)
    with (
        pytest.raises(AssertionError, match=f"a secret showed in .*{place}"),
        watch.test(directory),
        Program(code, environment={"TESTS_SECRET_SCAN": str(directory), "LEAK": SECRET}) as program,
    ):
        status, _, errors = program.ends()
        assert status == 0, errors


@pytest.mark.parametrize("place", LEAKS)
def test_a_leak_is_found_out(tmp_path, place):
    assert_found_out(tmp_path, f"import os; leak = os.environ['LEAK']\n{LEAKS[place]}\n", "")


STARTS = {
    "Popen": "import subprocess; subprocess.run(['true'])",
    "Popen by posix_spawn": "import subprocess; subprocess.run(['/bin/true'], close_fds=False)",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], os.environ), 0)",
    "fork and exec": "pid = os.fork(); pid or os.execv('/bin/true', ['true']); os.waitpid(pid, 0)",
    "spawn": "import multiprocessing as m; p = m.get_context('spawn').Process(target=print); p.start(); p.join()",
    "system": "os.system('true')",
    "spawnv": "os.spawnve(os.P_WAIT, '/bin/true', ['true'], os.environ)",
}


@pytest.mark.parametrize("start", STARTS)
def test_a_child_that_our_code_gives_a_secret_is_found_out(tmp_path, start):
    code = f"import lakekey; exec(compile({'import os; ' + STARTS[start]!r}, lakekey.__file__, 'exec'))\n"
    assert_found_out(tmp_path, code, "the environment of a child")


def test_a_secret_that_our_code_puts_into_its_own_environment_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAK", "")
    watch = Watch()
    watch.secrets.add(SECRET)
    ours = compile(f"import os; os.environ['LEAK'] = {SECRET!r}", lakekey.__file__, "exec")
    with pytest.raises(AssertionError, match="the environment of every child"), watch.test(tmp_path):
        exec(ours)


def test_a_leak_in_a_forked_child_is_found_out(tmp_path):
    watch = Watch()
    watch.secrets.add(SECRET)
    with pytest.raises(AssertionError, match="an error in a program"), watch.test(tmp_path):
        pid = os.fork()
        if pid == 0:
            lakekey.LoginFailed(SECRET)
            os._exit(0)
        os.waitpid(pid, 0)


PARTS = {
    "the state": "request.state",
    "the nonce": "request.nonce",
    "the verifier": "request.pkce.verifier",
    "a code that is not exchanged": "callback.read_answer('code=a-code-of-this-test&state=s')['code']",
    "the password of a proxy": "urllib.parse.urlsplit(os.environ['HTTPS_PROXY']).password",
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_a_sign_in_is_a_secret_but_in_the_address_that_is_opened(oidc_server, settings, tmp_path, part):
    proxy = {"HTTPS_PROXY": "http://me:a-password-of-this-test@127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
    code = (
        "import lakekey, os, sys, urllib.parse; from lakekey.oauth import authorization_code; from lakekey.login import callback\n"
        "client = lakekey.provider(scopes='all-apis openid')._source._session.renewal._sign_in._client\n"
        "request = authorization_code.begin(client, 'http://localhost:8020')\n"
        "print(request.url)\n"
    )
    variables = {**settings, **proxy, "TESTS_SECRET_SCAN": str(tmp_path)}
    with Watch().test(tmp_path), Program(code, environment=variables) as program:
        status, _, errors = program.ends()
        assert status == 0, errors
    with (
        pytest.raises(AssertionError, match="what a program printed"),
        Watch().test(tmp_path),
        Program(f"{code}print('leak', {PARTS[part]})\n", environment=variables) as program,
    ):
        assert program.ends()[0] == 0


def test_the_environment_of_a_browser_holds_no_secret_of_ours(settings):
    code = (
        "import os, sys; from lakekey.configuration.target import resolve; from lakekey.login.sign_in import PersonSignIn\n"
        "sign_in = PersonSignIn(resolve(None, {}, host='https://example.com'), None, dict(os.environ))\n"
        "sign_in._open_browser([sys.executable, '-c', 'import os; open(os.environ[\"OUT\"], \"w\").write(repr(os.environ))'],"
        " 'u')\n"
    )
    names = ("DATABRICKS_CLIENT_SECRET", "DATABRICKS_TOKEN", "LAKEKEY_KEY", "LAKEKEY_PASSPHRASE", "LAKEKEY_STORE",
             "ARM_CLIENT_SECRET", "VAULT_TOKEN", "BAO_SECRET_ID", "AWS_SECRET_ACCESS_KEY")  # fmt: skip
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
    from lakekey.cache.keys.ring import KeyRing, key_id
    from lakekey.login.listener import Request
    from lakekey.oauth.authorization_code import AuthorizationRequest
    from lakekey.oauth.client import Client
    from lakekey.oauth.device import DeviceCode
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
