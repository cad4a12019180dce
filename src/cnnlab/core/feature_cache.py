"""Features in the user's cache: what networks made of pictures, for transfers and for phases with frozen parts.

``features/KEY/`` holds files of some thousand pictures each, with the digests of their pixels. What was used longest
ago goes first when all together would take up more than they may.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError
from cnnlab.core.files import cache_folder, free_space, write_bytes, write_text
from cnnlab.core.limits import said_bytes
from cnnlab.core.messages import note, warn
from cnnlab.core.number_text import in_units

FOLDER = "features"
LIMIT = "CNNLAB_FEATURES"
"""The variable that says how much room features may take up in the cache, such as ``20GB``."""
_USUAL = 4 << 30
_DISK_SHARE = 3
_ABOUT = "about.json"
_SUFFIX = ".safetensors"

Features = NDArray[np.float32]
Rows = NDArray[Any]
Digests = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class CachedFeatures:
    """What the cache holds of one network and layer.

    :param about: what they are of, in words.
    :param pictures: how many; ``size`` bytes on the disk; ``used`` when last, in seconds of the system's clock.
    """

    folder: Path
    about: Mapping[str, Any]
    pictures: int
    size: int
    used: float


class FeatureCache:
    """The features that one network makes at one layer in one number format.

    :param key: all that they depend on but the pictures.
    :param about: what to show of it when the cache is listed, and its ``network`` and ``layer`` in messages.

    ``is_full`` says that there was no room: no more is kept by this object, and nothing said of it again. ``spared`` is
    how many seconds it took to compute what was found.
    """

    def __init__(self, key: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        self.folder = cache_folder() / FOLDER / digest(dict(key))[:40]
        self._about = dict(about)
        self.is_full, self.spared = False, 0.0

    def fill(self, wanted: Digests, into: Rows, rows: Places) -> NDArray[np.bool_]:
        """Puts what is known of the pictures with these digests, N×32 bytes, into these rows; where something is."""
        known = np.zeros(len(wanted), dtype=bool)
        keys = _as_keys(wanted)
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            part = _read(path)
            if part is None or part[1].shape[1] != into.shape[1]:
                continue
            own, features, seconds = part
            order = np.argsort(_as_keys(own))
            places = np.searchsorted(_as_keys(own)[order], keys).clip(max=len(own) - 1)
            places = order[places]
            is_here = (own[places] == wanted).all(axis=1) & ~known
            if not is_here.any():
                continue
            into[rows[is_here]] = features[places[is_here]]
            known |= is_here
            self.spared += seconds
            with suppress(OSError):
                os.utime(path)
        return known

    def expect(self, size: int) -> None:
        """Keeps nothing, and removes nothing for it, where so many bytes to come are more than there is room for."""
        files = list(_files())
        needed = size + sum(size for path, _, size in files if path.parent == self.folder)
        if self.is_full or needed <= _room(files):
            return
        self.is_full = True
        most = (
            f"all that is kept may take {in_units(limit())}. {LIMIT}={-(-needed // 2**30)}GB allows them"
            if needed > limit()
            else f"the disk has {in_units(free_space(cache_folder()))} free, of which a third is taken"
        )
        note(f"The features of {self._of} are not kept in the cache, for they take {in_units(needed)}, and {most}.")

    def keep(self, digests: Digests, features: Rows, seconds: float = 0.0) -> None:
        """Stores the features of some pictures; where there is no room, they are those of this time only.

        :param seconds: that computing them took.
        """
        if not len(digests) or self.is_full:
            return
        told = {"seconds": f"{seconds:.6f}"}
        content = save({"digests": np.ascontiguousarray(digests), "features": np.ascontiguousarray(features)}, told)
        name = f"{digest(digests.tobytes())[:40]}{_SUFFIX}"
        try:
            if not _make_room(len(content), self.folder):
                raise StorageError(
                    f"they would take up more than the {in_units(limit())} that all features may, or a third of what "
                    f"is free on the disk. {LIMIT}=20GB allows more; cnnlab cache clear removes those there are"
                )
            write_text(self.folder / _ABOUT, json.dumps(self._about, ensure_ascii=True))
            write_bytes(self.folder / name, content)
        except StorageError as error:
            self.is_full = True
            warn(f"Features of {self._of} are not kept in the cache any further: {error}")

    @property
    def _of(self) -> str:
        """Whose features these are, in messages."""
        layer = self._about.get("layer")
        return f"{self._about.get('network')}{f' ({layer})' if layer else ''}"


def limit() -> int:
    """Bytes that all features together may take up: 4 GB, or what ``CNNLAB_FEATURES`` says, such as ``20GB``."""
    said = said_bytes(LIMIT)
    return _USUAL if said is None else said


def cached_features() -> list[CachedFeatures]:
    """What there is, the one used longest ago first."""
    found = [_listed(folder) for folder in (cache_folder() / FOLDER).glob("*") if folder.is_dir()]
    return sorted(found, key=lambda each: (each.used, each.folder.name))


def clear_features() -> None:
    """Removes all features from the cache."""
    shutil.rmtree(cache_folder() / FOLDER, ignore_errors=True)


def _listed(folder: Path) -> CachedFeatures:
    pictures = size = 0
    used = 0.0
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError, SafetensorError, KeyError):
            status = path.stat()
            size, used = size + status.st_size, max(used, status.st_mtime)
            with safe_open(path, framework="numpy") as file:
                pictures += file.get_slice("digests").get_shape()[0]
    about: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        said = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        about = said if isinstance(said, dict) else {}
    return CachedFeatures(folder, about, pictures, size, used)


def _make_room(needed: int, own: Path) -> bool:
    """Removes what was used longest ago until so many bytes more may be kept; whether they may."""
    files = sorted(_files(), key=lambda file: (file[1], file[0].name))
    total, room = sum(size for _, _, size in files), _room(files)
    # What this very command needs is not removed to make room for more of it, and nothing is in vain.
    others = [file for file in files if file[0].parent != own]
    if needed + total - sum(size for _, _, size in others) > room:
        return False
    for path, _, size in others:
        if total + needed <= room:
            break
        path.unlink(missing_ok=True)
        total -= size
        if not any(path.parent.glob(f"*{_SUFFIX}")):
            shutil.rmtree(path.parent, ignore_errors=True)
    return True


def _room(files: Sequence[tuple[Path, float, int]]) -> int:
    """Bytes that all features together may take up, those that there are among them."""
    return min(limit(), sum(size for _, _, size in files) + free_space(cache_folder()) // _DISK_SHARE)


def _files() -> Iterator[tuple[Path, float, int]]:
    """Every file of features with when it was used last, and its bytes."""
    for path in (cache_folder() / FOLDER).glob(f"*/*{_SUFFIX}"):
        with suppress(OSError):
            status = path.stat()
            yield path, status.st_mtime, status.st_size


def _read(path: Path) -> tuple[Digests, Rows, float] | None:
    """The content of a file; None where it is gone or damaged, and then it is removed."""
    try:
        with safe_open(path, framework="numpy") as file:
            digests, features = file.get_tensor("digests"), file.get_tensor("features")
            seconds = float((file.metadata() or {}).get("seconds", 0.0))
        if digests.dtype == np.uint8 and digests.ndim == features.ndim == 2 and len(digests) == len(features) > 0:
            return digests, features, seconds
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        pass
    with suppress(OSError):
        path.unlink()
    return None


def _as_keys(digests: Digests) -> NDArray[np.void]:
    """Each digest as one value, so that they are sorted and looked up at once."""
    return np.ascontiguousarray(digests).view(np.dtype((np.void, digests.shape[1])))[:, 0]
