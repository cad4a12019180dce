"""TensorBoard: an event file in the folder of each run, so that ``tensorboard --logdir runs`` shows all of them.

The file is written anew from the record whenever a run goes on: no point is in it twice, and a viewer that is open
drops the old ones. It belongs to the run and is deleted with it. torch's ``SummaryWriter`` is not used, for it writes
from a thread of its own, whose errors, such as a full disk, nobody hears of; the records in the file are torch's.
"""

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any

from cnnlab.core import yaml
from cnnlab.core.arguments import Range
from cnnlab.core.errors import StorageError
from cnnlab.core.files import storage_errors
from cnnlab.core.lazy_imports import require
from cnnlab.core.sinks import for_html, visible
from cnnlab.runs.mirrors.mirror import Mirror, Point, RunCopy, mirrors
from cnnlab.runs.mirrors.recorded import confusion_image, confusion_of, ending_tags, parameters, score_points, tags
from cnnlab.runs.record import json_value
from cnnlab.runs.run import Run

_EVENTS = "events.out.tfevents."
_OURS = ".cnnlab"
"""The end of the names of event files that mirrors write; a folder may hold others."""
_SPLIT = re.compile(r"(train|validation|test)(@[^_]+)?_(.+)")


@mirrors.register("tensorboard")
class TensorBoardMirror(Mirror):
    """TensorBoard: an event file beside the record. Look at it with tensorboard --logdir runs."""

    title = "TensorBoard"

    def __init__(self, steps: Annotated[int, Range(0)] = 1) -> None:
        """See :class:`~cnnlab.runs.mirrors.Mirror`."""
        self.steps = steps

    def check(self) -> None:
        """Loads the half of torch that writes event files."""
        require("torch.utils.tensorboard", "mirroring in TensorBoard", "tensorboard")

    def open(self, run: Run) -> "EventFile":
        """A new event file, in the place of those before it."""
        return EventFile(run)


class EventFile(RunCopy):
    """The event file of one run."""

    def __init__(self, run: Run) -> None:
        from torch.utils.tensorboard import RecordWriter, summary

        # What a record holds, as torch puts it together.
        self._make: Any = summary
        for old in run.folder.glob(f"{_EVENTS}*{_OURS}"):
            old.unlink(missing_ok=True)
        stamp = f"{time.time_ns() // 1000:016d}.{platform.node()}.{os.getpid()}"
        self.path = run.folder / f"{_EVENTS}{stamp}{_OURS}"
        with storage_errors(self.path):
            self._file = self.path.open("xb")
        self._records = RecordWriter(self._file)
        try:
            self._begin(run)
        except BaseException:
            with suppress(StorageError):
                self.close()
            raise

    def _begin(self, run: Run) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(file_version="brain.Event:2")
        # Has a viewer drop what it read before from step 0 on.
        self._write(session_log=SessionLog(status=SessionLog.START))
        self._text("run", _table(tags(run)))
        self._text("recipe", _code(yaml.dump(json_value(run.recipe))))
        self._flush()

    def has(self, point: Point) -> bool:
        """Nothing: the file is new."""
        return False

    def add(self, points: Sequence[Point]) -> None:
        """A record for all values of one step."""
        for summary, step in _summaries(points):
            self._write(summary=summary, step=step)
        self._flush()

    def end(self, run: Run) -> None:
        """Scores, parameters, classes and confusion."""
        scores = score_points(run)
        self.add(scores)
        self._text("end", _table(ending_tags(run)))
        confusion = confusion_of(run)
        if confusion is not None:
            self._text("classes", ", ".join(map(for_html, confusion.names)))
            picture = confusion_image(confusion)
            if picture is not None:
                self._write(summary=self._make.image("confusion", picture, dataformats="HWC"))
        if run.status == "finished":
            for summary in self._make.hparams(parameters(run), {_tag(point.series): point.value for point in scores}):
                self._write(summary=summary)
        self._flush()

    def close(self) -> None:
        """Closes the file."""
        with storage_errors(self.path):
            self._file.close()

    def _text(self, name: str, content: str) -> None:
        self._write(summary=self._make.text(name, content))

    def _write(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        with storage_errors(self.path):
            self._records.write(Event(wall_time=time.time(), **event).SerializeToString())

    def _flush(self) -> None:
        with storage_errors(self.path):
            self._file.flush()


def _summaries(points: Sequence[Point]) -> Iterator[tuple[Any, int]]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    for step, alike in groupby(points, key=lambda point: point.step):
        yield Summary(value=[Summary.Value(tag=_tag(each.series), simple_value=each.value) for each in alike]), step


def _tag(series: str) -> str:
    """The name of a curve, under which curves stand together that belong on one page: ``loss/train``."""
    split = _SPLIT.fullmatch(series)
    if split is not None:
        return f"{split[3]}/{split[1]}{split[2] or ''}"
    return f"step/{series.removeprefix('step_')}" if series.startswith("step_") else f"epoch/{series}"


def _table(facts: Mapping[str, str]) -> str:
    rows = (f"| {for_html(name)} | {' '.join(for_html(value).split())} |" for name, value in facts.items())
    return "\n".join(["| | |", "|---|---|", *(row.replace("\\", "\\\\") for row in rows)])


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in visible(text).splitlines())
