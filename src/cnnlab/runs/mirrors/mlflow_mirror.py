"""MLflow: a run of an experiment for each of ours, on a tracking server or in a database.

Where that is, ``MLFLOW_TRACKING_URI`` says, as for everything else of MLflow. A run is found again by its digest and
the moment at which it began, and asked for the points that it has before any are added.
"""

import os
import re
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from cnnlab.core import yaml
from cnnlab.core.arguments import Range
from cnnlab.core.lazy_imports import require
from cnnlab.core.sinks import visible
from cnnlab.runs.mirrors.mirror import Mirror, Point, RunCopy, mirrors
from cnnlab.runs.mirrors.recorded import confusion_image, confusion_of, ending_tags, parameters, score_points, tags
from cnnlab.runs.record import RECIPE, json_value
from cnnlab.runs.run import Run

_EXPERIMENT = "cnnlab"
_MOST_AT_ONCE, _MOST_FACTS = 1000, 100
"""Numbers, and parameters or tags, that MLflow takes in one request."""
_MOST_LETTERS = 5000
"""Of a tag, which older servers do not cut by themselves."""
_FORBIDDEN = re.compile(r"[^\w\-./ ]")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_STATUS = {"finished": "FINISHED", "failed": "FAILED"}


@mirrors.register("mlflow")
class MLflowMirror(Mirror):
    """MLflow: a run of an experiment, on the server or in the database that MLFLOW_TRACKING_URI names."""

    title = "MLflow"

    def __init__(self, experiment: str | None = None, steps: Annotated[int, Range(0)] = 1) -> None:
        """See :class:`~cnnlab.runs.mirrors.Mirror`.

        :param experiment: its name; that of ``MLFLOW_EXPERIMENT_NAME``, or ``cnnlab``, where it is not given.
        """
        self.experiment, self.steps = experiment, steps

    def check(self) -> None:
        """Loads MLflow's client, without its messages and without what it sends to its makers about its use."""
        if "mlflow" not in sys.modules:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
        with warnings.catch_warnings():
            # Of versions of other packages that MLflow was not written for.
            warnings.simplefilter("ignore")
            tracking = require("mlflow.tracking", "mirroring in MLflow", "mlflow")
            if tracking.get_tracking_uri().startswith(_DATABASES):
                require("mlflow.store.tracking.sqlalchemy_store", "mirroring in a database of MLflow's", "mlflow")
            if tracking.get_tracking_uri().startswith("sqlite"):
                # Making its tables takes seconds. One that cannot be written is told of when it is.
                with suppress(Exception):
                    tracking.MlflowClient()

    def open(self, run: Run) -> "MLflowRun":
        """MLflow's run for this one, which is made where there is none."""
        return MLflowRun(run, self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT)


class MLflowRun(RunCopy):
    """One run of MLflow's."""

    def __init__(self, run: Run, experiment: str) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        place = self._experiment(experiment)
        same = f"tags.`cnnlab.digest` = '{run.digest}' and tags.`cnnlab.started` = '{run.started}'"
        found = self._client.search_runs([place], filter_string=same, max_results=1)
        if found:
            self._run = found[0]
        else:
            facts = {**_cut(tags(run)), "mlflow.source.name": "cnnlab"}
            self._run = self._client.create_run(place, _milliseconds(run.started), facts, run.name)
        self._id: str = self._run.info.run_id
        if run.status == "unfinished" and self._run.info.status != "RUNNING":
            self._client.update_run(self._id, "RUNNING")
        histories = {name: self._client.get_metric_history(self._id, name) for name in self._run.data.metrics}
        self._there = {name: {number.step for number in history} for name, history in histories.items()}
        self._add_parameters(run)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:
                # Another process may have made it at the same time.
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _add_parameters(self, run: Run) -> None:
        """Those that are not there yet: MLflow takes each once."""
        from mlflow.entities import Param

        named = {_key(name): visible(str(value)) for name, value in parameters(run).items()}
        there = self._run.data.params
        new = [Param(name, value[:_MOST_LETTERS]) for name, value in named.items() if name not in there]
        for start in range(0, len(new), _MOST_FACTS):
            self._client.log_batch(self._id, params=new[start : start + _MOST_FACTS])

    def has(self, point: Point) -> bool:
        """Whether the server has a number of this curve at this step."""
        return point.step in self._there.get(_key(point.series), ())

    def add(self, points: Sequence[Point]) -> None:
        """So many at a time as MLflow takes."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = [Metric(_key(point.series), point.value, now, point.step) for point in points]
        for start in range(0, len(numbers), _MOST_AT_ONCE):
            self._client.log_batch(self._id, metrics=numbers[start : start + _MOST_AT_ONCE])

    def end(self, run: Run) -> None:
        """Scores and tags; then status; then the recipe and the confusion matrix as files."""
        from mlflow.entities import RunTag

        self.add([point for point in score_points(run) if not self.has(point)])
        facts = [RunTag(name, value) for name, value in _cut(ending_tags(run)).items()]
        self._client.log_batch(self._id, tags=facts)
        finished = run.info.get("finished")
        self._client.set_terminated(
            self._id, _STATUS.get(run.status, "KILLED"), None if finished is None else _milliseconds(finished)
        )
        self._client.log_text(self._id, visible(yaml.dump(json_value(run.recipe))), RECIPE)
        confusion = confusion_of(run)
        if confusion is not None:
            self._client.log_dict(self._id, confusion.to_dict(), "confusion.json")
            picture = confusion_image(confusion)
            if picture is not None:
                self._client.log_image(self._id, picture, "confusion.png")

    def close(self) -> None:
        """There is nothing to let go of."""


def _key(name: str) -> str:
    """A name with the signs that MLflow takes: phases[0].epochs is phases.0.epochs."""
    return _FORBIDDEN.sub(".", name.replace("]", "").replace("[", "."))[:250]


def _cut(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: visible(value)[:_MOST_LETTERS] for name, value in facts.items()}


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
