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


LISTS = """
import sys
from lakekey.cache.access_list import make_directory, who_may_enter
from support.reports import outcome, report
others = {each: who_may_enter(each).others for each in sys.argv[2:]}
again = outcome(lambda: make_directory(sys.argv[1]))["error"]
nowhere = [outcome(lambda: call(sys.argv[1] + r"\\no\\such"))["error"] for call in (make_directory, who_may_enter)]
report("result", others=list(others.values()), again=again, nowhere=nowhere)
"""


def test_access_lists_are_read_as_windows_gives_them(service, tmp_path):
    assert service.fresh_process()["ok"]
    others = {tmp_path / "closed": 0o700, tmp_path / "read": 0o755, tmp_path / "written": 0o703}
    for directory, mode in others.items():
        directory.mkdir()
        directory.chmod(mode)  # of which Wine makes an access-control list
    made = [service.directory, service.entries, *others]
    with service.python(LISTS, *map(wine.windows, made[:1] + made)) as child:
        end = child.result()
    assert end["others"] == [[], [], [], ["Everyone"], ["Everyone"]]
    assert end["again"] == "FileExistsError"
    assert end["nowhere"] == ["FileNotFoundError"] * 2


# Lists as Windows has them, which Wine cannot make of modes: an owner that no line names, and what lets in no other.
GIVEN = """
import ctypes, sys
from ctypes import wintypes
from lakekey.cache import access_list
from support.reports import report
made = ctypes.WinDLL("advapi32")
def given(path, _kind, _what, owner, _group, access, _audit, descriptor):
    found, is_there, default = ctypes.cast(descriptor, ctypes.POINTER(ctypes.c_void_p)), wintypes.BOOL(), wintypes.BOOL()
    made.ConvertStringSecurityDescriptorToSecurityDescriptorW(ctypes.c_wchar_p(path), 1, found, None)
    made.GetSecurityDescriptorOwner(found.contents, owner, ctypes.byref(default))
    made.GetSecurityDescriptorDacl(found.contents, ctypes.byref(is_there), access, ctypes.byref(default))
    return 0
access_list._security.GetNamedSecurityInfoW = given
report("result", others=[list(access_list.who_may_enter(each).others) for each in sys.argv[1:]])
"""


def test_owner_counts_and_the_system_administrators_and_makers_of_files_do_not(service):
    ours = "D:(A;;FA;;;SY)(A;;FA;;;BA)(A;OICI;FA;;;CO)"
    with service.python(GIVEN, f"O:BA{ours}", f"O:WD{ours}") as child:
        end = child.result()
    assert end["others"] == [[], ["Everyone"]]


def test_doctor_says_who_else_may_open_the_cache(machine, run):
    _, output, errors = run("doctor")
    assert "lets in you, the system and administrators only" in " ".join(output.split()), output + errors
    machine.directory.chmod(0o755)
    _, output, errors = run("doctor")
    assert "lets in others than you: Everyone" in " ".join(output.split()), output + errors
    assert "/inheritance:r" in output
    assert "/remove:g *S-1-1-0" in output


def test_cache_lies_in_the_users_local_application_data(service):
    with service.python(WHERE) as child:
        said = child.result()
    assert said["where"] == rf"{said['local']}\lakekey"


def test_account_without_a_profile_gets_a_token(service):
    with service.python(BARE) as child:
        end = child.result()
    assert end["ok"], end
