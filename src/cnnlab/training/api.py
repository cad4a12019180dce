"""Training from start to end: what ``cnnlab train``, ``resume`` and ``extend`` and their namesakes in Python do."""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from cnnlab import models
from cnnlab.core import memory
from cnnlab.core.errors import RunBusyError, RunExistsError, StorageError, UsageError
from cnnlab.core.hooks import train_as
from cnnlab.core.messages import announcing, note, showing, warn
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.data import Dataset
from cnnlab.models import Classifier, OwnNetwork, give_network
from cnnlab.runs import Run, RunStore, RunWriter, environment, store_at
from cnnlab.runs.environment import with_this_node
from cnnlab.runs.lock import who
from cnnlab.runs.mirrors import check_mirrors, mirrored
from cnnlab.training.callbacks import Callback, check_callbacks
from cnnlab.training.checkpoints import remove_checkpoint
from cnnlab.training.divergence import DivergedError
from cnnlab.training.execution import Execution, choose_execution, describe_execution
from cnnlab.training.finished_runs import keep_places, note_finished
from cnnlab.training.initial_weights import seen_at_another_size
from cnnlab.training.loop import Job, Trainer
from cnnlab.training.phases import without_effect
from cnnlab.training.prepare import TrainingSetup, build_classifier, prepare, read_setup
from cnnlab.training.python_objects import extract_objects
from cnnlab.training.recipe import Recipe
from cnnlab.training.short_recipe import given
from cnnlab.training.signals import Interrupted, catching_signals

_MOST_DIGITS = 12


def train(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    runs: str | Path | None = None,
    again: bool = False,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    datasets: MutableMapping[str, Dataset] | None = None,
    **keys: Any,
) -> Run:
    """Trains what a recipe says and returns the finished run.

    The same recipe on the same data is the same run: finished, it is returned at once; unfinished, it goes on. With
    ``folds`` a network is trained for each fold, and what comes back is the ensemble of them.

    :param recipe: a YAML file, a mapping or a :class:`Recipe`; ``keys`` are put over it, dotted ones by
        ``**{"data.size": 64}``.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param again: train another run of the same recipe beside those there are.
    :param data_dir: where data sets are looked for first; ``offline`` never tries the network.
    :param callbacks: called with an :class:`EpochEnd` after each epoch.
    :param progress: a bar and what is worth knowing are shown in a terminal or a notebook; ``True`` has what is worth
        knowing, a line an epoch, written to standard error wherever that goes, ``False`` shows nothing.
    :param datasets: data sets already loaded, by :func:`~cnnlab.training.prepare.data_key`, which are taken as they
        are; one that is not among them is put there, for whoever trains many times on the same.
    :raises UsageError: for a recipe that cannot be meant; nothing is written then.
    """
    check_callbacks(callbacks)
    with showing(progress):
        memory.ask_for_large_pages()
        store = store_at(runs)
        setup = read_setup(recipe, keys, store, data_dir=data_dir, offline=offline, datasets=datasets)
        if setup.recipe.folds is None or setup.recipe.fold is not None:
            return train_setup(setup, store, again=again, callbacks=callbacks)
        train_one = partial(train_setup, again=again, callbacks=callbacks)
        made: Run = train_as("folds", setup, store, train_one, again=again, offline=offline)
        return made


def train_setup(setup: TrainingSetup, store: RunStore, *, again: bool, callbacks: Sequence[Callback]) -> Run:
    """Trains what is ready to be trained, or finds it done, as :func:`train`."""
    with announcing("looking for runs of this recipe"):
        same = store.by_digest(setup.digest)
    finished = [run for run in same if run.status == "finished"]
    for run in same:
        keep_places(run, setup.recipe.to_dict())
    check_mirrors(setup.recipe.mirror)
    if finished and not again:
        note_finished(finished[0])
        with mirrored(finished[0].folder, setup.recipe.mirror):
            pass
        return _tidied(finished[0])
    unfinished = [run for run in same if run.status != "finished"]
    if unfinished and not again:
        note(f"Going on with {unfinished[0].folder}.")
        return _go_on(unfinished[0], setup, callbacks)
    # Not their number: one in between may have been deleted.
    repeat = max((run.repeat for run in same), default=0) + 1
    try:
        return _start(setup, store, repeat=repeat, callbacks=callbacks)
    except RunExistsError:
        # Another process may have made and finished it since it was looked for.
        same = store.by_digest(setup.digest)
        if again or not same:
            raise
        return _go_on(same[0], setup, callbacks)


def resume(
    run: str | Path | Run,
    *,
    runs: str | Path | None = None,
    data: Any = None,
    network: OwnNetwork | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
) -> Run:
    """Goes on with an unfinished run where it stopped; a finished one is returned as it is.

    :param data: the arrays, where the run was trained on some given in Python.
    :param network: the network of one's own that it was started with, or what makes it, where this process does not
        know it.
    :raises UsageError: when the data is no longer what the run was started on.
    """
    check_callbacks(callbacks)
    with showing(progress):
        memory.ask_for_large_pages()
        found = store_at(runs).find(run)
        found.check_trained()
        if found.status == "finished":
            note(f"{found.folder} is finished already. Train more epochs with: cnnlab extend {found.name} epochs=+3")
            return _tidied(found)
        if network is not None:
            give_network(found.recipe["model"], network)
        _, _, given = extract_objects(None, {} if data is None else {"data": data})
        store, place = RunStore(found.folder.parent), data_dir or found.data_folder
        setup = prepare(Recipe.read(found.recipe), store, given=given, data_dir=place, offline=offline, run=found)
        if setup.dataset.digest != (found.info.get("data") or {}).get("digest"):
            raise UsageError(
                f"the data of {found.folder} has changed since the run was started, so it cannot go on as the same "
                "run. Put the data back, or train the recipe anew on what there is now: cnnlab train "
                f"{found.folder / 'recipe.yaml'}"
            )
        check_mirrors(setup.recipe.mirror)
        return _go_on(found, setup, callbacks)


def extend(
    run: str | Path | Run,
    epochs: int | str,
    *,
    runs: str | Path | None = None,
    network: OwnNetwork | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
    **keys: Any,
) -> Run:
    """Trains more epochs as a run of its own, from the weights with which a finished run ended.

    Epochs count on. The recipe is the parent's last phase unless ``keys`` say otherwise: its schedule runs once
    more over the new epochs, and the optimiser starts afresh.

    :param epochs: ``"+3"`` for three more, or the total to reach.
    :param runs: where ``run`` is looked for; the new run lies beside it.
    :param network: as for :func:`resume`.
    """
    parent = store_at(runs).find(run)
    parent.check_trained()
    if parent.is_running:
        raise RunBusyError(
            f"{parent.folder} is still being trained, by {who(parent.folder)}. Wait until it is done, and extend it "
            "then."
        )
    if parent.status != "finished":
        raise UsageError(f"{parent.folder} is not finished. Go on with it first: cnnlab resume {parent.name}")
    if parent.is_quick:
        raise UsageError(
            f"{parent.name} was a quick trial, and more epochs on its few pictures would come to nothing. Train its "
            f"recipe in full: cnnlab train {parent.folder / 'recipe.yaml'} quick=false"
        )
    more = _more_epochs(parent, epochs)
    if network is not None:
        give_network(parent.recipe["model"], network)
    recipe = Recipe.read(parent.recipe)
    last = recipe.normal()[-1].model_dump(exclude={"epochs", "steps"})
    content = {k: v for k, v in recipe.to_dict().items() if k not in {"phases", "epochs", "steps", "name"}}
    name = f"{recipe.title}-to-{parent.epochs_done + more}"
    return train(
        {**content, **last, "name": name, "epochs": more, "parent": parent.name, **keys},
        runs=parent.folder.parent,
        data_dir=data_dir or (None if "data" in keys else parent.data_folder),
        offline=offline,
        callbacks=callbacks,
        progress=progress,
    )


def _more_epochs(parent: Run, epochs: int | str) -> int:
    text, done = str(epochs).strip(), parent.epochs_done
    if not text.removeprefix("+").isdecimal() or len(text) > _MOST_DIGITS:
        raise UsageError(
            f"epochs={in_short(text)} is no number of epochs. Write epochs=+3 for three more, or the total."
        )
    more = int(text) if text.startswith("+") else int(text) - done
    if more < 1:
        raise UsageError(
            f"{parent.name} has {counted(done, 'epoch')} already; epochs={epochs} adds none. Write epochs=+3 for three "
            "more."
        )
    return more


def _start(setup: TrainingSetup, store: RunStore, *, repeat: int, callbacks: Sequence[Callback]) -> Run:
    recipe = setup.recipe
    for text in () if recipe.quick else without_effect(recipe, setup.plan):
        warn(text)
    classifier = build_classifier(setup)
    if setup.start is not None and (told := seen_at_another_size(recipe, classifier)):
        note(told)
    execution, choice = choose_execution(setup, classifier)
    writer = RunWriter.create(
        store.root,
        digest=setup.digest,
        recipe=recipe.to_dict(),
        name=recipe.title,
        repeat=repeat,
        info={
            "epochs": setup.plan.end,
            "execution": execution.to_dict(),
            "precision_choice": choice.to_dict(),
            "environment": environment(),
            "data": setup.data_facts,
            "objective": setup.objective.spec,
            "parent": recipe.parent,
            "given": given(recipe.to_dict()),
        }
        | ({"kernels_build": models.kernels_build_record()} if execution.kernels == "native" else {})
        | ({} if setup.start is None else {"weights": setup.start.record(recipe, classifier)}),
    )
    note(describe_execution(execution, choice))
    return _train(setup, classifier, execution, writer, callbacks)


def _tidied(run: Run) -> Run:
    """A finished run without the checkpoint that a kill in its last moment may have left."""
    if not run.recipe.get("keep_checkpoint"):
        remove_checkpoint(run.folder)
    return run


def _go_on(run: Run, setup: TrainingSetup, callbacks: Sequence[Callback]) -> Run:
    execution = Execution.from_dict(run.info.get("execution") or {})
    note(describe_execution(execution, None))
    classifier, writer = build_classifier(setup), RunWriter.open(run.folder)
    if writer.info.get("status") == "finished":
        # By another process, since the run was looked for.
        writer.close()
        return _tidied(Run(run.folder))
    return _train(setup, classifier, execution, writer, callbacks)


def _train(
    setup: TrainingSetup, classifier: Classifier, execution: Execution, writer: RunWriter, callbacks: Sequence[Callback]
) -> Run:
    following = mirrored(writer.folder, setup.recipe.mirror)
    with writer, catching_signals() as stop_request, execution.applied(), following as tell:
        trainer = Trainer(Job(setup, classifier, execution, writer, (*callbacks, tell)), stop_request)
        nodes = with_this_node(writer.info.get("nodes"), writer.info.get("step") or 0)
        if nodes != (writer.info.get("nodes") or []):
            writer.update(nodes=nodes)
        try:
            trainer.run()
        except Interrupted:
            raise
        except DivergedError as error:
            diagnosis = trainer.why_diverged(error)
            writer.fail(str(error), **({} if diagnosis is None else {"diagnosis": diagnosis.to_dict()}))
            raise
        except Exception as error:
            # On a full disk there is no writing down why either; what the person reads must be the first error.
            with suppress(StorageError):
                writer.fail(str(error))
            raise
    return Run(writer.folder)
