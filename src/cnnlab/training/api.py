"""Training from start to end: what ``cnnlab train``, ``resume`` and ``extend`` and their namesakes in Python do."""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from cnnlab.training.several_devices import roles
from cnnlab.training.several_devices.presence import PeerFailedError
from cnnlab.training.short_recipe import given
from cnnlab.training.signals import Interrupted, catching_signals

if TYPE_CHECKING:
    from cnnlab.training.several_devices.group import DeviceGroup

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
    with showing(progress), roles.among_devices() as group:
        memory.ask_for_large_pages()
        store = store_at(runs)
        setup = read_setup(recipe, keys, store, data_dir=data_dir, offline=offline, datasets=datasets)
        place = {"data_dir": data_dir, "offline": offline}
        train_one = partial(train_setup, again=again, callbacks=callbacks, place=place, group=group)
        if setup.recipe.folds is None or setup.recipe.fold is not None:
            return train_one(setup, store)
        if group is not None:
            raise UsageError(
                f"folds are trainings of their own, and {group.size} processes were started for one. Write "
                f"devices={group.size} instead of torchrun, which trains one fold after the other on all of them."
            )
        made: Run = train_as("folds", setup, store, train_one, again=again, offline=offline)
        return made


def train_setup(
    setup: TrainingSetup,
    store: RunStore,
    *,
    again: bool,
    callbacks: Sequence[Callback],
    place: Mapping[str, Any] | None = None,
    group: "DeviceGroup | None" = None,
) -> Run:
    """Trains what is ready to be trained, or finds it done, as :func:`train`.

    :param place: where data is looked for, as :func:`train` takes it, for processes that are started for it.
    :param group: of devices that train together, this one among them.
    """
    roles.check_size(group, setup.recipe.devices)
    if roles.is_follower(group):
        return _follow(setup, group)
    with announcing("looking for runs of this recipe"):
        same = store.by_digest(setup.digest)
    finished = [run for run in same if run.status == "finished"]
    for run in same:
        keep_places(run, setup.recipe.to_dict())
    check_mirrors(setup.recipe.mirror)
    unfinished = [run for run in same if run.status != "finished"]
    if finished and not again:
        note_finished(finished[0])
        with mirrored(finished[0].folder, setup.recipe.mirror):
            pass
        roles.announce(group, finished[0].folder)
        return _tidied(finished[0])
    found = unfinished[0] if unfinished and not again else None
    devices = setup.recipe.devices or roles.devices_of(found)
    if group is None and devices > 1:
        request = {"recipe": setup.recipe.to_dict(), "runs": store.root, "again": again, **(place or {})}
        roles.check_can_start(setup, devices, roles.device_of(found), callbacks)
        return roles.run_on_devices(devices, "train", request)
    if found is not None:
        note(f"Going on with {found.folder}.")
        return _go_on(found, setup, callbacks, group)
    # Not their number: one in between may have been deleted.
    repeat = max((run.repeat for run in same), default=0) + 1
    try:
        return _start(setup, store, repeat=repeat, callbacks=callbacks, group=group)
    except RunExistsError:
        # Another process may have made and finished it since it was looked for.
        same = store.by_digest(setup.digest)
        if again or not same:
            raise
        return _go_on(same[0], setup, callbacks, group)


def resume(
    run: str | Path | Run,
    *,
    runs: str | Path | None = None,
    data: Any = None,
    network: OwnNetwork | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    devices: int | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
) -> Run:
    """Goes on with an unfinished run where it stopped; a finished one is returned as it is.

    :param data: the arrays, where the run was trained on some given in Python.
    :param network: the network of one's own that it was started with, or what makes it, where this process does not
        know it.
    :param devices: how many train together from here on; as many as until now unless given.
    :raises UsageError: when the data is no longer what the run was started on.
    """
    check_callbacks(callbacks)
    if devices is not None and devices < 1:
        raise UsageError(f"devices={devices}: at least one is needed to train anything.")
    with showing(progress), roles.among_devices() as group:
        memory.ask_for_large_pages()
        roles.check_size(group, devices)
        found = store_at(runs).find(run)
        found.check_trained()
        if found.status == "finished":
            note(f"{found.folder} is finished already. Train more epochs with: cnnlab extend {found.name} epochs=+3")
            return found if roles.is_follower(group) else _tidied(found)
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
        if roles.is_follower(group):
            return _follow(setup, group)
        check_mirrors(setup.recipe.mirror)
        count = devices or roles.devices_of(found)
        if group is None and count > 1:
            request = {"run": found.folder, "data_dir": data_dir, "offline": offline, "devices": count}
            is_given = given is not None or network is not None
            roles.check_can_start(setup, count, roles.device_of(found), callbacks, is_given=is_given)
            return roles.run_on_devices(count, "resume", request)
        return _go_on(found, setup, callbacks, group)


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


def _start(
    setup: TrainingSetup,
    store: RunStore,
    *,
    repeat: int,
    callbacks: Sequence[Callback],
    group: "DeviceGroup | None",
) -> Run:
    recipe = setup.recipe
    for text in () if recipe.quick else without_effect(recipe, setup.plan):
        warn(text)
    classifier = build_classifier(setup)
    if setup.start is not None and (told := seen_at_another_size(recipe, classifier)):
        note(told)
    execution, choice = choose_execution(setup, classifier)
    if group is not None:
        roles.check_devices(setup, group.size, execution.device)
        execution = roles.on_devices(execution, recipe, group.size)
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
    return _train(setup, classifier, execution, writer, callbacks, group)


def _note_node(writer: RunWriter) -> None:
    """Adds the node of a cluster that this is to those that the run was trained on."""
    before = writer.info.get("nodes")
    nodes = with_this_node(before, writer.info.get("step") or 0)
    if nodes != (before or []):
        writer.update(nodes=nodes)


def _tidied(run: Run) -> Run:
    """A finished run without the checkpoint that a kill in its last moment may have left."""
    if not run.recipe.get("keep_checkpoint"):
        remove_checkpoint(run.folder)
    return run


def _go_on(run: Run, setup: TrainingSetup, callbacks: Sequence[Callback], group: "DeviceGroup | None") -> Run:
    execution = Execution.from_dict(run.info.get("execution") or {})
    count, before = 1 if group is None else group.size, execution.devices
    if group is not None:
        roles.check_devices(setup, count, execution.device)
    if count != before:
        execution = roles.on_devices(execution, setup.recipe, count)
    note(describe_execution(execution, None))
    classifier, writer = build_classifier(setup), RunWriter.open(run.folder)
    if writer.info.get("status") == "finished":
        # By another process, since the run was looked for.
        writer.close()
        roles.announce(group, run.folder)
        return _tidied(Run(run.folder))
    return _train(setup, classifier, execution, writer, callbacks, group, before)


def _follow(setup: TrainingSetup, group: "DeviceGroup") -> Run:
    """Takes part in a training on which another process decides, and which that records."""
    told = roles.announced(group)
    if told.execution is None:
        return Run(told.folder)
    return _train(setup, build_classifier(setup), told.execution, told.writer(), (), group)


def _train(
    setup: TrainingSetup,
    classifier: Classifier,
    execution: Execution,
    writer: RunWriter,
    callbacks: Sequence[Callback],
    group: "DeviceGroup | None",
    devices_before: int | None = None,
) -> Run:
    follows = roles.is_follower(group)
    # Of several processes the one that writes the record has it mirrored.
    mirroring = nullcontext() if follows else mirrored(writer.folder, setup.recipe.mirror)
    with writer, catching_signals() as stop_request, execution.applied(), mirroring as tell:
        if not follows:
            roles.begin(execution, writer, classifier, group, devices_before)
            _note_node(writer)
        here = roles.at_own_device(group, execution)
        told = callbacks if tell is None else (*callbacks, tell)
        trainer = Trainer(Job(setup, classifier, here, writer, told, group), stop_request)
        try:
            with nullcontext() if group is None else group.failing_together():
                trainer.run()
        except Interrupted:
            raise
        except DivergedError as error:
            diagnosis = None if follows else trainer.why_diverged(error)
            writer.fail(str(error), **({} if diagnosis is None else {"diagnosis": diagnosis.to_dict()}))
            if group is not None:
                # Whoever leaves before the record is whole ends the others.
                group.share()
            raise
        except PeerFailedError as error:
            # One that ended without a word was killed, as a training on one device may be: it is gone on with.
            with suppress(StorageError):
                if error.is_told:
                    writer.fail(str(error))
            raise
        except Exception as error:
            # On a full disk there is no writing down why either; what the person reads must be the first error.
            with suppress(StorageError):
                writer.fail(str(error))
            raise
    return Run(writer.folder)
