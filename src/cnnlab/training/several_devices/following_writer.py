"""The record of a run as a process has it that does not write it, for another does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlab.runs import Predictions, RunWriter, record
from cnnlab.runs.lock import RunLock


class FollowingWriter(RunWriter):
    """Takes what a :class:`~cnnlab.runs.RunWriter` does, holds no lock, and writes nothing.

    :param info: of ``run.json``, as the process that writes has it.
    """

    def __init__(self, folder: Path, info: Mapping[str, Any]) -> None:
        super().__init__(folder, RunLock(folder), info)

    def update(self, **facts: Any) -> None:
        """Keeps facts in mind."""
        self._info = record.merged(self._info, record.json_value(facts))

    def history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Written elsewhere."""

    def live(self, entry: Mapping[str, Any]) -> None:
        """Written elsewhere."""

    def truncate_live(self, step: int) -> None:
        """Written elsewhere."""

    def predictions(self, predictions: Predictions) -> Path:
        """Written elsewhere; where."""
        return self.path(predictions.split)

    def close(self) -> None:
        """Nothing is open."""
