"""A training against a single step, watched: does the network withstand many steps, or only that one?

A network that is trained against one step may, from one epoch to the next, come to withstand just that step, while many
within the same budget fool it on every picture: catastrophic overfitting (Wong et al., Fast is better than free, 2020,
section 5.4). No loss and no score of pictures as they are shows it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cnnlab.core.messages import warn
from cnnlab.core.seeds import derive, generator
from cnnlab.models import Classifier, outputs_of, perturbed, to_float
from cnnlab.objectives import Objective
from cnnlab.training.adversaries import Adversaries
from cnnlab.training.batches import BatchLoader
from cnnlab.training.execution import Execution

ROBUST = "train_pgd_accuracy"
"""The column of the history: the accuracy, after the epoch, on some training pictures attacked in ten steps."""
ATTACKED = 256
"""Training pictures, drawn once by the seed: one is 0.4% of them, and chance moves the accuracy by 3 points or so."""
_MATTERS, _COLLAPSED, _STAYS = 0.2, 0.5, 0.9


def accuracy_under_steps(
    adversaries: Adversaries,
    loader: BatchLoader,
    classifier: Classifier,
    objective: Objective,
    execution: Execution,
    *,
    seed: int,
    epoch: int,
    batch_size: int,
) -> dict[str, float]:
    """What goes into the history; nothing unless an adversary takes one step and accuracy is measured."""
    watcher = adversaries.watcher
    if watcher is None or "accuracy" not in objective.scored or "accuracy" not in objective.tallied:
        return {}
    count = min(ATTACKED, len(loader.images))
    indices = torch.randperm(len(loader.images), generator=generator(seed, "watch"))[:count]
    outputs, size = [], -(-min(batch_size, count) // execution.parts)
    for number, batch in enumerate(loader.batches(indices, size)):
        changed = perturbed(
            to_float(batch.images),
            objective.encode(batch.targets),
            [watcher],
            classifier,
            objective,
            seed=derive(seed, "watch"),
            index=(epoch, number),
            precision=execution.precision,
        )
        outputs.append(outputs_of(classifier, [changed], device=execution.device, precision=execution.precision))
    targets = {name: column[indices] for name, column in loader.images.targets.items()}
    return {ROBUST: objective.metrics(torch.cat(outputs), targets)["accuracy"]}


def overfitting_warning(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> str | None:
    """Warns, and gives back the text, where the accuracy under many steps has collapsed for the first time.

    It has where it is less than half of its best so far, that having been a fifth at least, and the accuracy under the
    single step is not far below what it was then.

    :param rows: of the history before the epoch; ``row`` is its own.
    """
    if any(_collapse(rows[:place], rows[place]) for place in range(len(rows))):
        return None
    best = _collapse(rows, row)
    if best is None:
        return None
    text = (
        f"catastrophic overfitting: in epoch {row['epoch']} the accuracy on training pictures attacked in many steps "
        f"fell to {row[ROBUST]:.1%}, from {best[ROBUST]:.1%} in epoch {best['epoch']}, while under the single step of "
        f"the training it is {row['train_accuracy']:.1%}. The network withstands that step and no others. Take a "
        "shorter step from a drawn start (adversary=fast), more steps (pgd(steps=7)), or fewer epochs."
    )
    warn(text)
    return text


def _collapse(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The best row so far, where an epoch has fallen from it."""
    watched = [each for each in rows if each.get(ROBUST) is not None]
    if row.get(ROBUST) is None or not watched:
        return None
    best = max(watched, key=lambda each: each[ROBUST])
    has_fallen = best[ROBUST] >= _MATTERS and row[ROBUST] < _COLLAPSED * best[ROBUST]
    return best if has_fallen and row["train_accuracy"] >= _STAYS * best["train_accuracy"] else None
