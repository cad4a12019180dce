"""Training from start to end: what ``cnnlab train``, ``resume`` and ``extend`` and their namesakes in Python do."""

import copy
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab import augment, models, objectives
from cnnlab.core.digests import digest
from cnnlab.core.errors import RunBusyError, StorageError, UsageError
from cnnlab.core.messages import announcing, note, warn
from cnnlab.core.seeds import scope
from cnnlab.core.spec import read
from cnnlab.data import Dataset
from cnnlab.models import Classifier, load_classifier
from cnnlab.models.classifier_files import WeightsMismatchError
from cnnlab.objectives import Objective, Targets
from cnnlab.runs import Run, RunStore, RunWriter, environment
from cnnlab.runs.lock import who
from cnnlab.training import python_objects
from cnnlab.training.class_balance import ClassBalance
from cnnlab.training.execution import Execution, describe_execution, execution_for, fix_precision
from cnnlab.training.initial_weights import InitialWeights, find_initial_weights, initial_weights_of
from cnnlab.training.loop import CHECKPOINT, EpochEnd, Job, Trainer
from cnnlab.training.normalization import Moments, moments
from cnnlab.training.phases import PhasePlan, plan_phases, without_effect
from cnnlab.training.precision import Pass, PrecisionChoice, Workload
from cnnlab.training.python_objects import PythonObjects
from cnnlab.training.recipe import Recipe
from cnnlab.training.recipe_specs import is_in_python
from cnnlab.training.selection import SelectionMetric
from cnnlab.training.signals import Interrupted, catching_signals
from cnnlab.training.step import to_float

Callback = Callable[[EpochEnd], object]


@dataclass(frozen=True)
class TrainingSetup:
    """A recipe with what it names: data, objective, and the parent or else the weights to start from."""

    recipe: Recipe
    given: PythonObjects
    dataset: Dataset
    objective: Objective
    parent: Run | None
    start: InitialWeights | None = None

    @property
    def digest(self) -> str:
        """What makes two trainings the same."""
        return self.recipe.digest(self.dataset.digest, self.start_digest)

    @property
    def start_digest(self) -> str | None:
        """What the training takes over from its parent, or the weights that it starts from."""
        if self.parent is not None:
            return _start_digest(self.parent)
        return None if self.start is None else digest(["weights", self.start.digest])

    @property
    def plan(self) -> PhasePlan:
        """The phases over this training set, counted on from where the parent ended."""
        start = {"epochs_done": 0, "step": 0} if self.parent is None else self.parent.info
        return plan_phases(self.recipe, len(self.dataset.train), start["epochs_done"], start["step"])


def train(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    runs: str | Path | None = None,
    again: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
    **keys: Any,
) -> Run:
    """Trains what a recipe says and returns the finished run.

    The same recipe on the same data is the same run: finished, it is returned at once; unfinished, it goes on.

    :param recipe: a YAML file, a mapping or a :class:`Recipe`; ``keys`` are put over it, dotted ones by
        ``**{"data.size": 64}``.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param again: train another run of the same recipe beside those there are.
    :param data_dir: where data sets are looked for first; ``offline`` never tries the network.
    :param callbacks: called with an :class:`EpochEnd` after each epoch.
    :raises UsageError: for a recipe that cannot be meant; nothing is written then.
    """
    recipe, plain, given = python_objects.extract_objects(recipe, keys)
    store = store_at(runs)
    setup = read_setup(Recipe.read(recipe, **plain), given, store, data_dir, offline)
    with announcing("looking for runs of this recipe"):
        same = store.by_digest(setup.digest)
    finished = [run for run in same if run.status == "finished"]
    if finished and not again:
        note(f"This recipe is trained already: {finished[0].folder}. Train another run of it with --again.")
        return _tidied(finished[0])
    unfinished = [run for run in same if run.status != "finished"]
    if unfinished and not again:
        note(f"Going on with {unfinished[0].folder}.")
        return _go_on(unfinished[0], setup, callbacks)
    # Not their number: one in between may have been deleted.
    repeat = max((run.repeat for run in same), default=0) + 1
    return _start(setup, store, repeat=repeat, callbacks=callbacks)


def resume(
    run: str | Path | Run,
    *,
    runs: str | Path | None = None,
    data: Any = None,
    model: Any = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Goes on with an unfinished run where it stopped; a finished one is returned as it is.

    :param data: the arrays, where the run was trained on some given in Python; ``model`` likewise.
    :raises UsageError: when the data is no longer what the run was started on.
    """
    found = store_at(runs).find(run)
    if found.status == "finished":
        note(f"{found.folder} is finished already. Train more epochs with: cnnlab extend {found.name} epochs=+3")
        return _tidied(found)
    objects = {key: value for key, value in {"data": data, "model": model}.items() if value is not None}
    _, _, given = python_objects.extract_objects(None, objects)
    store, place = RunStore(found.folder.parent), data_dir or found.data_folder
    setup = read_setup(Recipe.read(found.recipe), given, store, place, offline, found)
    if setup.dataset.digest != found.info["data"]["digest"]:
        raise UsageError(
            f"the data of {found.folder} has changed since the run was started, so it cannot go on as the same run. "
            "Put the data back, or train the recipe anew on what there is now: cnnlab train "
            f"{found.folder / 'recipe.yaml'}"
        )
    return _go_on(found, setup, callbacks)


def extend(
    run: str | Path | Run,
    epochs: int | str,
    *,
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
    **keys: Any,
) -> Run:
    """Trains more epochs as a run of its own, from the weights with which a finished run ended.

    Epochs count on. The recipe is the parent's last phase unless ``keys`` say otherwise: its schedule runs once
    more over the new epochs, and the optimiser starts afresh.

    :param epochs: ``"+3"`` for three more, or the total to reach.
    :param runs: where ``run`` is looked for; the new run lies beside it.
    """
    parent = store_at(runs).find(run)
    if parent.is_running:
        raise RunBusyError(
            f"{parent.folder} is still being trained, by {who(parent.folder)}. Wait until it is done, and extend it "
            "then."
        )
    if parent.status != "finished":
        raise UsageError(f"{parent.folder} is not finished. Go on with it first: cnnlab resume {parent.name}")
    more = _more_epochs(parent, epochs)
    recipe = Recipe.read(parent.recipe)
    last = recipe.normal()[-1].model_dump(exclude={"epochs", "steps"})
    content = {k: v for k, v in recipe.to_dict().items() if k not in {"phases", "epochs", "steps", "name"}}
    name = f"{recipe.name or _name(recipe)}-to-{parent.epochs_done + more}"
    return train(
        {**content, **last, "name": name, "epochs": more, "parent": parent.name, **keys},
        runs=parent.folder.parent,
        data_dir=data_dir or (None if "data" in keys else parent.data_folder),
        offline=offline,
        callbacks=callbacks,
    )


def _more_epochs(parent: Run, epochs: int | str) -> int:
    text, done = str(epochs).strip(), parent.epochs_done
    if not text.removeprefix("+").isdecimal():
        raise UsageError(f"epochs={epochs} is no number of epochs. Write epochs=+3 for three more, or the total.")
    more = int(text) if text.startswith("+") else int(text) - done
    if more < 1:
        raise UsageError(
            f"{parent.name} has {done} epochs already; epochs={epochs} adds none. Write epochs=+3 for three more."
        )
    return more


def store_at(runs: str | Path | None) -> RunStore:
    """The store in this folder, in ``CNNLAB_RUNS``, or in ``runs/``."""
    return RunStore(Path(runs or os.environ.get("CNNLAB_RUNS") or "runs"))


def read_setup(
    recipe: Recipe,
    given: PythonObjects,
    store: RunStore,
    data_dir: str | Path | None,
    offline: bool,
    run: Run | None = None,
) -> TrainingSetup:
    """A recipe with its data loaded, its objective built and its parent found, all checked against each other.

    :param run: the one that goes on, where it is no new one.
    """
    dataset = python_objects.load_recipe_data(
        recipe.data,
        given,
        validation=recipe.validation,
        test=recipe.test,
        subset=recipe.subset,
        data_dir=data_dir,
        offline=offline,
    )
    columns = {name: dataset.classes.get(name) for name in dataset.train.targets}
    objective = objectives.build_objective(recipe.objective, columns)
    _check_objective(recipe, objective, dataset)
    parent = None if recipe.parent is None else store.find(recipe.parent)
    if parent is not None:
        # By folder: the digest is shared by all repeats, whose weights differ.
        recipe = recipe.model_copy(update={"parent": parent.name})
    for phase in recipe.normal():
        augment.pipeline(phase.augment).check(dataset.shape, objective.soft)
    SelectionMetric.of(recipe, objective, dataset)
    with announcing("looking for the weights to start from"):
        start = _start_from(recipe, store, offline, parent, run)
    return TrainingSetup(recipe, given, dataset, objective, parent, start)


def _start_from(
    recipe: Recipe, store: RunStore, offline: bool, parent: Run | None, run: Run | None
) -> InitialWeights | None:
    if parent is not None:
        return None
    if run is None:
        return find_initial_weights(recipe, store.root, offline)
    return initial_weights_of(run, recipe, (run.folder / CHECKPOINT / "state.safetensors").exists(), offline)


def _check_objective(recipe: Recipe, objective: Objective, dataset: Dataset) -> None:
    """Refuses what the recipe asks of the objective that it cannot do, and targets that it cannot take."""
    if any(phase.label_smoothing for phase in recipe.normal()) and not objective.smooths:
        raise UsageError(
            f"label_smoothing needs classes, and objective={read(recipe.objective)[0].name} has none. Leave it out; "
            "bins have a smoothing of their own, spread=…."
        )
    ClassBalance.of(recipe.balance, dataset.train, objective)
    for images in dict(dataset.parts()).values():
        if images.targets:
            objective.check(images.targets)


def build_classifier(setup: TrainingSetup) -> Classifier:
    """The classifier at the start of training: drawn from the seed, or with the parent's last weights."""
    with announcing(f"building {setup.recipe.model}"):
        network, own = _first_network(setup)
    recipe, dataset = setup.recipe, setup.dataset
    with announcing("measuring the mean and spread of the training pictures"):
        mean, std = moments(recipe.normalize, dataset.train, own)
    return Classifier(
        network,
        shape=dataset.shape,
        mean=mean,
        std=std,
        classes=dict(dataset.classes),
        objective=setup.objective.spec,
        # What rebuilds the network; where its first weights came from is on record with the run.
        model=models.without_weights(recipe.model),
        permute=recipe.permute,
        resize=read(recipe.data)[0].kwargs.get("resize", "squash"),
    )


def _first_network(setup: TrainingSetup) -> tuple[nn.Module, Moments | None]:
    """The network with its first weights, and the moments of the pictures behind them where they are not random."""
    recipe, dataset, objective = setup.recipe, setup.dataset, setup.objective
    with scope(recipe.seed, "init"):
        if is_in_python(recipe.model):
            network = python_objects.make_network(recipe.model, setup.given)
            python_objects.check_network(network, dataset.shape, objective.outputs)
        else:
            network = models.build_network(models.without_weights(recipe.model), dataset.shape, objective.outputs)
    own = None if setup.start is None else setup.start.fill(network, dataset.shape[0])
    if setup.parent is not None:
        stored = _stored(setup.parent, network)
        network.load_state_dict(stored.network.state_dict())
        own = stored.mean, stored.std
    return network, own


def _stored(parent: Run, network: nn.Module) -> Classifier:
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


def _start_digest(parent: Run) -> str:
    """What a training takes over: weights, and where epochs and steps are counted on from. Never the run's name."""
    info = parent.info
    return digest([digest(_last_weights(parent).read_bytes()), info["epochs_done"], info["step"]])


def _last_weights(run: Run) -> Path:
    last = run.folder / "last.safetensors"
    return last if last.exists() else run.folder / "model.safetensors"


def _start(setup: TrainingSetup, store: RunStore, *, repeat: int, callbacks: Sequence[Callback]) -> Run:
    recipe = setup.recipe
    for text in without_effect(recipe, setup.plan):
        warn(text)
    classifier = build_classifier(setup)
    execution, choice = choose_execution(setup, classifier)
    writer = RunWriter.create(
        store.root,
        digest=setup.digest,
        recipe=recipe.to_dict(),
        name=recipe.name or _name(recipe),
        repeat=repeat,
        info={
            "epochs": setup.plan.end,
            "execution": execution.to_dict(),
            "precision_choice": choice.to_dict(),
            "environment": environment(),
            "data": _facts(setup.dataset),
            "parent": recipe.parent,
        }
        | ({"kernels_build": models.kernels_build_record()} if execution.kernels == "native" else {})
        | ({} if setup.start is None else {"weights": setup.start.record(recipe, classifier)}),
    )
    note(describe_execution(execution, choice))
    return _train(setup, classifier, execution, writer, callbacks)


def _tidied(run: Run) -> Run:
    """A finished run without the checkpoint that a kill in its last moment may have left."""
    if not run.recipe.get("keep_checkpoint"):
        shutil.rmtree(run.folder / CHECKPOINT, ignore_errors=True)
    return run


def _go_on(run: Run, setup: TrainingSetup, callbacks: Sequence[Callback]) -> Run:
    execution = Execution.from_dict(run.info["execution"])
    note(describe_execution(execution, None))
    return _train(setup, build_classifier(setup), execution, RunWriter.open(run.folder), callbacks)


def _train(
    setup: TrainingSetup, classifier: Classifier, execution: Execution, writer: RunWriter, callbacks: Sequence[Callback]
) -> Run:
    job = Job(setup.recipe, setup.plan, setup.dataset, setup.objective, classifier, execution, writer, callbacks)
    with writer, catching_signals() as stop_request, execution.applied():
        try:
            Trainer(job, stop_request).run()
        except Interrupted:
            raise
        except Exception as error:
            # On a full disk there is no writing down why either; what the person reads must be the first error.
            with suppress(StorageError):
                writer.fail(str(error))
            raise
    return Run(writer.folder)


def choose_execution(
    setup: TrainingSetup, classifier: Classifier, steps: int | None = None
) -> tuple[Execution, PrecisionChoice]:
    """What the recipe asks for, with ``auto`` settled on this machine, and why; the classifier is left as it is.

    :param steps: that will be taken, where they are not those of the recipe.
    """
    recipe, plan = setup.recipe, setup.plan
    execution = execution_for(
        device=recipe.device,
        precision=recipe.precision,
        threads=recipe.threads,
        workers=recipe.workers,
        compile=recipe.compile,
        kernels=recipe.kernels,
    )
    batch = min(recipe.normal()[0].batch_size, len(setup.dataset.train))
    ahead = plan.steps - plan.spans[0].first_step if steps is None else steps
    work = Workload(classifier, setup.dataset.shape, batch, ahead, execution.threads, execution.kernels)
    with announcing("trying out float32 and bfloat16"):
        return fix_precision(execution, work, lambda: _one_pass(setup, classifier, execution))


def _one_pass(setup: TrainingSetup, classifier: Classifier, execution: Execution) -> Pass:
    """Forwards and backwards over the first pictures of the training set, in a copy of the classifier."""
    device, memory_format = execution.torch_device, execution.memory_format
    network = copy.deepcopy(classifier).to(device=device, memory_format=memory_format).train()  # type: ignore[call-overload]

    @cache
    def batch(count: int) -> tuple[Tensor, Targets]:
        images, targets = setup.dataset.train.batch(torch.arange(count))
        pixels = to_float(images).to(device).contiguous(memory_format=memory_format)
        return pixels, setup.objective.encode({name: rows.to(device) for name, rows in targets.items()})

    def take(precision: str, count: int) -> None:
        pixels, encoded = batch(count)
        with replace(execution, precision=precision).autocast():
            outputs = network(pixels)
        setup.objective.loss(outputs, encoded).mean().backward()  # type: ignore[no-untyped-call]
        network.zero_grad(set_to_none=True)

    return take


def _facts(dataset: Dataset) -> dict[str, Any]:
    sizes = {
        split: len(images)
        for split in ("train", "validation", "test")
        if (images := getattr(dataset, split)) is not None
    }
    return {"name": dataset.name, "digest": dataset.digest, "sizes": sizes, "source": dict(dataset.source)}


def _name(recipe: Recipe) -> str:
    return f"{read(recipe.data)[0].name}-{read(recipe.model)[0].name}"
