"""The way to the cache: no other user may be able to put another directory or file in its place."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

from lakekey.cache import durable_files, private_files, safe_path
from lakekey.errors import UnsafeCache

pytestmark = pytest.mark.posix_owners
needs_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give files away")
OTHER_USER = 54321


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    directory = tmp_path / "a" / "b"
    directory.mkdir(parents=True, mode=0o700)
    return directory


def refusal(path):
    with pytest.raises(UnsafeCache) as caught:
        private_files.ensure_directory(str(path))
    return caught.value


def test_missing_directories_are_made_for_their_owner_only_whatever_the_umask(place):
    before = os.umask(0)
    try:
        private_files.ensure_directory(str(place / "c" / "d"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "c").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "c" / "d").stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o177])
def test_directories_and_files_are_usable_whatever_the_umask(place, umask):
    before = os.umask(umask)
    try:
        private_files.ensure_directory(str(place / "c" / "d"))
        durable_files.replace(str(place / "c" / "d" / "file"), b"kept")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((place / name).stat().st_mode) for name in ("c", "c/d", "c/d/file")]
    assert modes == [0o700, 0o700, 0o600]


def test_hint_works_where_the_caches_path_has_a_space_as_on_macos(place):
    cache = place / "Application Support" / "lakekey"
    cache.mkdir(parents=True, mode=0o700)
    cache.chmod(0o755)
    hint = refusal(cache).hint
    subprocess.run(hint, shell=True, check=True)
    private_files.ensure_directory(str(cache))
    cache.parent.chmod(0o777)
    subprocess.run(refusal(cache).hint, shell=True, check=True)
    private_files.ensure_directory(str(cache))


@needs_root
def test_hint_is_a_step_that_this_user_can_take(place, monkeypatch):
    place.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    for path in ("/", *map(str, reversed(place.parents))):  # all that is above belongs to root
        assert os.stat(path).st_uid == 0
    hint = refusal(place / "cache").hint
    assert "LAKEKEY_CACHE_DIR" in hint
    assert "chmod" not in hint


@pytest.mark.parametrize("depth", [0, 1])
def test_world_writable_directory_above_is_refused_with_the_command_that_fixes_it(place, depth):
    above = [place, place.parent][depth]
    above.chmod(0o777)
    error = refusal(place / "cache")
    assert error.hint == f"chmod o-w {above}"
    subprocess.run(error.hint.split(), check=True)
    private_files.ensure_directory(str(place / "cache"))


def test_shared_directory_above_that_is_not_in_the_home_is_not_to_be_changed(place, monkeypatch):
    place.chmod(0o777)
    for home in (str(place / "home"), "/"):
        monkeypatch.setenv("HOME", home)
        assert refusal(place / "cache").hint == safe_path.ANOTHER_PLACE


def test_the_sticky_bit_makes_a_shared_directory_above_good_enough(place):
    place.chmod(0o1777)
    private_files.ensure_directory(str(place / "cache"))


@needs_root
def test_a_directory_above_that_a_foreign_group_can_write_to_is_refused(place):
    os.chown(place, 0, OTHER_USER)
    place.chmod(0o770)
    assert refusal(place / "cache").hint == f"chmod g-w {place}"


@needs_root
def test_a_directory_above_that_roots_group_can_write_to_is_accepted(place):
    place.chmod(0o770)
    private_files.ensure_directory(str(place / "cache"))


@needs_root
@pytest.mark.parametrize("depth", [0, 1])
def test_directory_above_of_another_user_is_refused(place, depth):
    os.chown([place, place.parent][depth], OTHER_USER, 0)
    assert f"belongs to user {OTHER_USER}" in refusal(place / "cache").message


@needs_root
def test_directories_above_of_root_are_accepted_for_all_users():
    code = "import sys; from lakekey.cache import private_files; private_files.ensure_directory(sys.argv[1])"
    with tempfile.TemporaryDirectory() as above:
        os.chmod(above, 0o755)
        cache = os.path.join(above, "cache")
        os.mkdir(cache, 0o700)
        os.chown(cache, OTHER_USER, OTHER_USER)
        drop = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]
        subprocess.run([*drop, sys.executable, "-c", code, cache], check=True, timeout=30)


def test_a_link_of_ours_above_is_followed(place):
    link = place.parent / "link"
    link.symlink_to(place)
    private_files.ensure_directory(str(link / "cache"))
    assert (place / "cache").is_dir()


def test_a_link_above_is_followed_to_directories_that_are_checked_too(place):
    hidden = place.parent / "hidden"
    hidden.mkdir()
    (hidden / "open").mkdir()
    hidden.chmod(0o777)
    (place / "link").symlink_to("../hidden/open")
    assert refusal(place / "link" / "cache").hint == f"chmod o-w {hidden}"


@needs_root
def test_link_above_of_another_user_is_refused(place):
    link = place.parent / "link"
    link.symlink_to(place)
    os.chown(link, OTHER_USER, OTHER_USER, follow_symlinks=False)
    assert "symbolic link" in refusal(link / "cache").message


def test_links_that_go_round_in_a_circle_are_refused(place):
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    assert "too many symbolic links" in refusal(place / "one" / "cache").message


def test_file_where_a_directory_should_be_is_refused(place):
    (place / "file").touch()
    with pytest.raises(NotADirectoryError):
        private_files.ensure_directory(str(place / "file" / "cache"))


def test_the_cache_directory_itself_may_not_be_a_link(place):
    (place / "real").mkdir(mode=0o700)
    (place / "cache").symlink_to(place / "real")
    assert "link" in refusal(place / "cache").message


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_cache_directory_open_to_others_is_refused_with_the_command_that_fixes_it(place, mode):
    place.chmod(mode)
    error = refusal(place)
    subprocess.run(error.hint.split(), check=True)
    private_files.ensure_directory(str(place))


@needs_root
def test_cache_directory_of_another_user_is_refused(place):
    os.chown(place, OTHER_USER, OTHER_USER)
    assert f"belongs to user {OTHER_USER}" in refusal(place).message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o620])
def test_private_file_open_to_others_is_refused_with_the_command_that_fixes_it(place, mode):
    durable_files.replace(str(place / "f"), b"x")
    (place / "f").chmod(mode)
    with pytest.raises(UnsafeCache) as caught:
        private_files.read(str(place / "f"))
    subprocess.run(caught.value.hint.split(), check=True)
    assert private_files.read(str(place / "f")) == b"x"


def test_a_private_file_may_not_be_a_link(place):
    durable_files.replace(str(place / "real"), b"x")
    (place / "f").symlink_to("real")
    with pytest.raises(UnsafeCache, match="symbolic link"):
        private_files.read(str(place / "f"))


def test_pipe_in_the_place_of_a_file_is_refused_without_waiting(place):
    os.mkfifo(place / "f", 0o600)
    with pytest.raises(UnsafeCache):
        private_files.read(str(place / "f"))


@needs_root
def test_private_file_of_another_user_is_refused(place):
    durable_files.replace(str(place / "f"), b"x")
    os.chown(place / "f", OTHER_USER, OTHER_USER)
    with pytest.raises(UnsafeCache, match=f"belongs to user {OTHER_USER}"):
        private_files.read(str(place / "f"))


def test_a_way_that_does_not_exist_yet_is_checked_as_far_as_it_does(place):
    safe_path.check_parents(str(place / "x" / "y" / "z"))
    place.chmod(0o777)
    with pytest.raises(UnsafeCache):
        safe_path.check_parents(str(place / "x" / "y" / "z"))


def test_way_to_a_file_goes_through_links_that_are_checked(place):
    file = place / "file"
    file.touch()
    (place.parent / "link").symlink_to(file)
    assert safe_path.resolve_file(str(place.parent / "link")) == str(file)
    place.chmod(0o777)
    with pytest.raises(UnsafeCache):
        safe_path.resolve_file(str(place.parent / "link"))


def test_way_beyond_a_file_is_left_to_the_system_to_refuse(place):
    (place / "file").touch()
    assert safe_path.resolve_file(str(place / "file" / "x" / "y")) == str(place / "file" / "x" / "y")


@pytest.mark.parametrize(("number", "refused"), [(40, False), (41, True)])
def test_as_many_links_are_followed_as_the_kernel_follows(place, number, refused):
    (place / "0").mkdir()
    for link in range(number):
        (place / f"{link + 1}").symlink_to(f"{link}")
    last = place / f"{number}"
    with pytest.raises(OSError) if refused else contextlib.nullcontext():
        os.listdir(last)
    with pytest.raises(UnsafeCache) if refused else contextlib.nullcontext():
        assert safe_path.resolve_file(str(last)) == str(place / "0")


@pytest.mark.parametrize(
    ("mode", "owner", "group", "alone"),
    [
        (0o644, 0, OTHER_USER, True),
        (0o660, 0, 0, True),
        (0o660, 0, OTHER_USER, False),
        (0o602, 0, 0, False),
        (0o600, OTHER_USER, 0, False),
        (0o606, OTHER_USER, 0, False),
    ],
)
@needs_root
def test_file_is_ours_alone_where_no_other_user_can_change_it(place, mode, owner, group, alone):
    file = place / "file"
    file.touch()
    file.chmod(mode)
    os.chown(file, owner, group)
    assert safe_path.is_ours_alone(file.stat()) is alone


@pytest.mark.parametrize(
    ("gid", "name", "members", "private"),
    [
        (1000, "me", [], True),
        (1000, "me", ["me"], True),
        (1000, "me", ["me", "other"], False),
        (1000, "users", [], False),
        (1001, "me", [], False),
        (0, "root", ["other"], True),
    ],
)
def test_group_is_private_if_it_has_our_name_and_no_other_member(monkeypatch, gid, name, members, private):
    monkeypatch.setattr("pwd.getpwuid", lambda uid: SimpleNamespace(pw_name="me", pw_gid=1000))
    monkeypatch.setattr("grp.getgrgid", lambda number: SimpleNamespace(gr_name=name, gr_gid=number, gr_mem=members))
    assert safe_path.is_private_group(gid) is private


def test_modes_of_files_mean_nothing_on_windows(place, monkeypatch):
    (place / "file").touch()
    (place / "file").chmod(0o666)
    monkeypatch.setattr(safe_path, "_POSIX", False)
    assert safe_path.is_ours_alone((place / "file").stat())


@pytest.mark.posix_owners
@pytest.mark.parametrize("home", ["/", "/usr", "/var", "/nowhere/at/all"])
def test_directory_of_the_system_is_no_users_home(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    assert not safe_path.is_in_home(f"{home}/games")


@pytest.mark.posix_owners
def test_home_is_the_users_own_unless_others_write_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert safe_path.is_in_home(str(tmp_path / "games"))
    tmp_path.chmod(0o1777)
    assert not safe_path.is_in_home(str(tmp_path / "games"))
