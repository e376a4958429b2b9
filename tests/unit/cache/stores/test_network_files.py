"""Which directories are on a network file system, by what Linux says of its mounts."""

import pytest

from lakekey.cache.stores import network_files
from lakekey.cache.stores.network_files import KINDS, is_elsewhere, is_on, kind_of

MOUNTS = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:50 / /home rw - nfs4 server:/home rw
31 27 0:51 / /mnt/with\040blank rw shared:1 master:2 - cifs //server/share rw
32 27 0:52 / /data rw - nfs server:/data rw
33 27 0:53 / /data rw - ext4 /dev/vdb rw
not a mount
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/home", "nfs4"),
        ("/home/ada/.local/state/lakekey", "nfs4"),
        ("/homes/ada", "ext4"),
        ("/mnt/with blank/lakekey", "cifs"),
        ("/data/lakekey", "ext4"),
    ],
)
def test_directory_is_of_the_mount_that_is_nearest_and_latest(directory, kind):
    assert kind_of(directory, MOUNTS) == kind


def test_disk_of_this_machine_is_not_a_networks():
    assert "ext4" not in KINDS
    assert {"nfs", "nfs4", "cifs", "smb3"} <= KINDS
    assert kind_of("/", "") == ""


def test_line_that_is_cut_off_after_its_place_counts_and_a_shorter_one_does_not():
    assert kind_of("/", "27 1 254:0 / / - ext4 /dev/vda rw") == "ext4"
    assert kind_of("/", "27 1 254:0 / - ext4") == ""


def test_place_with_odd_characters_is_read_as_it_was_written():
    mounts = r"27 1 254:0 / /a\040b\011c\012d\134e rw - nfs server:/ rw"
    assert kind_of("/a b\tc\nd\\e/lakekey", mounts) == "nfs"


@pytest.mark.proc
def test_machine_that_tells_no_mounts_has_no_network_files(tmp_path, monkeypatch):
    monkeypatch.setattr(network_files, "_MOUNTS", str(tmp_path / "mounts"))
    assert is_elsewhere(str(tmp_path)) is False
    (tmp_path / "mounts").write_text("27 1 254:0 / / rw - nfs server:/ rw\n", "utf-8")
    found = kind_of("/", "27 1 254:0 / / rw - nfs server:/ rw")
    assert is_on("/", {found}) is is_elsewhere("/") is True
    assert is_on("/", {"ext4"}) is False
