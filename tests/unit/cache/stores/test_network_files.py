"""Which directories are on a network file system, by what Linux says of its mounts."""

import pytest

from lakekey.cache.stores.network_files import KINDS, kind_of

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
