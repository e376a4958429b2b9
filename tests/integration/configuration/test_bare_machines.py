"""Machines that have next to nothing: no environment, no home directory; and settings that only the server can refuse."""

import json
import subprocess
import sys

import pytest

import lakekey
from lakekey import ConfigurationError, CredentialsRefused, TokenEndpointError


@pytest.fixture
def box(lakekey_environment):
    return lakekey_environment


def run(program, environment, *arguments):
    """Runs a program in just this environment."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys, lakekey\n{program}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def principal(box):
    """A service principal's settings, as the argument of a program."""
    settings = {"host": box.host, "ca_file": box.ca_file}
    return json.dumps({**settings, "client_id": box.client_id, "client_secret": box.client_secret})


SIGN_IN = (
    "settings = json.loads(sys.argv[1])\n"
    "p = lakekey.provider(**settings, store='memory:', config_file='/nowhere/databrickscfg')\n"
    "print(p.auth_type(), p.headers()['Authorization'][:7])"
)


@pytest.mark.parametrize(
    "environment", [{}, {"HOME": "/dev/null/home"}, {"HOME": ""}], ids=["env -i", "no home", "blank"]
)
def test_a_service_principal_signs_in_with_nothing_but_its_arguments(box, environment):
    assert run(SIGN_IN, environment, principal(box)) == "oauth-m2m Bearer"


def test_without_any_configuration_the_error_says_what_to_set(box):
    program = (
        "try: lakekey.provider(config_file='/nowhere/databrickscfg')\n"
        "except lakekey.ConfigurationError as error: print(error)"
    )
    assert run(program, {}) == "there is no host (name a profile, or set DATABRICKS_HOST=https://…)"


def test_without_an_environment_no_person_is_asked_to_sign_in(box):
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "p = lakekey.provider(host=sys.argv[1], store='memory:', config_file='/nowhere/databrickscfg')\n"
        "try: p.headers()\n"
        "except lakekey.LoginRequired as error: print(error.hint)"
    )
    assert run(program, {}, box.host) == f"run: lakekey login --host {box.host}"


HEADERS_OF_ARGUMENTS = (
    "settings = json.loads(sys.argv[1])\n"
    "p = lakekey.provider(**settings, config_file='/nowhere/databrickscfg')\n"
    "try: p.headers()\n"
    "except lakekey.CacheError as error: print(error.code)\n"
    "else: print('served', p._source._session.cache.volatile)"
)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"HOME": ""}, "there is no home directory to keep tokens in"),
        ({"HOME": "/dev/null/home"}, "cannot write to the token cache at /dev/null/home/.local/state/lakekey"),
        ({"LAKEKEY_CACHE_DIR": "/dev/null/cache"}, "cannot write to the token cache at /dev/null/cache"),
        ({"LAKEKEY_CACHE_DIR": "/proc/cache"}, "cannot write to the token cache at /proc/cache"),
    ],
    ids=["blank home", "home is no directory", "cache is no directory", "cache cannot be made"],
)
def test_where_a_cache_has_no_place_tokens_are_kept_in_memory_and_the_reason_is_reported(box, environment, why):
    assert run(HEADERS_OF_ARGUMENTS, environment, principal(box)).startswith(f"served {why}")


def test_person_whose_sessions_cannot_be_kept_is_told_why_and_where_they_could_be(box):
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "p = lakekey.provider(host=sys.argv[1], config_file='/nowhere/databrickscfg')\n"
        "try: p.headers()\n"
        "except lakekey.LoginRequired as error: print(error.message, error.hint, sep='\\n')"
    )
    message, hint = run(program, {"HOME": "/dev/null/home"}, box.host).splitlines()
    assert message.endswith(": cannot write to the token cache at /dev/null/home/.local/state/lakekey: Not a directory")
    assert hint.startswith(
        "set LAKEKEY_CACHE_DIR to a directory of yours that can be written to; then run: lakekey login"
    )


@pytest.fixture
def unsafe(tmp_path):
    """A cache directory that other users can look into."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o755)
    return {"LAKEKEY_CACHE_DIR": str(tmp_path / "cache")}


def test_service_principal_is_served_from_memory_in_an_unsafe_place(box, unsafe, tmp_path):
    said = run(HEADERS_OF_ARGUMENTS, unsafe, principal(box))
    assert said == f"served {tmp_path / 'cache'} is open to other users"
    assert list((tmp_path / "cache").iterdir()) == []


def test_person_is_refused_in_an_unsafe_place(box, unsafe):
    settings = json.dumps({"host": box.host, "ca_file": box.ca_file, "auth_type": "external-browser"})
    program = "import warnings; warnings.simplefilter('ignore')\n" + HEADERS_OF_ARGUMENTS
    assert run(program, unsafe, settings) == "unsafe_cache"


# What only the server can refuse


def test_another_profiles_secret_is_refused_once_and_nothing_is_kept(box):
    box.register_client("another-principal", client_secret="another-secret")
    p = lakekey.provider(client_id=box.client_id, client_secret="another-secret")
    with pytest.raises(CredentialsRefused) as caught:
        p.headers()
    assert caught.value.error == "invalid_client"
    assert "another-secret" not in str(caught.value) + repr(caught.value.__dict__)
    assert box.counters["token.requests"] == 1


def test_a_scope_that_the_client_may_not_have_is_refused(box):
    p = lakekey.provider(client_id=box.client_id, client_secret=box.client_secret, scopes=["no-such-scope"])
    with pytest.raises(CredentialsRefused) as caught:
        p.headers()
    assert caught.value.error == "invalid_scope"


def test_a_client_id_in_another_script_reaches_the_server_whole_and_is_refused(box):
    with pytest.raises(CredentialsRefused):
        lakekey.provider(client_id="клиент", client_secret="sécret").headers()


def test_an_unknown_host_is_unreachable_and_not_a_login(monkeypatch):
    p = lakekey.provider(host="https://no-such-workspace.invalid", client_id="app", client_secret="secret")
    with pytest.raises(TokenEndpointError, match=r"cannot reach no-such-workspace\.invalid"):
        p.headers()


@pytest.mark.parametrize(
    ("key", "value"), [("LAKEKEY_INTERACTIVE", "maybe"), ("LAKEKEY_STORE", "ftp://x"), ("LAKEKEY_KEY_SOURCE", "paper")]
)
def test_a_variable_of_ours_that_names_none_of_its_values_is_an_error(box, monkeypatch, key, value):
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError):
        lakekey.provider().headers()
