"""Every classifier on the features of every backbone, in every repeat; and the best of each, chosen on validation."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from cnnlab.core.feature_cache import Features
from cnnlab.core.messages import note, track
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation.temperature import best_temperature
from cnnlab.objectives import Objective
from cnnlab.transfer.backbones import FeatureMaker
from cnnlab.transfer.classifiers import PROBE, probe_candidates
from cnnlab.transfer.divisions import Division
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.fitting import Fitted, Labels, as_outputs, check_enough, fit, has_probabilities, raw_outputs
from cnnlab.transfer.pictures import Pictures
from cnnlab.transfer.record import METRICS, ChoiceRecord, ColumnRecord, RepeatRecord, RowRecord
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.scoring import scores_of
from cnnlab.transfer.search import CrossValidation, Found
from cnnlab.transfer.training_part import TrainingPart


@dataclass(frozen=True, eq=False)
class Column:
    """The features of one backbone at one layer.

    :param features: N×K, of all splits after one another.
    :param draws: the same of augmented draws of training pictures.
    """

    label: str
    backbone: FeatureMaker
    pictures: Pictures
    source: FeatureSource
    features: Features
    draws: Sequence[Features] = ()

    @property
    def record(self) -> ColumnRecord:
        """What is stored of it."""
        chosen, own = self.source.chosen, self.source.extractor
        assert chosen is not None
        return ColumnRecord(
            label=self.label,
            backbone=str(self.backbone.spec()),
            weights=own.weights,
            named=None if self.backbone.weights is None else self.backbone.weights.named,
            layer=str(own.layer),
            features=self.features.shape[1],
            shape=own.classifier.shape,
            precision=chosen.precision,
            kernels=chosen.kernels,
            deviation=chosen.deviation,
            seconds=round(self.source.seconds, 3),
            computed=self.source.computed,
        )


@dataclass(frozen=True)
class _Entry:
    """A row: a classifier, or the candidates of a search."""

    name: str
    candidates: tuple[BoundCall[Pipeline], ...]
    judged_by: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a comparison came to.

    :param best: the classifier chosen in the first repeat, fitted to its training pictures.
    :param outputs: what it says of the validation and test pictures of the first repeat, N×K.
    """

    columns: tuple[Column, ...]
    rows: tuple[RowRecord, ...]
    choices: tuple[ChoiceRecord, ...]
    best: Fitted
    outputs: Mapping[str, Tensor]

    @property
    def column(self) -> Column:
        """The features that the best takes."""
        return self.columns[self.rows[self.choices[0].row].column]


def check_sizes(request: TransferRequest, divided: Sequence[Division]) -> None:
    """Refuses what asks for more pictures than it is fitted to, before any feature is computed.

    :raises UsageError: naming it.
    """
    train, views = len(divided[0].parts["train"]), 1 + len(request.draws)
    for call in request.parts.classifiers:
        check_enough(call, views * train)
        if len(probe_candidates(call)) > 1:
            CrossValidation("loss", request.cv).first_looked_at(train)
    for grid in request.parts.grids:
        some = CrossValidation(request.metric, request.cv, request.subsample).first_looked_at(train)
        for call in grid.candidates:
            check_enough(call, views * (some - -(-some // request.cv)))


def compare(
    request: TransferRequest, columns: Sequence[Column], pictures: Pictures, divided: Sequence[Division]
) -> Outcome:
    """Fits and scores everything, repeat by repeat."""
    entries = _entries(request)
    scored: dict[tuple[int, int], list[RepeatRecord]] = {}
    choices: list[ChoiceRecord] = []
    first: tuple[Fitted, dict[str, Tensor]] | None = None
    steps = [
        (division, place, number)
        for division in divided
        for place in range(len(columns))
        for number in range(len(entries))
    ]
    keys = sorted({(place, number) for _, place, number in steps}, key=lambda key: (key[1], key[0]))
    best: _Contender | None = None
    for division, place, number in track(steps, "Fitting classifiers", len(steps)):
        judge = _Judge(request, columns[place], pictures, division)
        contender = judge.judged(entries[number], columns[place].label, (place, number))
        scored.setdefault((place, number), []).append(contender.record)
        for text in contender.fitted.notes:
            note(f"{columns[place].label}: {text}.")
        if best is None or contender.is_better(best, request.metric):
            best = contender
        if (place, number) == (len(columns) - 1, len(entries) - 1):
            own = _Judge(request, columns[best.key[0]], pictures, division)
            fitted, outputs, test = own.final(best)
            choices.append(ChoiceRecord(seed=division.seed, row=keys.index(best.key), test=test))
            first = first or (fitted, outputs)
            best = None
    assert first is not None
    rows = tuple(
        RowRecord(column=place, classifier=entries[number].name, repeats=tuple(scored[place, number]))
        for place, number in keys
    )
    return Outcome(tuple(columns), rows, tuple(choices), *first)


def _entries(request: TransferRequest) -> list[_Entry]:
    found = [
        _Entry(str(call.short), tuple(probe_candidates(call)), "loss" if call.name == PROBE else request.metric)
        for call in request.parts.classifiers
    ]
    return found + [_Entry(grid.name, grid.candidates, request.metric) for grid in request.parts.grids]


@dataclass(frozen=True, eq=False)
class _Contender:
    """A classifier in one repeat."""

    key: tuple[int, int]
    fitted: Fitted
    record: RepeatRecord

    def is_better(self, other: "_Contender", metric: str) -> bool:
        """By the metric, then by the others; of equals the earlier stays."""
        order = [metric, *(name for name in METRICS if name != metric)]
        mine, theirs = ([each.record.scores[name] for name in order] for each in (self, other))
        return mine > theirs


class _Judge:
    """One repeat on the features of one column."""

    def __init__(self, request: TransferRequest, column: Column, pictures: Pictures, division: Division) -> None:
        self.request, self.column, self.division = request, column, division
        self.labels: Labels = pictures.labels
        self.objective: Objective = pictures.objective

    def part(self, split: str) -> tuple[Features, Labels]:
        """Features and classes of a split, the pictures as they are."""
        places = self.division.parts[split]
        return self.column.features[places], self.labels[places]

    @property
    def training_part(self) -> TrainingPart:
        """What is fitted to."""
        places = self.division.parts["train"]
        return TrainingPart(*self.part("train"), [draw[places] for draw in self.column.draws])

    def judged(self, entry: _Entry, label: str, key: tuple[int, int]) -> _Contender:
        """A classifier fitted to train and scored on validation; found by a search first, where there is one."""
        train = self.training_part
        found = self._found(entry, train, label)
        fitted = fit(found.best, train.features, train.labels, self.division.seed)
        features, truth = self.part("validation")
        began = time.perf_counter()
        outputs = as_outputs(raw_outputs(fitted.pipeline, features, self.objective.outputs))
        seconds = time.perf_counter() - began
        scores = scores_of(self.objective, outputs, truth)
        record = RepeatRecord(
            seed=self.division.seed,
            classifier=found.name,
            settings=str(found.best),
            scores={name: scores[name] for name in METRICS},
            pictures=len(truth),
            trained=len(train),
            fit_seconds=round(fitted.seconds, 4),
            predict_seconds=round(seconds, 4),
            tried=len(entry.candidates),
            searched=found.judged,
            judged_by=entry.judged_by if found.judged else None,
            notes=fitted.notes,
        )
        return _Contender(key, fitted, record)

    def _found(self, entry: _Entry, train: TrainingPart, label: str) -> Found:
        if len(entry.candidates) == 1:
            return Found(entry.candidates[0], str(entry.candidates[0].short))
        # The few values of a probe are no search that a subsample would make quick.
        subsample = self.request.subsample if entry.judged_by != "loss" else None
        search = CrossValidation(entry.judged_by, self.request.cv, subsample)
        title = f"{label}, {entry.name}"
        return search.search(entry.candidates, train, self.objective, self.division.seed, title)

    def final(self, best: _Contender) -> tuple[Fitted, dict[str, Tensor], dict[str, float] | None]:
        """The best of the repeat: its outputs on validation and test, and its scores on test, taken this once."""
        pipeline, temperature = best.fitted.pipeline, 1.0
        features, labels = self.part("validation")
        raw = raw_outputs(pipeline, features, self.objective.outputs)
        if not has_probabilities(pipeline):
            temperature = best_temperature(torch.from_numpy(raw), torch.from_numpy(labels))
        outputs = {"validation": as_outputs(raw, temperature)}
        scores = None
        if "test" in self.division.parts:
            features, labels = self.part("test")
            outputs["test"] = as_outputs(raw_outputs(pipeline, features, self.objective.outputs), temperature)
            scores = {**scores_of(self.objective, outputs["test"], labels), "n": float(len(labels))}
        fitted = Fitted(best.fitted.call, pipeline, temperature, best.fitted.seconds, best.fitted.notes)
        return fitted, outputs, scores
