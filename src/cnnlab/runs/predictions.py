"""Stored predictions: the raw outputs of one run on one split, in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.digests import canonical_json
from cnnlab.core.displays import html_facts
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.files import replacing
from cnnlab.core.tensor_files import KEY, read_header, refusing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    Outputs = npt.NDArray[np.float32]
    Column = npt.NDArray[np.int64] | npt.NDArray[np.float32]

_KIND = "predictions"
_FORMAT = 1
_MEANT = "predictions that cnnlab wrote", "Train or evaluate again to have it written anew."


@dataclass(frozen=True, eq=False)
class Predictions:
    """The raw outputs of one classifier on one split; probabilities are derived from them by the objective.

    :param outputs: float32 N×K for each head of the objective, by its name.
    :param targets: what was right, where known: columns of length N, int64 classes or float32 numbers. ``{}`` if not.
    :param ids: N sample ids, so that each row can be traced to its picture.
    :param objective: canonical spec of the objective.
    :param classes: class names of each column that holds classes.
    :param data: content digest of the data set, all its splits.
    :param split: ``train``, ``validation`` or ``test``, perhaps with a variant: ``validation@epoch-7``, ``test@tta``.
    :param images: content digest of the pictures predicted alone, where it is known: those of a test split stay the
        same when less is trained on.
    :raises UsageError: when the lengths disagree or the split could not be a file name.
    """

    outputs: Mapping[str, "Outputs"]
    targets: Mapping[str, "Column"]
    ids: Sequence[str]
    objective: str
    classes: Mapping[str, tuple[str, ...]]
    data: str
    split: str
    images: str | None = None

    def __post_init__(self) -> None:
        check_split(self.split)
        arrange = object.__setattr__
        arrange(self, "outputs", {name: _outputs(name, array) for name, array in self.outputs.items()})
        arrange(self, "targets", {name: _column(name, array) for name, array in self.targets.items()})
        arrange(self, "ids", tuple(map(_text, self.ids)))
        arrange(self, "classes", {column: tuple(names) for column, names in self.classes.items()})
        self._check_lengths()

    def _check_lengths(self) -> None:
        if not self.outputs:
            raise UsageError("Predictions need the outputs of at least one head.")
        lengths = {f"output {name}": len(array) for name, array in self.outputs.items()}
        lengths |= {f"target {name}": len(array) for name, array in self.targets.items()}
        for what, length in lengths.items():
            if length != len(self.ids):
                raise UsageError(f"Predictions do not fit together: {what} has {length} rows for {len(self.ids)} ids.")

    def _check_classes(self) -> None:
        for name, classes in self.classes.items():
            column = self.targets.get(name)
            if column is None or column.dtype.kind != "i" or not len(column):
                continue
            if not 0 <= column.min() <= column.max() < len(classes):
                raise UsageError(f"the targets {name} are not all among its {len(classes)} classes")

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions):
            return NotImplemented
        return self._header() == other._header() and _same(self._tensors(), other._tensors())

    def __hash__(self) -> int:
        return hash((self.data, self.split, self.objective, self.ids))

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {array.shape[0]}×{array.shape[1]}" for name, array in self.outputs.items())
        known = f"targets {', '.join(self.targets)}" if self.targets else "no targets"
        return f"Predictions({self.split}: {heads}; {known}; {self.objective})"

    def _repr_html_(self) -> str:
        heads = ", ".join(f"{name} {array.shape[0]:,}×{array.shape[1]}" for name, array in self.outputs.items())
        classes = [(f"classes of {column}", ", ".join(names)) for column, names in self.classes.items()]
        rows = [("split", self.split), ("pictures", f"{len(self):,}"), ("raw outputs", heads)]
        rows += [("targets", ", ".join(self.targets) or "not known"), *classes, ("objective", self.objective)]
        return html_facts(rows)

    def align(self, other: "Predictions") -> "Predictions":
        """``other`` with its rows in the order of these, so that the two can be put side by side.

        :raises UsageError: saying what differs, when they are not of the same pictures or have other targets.
        """
        reason = self.difference_from(other)
        if reason:
            raise UsageError(
                f"only predictions of the same pictures can be put side by side, and {reason}. Evaluate both on one "
                "split of the same data."
            )
        if self.ids != other.ids:
            places = {sample: place for place, sample in enumerate(other.ids)}
            order = [places[sample] for sample in self.ids]
            outputs = {name: array[order] for name, array in other.outputs.items()}
            targets = {name: array[order] for name, array in other.targets.items()}
            other = replace(other, outputs=outputs, targets=targets, ids=self.ids)
        shared = set(self.targets) & set(other.targets)
        if any(not (self.targets[name] == other.targets[name]).all() for name in shared):
            raise UsageError(
                "these predictions are of the same pictures and were scored by different targets, so they cannot be "
                "put side by side."
            )
        return other

    def difference_from(self, other: "Predictions") -> str:
        """What tells that the two are not of the same pictures; empty where nothing does."""
        # What was trained on may differ, as long as the pictures predicted do not.
        are_same = self.images is not None and self.images == other.images
        splits = [predictions.split.partition("@")[0] for predictions in (self, other)]
        if splits[0] != splits[1] and not are_same:
            return f"one is on {self.split} and the other on {other.split}"
        if self.data != other.data and not are_same:
            return "their data have different content"
        if any(names != other.classes[name] for name, names in self.classes.items() if name in other.classes):
            return "they predict other classes"
        # Pictures that bear one name cannot be told apart once they are in another order.
        are_named = len(set(self.ids)) == len(self) and sorted(self.ids) == sorted(other.ids)
        return "" if self.ids == other.ids or are_named else "they are of different pictures"

    def save(self, path: Path | str) -> None:
        """Writes one safetensors file: equal predictions give files equal to the bit.

        :raises StorageError: when it cannot be written; a file that stood there stays.
        """
        from safetensors.numpy import save

        content = save(self._tensors(), {KEY: canonical_json(self._header())})
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content)

    @classmethod
    def of_tensors(
        cls, outputs: "Mapping[str, Tensor]", targets: "Mapping[str, Tensor]", **facts: Any
    ) -> "Predictions":
        """Outputs and targets as tensors, on any device; ``facts`` are the other fields."""
        arrays = [{name: tensor.cpu().numpy() for name, tensor in part.items()} for part in (outputs, targets)]
        return cls(arrays[0], arrays[1], **facts)

    @classmethod
    def load(cls, path: Path | str) -> "Predictions":
        """Reads what :meth:`save` wrote.

        :raises ModelFileError: when there is no such file, or it is not one of ours, or it is damaged.
        """
        from safetensors import safe_open

        from cnnlab.runs.run_schema import PredictionsHeader

        path = Path(path)
        if not path.is_file():
            raise ModelFileError(f"there is no file of predictions at {path}.")
        with refusing(path, *_MEANT), safe_open(path, framework="numpy") as file:
            header = read_header(file.metadata(), path, _KIND, _FORMAT, PredictionsHeader)
            # The keys of the file are sorted by type first; the header keeps the order of heads and columns.
            outputs = {name: file.get_tensor(f"outputs/{name}") for name in header["heads"]}
            targets = {name: file.get_tensor(f"targets/{name}") for name in header["columns"]}
            facts = {key: header[key] for key in ("ids", "objective", "classes", "data", "split")}
            loaded = cls(outputs=outputs, targets=targets, images=header.get("images"), **facts)
            loaded._check_classes()
            return loaded

    def _header(self) -> dict[str, Any]:
        known = {} if self.images is None else {"images": self.images}
        return {
            "kind": _KIND,
            "format": _FORMAT,
            "heads": list(self.outputs),
            "columns": list(self.targets),
            "ids": list(self.ids),
            "objective": self.objective,
            "classes": {column: list(names) for column, names in self.classes.items()},
            "data": self.data,
            "split": self.split,
            **known,
        }

    def _tensors(self) -> dict[str, Any]:
        outputs = {f"outputs/{name}": array for name, array in self.outputs.items()}
        return outputs | {f"targets/{name}": array for name, array in self.targets.items()}


def check_split(split: str) -> None:
    """Refuses the name of a split that could not be the name of a file.

    :raises UsageError: naming it.
    """
    if not split or split.startswith(".") or not split.isprintable() or set(split) & set('/\\:*?"<>|'):
        raise UsageError(
            f"{split!r} cannot name a split: write train, validation or test, or a variant such as test@tta."
        )


def _text(sample: object) -> str:
    # A file name that is not UTF-8 comes with surrogates, which no file could hold.
    return str(sample).encode(errors="backslashreplace").decode()


def _outputs(name: str, array: Any) -> "Outputs":
    import numpy as np

    result = np.ascontiguousarray(array, dtype=np.float32)
    if result.ndim != 2:
        raise UsageError(f"the outputs of head {name} must be N×K; these have {result.ndim} dimensions.")
    return result


def _column(name: str, array: Any) -> "Column":
    import numpy as np

    result = np.asarray(array)
    if result.ndim != 1:
        raise UsageError(f"the target column {name} must have one dimension; this has {result.ndim}.")
    if result.dtype.kind in "biu":
        return np.ascontiguousarray(result, dtype=np.int64)
    return np.ascontiguousarray(result, dtype=np.float32)


def _same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether arrays are equal to the bit, so that a NaN equals itself."""
    return left.keys() == right.keys() and all(
        a.dtype == right[name].dtype and a.shape == right[name].shape and a.tobytes() == right[name].tobytes()
        for name, a in left.items()
    )
