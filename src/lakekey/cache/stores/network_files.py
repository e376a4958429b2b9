"""Whether a directory lies on another machine, where a lock may end while its holder lives."""

import os
from collections.abc import Set as AbstractSet

# NFS gives up the locks of a machine that it has not heard from for a while; so do the others, each in its own way.
KINDS = frozenset(
    {
        "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "gfs2", "gpfs", "lustre", "nfs",
        "nfs4", "ocfs2", "smb3", "smbfs",
    }
)  # fmt: skip
_MOUNTS = "/proc/self/mountinfo"


def is_elsewhere(directory: str) -> bool:
    """Whether a directory is on a network file system, as far as Linux tells; ``False`` if that cannot be told."""
    return is_on(directory, KINDS)


def is_on(directory: str, kinds: AbstractSet[str]) -> bool:
    """Whether a directory is on a file system of one of some kinds; ``False`` if that cannot be told."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return kind_of(os.path.realpath(directory), file.read()) in kinds
    except OSError:
        return False


def kind_of(directory: str, mounts: str) -> str:
    """The kind of file system that a directory is on.

    Args:
        directory: Its path, without links.
        mounts: What ``/proc/self/mountinfo`` says (proc(5)): of two mounts on one place, the later one counts.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        before, mark, after = line.partition(" - ")
        fields = before.split(" ")
        if not mark or len(fields) < 5:
            continue
        place = _unescaped(fields[4])
        inside = directory == place or directory.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(best):
            best, kind = place, after.split(" ")[0]
    return kind


def _unescaped(text: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text
