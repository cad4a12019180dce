"""File systems: where what the system says of a file can be trusted, which are shared, and where locks hold.

What the system says of a file tells whether it was changed on disks of this machine; a share on the network may make
that up.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.machine import WINDOWS

_MOUNTS = Path("/proc/self/mountinfo")
# Disks of this machine, whose times of change and inodes are kept by the system itself. A share on the network may
# make them up, and so may FAT, the file system of memory cards.
_TRUSTED = {"apfs", "bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "hfs", "hfsplus", "iso9660", "jfs"}
_TRUSTED |= {"overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "udf", "ufs", "xfs", "zfs"}
# What other machines may have as well, and of these where a lock of one holds for all, however they are mounted.
_SHARED = {"afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "orangefs", "smb3"}
_LOCKING = {"ceph", "fuse.glusterfs", "fuse.juicefs", "glusterfs", "gpfs", "ocfs2"}


def all_trusted(folders: Iterable[Path]) -> bool:
    """Whether all of these folders lie where times of change and inodes can be trusted.

    So they are taken to be where the system does not tell what its file systems are; on Windows they are not, whose
    time of change is that of the making.
    """
    if WINDOWS:
        return False
    kinds = mounts()
    return not kinds or all(_of_path(os.path.realpath(folder), kinds) in _TRUSTED for folder in set(folders))


def is_on_network(folder: Path) -> bool:
    """Whether a folder, which need not be there yet, lies on a share that other machines may have as well."""
    kind = _of_path(os.path.realpath(folder), mounts())
    return kind in _SHARED or kind.startswith("fuse.")


def locks_hold(folder: Path) -> bool:
    """Whether a lock that one machine takes in a folder is known to hold for others that see it.

    Not so on NFS that is mounted with ``nolock`` or ``local_lock``, on CIFS with ``nobrl``, on Lustre without
    ``flock``, and on nearly all that is mounted through FUSE, buckets among them.
    """
    path = os.path.realpath(folder)
    kind, words = _of_path(path, mounts()), _of_path(path, _options())
    if not is_on_network(folder):
        return True
    if kind in ("nfs", "nfs4"):
        return "nolock" not in words and not {"local_lock=flock", "local_lock=all"} & set(words)
    if kind in ("cifs", "smb3"):
        return "nobrl" not in words
    return "flock" in words if kind == "lustre" else kind in _LOCKING


def mounts() -> Mapping[str, str]:
    """The kind of the file system at each mount point; none where the system does not tell."""
    return {point: kind for point, kind, _ in _table()}


def _options() -> Mapping[str, list[str]]:
    """The options of the file system at each mount point."""
    return {point: options for point, _, options in _table()}


def _table() -> list[tuple[str, str, list[str]]]:
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        before, _, after = line.partition(" - ")
        # Spaces and the like in a path are written as octal numbers.
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), before.split(" ")[4])
        kind, *rest = after.split(" ")
        found.append((point, kind, [*before.split(" ")[5:6], *rest[1:]]))
    return [(point, kind, ",".join(options).split(",")) for point, kind, options in found]


def _of_path(path: str, by_point: Mapping[str, Any]) -> Any:
    while path not in by_point and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return by_point.get(path, "")
