"""What can be said of a run from its ``run.json``, whether read from its folder or from the index of a store."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.runs.data_folder import data_folder
from cnnlab.runs.diagnosis import Diagnosis
from cnnlab.runs.record import LAST, RECIPE
from cnnlab.runs.scores import Scores

QUICK = "one epoch on a few hundred pictures, to see that all goes through; its numbers say nothing"
"""What a quick trial is, for whoever looks at one."""

WITHOUT_WEIGHTS = "none here, for it was imported without; an export with --weights brings them"
"""What is told of such a run."""


class RunInfo(ABC):
    """The facts of one run; a subclass says where they are read."""

    folder: Path

    @property
    @abstractmethod
    def info(self) -> dict[str, Any]:
        """The content of ``run.json``; the fields are described in :mod:`cnnlab.runs.record`."""

    @property
    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """The recipe, as ``recipe.yaml`` holds it."""

    @property
    def given(self) -> dict[str, Any]:
        """Of the recipe what is not at its default, specs in short; of runs without such a record the whole recipe."""
        return dict(self.info.get("given") or self.recipe)

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether a process is at work on the run, read off its lock."""

    @property
    @abstractmethod
    def study(self) -> str | None:
        """The study that trained it: the one beside it whose name was given to it; None where there is none."""

    @property
    def name(self) -> str:
        """The name of its folder, by which it is found: ``NAME-DIGEST8``, with ``-REPEAT`` from the second on."""
        return self.folder.name

    @property
    def digest(self) -> str:
        """Digest of the recipe; runs that share it are repeats."""
        return str(self.info.get("digest", ""))

    @property
    def repeat(self) -> int:
        """1 for the first run of its digest, counting on."""
        return int(self.info.get("repeat") or 1)

    @property
    def status(self) -> str:
        """``unfinished``, ``finished`` or ``failed``."""
        return str(self.info.get("status", "unfinished"))

    @property
    def state(self) -> str:
        """``running`` while a process is at work on it, else its status."""
        return "running" if self.is_running else self.status

    @property
    def started(self) -> str:
        """When it was first started, ISO 8601 in UTC."""
        return str(self.info.get("started") or "")

    @property
    def seconds(self) -> float:
        """Time spent training: on its steps, and on frozen parts that are computed once."""
        frozen = sum(float((facts or {}).get("seconds") or 0.0) for facts in self.frozen_features.values())
        return float(self.info.get("seconds") or 0.0) + frozen

    @property
    def frozen_features(self) -> dict[int, dict[str, Any] | None]:
        """For phases whose frozen parts were to be computed once what that took; None where there was no room."""
        return {int(number): facts for number, facts in (self.info.get("frozen_features") or {}).items()}

    @property
    def epochs_done(self) -> int:
        """Whole epochs behind it."""
        return int(self.info.get("epochs_done") or 0)

    @property
    def epochs(self) -> int | None:
        """Whole epochs to do, where known."""
        total = self.info.get("epochs")
        return None if total is None else int(total)

    @property
    def train(self) -> Scores:
        """Scores on the training split, of the epoch selected."""
        return self.scores("train")

    @property
    def validation(self) -> Scores:
        """Scores on the validation split, of the epoch selected."""
        return self.scores("validation")

    @property
    def test(self) -> Scores:
        """Scores on the test split, taken once, at the end."""
        return self.scores("test")

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why it learned nothing, looked at when its training ended; false where it learned.

        None of a run that was stored before there were diagnoses, or that has not ended. To make one anew there is
        :func:`cnnlab.training.diagnose`.
        """
        return Diagnosis.of(self.info.get("diagnosis"))

    @property
    def data_folder(self) -> Path | None:
        """The folder from which a relative path to its data led there; None where there is no such path.

        Given as ``data_dir``, it lets the data be read again from wherever one is now.
        """
        return data_folder(self.recipe, self.info)

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """Of an ensemble the splits that its numbers or members were fitted or chosen on, which flatter it."""
        return tuple((self.info.get("ensemble") or {}).get("fitted_on") or ())

    @property
    def is_ensemble(self) -> bool:
        """Whether it was made of other runs, and not trained."""
        return bool(self.info.get("ensemble"))

    @property
    def is_quick(self) -> bool:
        """Whether it was a quick trial: one epoch on a few pictures, whose numbers say nothing of its recipe."""
        return bool(self.recipe.get("quick"))

    @property
    def is_transfer(self) -> bool:
        """Whether it is a classifier that was fitted to features of a pretrained network, and not trained."""
        return bool(self.info.get("transfer"))

    @property
    def is_trained(self) -> bool:
        """Whether it is a training, with epochs behind it, and was not made of other runs or of features."""
        return not (self.is_ensemble or self.is_transfer)

    def check_trained(self) -> None:
        """Refuses what is no training, for whatever goes on with the weights of one.

        :raises UsageError: saying what it is.
        """
        if self.is_transfer:
            raise UsageError(
                f"{self.name} was made by cnnlab transfer: a classifier was fitted to features of a network, and there "
                "is no training to go on from. To train the network itself: cnnlab train "
                "model='efficientnet-lite0(weights=imagenet)'."
            )
        if self.is_ensemble:
            members = (self.info.get("ensemble") or {}).get("members") or []
            raise UsageError(
                f"{self.name} is an ensemble: it was made of other runs and has no training to go on from. Take one of "
                f"its members: {', '.join(members)}."
            )

    @property
    def weights_left_out(self) -> dict[str, str]:
        """The SHA-256 of each file of weights that stayed behind when it was imported, by its name."""
        files = (self.info.get("weights_left_out") or {}).get("files") or {}
        return {name: content for name, content in files.items() if not (self.folder / name).is_file()}

    @property
    def came_without_weights(self) -> bool:
        """Whether it was imported without the weights that it predicts with, and did not get them since."""
        return not self.weights_left_out.keys() <= {LAST}

    def check_weights(self, *, last: bool = False) -> None:
        """Refuses a run that was imported without its weights, for whatever opens its classifier.

        :param last: also one that lacks only those of its last epoch, from which more epochs would go on.
        :raises ModelFileError: with how to get them.
        """
        if self.came_without_weights or (last and self.weights_left_out):
            raise ModelFileError(
                f"{self.name} was imported without its weights, so there is no classifier to open. Export it with "
                "--weights where it was trained and import that here, or make it anew"
                + (f": cnnlab train {self.folder / RECIPE} --again" if self.is_trained else ".")
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """The runs of its folder that it cannot predict without, by name: members of an ensemble."""
        return tuple((self.info.get("ensemble") or {}).get("needs") or ())

    def scores(self, split: str) -> Scores:
        """Scores on a split; empty where there are none yet."""
        return Scores((self.info.get("scores") or {}).get(split) or {}, f"{split} scores of run {self.name}")

    def to_dict(self) -> dict[str, Any]:
        """Everything that describes the run, as plain JSON: ``run.json``, the recipe, and where it lies."""
        place = {"folder": str(self.folder), "name": self.name, "is_quick": self.is_quick}
        return {**self.info, **place, "is_running": self.is_running, "recipe": self.recipe}
