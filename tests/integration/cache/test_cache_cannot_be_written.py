"""A full disk, a read-only cache, no home: tokens are served from memory, and no session is lost by a refresh."""

import contextlib
import errno
import logging
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

import lakekey
from lakekey.cache import unwritten
from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from lakekey.sandbox import Sandbox
from support.inside import session_of

OTHER_USER = 54321
READ_ONLY = "Read-only file system" if os.name == "posix" else "denied"


@pytest.fixture(scope="module")
def workspaces():
    """Two workspaces: one whose refresh tokens are single-use, one whose are reusable."""
    with Sandbox() as rotating, Sandbox(rotate=False) as reusing:
        yield {"rotating": rotating, "reusing": reusing}


@pytest.fixture
def sign_in(workspaces, monkeypatch, person_returns):
    def sign_in(kind="rotating", **settings):
        workspace = workspaces[kind]
        workspace.clear_faults()
        for name, value in workspace.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BROWSER", workspace.person().command())
        person_returns()
        monkeypatch.setenv("LAKEKEY_LOGIN_TIMEOUT", "20")
        return lakekey.provider(host=workspace.host, ca_file=workspace.ca_file, **settings)

    return sign_in


def service_principal(workspaces):
    workspace = workspaces["rotating"]
    return {"client_id": workspace.client_id, "client_secret": workspace.client_secret}


def stored(provider):
    return open_cache().get(session_of(provider).entry_id)


def renew(provider):
    token = provider.token().access_token
    provider.served(token)  # else a token that replaced a refused one is on trial, and kept
    provider.invalidate(token)
    return provider.token().access_token


@pytest.mark.on_windows
def test_a_service_principal_is_served_from_memory_on_a_full_disk_with_one_warning(disk, sign_in, workspaces, caplog):
    provider = sign_in(**service_principal(workspaces))
    first = provider.token().access_token
    disk.fill()
    second, third = renew(provider), renew(provider)
    assert len({first, second, third}) == 3
    assert stored_on_disk(provider).access_token == first
    assert caplog.text.count("memory of this process only") == 1
    disk.free()
    assert stored(provider).access_token == third
    fourth = renew(provider)
    assert stored_on_disk(provider).access_token == fourth


def stored_on_disk(provider):
    """The entry as another process sees it."""
    code = (
        "import sys; from lakekey.cache.opening import open_cache\n"
        "sys.stdout.buffer.write(open_cache().get(sys.argv[1]).to_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, session_of(provider).entry_id], check=True, capture_output=True, timeout=60
    )
    return Entry.from_bytes(done.stdout)


@pytest.mark.on_windows
def test_a_full_disk_is_found_before_a_refresh_token_is_spent(disk, sign_in, workspaces):
    provider = sign_in()
    token = provider.token().access_token
    before = stored(provider)
    disk.fill()
    asked = len(workspaces["rotating"].log)
    with pytest.raises(lakekey.CacheWriteFailed, match="the session is not renewed"):
        provider.invalidate(token)
    assert len(workspaces["rotating"].log) == asked
    assert lakekey.provider(host=provider.target.host).headers() == {"Authorization": f"Bearer {token}"}
    disk.free()
    assert renew(provider) != token
    assert stored(provider).generation > before.generation


def test_a_session_whose_refresh_token_is_reusable_is_renewed_in_memory_on_a_full_disk(disk, sign_in, caplog):
    provider = sign_in("reusing")
    first = renew(provider)
    assert stored(provider).rotates is False
    disk.fill()
    second = renew(provider)
    assert second != first
    assert provider.headers() == {"Authorization": f"Bearer {second}"}
    assert stored_on_disk(provider).access_token == first
    assert caplog.text.count("memory of this process only") == 1


@pytest.mark.on_windows
def test_a_disk_that_fills_up_during_a_refresh_is_an_error_that_says_so_and_the_process_keeps_the_session(
    disk, sign_in
):
    provider = sign_in()
    token = provider.token().access_token
    with meanwhile(provider, disk.fill), pytest.raises(lakekey.CacheWriteFailed, match="No space left") as caught:
        provider.invalidate(token)
    assert token not in str(caught.value)
    assert stored_on_disk(provider).access_token == token
    disk.free()
    provider.invalidate(token)
    assert provider.token().access_token != token
    assert stored_on_disk(provider).access_token == provider.token().access_token


class Meanwhile:
    """A grant during whose exchange something happens to the cache."""

    needs_person = True

    def __init__(self, grant, happens):
        self._grant, self._happens = grant, happens

    def prepare(self):
        self._grant.prepare()

    def renew(self, refresh_token, *, deadline):
        answer = self._grant.renew(refresh_token, deadline=deadline)
        self._happens()
        return answer


@contextlib.contextmanager
def meanwhile(provider, happens):
    """Within it, this happens to the cache during each of a provider's exchanges."""
    exchange = session_of(provider).renewal._exchange
    grant, exchange._grant = exchange._grant, Meanwhile(exchange._grant, happens)
    yield
    exchange._grant = grant


def test_another_provider_of_the_process_stores_what_the_first_could_not(disk, sign_in, person_leaves):
    provider = sign_in()
    token = provider.token().access_token
    with meanwhile(provider, disk.fill), pytest.raises(lakekey.CacheWriteFailed):
        provider.invalidate(token)
    disk.free()
    person_leaves()  # a session that was lost would not come back by itself
    with pytest.warns(lakekey.ServicePrincipalMissingWarning):
        another = lakekey.provider(host=provider.target.host, ca_file=provider.target.ca_file)
    another.invalidate(token)
    assert stored_on_disk(provider).access_token == another.token().access_token != token
    assert renew(another) != token


def test_a_cache_that_becomes_unsafe_during_a_refresh_loses_no_session_either(disk, sign_in):
    provider = sign_in()
    token = provider.token().access_token
    began = stored(provider).logged_in_at
    pin = disk.where / "cache" / "cache.json"
    with meanwhile(provider, lambda: pin.chmod(0o644)), pytest.raises(lakekey.UnsafeCache):
        provider.invalidate(token)
    pin.chmod(0o600)
    provider.invalidate(token)
    assert stored_on_disk(provider).access_token == provider.token().access_token != token
    assert stored(provider).logged_in_at == began


def test_a_cache_that_has_become_unsafe_is_refused_before_a_refresh_token_is_spent(disk, sign_in, workspaces):
    provider = sign_in()
    token = provider.token().access_token
    pin = disk.where / "cache" / "cache.json"
    pin.chmod(0o644)
    asked = len(workspaces["rotating"].log)
    with pytest.raises(lakekey.UnsafeCache) as caught:
        provider.invalidate(token)
    assert caught.value.hint == f"chmod 600 {pin}"
    assert len(workspaces["rotating"].log) == asked
    pin.chmod(0o600)
    assert renew(provider) != token


@pytest.mark.parametrize("gone", ["cache", "cache/entries"])
def test_a_directory_that_is_taken_away_is_made_again_for_its_owner_only(disk, sign_in, workspaces, gone):
    provider = sign_in(**service_principal(workspaces))
    provider.headers()
    shutil.rmtree(disk.where / gone)
    token = renew(provider)
    assert stored_on_disk(provider).access_token == token
    for directory in ("cache", "cache/entries"):
        assert (disk.where / directory).stat().st_mode & 0o777 == 0o700


def test_a_sign_in_that_could_not_be_kept_is_refused_before_a_browser_opens(disk, sign_in, workspaces):
    provider = sign_in()
    open_cache().begin()
    disk.fill()
    asked = len(workspaces["rotating"].log)
    done = command("login", "--host", provider.target.host, "--ca-file", provider.target.ca_file)
    assert done.returncode == 1
    assert "cannot write to the token cache" in done.stderr
    assert len(workspaces["rotating"].log) == asked


def test_a_program_that_signs_in_on_a_full_disk_goes_on_with_what_it_has(disk, sign_in, caplog):
    open_cache().begin()
    provider = sign_in()
    disk.fill()
    first = provider.token().access_token
    assert renew(provider) != first
    assert caplog.text.count("memory of this process only") == 1


def test_first_sign_in_on_a_full_disk_leads_to_the_room_that_is_left(disk, sign_in, caplog):
    provider = sign_in()
    disk.fill()
    assert provider.token().access_token
    assert f"{os.strerror(errno.ENOSPC)}; tokens are kept in the memory of this process only" in caplog.text
    assert f"(free some room: df -h {disk.where}" in caplog.text


FORKS = """
import os, sys, warnings
import lakekey
warnings.simplefilter("ignore")
provider = lakekey.provider(host=sys.argv[1], ca_file=sys.argv[2])
token = provider.token().access_token
os.environ["LAKEKEY_INTERACTIVE"] = "never"
if os.fork() == 0:
    try:
        provider.invalidate(token)
    except lakekey.LoginRequired as error:
        print(error.message, flush=True)
    os._exit(0)
os.wait()
provider.invalidate(token)
print(provider.token().access_token != token)
"""


def test_a_forked_child_does_not_spend_the_refresh_token_that_only_its_parent_has(disk, sign_in):
    open_cache().begin()
    target = sign_in().target
    disk.fill()
    done = subprocess.run(
        [sys.executable, "-c", FORKS, target.host, target.ca_file],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "the session is in the memory of the process that forked this one, which alone may renew it",
        "True",
    ]


def test_full_disk_does_not_prevent_a_sign_out(disk, sign_in, caplog):
    provider = sign_in()
    provider.headers()
    disk.fill()
    assert provider.logout() is True
    assert open_cache().list() == []
    assert provider.logout() is False
    ours = [record for record in caplog.records if record.name.startswith("lakekey.")]
    assert [record for record in ours if record.levelno >= logging.WARNING] == []


def test_the_command_signs_out_on_a_full_disk_too(disk, sign_in):
    provider = sign_in()
    provider.headers()
    disk.fill()
    done = command("logout", "--host", provider.target.host, "--ca-file", provider.target.ca_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert open_cache().list() == []


def test_signing_out_of_a_session_that_was_never_stored_ends_it_in_this_process(disk, sign_in, person_leaves):
    open_cache().begin()
    provider = sign_in()
    disk.fill()
    signed_in = provider.headers()
    assert lakekey.provider(host=provider.target.host).headers() == signed_in
    assert provider.logout() is True
    person_leaves()
    with pytest.warns(lakekey.ServicePrincipalMissingWarning), pytest.raises(lakekey.LoginRequired):
        lakekey.provider(host=provider.target.host).headers()


def test_signing_out_of_a_session_on_a_read_only_disk_is_an_error_that_says_so(disk, sign_in):
    provider = sign_in()
    token = provider.token().access_token
    disk.read_only()
    with pytest.raises(lakekey.CacheWriteFailed, match=r"Read-only file system \(free or fix that place"):
        provider.logout()
    assert open_cache().get(session_of(provider).entry_id).access_token == token
    disk.writable()
    assert provider.logout() is True


@pytest.mark.on_windows
def test_a_read_only_cache_serves_what_it_holds_and_spends_nothing(disk, sign_in, workspaces, caplog):
    provider = sign_in()
    token = provider.token().access_token
    machine = sign_in(**service_principal(workspaces))
    machine_token = machine.token().access_token
    disk.read_only()
    assert sign_in().token().access_token == token
    with pytest.raises(lakekey.CacheWriteFailed, match=f"{READ_ONLY};"):
        sign_in().invalidate(token)
    assert renew(machine) != machine_token
    assert caplog.text.count("memory of this process only") == 1
    disk.writable()
    assert renew(provider) != token


def test_bad_entry_in_a_read_only_cache_costs_no_token(disk, sign_in, workspaces, caplog):
    provider = sign_in(**service_principal(workspaces))
    first = provider.token().access_token
    with open(open_cache().store.place(session_of(provider).entry_id), "r+b") as file:
        file.write(b"garbage")
    disk.read_only()
    second = sign_in(**service_principal(workspaces)).token().access_token
    assert second != first
    assert sign_in(**service_principal(workspaces)).token().access_token == second
    assert caplog.text.count("cannot be moved away") == 1
    assert caplog.text.count("memory of this process only") == 1


@pytest.mark.on_windows
def test_a_new_cache_on_a_read_only_disk_is_one_in_memory(disk, sign_in, workspaces, caplog):
    disk.read_only()
    provider = sign_in(**service_principal(workspaces))
    assert provider.token().access_token
    assert f"{READ_ONLY}; tokens are kept in the memory of this process only" in caplog.text
    assert sign_in(**service_principal(workspaces)).token() == provider.token()
    assert caplog.text.count("memory of this process only") == 1


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(sign_in, workspaces, caplog):
    import resource

    unwritten._reported.clear()
    provider = sign_in(**service_principal(workspaces))
    first = provider.token().access_token
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        second = renew(provider)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert second != first
    assert "File too large" in caplog.text
    assert stored_on_disk(provider).access_token == first


def test_without_a_home_a_service_principal_is_served_from_memory_with_one_warning(workspaces):
    workspace = workspaces["rotating"]
    code = (
        "import lakekey, sys\n"
        "p = lakekey.provider(host=sys.argv[1], ca_file=sys.argv[2], client_id=sys.argv[3], client_secret=sys.argv[4])\n"
        "assert p.token() == lakekey.provider(host=sys.argv[1], client_id=sys.argv[3], client_secret=sys.argv[4]).token()\n"
    )
    arguments = [workspace.host, "ca.pem", workspace.client_id, workspace.client_secret]
    for home, reason in (
        (None, "there is no home directory"),
        ("", "there is no home directory"),
        ("missing", "cannot write to the token cache at"),
        ("closed/home", "cannot write to the token cache at"),  # as systemd's ProtectHome= leaves it
    ):
        with tempfile.TemporaryDirectory() as place:
            os.chmod(place, 0o755)
            os.mkdir(os.path.join(place, "closed"), 0o700)
            shutil.copy(workspace.ca_file, os.path.join(place, "ca.pem"))
            os.chmod(os.path.join(place, "ca.pem"), 0o644)
            environ = {} if home is None else {"HOME": home and os.path.join(place, home)}
            done = subprocess.run(
                [*as_a_user_without_a_home(), sys.executable, "-c", code, *arguments],
                cwd=place, env=environ, check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert sorted(os.listdir(place)) == ["ca.pem", "closed"]
        assert done.returncode == 0, done.stderr
        assert reason in done.stderr
        assert done.stderr.count("memory of this process only") == 1


AS_A_WORKER = """
import lakekey, os, sys, traceback
import shlex, lakekey._commands  # the worker may not read the interpreter's own files, where they are in root's home
p = lakekey.provider(host=sys.argv[1], ca_file=sys.argv[2], client_id=sys.argv[3], client_secret=sys.argv[4])
first = p.token().access_token
worker = os.fork()
if worker == 0:
    status = 1
    try:
        os.setgroups([])
        os.setgid(int(sys.argv[5]))
        os.setuid(int(sys.argv[5]))
        assert p.token().access_token == first
        p.served(first)
        p.invalidate(first)
        second = p.token().access_token
        assert second != first
        p.served(second)
        p.invalidate(second)
        assert p.token().access_token not in (first, second)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
assert os.waitpid(worker, 0)[1] == 0
assert p.token().access_token == first
"""


def test_worker_that_changes_its_user_after_the_fork_goes_on_in_memory_with_one_warning(workspaces):
    require_root()
    workspace = workspaces["rotating"]
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        os.mkdir(os.path.join(place, "home"), 0o700)
        shutil.copy(workspace.ca_file, os.path.join(place, "ca.pem"))
        os.chmod(os.path.join(place, "ca.pem"), 0o644)
        arguments = [workspace.host, "ca.pem", workspace.client_id, workspace.client_secret, str(OTHER_USER)]
        done = subprocess.run(
            [sys.executable, "-c", AS_A_WORKER, *arguments],
            cwd=place, env={"HOME": os.path.join(place, "home")}, check=False, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert os.listdir(os.path.join(place, "home", ".local/state/lakekey/entries"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("memory of this process only") == 1


def require_root():
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")


def as_a_user_without_a_home():
    require_root()
    return ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-c", "from lakekey.cli import run; run()", *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
