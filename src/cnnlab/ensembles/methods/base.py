"""What a method of making an ensemble is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.registry import Registry
from cnnlab.core.scored_splits import OUT_OF_FOLD as HELD_OUT
from cnnlab.data import Dataset
from cnnlab.data.dataset import OUT_OF_FOLD
from cnnlab.ensembles.combinations import AnyCombination
from cnnlab.ensembles.member_outputs import MemberOutputs, OtherPicturesError, side_by_side
from cnnlab.ensembles.same_pictures import how_to_train_on_the_same
from cnnlab.ensembles.temperature import fitted_temperatures
from cnnlab.evaluation import Predictor, own_data, predictor_of
from cnnlab.models import Classifier, Predictable
from cnnlab.runs import Predictions, Run

SPLITS = ("validation", "test")
"""Those that an ensemble is scored on; it is fitted on the first, unless it is told to be on the next."""
FittedOn: TypeAlias = Literal["validation", "out-of-fold"]


@dataclass(frozen=True)
class Views:
    """The changed views of a picture that one model is asked about.

    :param pipeline: canonical spec of what is done to the picture.
    :param count: views, the first of which is the picture as it is.
    """

    pipeline: str
    count: int
    seed: int


@dataclass(frozen=True, eq=False)
class Asked:
    """One model that an ensemble asks: the run, and the epoch whose weights are meant where it is not the selected."""

    run: Run
    epoch: int | None = None

    @property
    def label(self) -> str:
        """What people call it."""
        return self.run.name if self.epoch is None else f"{self.run.name} after epoch {self.epoch}"


@dataclass(frozen=True, eq=False)
class Made:
    """An ensemble as a method has made it.

    :param members: the models that it is made of, or whose weights went into ``classifier``.
    :param predictions: its own, by split.
    :param outputs: what each member puts out, by split; empty where weights were averaged, not outputs.
    :param combination: what is made of the members' outputs; None where weights were averaged.
    :param classifier: with averaged weights, else None.
    :param cross_fitted: splits of which its predictions were told by numbers that were fitted without the picture.
    :param notes: what a person should know of how it was made.
    """

    members: tuple[Asked, ...]
    predictions: Mapping[str, Predictions]
    outputs: Mapping[str, MemberOutputs] = field(default_factory=dict)
    combination: AnyCombination | None = None
    views: Views | None = None
    classifier: Classifier | None = None
    cross_fitted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """Where data is looked for by methods that must predict anew, and on which device they compute."""

    data_dir: str | Path | None = None
    offline: bool = False
    device: str | None = None

    def predictor(self, run: Run, model: Predictable | None = None) -> Predictor:
        """A run's classifier, or another model in its place, run as the run was."""
        found = predictor_of(run, device=self.device, offline=self.offline)
        return found if model is None else replace(found, classifier=model)

    def data(self, run: Run) -> Dataset:
        """The data of a run, divided as for its training."""
        return own_data(run, data_dir=self.data_dir, offline=self.offline)


class Method(ABC):
    """How an ensemble is made of runs; registered under the name by which a spec asks for it."""

    least: ClassVar[int] = 2
    most: ClassVar[int | None] = None
    """How many runs it takes."""

    @property
    def fitted_on(self) -> str | None:
        """The one split that anything is fitted or chosen on; None where nothing is."""
        return None

    @abstractmethod
    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """The ensemble of these finished runs.

        :raises UsageError: when they cannot be meant.
        """


class Combining(Method):
    """Methods that combine stored predictions. A subclass writes :meth:`fit`; no picture is read."""

    @property
    def needs_validation(self) -> bool:
        """Whether anything is fitted, which is done on validation, or where it is told so on what is out of fold."""
        return True

    @property
    def fitted_on(self) -> str | None:
        """Validation, or what is out of fold where it is told so; None where nothing is fitted."""
        if not self.needs_validation and not self.has_temperature:
            return None
        return HELD_OUT if getattr(self, "on", None) == OUT_OF_FOLD else "validation"

    @property
    def has_temperature(self) -> bool:
        """Whether the logits of each member are first divided by a temperature fitted on validation."""
        return bool(getattr(self, "temperature", False))

    @abstractmethod
    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """What is to be made of the members' outputs.

        :param outputs: on the split that is fitted on; where nothing is fitted perhaps on another split, to be looked
            at for its form.
        """

    def held_out(self, outputs: MemberOutputs) -> Tensor | None:
        """What the ensemble says of the pictures fitted on N×K, each by numbers that were fitted without it.

        None where that is not worked out: scores on them are then those of the pictures that it was fitted on.
        """
        return None

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """From the stored predictions of all splits that every member has."""
        outputs, notes = {}, list[str]()
        if self.fitted_on == HELD_OUT:
            _check_folds(runs)
            notes.append(_ON_FOLDS)
        for split in (*SPLITS, HELD_OUT):
            if not all(split in run.splits for run in runs):
                continue
            try:
                outputs[split] = stored_outputs(runs, split)
            except UsageError as error:
                # Members may have set aside other pictures; what is scored in the end must be the same ones.
                if split in ("test", self.fitted_on):
                    raise
                if split == "validation":
                    why = error.difference if isinstance(error, OtherPicturesError) else error
                    notes.append(f"nothing is said of validation: {why}")
        if not outputs:
            raise UsageError(
                f"{runs[0].name} and the others have no predictions stored of a split that all of them have. Train "
                "them anew, or name others."
            )
        return replace(self.combined(tuple(map(Asked, runs)), outputs), notes=tuple(notes))

    def combined(self, asked: tuple[Asked, ...], outputs: Mapping[str, MemberOutputs]) -> Made:
        """From what the members put out, by split."""
        fitted = self.fitted(outputs)
        predictions, cross_fitted = {}, list[str]()
        for split, each in outputs.items():
            held_out = self.held_out(each) if split == self.fitted_on and each.targets else None
            said = each.combined(fitted) if held_out is None else held_out
            predictions[split] = each.predictions(said)
            cross_fitted += [] if held_out is None else [split]
        return Made(asked, predictions, outputs, fitted, cross_fitted=tuple(cross_fitted))

    def fitted(self, outputs: Mapping[str, MemberOutputs]) -> AnyCombination:
        """The combination, with temperatures where these are asked for; only one split is looked at for any number.

        :raises UsageError: when there is none to fit on.
        """
        if self.fitted_on is None:
            return self.fit(next(iter(outputs.values())))
        looked_at = outputs.get(self.fitted_on)
        if looked_at is None or not looked_at.targets:
            has_folds = HELD_OUT in outputs and self.fitted_on != HELD_OUT and hasattr(self, "on")
            instead = "on=out-of-fold, since they have folds, or " if has_folds else ""
            raise UsageError(
                "this method is fitted on validation pictures, and the members have no scored predictions of such "
                "stored: they were trained without a validation split, or its predictions are gone. Take "
                f"{instead}method=mean or method=vote, which are fitted on nothing."
            )
        temperatures = fitted_temperatures(looked_at) if self.has_temperature else {}
        if temperatures:
            looked_at = looked_at.tempered(temperatures)
        return self.fit(looked_at).model_copy(update={"temperatures": temperatures})


def stored_outputs(runs: Sequence[Run], split: str) -> MemberOutputs:
    """What runs have stored of a split, side by side.

    :raises UsageError: as :func:`~cnnlab.ensembles.member_outputs.side_by_side` does.
    :raises OtherPicturesError: with how to train one on the pictures of the first.
    """
    try:
        return side_by_side([run.predictions(split) for run in runs], [run.name for run in runs])
    except OtherPicturesError as error:
        remedy = how_to_train_on_the_same(runs[0], runs[error.member])
        raise OtherPicturesError(f"{error} {remedy}", error.member, error.difference) from error


_ON_FOLDS = (
    "it was fitted on what the networks of folds said of training pictures that they had not seen, and on nothing of "
    "validation or test"
)


def _check_folds(runs: Sequence[Run]) -> None:
    """Refuses members of which it is not known what they say of training pictures that they had not seen.

    :raises UsageError: naming the first.
    """
    without = next((run for run in runs if not run.is_ensemble or HELD_OUT not in run.splits), None)
    if without is None:
        return
    raise UsageError(
        f"on=out-of-fold goes by what is said of training pictures that a network had not seen, and "
        f"{without.name} {'is of one fold alone' if HELD_OUT in without.splits else 'was not trained with folds'}. "
        "Name what folds=5 made of each recipe, or leave on= out: validation is fitted on then."
    )


methods: Registry[Method] = Registry("method")
