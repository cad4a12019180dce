"""What attacks came to, kept beside the run that was attacked, so that nothing is computed twice.

``attacks/NAME-KEY/`` in the folder of the run holds the pictures of one attack, in the order in which they are
attacked, in files ``FIRST-END.safetensors``. A file appears whole or not at all, so that an attack that is cut short
goes on where it was, and one on more pictures computes those alone that are new. What was looked for besides is in
``checks.json``. The key is a digest of the classifier, of the pictures, of the attack's canonical spec, of the seed and
of the head.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cnnlab.attacks.adversarial import ANSWERS, BY_ROW, Adversarial, Answers, Source
from cnnlab.attacks.checks import Check
from cnnlab.attacks.stored_checks import read_checks, write_checks
from cnnlab.core.digests import canonical_json
from cnnlab.core.errors import ModelFileError, RunBusyError, StorageError
from cnnlab.core.files import check_regular, write_bytes
from cnnlab.core.messages import warn
from cnnlab.core.tensor_files import KEY, read_header, refusing
from cnnlab.models import to_float
from cnnlab.runs import Run, RunWriter

FOLDER = "attacks"
_KIND = "adversarial pictures"
FORMAT = 2
"""Files of format 1 hold answers to pictures whose rounding could leave the budget."""
_SUFFIX = ".safetensors"
_FILE = re.compile(r"(\d{6,9})-(\d{6,9})\.safetensors")
_MOST_BYTES = 1 << 30
"""Of what a report reads of one attack."""
_MOST = 1 << 40
_SHOWN_DIGITS = 12
_FACTS = "facts/"

_Count = Annotated[int, Field(ge=0, le=_MOST)]
_Text = Annotated[str, Field(max_length=1 << 16)]


class StoredHeader(BaseModel):
    """What a file says of itself."""

    model_config = ConfigDict(extra="allow", strict=True)

    attack: _Text
    classes: Annotated[list[_Text], Field(min_length=2)]
    norm: Literal["linf", "l2", "l1", "l0"] | None
    eps: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    key: _Text
    first: _Count
    end: _Count
    model: _Text
    data: _Text
    split: _Text
    size: _Count
    seed: int
    column: _Text
    name: _Text
    places: list[_Count]
    ids: list[_Text]
    facts: list[_Text]
    members: list[_Text]
    doubts: list[_Text]


def folder_name(attack: str, key: str) -> str:
    """What the files of an attack are known by, of its registered name and its key."""
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', attack)}-{key[:_SHOWN_DIGITS]}"


class AttackFolder:
    """The files of one attack on one run.

    :param run: beside which they lie.
    :param name: of the folder; ``key`` what tells the attack from all others.
    """

    def __init__(self, run: Run, name: str, key: str) -> None:
        self.run, self.key = run, key
        self.path = run.folder / FOLDER / name
        self._is_kept = True

    def read(self, count: int) -> Adversarial | None:
        """What is known of the first ``count`` pictures, or of as many of them as are known; None where none is.

        A file that is damaged is told of, and counts as missing, as do those after it.
        """
        parts: list[Adversarial] = []
        try:
            for part, end in _parts(self.path, self.key):
                parts.append(part)
                if end >= count:
                    break
        except ModelFileError as error:
            warn(f"{error} It is computed anew.")
        return Adversarial.together(parts).first(count) if parts else None

    def write(self, found: Adversarial, first: int) -> None:
        """Keeps the rows of some pictures, of which the first has this place; warns where that cannot be done.

        :param found: its source names these pictures alone.
        """
        self._keep(lambda: save(found, self.path, self.key, first))

    def checks(self, count: int) -> tuple[Check, ...] | None:
        """What was looked for besides, of an attack on just so many pictures; None where nothing was."""
        return read_checks(self.path, count)

    def write_checks(self, checks: Sequence[Check], count: int) -> None:
        """Keeps it likewise."""
        self._keep(lambda: write_checks(self.path, count, checks))

    def _keep(self, write: Callable[[], object]) -> None:
        if not self._is_kept:
            return
        try:
            with RunWriter.open(self.run.folder):
                write()
        except (StorageError, RunBusyError) as error:
            self._is_kept = False
            warn(f"What comes of the attack is not kept beside {self.run.name}: {error}")


def stored_attacks(folder: Path) -> tuple[tuple[Adversarial, ...], tuple[str, ...]]:
    """All attacks that lie in the folder of a run, and why some that lie there cannot be read.

    Those that take more than a gigabyte are left out, and told of among these.
    """
    found: list[Adversarial] = []
    reasons: list[str] = []
    for place in sorted(each for each in (folder / FOLDER).glob("*-*") if each.is_dir()):
        size = sum(path.stat().st_size for path in place.glob(f"*{_SUFFIX}"))
        if size > _MOST_BYTES:
            reasons.append(f"{place.name} has {size / 2**30:.1f} GB, which is more than is read here.")
            continue
        try:
            parts = [part for part, _ in _parts(place, None)]
        except ModelFileError as error:
            reasons.append(str(error))
            continue
        if parts:
            whole = Adversarial.together(parts)
            count = 0 if whole.source is None else len(whole.source.places)
            found.append(replace(whole, checks=read_checks(place, count) or ()))
    return tuple(found), tuple(reasons)


def _parts(folder: Path, key: str | None) -> Iterator[tuple[Adversarial, int]]:
    """What is in the files of a folder and where each ends, one after another, as far as they go on from each other.

    :param key: that they are of; any unless given, but of one.
    """
    files: dict[int, list[Path]] = {}
    for path in folder.glob(f"*{_SUFFIX}"):
        named = _FILE.fullmatch(path.name)
        if named is not None:
            files.setdefault(int(named[1]), []).append(path)
    first = 0
    while first in files:
        # Of two that begin at one place, the one that goes further.
        path = max(files[first], key=lambda each: each.name)
        found, header = load(path)
        key = header.key if key is None else key
        if (header.key, header.first) != (key, first):
            raise ModelFileError(f"{path} does not hold what its name says.")
        yield found, header.end
        first = header.end


def save(found: Adversarial, folder: Path, key: str, first: int) -> Path:
    """Writes one file, whole or not at all.

    :raises StorageError: when it cannot be written.
    """
    from safetensors.numpy import save

    source = found.source
    if source is None:
        raise ValueError("what is kept of an attack says which pictures it is of")
    end = first + len(source.places)
    header = {
        "kind": _KIND,
        "format": FORMAT,
        "key": key,
        "first": first,
        "end": end,
        **{name: getattr(found, name) for name in ("attack", "norm", "eps")},
        **{name: list(getattr(found, name)) for name in ("classes", "members", "doubts")},
        **{each.name: getattr(source, each.name) for each in fields(Source)},
        "places": list(source.places),
        "ids": list(source.ids),
        "facts": list(found.facts),
    }
    path = folder / f"{first:06d}-{end:06d}{_SUFFIX}"
    write_bytes(path, save(_tensors(found), {KEY: canonical_json(header)}))
    return path


def load(path: Path) -> tuple[Adversarial, StoredHeader]:
    """Reads what :func:`save` wrote.

    :raises ModelFileError: when it is not one of ours, or is damaged.
    """
    from safetensors import safe_open

    with refusing(path, "what an attack came to"):
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            said = read_header(file.metadata(), path, _KIND, FORMAT, StoredHeader)
            header = StoredHeader.model_validate(said)
            if int(said["format"]) < FORMAT:
                raise ModelFileError(f"{path} is of an earlier version of cnnlab: attack again.")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _check(arrays, header)
        rows: dict[str, Any] = {name: arrays[name] for name in BY_ROW if name != "origin"}
        rows |= {name: Answers(arrays[f"{name}_predicted"], arrays[f"{name}_sure"]) for name in ANSWERS}
        source = Source(**{each.name: getattr(header, each.name) for each in fields(Source)})
        found = Adversarial(
            attack=header.attack,
            classes=tuple(header.classes),
            members=tuple(header.members),
            doubts=tuple(header.doubts),
            targets=arrays.get("targets"),
            facts={name: arrays[f"{_FACTS}{name}"] for name in header.facts},
            norm=header.norm,
            eps=header.eps,
            source=replace(source, places=tuple(header.places), ids=tuple(header.ids)),
            **rows,
            origin=to_float(torch.from_numpy(arrays["origin"])).numpy(),
        )
    return found, header


def _tensors(found: Adversarial) -> dict[str, Any]:
    tensors: dict[str, Any] = {name: getattr(found, name) for name in BY_ROW}
    # Pictures come in 8 bits.
    tensors["origin"] = np.round(found.origin * 255).astype(np.uint8)
    for name in ANSWERS:
        answers = getattr(found, name)
        tensors |= {f"{name}_predicted": answers.predicted, f"{name}_sure": answers.sure}
    tensors |= {} if found.targets is None else {"targets": found.targets}
    tensors |= {f"{_FACTS}{name}": np.asarray(numbers, np.float32) for name, numbers in found.facts.items()}
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _check(arrays: Mapping[str, NDArray[Any]], header: StoredHeader) -> None:
    """Refuses arrays that do not fit each other or the header.

    :raises ValueError: naming the first.
    """
    wanted: dict[str, str] = dict.fromkeys(BY_ROW, "int64") | {"origin": "uint8", "pixels": "float32"}
    wanted |= {f"{name}_predicted": "int64" for name in ANSWERS} | {f"{name}_sure": "float32" for name in ANSWERS}
    wanted |= {"targets": "int64"} if "targets" in arrays else {}
    wanted |= {f"{_FACTS}{name}": "float32" for name in header.facts}
    if wanted.keys() != arrays.keys():
        raise ValueError(f"it holds {', '.join(sorted(arrays))}")
    count = header.end - header.first
    if not count or {len(header.places), len(header.ids)} != {count}:
        raise ValueError(f"it is of {count} pictures and names {len(header.places)}")
    rows = len(arrays["places"])
    for name, kind in wanted.items():
        array = arrays[name]
        if array.dtype != kind or len(array) != rows or array.ndim != (4 if name in ("origin", "pixels") else 1):
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if arrays["origin"].shape != arrays["pixels"].shape:
        raise ValueError("origin and pixels differ in shape")
    # Counts; and which attack of several it was, −1 for none.
    bounds: dict[str, tuple[float, float]] = dict.fromkeys(BY_ROW, (-1, _MOST))
    bounds |= {"origin": (0, 255), "pixels": (0, 1), "places": (header.first, header.end - 1)}
    bounds |= {name: (0, len(header.classes) - 1) for name in ("labels", "targets")}
    bounds |= {f"{name}_predicted": (0, len(header.classes) - 1) for name in ANSWERS}
    bounds |= {f"{name}_sure": (0, 1) for name in ANSWERS}
    for name, (low, high) in bounds.items():
        # What is no number is in no bounds.
        if name in arrays and arrays[name].size and not ((arrays[name] >= low) & (arrays[name] <= high)).all():
            raise ValueError(f"{name} goes beyond {low} to {high}")
