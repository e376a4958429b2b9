"""Files that other programs believe: the service's address, its unit, and the program that the SDKs run."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lakekey import UnsafeCache
from lakekey.cli.doctor.service import check_service
from lakekey.cli.serving import databricks_program, own_files

LAKEKEY = str(Path(sys.executable).with_name("lakekey"))
URL = "http://127.0.0.1:4040/a-secret"


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    return place


def others_may_write(path):
    path.chmod(path.stat().st_mode | 0o022)


def test_address_is_not_written_where_another_user_could_replace_it(place):
    others_may_write(place)
    with pytest.raises(UnsafeCache) as caught:
        own_files.write_address(str(place / "url"), URL)
    assert "could give your programs a false address" in caught.value.message
    assert "--url-file" in caught.value.hint
    assert not list(place.iterdir())


@pytest.mark.parametrize("kind", ["written by others", "a folder"])
def test_address_takes_the_place_of_no_file_that_others_can_change(place, kind):
    there = place / "url"
    there.mkdir() if kind == "a folder" else there.write_text("http://127.0.0.1:1/theirs")
    others_may_write(there)
    with pytest.raises(UnsafeCache):
        own_files.write_address(str(there), URL)


def test_unit_for_a_program_that_others_can_change_is_not_printed(place):
    program = place / "lakekey"
    program.write_text(Path(LAKEKEY).read_text())
    others_may_write(program)
    done = subprocess.run(
        [sys.executable, program, "serve", "--print-unit"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "can be changed by another user, and systemd would run it as you" in done.stderr


@pytest.mark.parametrize("umask, status", [(0o000, 1), (0o022, 0)])
def test_unit_is_written_to_a_file_of_the_users_own_alone(place, umask, status):
    command = f"umask {umask:03o}; exec {LAKEKEY} serve --print-unit > {place}/lakekey.service"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == status
    assert ("umask 022" in done.stderr) == (status == 1)
    assert bool((place / "lakekey.service").read_text()) == (status == 0)


def test_doctor_looks_at_the_unit_and_the_address_file(tmp_path, place):
    unit = tmp_path / "config" / "systemd" / "user" / "lakekey.service"
    unit.parent.mkdir(parents=True)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_RUNTIME_DIR": str(place)}
    assert not list(check_service(environ))
    for file in (unit, place / "lakekey.url"):
        file.write_text("what systemd or an SDK believes")
        file.chmod(0o600)
    assert [check.status for check in check_service(environ)] == ["ok", "ok"]
    others_may_write(unit)
    others_may_write(place)
    checks = list(check_service(environ))
    assert [check.status for check in checks] == ["failed", "failed"]
    assert str(unit) in checks[0].next_step


@pytest.mark.parametrize("trouble", ["program", "link"])
def test_program_for_the_sdks_that_another_user_could_change_is_made_again(bare_machine, trouble):
    path = Path(databricks_program.program())
    if trouble == "program":
        others_may_write(path)
    else:
        elsewhere = path.rename(path.with_name("elsewhere"))
        path.symlink_to(elsewhere)
    assert databricks_program.program() == str(path)
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o700
    assert not path.is_symlink()


def test_program_for_the_sdks_in_a_folder_of_others_is_refused(bare_machine):
    path = Path(databricks_program.program())
    others_may_write(path.parent)
    with pytest.raises(UnsafeCache, match="is open to other users"):
        databricks_program.program()
