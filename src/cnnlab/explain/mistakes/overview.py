"""All that is asked about the mistakes of one run, at once."""

from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.core.errors import CnnlabError
from cnnlab.evaluation import Confusion, confusion
from cnnlab.explain.mistakes.class_order import ordered_confusion
from cnnlab.explain.mistakes.gallery import MistakePage, mistakes_by_pair, surest_mistakes
from cnnlab.explain.mistakes.label_errors import LabelErrors, label_errors
from cnnlab.explain.mistakes.learning import LearningOrder, learning_order
from cnnlab.explain.mistakes.near_duplicates import NearDuplicates, near_duplicates
from cnnlab.explain.mistakes.predicted import predicted_by
from cnnlab.models import OwnNetwork
from cnnlab.runs import Run


@dataclass(frozen=True, eq=False)
class Mistakes:
    """What a run gets wrong on one split, and what may be behind it.

    :param confusion: classes in the order in which those that are confused stand together.
    :param label_errors: by split: the one asked about, validation, and train where there are predictions out of fold.
    :param learning, duplicates: None where they cannot be had, for which ``missing`` has the reason by their name.
    """

    surest: MistakePage
    by_pair: MistakePage
    confusion: Confusion
    label_errors: dict[str, LabelErrors]
    learning: LearningOrder | None
    duplicates: NearDuplicates | None
    missing: dict[str, str] = field(default_factory=dict)


def mistakes_of(
    run: "Run | str | Path",
    split: str = "test",
    *,
    column: str | None = None,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    network: OwnNetwork | None = None,
) -> Mistakes:
    """The mistakes of a run: a gallery, the order of confused classes, doubtful labels, what was learned late, doubles.

    :param column: of the targets, where several are predicted: the first of them unless given.
    :raises UsageError: when the run has no stored predictions of classes on the split.
    """
    predicted = predicted_by(run, split, column)
    opened, missing, column = predicted.run, dict[str, str](), predicted.column
    doubtful = {split: label_errors(predicted, data_dir=data_dir)}
    for other in ("validation", "train"):
        try:
            doubtful.setdefault(other, label_errors(opened, other, column=column, data_dir=data_dir))
        except CnnlabError as error:
            missing[f"label errors of {other}"] = str(error)
    learning: LearningOrder | None = None
    duplicates: NearDuplicates | None = None
    try:
        learning = learning_order(
            opened, column=column, device=device, data_dir=data_dir, offline=offline, network=network
        )
    except CnnlabError as error:
        missing["learning"] = str(error)
    try:
        duplicates = near_duplicates(opened, data_dir=data_dir, offline=offline)
    except CnnlabError as error:
        missing["near duplicates"] = str(error)
    return Mistakes(
        surest=surest_mistakes(predicted, data_dir=data_dir),
        by_pair=mistakes_by_pair(predicted, data_dir=data_dir),
        confusion=ordered_confusion(confusion(predicted.classes)),
        label_errors=doubtful,
        learning=learning,
        duplicates=duplicates,
        missing=missing,
    )
