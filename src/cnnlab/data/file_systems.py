"""On which file systems what the system says of a file tells whether it was changed."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from cnnlab.core.machine import WINDOWS

_MOUNTS = Path("/proc/self/mountinfo")
# Disks of this machine, whose times of change and inodes are kept by the system itself. A share on the network may
# make them up, and so may FAT, the file system of memory cards.
_TRUSTED = {"apfs", "bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "hfs", "hfsplus", "iso9660", "jfs"}
_TRUSTED |= {"overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "udf", "ufs", "xfs", "zfs"}


def all_trusted(folders: Iterable[Path]) -> bool:
    """Whether all of these folders lie where times of change and inodes can be trusted.

    So they are taken to be where the system does not tell what its file systems are; on Windows they are not, whose
    time of change is that of the making.
    """
    if WINDOWS:
        return False
    kinds = mounts()
    return not kinds or all(_kind(os.path.realpath(folder), kinds) in _TRUSTED for folder in set(folders))


def mounts() -> Mapping[str, str]:
    """The kind of the file system at each mount point; none where the system does not tell."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        # Spaces and the like in a path are written as octal numbers.
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), before.split(" ")[4])
        found[point] = after.split(" ")[0]
    return found


def _kind(path: str, kinds: Mapping[str, str]) -> str:
    while path not in kinds and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return kinds.get(path, "")
