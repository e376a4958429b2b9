"""Where a cache may lie on Windows, and what becomes of it there."""

import os
import stat

import pytest

from support import wine

pytestmark = pytest.mark.timeout(600)

SHARE = "lakekey-tests"
# What a service's account or a scheduled task without a loaded profile lacks.
PROFILE = ("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "HOME", "APPDATA", "LOCALAPPDATA")
BARE = f"""
import os, sys
for name in {PROFILE!r}:
    os.environ.pop(name, None)
os.environ.pop("LAKEKEY_CACHE_DIR", None)
import lakekey
from support.reports import outcome, report
report("result", **outcome(lambda: bool(lakekey.provider().headers())))
"""

WHERE = """
import os
os.environ.pop("LAKEKEY_CACHE_DIR")
from lakekey.cache.opening import open_cache
from support.reports import report
report("result", where=open_cache().store.where, local=os.environ["LOCALAPPDATA"])
"""


@pytest.fixture
def share(tmp_path):
    """A share of a server, as Windows names it."""
    shares = wine.HOME / "prefix/dosdevices/unc/server"
    shares.mkdir(parents=True, exist_ok=True)
    link = shares / f"{SHARE}-{os.getpid()}"
    link.symlink_to(tmp_path)
    yield rf"\\server\{link.name}"
    link.unlink()


def first_and_second(service, where):
    """A process that signs in, and one that finds what it stored."""
    for _ in range(2):
        end = service.fresh_process(LAKEKEY_CACHE_DIR=where)
        assert end["ok"], end
    assert service.token_requests() == 1


def test_path_longer_than_260_characters(service, tmp_path):
    parts = ["a directory with a long name " + "x" * 60] * 4
    first_and_second(service, wine.windows(tmp_path.joinpath(*parts)))


def test_share_of_a_server(service, share):
    first_and_second(service, rf"{share}\cache")


def test_folder_of_onedrive(service, tmp_path):
    first_and_second(service, wine.windows(tmp_path / "OneDrive - Łódź GmbH & Co" / "cache"))


def test_directories_that_we_make_are_private(service):
    assert service.fresh_process()["ok"]
    for directory in (service.directory, service.entries):
        assert stat.S_IMODE(directory.stat().st_mode) & 0o007 == 0  # Wine shows the access-control list as a mode


def test_doctor_says_who_else_may_open_the_cache(machine, run):
    _, output, errors = run("doctor")
    assert "lets in you, the system and administrators only" in " ".join(output.split()), output + errors
    machine.directory.chmod(0o755)
    _, output, errors = run("doctor")
    assert "lets in others than you: Everyone" in " ".join(output.split()), output + errors
    assert "/inheritance:r" in output
    assert "/remove:g *S-1-1-0" in output
    end = machine.fresh_process()  # to which the list makes no difference
    assert end["ok"], end


def test_cache_lies_in_the_users_local_application_data(service):
    with service.python(WHERE) as child:
        said = child.result()
    assert said["where"] == rf"{said['local']}\lakekey"


def test_account_without_a_profile_gets_a_token(service):
    with service.python(BARE) as child:
        end = child.result()
    assert end["ok"], end
