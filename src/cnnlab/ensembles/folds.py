"""Recipes with ``folds``: a network for each fold, what they say of the pictures they had not seen, and their mean."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cnnlab.core.errors import CnnlabError, DataError
from cnnlab.core.hooks import trainer
from cnnlab.core.messages import announcing, note
from cnnlab.core.scored_splits import OUT_OF_FOLD as HELD_OUT
from cnnlab.data import fold_numbers
from cnnlab.data.dataset import OUT_OF_FOLD
from cnnlab.ensembles.api import record_of, stored
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.ensembles.cross_validation import judge
from cnnlab.ensembles.member_outputs import in_scale
from cnnlab.ensembles.methods import Made, Surroundings, methods
from cnnlab.ensembles.methods.base import SPLITS, Asked, Combining
from cnnlab.runs import Predictions, Run, RunStore
from cnnlab.training.finished_runs import note_finished
from cnnlab.training.prepare import TrainingSetup, held_out_setup
from cnnlab.training.short_recipe import given
from cnnlab.training.signals import Interrupted


@trainer("folds")
def train_folds(
    setup: TrainingSetup,
    store: RunStore,
    train_one: Callable[[TrainingSetup, RunStore], Run],
    *,
    again: bool = False,
    offline: bool = False,
) -> Run:
    """The ensemble of the networks of all folds, those trained that are not there yet.

    The networks are runs of their own. Each is trained on all folds but one, its epoch is chosen on the validation
    split as ever, and it predicts the fold that it was not trained on when it is done: nothing was chosen on that.
    The ensemble is the mean of them; what each said of its fold is its split ``train@out-of-fold``.

    :param setup: of the recipe as it is, with the whole train split.
    :param train_one: trains one fold, or finds it done.
    """
    same = store.by_digest(setup.digest)
    if same and not again:
        note_finished(same[0])
        return same[0]
    recipe = setup.recipe
    assert recipe.folds is not None
    # None is trained where one could not be, as when a metric is not defined on it.
    with announcing(f"dividing the training pictures into {recipe.folds} folds"):
        setups = [held_out_setup(setup, 1, store, offline=offline)]
    members: list[Run] = []
    for number in range(1, recipe.folds + 1):
        own = setups.pop() if setups else held_out_setup(setup, number, store, offline=offline)
        note(f"Fold {number} of {recipe.folds}: {len(own.dataset.train):,} pictures to train on.")
        try:
            members.append(train_one(own, store))
        except Interrupted as stop:
            raise Interrupted(
                stop.number,
                stop.where,
                f"the same command goes on in fold {number} of {recipe.folds} (its run: {stop.where}).",
            ) from None
    return _made_of(members, setup, store, repeat=max((run.repeat for run in same), default=0) + 1)


def _made_of(members: Sequence[Run], setup: TrainingSetup, store: RunStore, repeat: int) -> Run:
    bound = methods.bind("mean")
    method = bound.build()
    assert isinstance(method, Combining)
    if any(split in members[0].splits for split in SPLITS):
        made = method.make(members, Surroundings(offline=True))
    else:
        made = Made(tuple(map(Asked, members)), {}, combination=WeightedMean(weights=(1.0,) * len(members)))
    made = replace(made, predictions={**made.predictions, HELD_OUT: out_of_fold(members, setup)})
    chosen_on = setup.selection.column.partition("_")[0] if setup.selection.picks else None
    sizes = [run.info["data"]["sizes"] for run in members]
    held_out, trained = ([int(each[name]) for each in sizes] for name in (OUT_OF_FOLD, "train"))
    came_to = judge([run.scores(HELD_OUT) for run in members], held_out, trained, setup.objective, chosen_on)
    title = setup.recipe.title
    record = record_of(bound, method, made, title).model_copy(update={"cross_validation": came_to})
    recipe = setup.recipe.to_dict()
    return stored(
        store,
        members,
        made,
        record,
        setup.digest,
        title,
        repeat,
        sum(run.seconds for run in members),
        recipe=recipe,
        facts={
            "given": given(recipe),
            "selected": {"metric": f"{HELD_OUT}_{came_to.metric}"},
            "data": setup.data_facts,
            "weights": members[0].info.get("weights"),
        },
    )


def out_of_fold(members: Sequence[Run], setup: TrainingSetup) -> Predictions:
    """What is said of every picture of train, each by the network of its fold, in the order of the pictures.

    :raises DataError: when what a network is known to have predicted is not the fold that it held out.
    """
    train, recipe = setup.dataset.train, setup.recipe
    assert recipe.folds is not None
    numbers, ids = fold_numbers(train, recipe.folds, recipe.seed), np.array(list(train.ids), dtype=object)
    outputs = {head: np.empty((len(train), width), np.float32) for head, width in setup.objective.heads.items()}
    for number, run in enumerate(members, start=1):
        places = np.flatnonzero(numbers == number)
        try:
            said = run.predictions(HELD_OUT)
        except CnnlabError as error:
            raise DataError(f"{error} Train that fold anew: cnnlab runs delete {run.name}.") from error
        if list(said.ids) != ids[places].tolist():
            raise DataError(f"{run.name} predicted another fold than its own. Train it anew, after deleting that run.")
        # Each network has numbers in the scale of what it was trained on.
        for head, rows in in_scale(setup.objective, said).outputs.items():
            outputs[head][places] = rows
    return Predictions(
        outputs=outputs,
        targets={name: column.numpy() for name, column in train.targets.items()},
        ids=train.ids,
        objective=setup.objective.spec,
        classes=train.classes,
        data=setup.dataset.digest,
        split=HELD_OUT,
        images=train.digest,
    )
