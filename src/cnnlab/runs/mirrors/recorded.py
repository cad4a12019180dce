"""What mirrors copy, read from the folder of a run."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import CnnlabError, SpecError
from cnnlab.core.files import open_regular
from cnnlab.core.spec import read
from cnnlab.runs.mirrors.mirror import Point
from cnnlab.runs.record import HISTORY, LIVE, flattened
from cnnlab.runs.run import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NO_CURVES = ("epoch", "step", "phase")
_SHORTEST_SIDE, _MOST_CLASSES = 400, 200


class RecordReader:
    """The curves of a run, as far as they were not read before.

    :param every: of the step log every so many steps are given; 0 for none.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder, every
        self._epochs = 0
        self._place, self._last_line, self._last_step = 0, b"", 0

    def new_points(self) -> Iterator[Point]:
        """Those since the last call, epochs first; a line that is still being written comes with the next call."""
        yield from self._of_epochs()
        if self.every:
            yield from self._of_steps()

    def _of_epochs(self) -> Iterator[Point]:
        try:
            with io.TextIOWrapper(open_regular(self.folder / HISTORY), encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except FileNotFoundError:
            return
        for row in rows[self._epochs :]:
            for name, text in row.items():
                if name not in _NO_CURVES and text:
                    yield Point(name, int(row["epoch"]), float(text))
        self._epochs = len(rows)

    def _of_steps(self) -> Iterator[Point]:
        try:
            file = open_regular(self.folder / LIVE)
        except FileNotFoundError:
            return
        with file:
            # A run that goes on from a checkpoint cuts its log short, and writes it again.
            file.seek(self._place - len(self._last_line))
            if file.read(len(self._last_line)) != self._last_line:
                self._place, self._last_line = file.seek(0), b""
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place, self._last_line = self._place + len(line), line
                entry = json.loads(line)
                step = int(entry["step"])
                if step <= self._last_step:
                    continue
                self._last_step = step
                if step % self.every == 0:
                    for name, value in entry.items():
                        if name not in _NO_CURVES and value is not None:
                            yield Point(f"step_{name}", step, float(value))


def score_points(run: Run) -> list[Point]:
    """The scores of a finished run that are not in its history, at the epoch whose weights were kept."""
    epoch = int((run.info.get("selected") or {}).get("epoch") or run.epochs_done)
    with suppress(FileNotFoundError), open_regular(run.folder / HISTORY) as file:
        columns = set(file.readline().decode().strip().split(","))
        return [point for point in _scores(run, epoch) if point.series not in columns]
    return list(_scores(run, epoch))


def _scores(run: Run, epoch: int) -> Iterator[Point]:
    for split, values in (run.info.get("scores") or {}).items():
        for name, value in values.items():
            if name != "n" and isinstance(value, int | float):
                yield Point(f"{split}_{name}", epoch, float(value))


def parameters(run: Run) -> dict[str, str | int | float | bool]:
    """The recipe by its keys, phases by dotted ones, and beside each spec its plain arguments: ``optimizer.lr``."""
    found: dict[str, str | int | float | bool] = {}
    for key, value in flattened({key: value for key, value in run.recipe.items() if key != "mirror"}).items():
        found[key] = value if isinstance(value, bool | int | float) else str(value)
        found |= {f"{key}.{name}": plain for name, plain in _arguments(value).items()}
    return found


def _arguments(value: Any) -> Mapping[str, str | int | float | bool]:
    if isinstance(value, str) and "(" in value:
        with suppress(SpecError):
            calls = read(value)
            if len(calls) == 1:
                return {name: each for name, each in calls[0].kwargs.items() if isinstance(each, str | int | float)}
    return {}


def tags(run: Run) -> dict[str, str]:
    """What tells a run from all others, and where it belongs."""
    data = run.info.get("data") or {}
    facts = {
        "run": run.name,
        "digest": run.digest,
        "started": run.started,
        "repeat": run.repeat,
        "study": run.study,
        "parent": run.info.get("parent"),
        "data": data.get("name"),
        "data_digest": data.get("digest"),
        "objective": run.info.get("objective"),
        "code": (run.info.get("environment") or {}).get("code"),
        "device": (run.info.get("execution") or {}).get("device"),
    }
    return {f"cnnlab.{name}": str(value) for name, value in facts.items() if value is not None}


def ending_tags(run: Run) -> dict[str, str]:
    """What is known of a run once it ended."""
    confusion, chosen = confusion_of(run), run.info.get("selected") or {}
    facts = {
        "status": run.status,
        "reason": run.info.get("reason"),
        "selected_epoch": chosen.get("epoch"),
        "classes": None if confusion is None else json.dumps(confusion.names, ensure_ascii=False),
        "warnings": "\n".join(run.info.get("warnings") or ()) or None,
    }
    return {f"cnnlab.{name}": str(value) for name, value in facts.items() if value is not None}


def confusion_of(run: Run) -> Any:
    """The :class:`~cnnlab.evaluation.Confusion` of the test split, else of validation; None without classes."""
    for split in ("test", "validation"):
        if split in run.splits:
            with suppress(CnnlabError):
                return run.confusion(split)
    return None


def confusion_image(confusion: Any) -> "NDArray[np.uint8] | None":
    """The matrix as a picture, H×W×3: rows the true classes, the darker the larger the share of the row.

    None where there are too many classes to see anything.
    """
    import numpy as np

    count = len(confusion.names)
    if count > _MOST_CLASSES:
        return None
    side = math.ceil(_SHORTEST_SIDE / count)
    shares = np.kron(confusion.shares, np.ones((side, side)))[..., None]
    white, blue = np.array([255.0, 255.0, 255.0]), np.array([8.0, 48.0, 107.0])
    picture: NDArray[np.uint8] = np.round(white + (blue - white) * shares).astype(np.uint8)
    return picture
