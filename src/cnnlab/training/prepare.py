"""What a recipe needs, built once and handed on: data, objective, phases, selection, class balance, first weights.

Everything is checked against everything else here, before a run is begun.
"""

import copy
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab import data, objectives
from cnnlab.core.digests import canonical_json, digest, file_digest
from cnnlab.core.errors import SpecError, UsageError, either
from cnnlab.core.given_objects import NotFoundHereError
from cnnlab.core.messages import announcing
from cnnlab.core.seeds import scope
from cnnlab.core.spec import read
from cnnlab.data import Dataset
from cnnlab.models import (
    Classifier,
    ModelSpec,
    build_network,
    check_network,
    fresh_network,
    load_classifier,
    recalled_network,
    where_to_give,
)
from cnnlab.models.backbone import Moments
from cnnlab.models.classifier_files import WeightsMismatchError
from cnnlab.models.shapes import Shape
from cnnlab.objectives import Objective
from cnnlab.runs import Run, RunStore
from cnnlab.runs.record import LAST, MODEL
from cnnlab.training.adversaries import Adversaries
from cnnlab.training.checkpoints import has_checkpoint
from cnnlab.training.class_balance import ClassBalance
from cnnlab.training.initial_weights import InitialWeights, find_initial_weights, initial_weights_of
from cnnlab.training.normalization import moments
from cnnlab.training.partial_training import PartialTraining
from cnnlab.training.phase_cuts import check_views
from cnnlab.training.phases import PhasePlan, plan_phases
from cnnlab.training.python_objects import check_given, extract_objects, given_data
from cnnlab.training.recipe import Phase, Recipe
from cnnlab.training.recipe_specs import GivenInPython, parse_spec
from cnnlab.training.selection import SelectionMetric
from cnnlab.training.starting_loss import start_near_a_constant_guess

_FOR_SMALL_PICTURES = ("cnn", "mlp")
"""Models that are told of where pictures are too small for the usual one."""
_SUITS_USUAL = 32
"""A side of pictures in pixels that the usual model is made for."""
_REHEARSED = 64
"""Samples on which a loss and metrics of one's own are tried."""


@dataclass(frozen=True)
class TrainingSetup:
    """A recipe with all that it names, and that it comes to on its data.

    :param plan: its phases over this training set, counted on from where the parent ended.
    :param parent: the run whose last weights it takes over, or else ``start``, stored weights, where it names some.
    """

    recipe: Recipe
    dataset: Dataset
    objective: Objective
    plan: PhasePlan
    selection: SelectionMetric
    balance: ClassBalance
    parent: Run | None = None
    start: InitialWeights | None = None

    @cached_property
    def digest(self) -> str:
        """What makes two trainings the same."""
        return self.recipe.digest(data_digest(self.recipe, self.dataset), self.start_digest)

    @cached_property
    def start_digest(self) -> str | None:
        """What the training takes over from its parent, or the weights that it starts from."""
        if self.parent is not None:
            # Weights, and where epochs and steps are counted on from; never the run's name.
            info = self.parent.info
            return digest([_digest_of_last_weights(self.parent), info["epochs_done"], info["step"]])
        if self.start is None:
            return None
        return digest(["weights", self.start.digest, *(["what fits"] if self.recipe.weights else [])])

    @property
    def data_facts(self) -> dict[str, Any]:
        """What a run's record holds of the data."""
        dataset = self.dataset
        sizes = {split: len(images) for split, images in dataset.parts()}
        if dataset.held_out is not None:
            sizes[dataset.held_out.name] = len(dataset.held_out.images)
        return {"name": dataset.name, "digest": dataset.digest, "sizes": sizes, "source": dict(dataset.source)}


def read_setup(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None",
    keys: Mapping[str, Any],
    store: RunStore,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    datasets: MutableMapping[str, Dataset] | None = None,
) -> TrainingSetup:
    """Reads a recipe with ``keys`` put over it, objects among them, and prepares what it needs.

    :raises UsageError: for a recipe that cannot be meant.
    """
    recipe, plain, given = extract_objects(recipe, keys)
    read = Recipe.read(recipe, **plain)
    return prepare(read, store, given=given, data_dir=data_dir, offline=offline, datasets=datasets)


def prepare(
    recipe: Recipe,
    store: RunStore,
    *,
    given: Any = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    datasets: MutableMapping[str, Dataset] | None = None,
    run: Run | None = None,
) -> TrainingSetup:
    """A recipe with its data loaded, its objective built and its parent found, all checked against each other.

    :param given: the data, where it was given in Python.
    :param datasets: data sets already loaded, by :func:`data_key`; one that is not among them is put there, for
        whoever trains many times on the same.
    :param run: the one that goes on, where it is no new one.
    :raises UsageError: when they do not fit together.
    """
    if isinstance(recipe.model.parsed, GivenInPython):
        _check_known(recipe, is_new=run is None and recipe.parent is None)
    for text in (str(recipe.objective), *(str(phase.optimizer) for phase in recipe.normal())):
        check_given(text)
    datasets = {} if datasets is None else datasets
    dataset = load_dataset(recipe, given=given, data_dir=data_dir, offline=offline, datasets=datasets)
    return _fitted(recipe, dataset, store, offline, run)


def held_out_setup(setup: TrainingSetup, fold: int, store: RunStore, *, offline: bool = False) -> TrainingSetup:
    """The training of a recipe with folds that holds out one of them, on the data that is loaded already.

    :param fold: from 1.
    """
    recipe = setup.recipe
    assert recipe.folds is not None
    own = recipe.model_copy(update={"fold": fold, "name": f"{recipe.title}-fold-{fold}"})
    dataset = data.take_fold(setup.dataset, data.Fold(fold, recipe.folds), recipe.seed)
    return _fitted(own, dataset, store, offline, None)


def _fitted(recipe: Recipe, dataset: Dataset, store: RunStore, offline: bool, run: Run | None) -> TrainingSetup:
    """All that a recipe comes to on its data."""
    parent = None if recipe.parent is None else store.find(recipe.parent)
    if parent is not None:
        parent.check_trained()
        # By folder: the digest is shared by all repeats, whose weights differ.
        recipe = recipe.model_copy(update={"parent": parent.name})
    objective = _objective(recipe, dataset, run or parent)
    balance = _checked_balance(recipe, objective, dataset)
    for phase in recipe.normal():
        phase.augment.parsed.check(dataset.shape, objective.soft)
        if phase.adversary.parsed:
            Adversaries.of(phase, objective)
    selection = SelectionMetric.of(recipe, objective, dataset)
    with announcing("looking for the weights to start from"):
        start = None if parent is not None else _stored_start(recipe, dataset, objective, store, offline, run)
    if start is not None and start.joined is not None:
        # With its members, so that the record says all of the network by itself.
        recipe = recipe.model_copy(update={"model": parse_spec("model", str(start.joined.model))})
    done = {"epochs_done": 0, "step": 0} if parent is None else parent.info
    plan = plan_phases(recipe, len(dataset.train), done["epochs_done"], done["step"])
    return TrainingSetup(recipe, dataset, objective, plan, selection, balance, parent, start)


def load_dataset(
    recipe: Recipe,
    *,
    given: Any = None,
    data_dir: str | Path | None,
    offline: bool,
    datasets: MutableMapping[str, Dataset],
) -> Dataset:
    """The data set that a recipe names, or the object that was given for it.

    :param given, datasets: as for :func:`prepare`.
    :raises DataError: where it is missing or damaged.
    """
    reading, key = recipe.data.parsed, data_key(recipe)
    is_object = isinstance(reading, GivenInPython)
    if key in datasets and not is_object:
        return datasets[key]
    dataset = data.load_data(
        given_data(given) if is_object else reading,
        **recipe.data_options,
        data_dir=data_dir,
        offline=offline,
    )
    if not is_object:
        datasets[key] = dataset
    return dataset


def data_key(recipe: Recipe) -> str:
    """What tells the data of a recipe, in its splits, apart from other data."""
    return canonical_json([recipe.data, recipe.data_options | ({} if _draws(recipe) else {"seed": None})])


def data_digest(recipe: Recipe, dataset: Dataset) -> str:
    """The digest of the data that a recipe's is taken over, which repeats share."""
    return dataset.whole_digest if _draws(recipe) else dataset.digest


def _draws(recipe: Recipe) -> bool:
    """Whether what is trained on depends on the seed."""
    return data.is_drawn(recipe.subset) or recipe.folds is not None


def build_classifier(setup: TrainingSetup) -> Classifier:
    """The classifier at the start of training: drawn from the seed, or with the parent's last weights."""
    recipe, dataset = setup.recipe, setup.dataset
    model = recipe.model.parsed
    with announcing(f"building {model.short if isinstance(model, ModelSpec) else 'the network'}"):
        network, own = _first_network(setup)
    with announcing("measuring the mean and spread of the training pictures"):
        mean, std = moments(recipe.normalize.parsed, dataset.train, own)
    reading = recipe.data.parsed
    said = {} if isinstance(reading, GivenInPython) else reading.arguments
    classifier = Classifier(
        network,
        shape=dataset.shape,
        mean=mean,
        std=std,
        classes=dict(dataset.classes),
        objective=setup.objective.spec,
        # What rebuilds the network; where its first weights came from is on record with the run.
        model=recipe.model_without_weights,
        permute=recipe.permute,
        resize=said.get("resize", "squash"),
        resampling=said.get("resampling", "bilinear"),
        white=dataset.source.get("white"),
        float_white=dataset.source.get("float_white"),
    )
    if setup.parent is None:
        batch_size = setup.plan.spans[0].phase.batch_size
        start_near_a_constant_guess(classifier, setup.objective, dataset.train, batch_size=batch_size, seed=recipe.seed)
    if any(min(span.phase.batch_size, len(dataset.train)) == 1 for span in setup.plan.spans):
        _check_single_images(classifier)
    for number, phase in enumerate(recipe.normal(), start=1):
        try:
            _check_parts(phase, classifier)
        except UsageError as error:
            raise UsageError(f"phase {number}: {error}" if recipe.phases else str(error)) from error
    return classifier


def _check_parts(phase: Phase, classifier: Classifier) -> None:
    """Tells of parts that there are not now, and not when the phase begins."""
    trained = PartialTraining(classifier, phase)
    if phase.views is None:
        return
    trained.begin()
    try:
        trained.train()
        check_views(phase, classifier)
    finally:
        trained.end()


def _check_single_images(classifier: Classifier) -> None:
    """Refuses a network that cannot be trained on one picture at a time."""
    trial = copy.deepcopy(classifier).train()
    try:
        with scope(0, "trial"), torch.no_grad():
            trial(torch.zeros(1, *classifier.shape))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UsageError(
            "batch_size=1 does not go with batch normalisation here: of one value there is no spread to normalise by. "
            "Take batch_size=2 or more, or another normalisation."
        ) from error


def _objective(recipe: Recipe, dataset: Dataset, before: Run | None) -> Objective:
    """The objective on this data; numbers keep the scale that they had in a run that goes on or is gone on from."""
    columns = {name: dataset.classes.get(name) for name in dataset.train.targets}
    spec_before = None if before is None else before.recipe.get("objective", "classes")
    if before is None or objectives.canonical_objective(spec_before) != str(recipe.objective):
        return objectives.build_objective(recipe.objective.parsed, columns, dataset.train.targets)
    # Runs recorded before numbers were standardised have none on record, and scales that the spec alone gives.
    return objectives.build_objective(before.info.get("objective") or recipe.objective.parsed, columns)


def _checked_balance(recipe: Recipe, objective: Objective, dataset: Dataset) -> ClassBalance:
    """The balance of classes; refuses what the objective cannot do, and targets that it cannot take."""
    own = objective.own_loss
    if own is not None and recipe.balance == "weights":
        raise UsageError(
            f"balance=weights weighs cnnlab's own loss, and the loss {own.name} is given. Weigh classes in that, or "
            "take balance=sampler, which draws rare ones more often."
        )
    if any(phase.label_smoothing for phase in recipe.normal()) and own is not None and not objective.smooths:
        raise UsageError(
            f"label_smoothing gives shares of the classes, and the loss {own.name} takes classes by their indices. "
            "Smooth in that, or leave label_smoothing out."
        )
    if any(phase.label_smoothing for phase in recipe.normal()) and not objective.smooths:
        raise UsageError(
            f"label_smoothing needs classes, and objective={recipe.objective.name} has none. Leave it out; "
            "bins have a smoothing of their own, spread=…."
        )
    balance = ClassBalance.of(recipe.balance, dataset.train, objective)
    for images in dict(dataset.parts()).values():
        if images.targets:
            objective.check(images.targets)
    objective.rehearse_own({name: column[:_REHEARSED] for name, column in dataset.train.targets.items()})
    return balance


def _stored_start(
    recipe: Recipe, dataset: Dataset, objective: Objective, store: RunStore, offline: bool, run: Run | None
) -> InitialWeights | None:
    if run is None:
        return find_initial_weights(recipe, dataset, objective, store.root, offline)
    return initial_weights_of(run, recipe, dataset, objective, has_checkpoint(run.folder), offline)


def _first_network(setup: TrainingSetup) -> tuple[nn.Module, Moments | None]:
    """The network with its first weights, and the moments of the pictures behind them where they are not random."""
    model, shape, outputs = setup.recipe.model.parsed, setup.dataset.shape, setup.objective.outputs
    with scope(setup.recipe.seed, "init"):
        if isinstance(model, GivenInPython):
            network = fresh_network(recalled_network(setup.recipe.model)[0], shape)
            check_network(network, shape, outputs)
        else:
            network = _built(setup.recipe, model, shape, outputs)
    own = None if setup.start is None else setup.start.fill(network, shape[0])
    if setup.parent is not None:
        stored = _last_classifier(setup.parent, network)
        network.load_state_dict(stored.network.state_dict())
        own = stored.mean, stored.std
    return network, own


def _built(recipe: Recipe, model: ModelSpec, shape: Shape, outputs: int) -> nn.Module:
    """The network of a spec; where pictures are too small for the one that nobody chose, that is told with another."""
    try:
        return model.without_weights().build(shape, outputs)
    except SpecError as error:
        if recipe.model != Recipe.model_fields["model"].get_default():
            raise
        smaller = next((name for name in _FOR_SMALL_PICTURES if _can_be(name, shape, outputs)), None)
        lines = [] if smaller is None else [f"model={smaller}"]
        reading = recipe.data.parsed
        has_size = not isinstance(reading, GivenInPython) and "size" in reading.arguments
        lines += [f"data.size={_SUITS_USUAL}"] if has_size and max(shape[1:]) < _SUITS_USUAL else []
        if not lines:
            raise
        raise UsageError(
            "no model is named, and that which is trained then does not suit pictures so small: "
            f"{error.reason.partition(';')[0]}. Write {either(lines)}."
        ) from error


def _can_be(name: str, shape: Shape, outputs: int) -> bool:
    try:
        with torch.device("meta"):
            build_network(name, shape, outputs)
    except SpecError:
        return False
    return True


def _check_known(recipe: Recipe, *, is_new: bool) -> None:
    """Refuses a network given in Python that is not known here, or is no longer what the recipe says."""
    try:
        _, is_same = recalled_network(str(recipe.model))
    except NotFoundHereError as error:
        name = error.name if error.name.isidentifier() else "Net"
        line = f"cnnlab.train(recipe, model={name}), cnnlab.resume(run, network={name})"
        raise UsageError(where_to_give(error, line)) from error
    if is_new and not is_same:
        path = read(recipe.model)[0].kwargs["path"]
        raise UsageError(
            f"the recipe is for a network {path} that had another code or other first weights than the one that is "
            f"imported now. To train that, give it in Python: cnnlab.train(recipe, model={str(path).partition(':')[2]})"
        )


def _last_classifier(parent: Run, network: nn.Module) -> Classifier:
    """The classifier with which a run ended, in a network like this one."""
    try:
        stored: Classifier = load_classifier(_last_weights(parent), copy.deepcopy(network))
    except WeightsMismatchError as error:
        raise WeightsMismatchError(
            f"{error} More epochs go on with the weights of {parent.name}, so the model, the size and channels of the "
            "pictures and the number of classes stay as they were: leave model= and data= out. Another network, or one "
            "for other data, is a training of its own: cnnlab train."
        ) from error
    return stored


def _last_weights(run: Run) -> Path:
    run.check_weights(last=True)
    last = run.folder / LAST
    return last if last.exists() else run.folder / MODEL


def _digest_of_last_weights(run: Run) -> str:
    """Also of a run that was imported without them, so that what went on from it is found."""
    left_out = run.weights_left_out
    name = LAST if LAST in left_out or (run.folder / LAST).exists() else MODEL
    return left_out.get(name) or file_digest(run.folder / name)
