"""Where a phase may begin after frozen parts that are computed once, and what stands in the way of that."""

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier
from cnnlab.models.cutting import Cut, cut_of
from cnnlab.training.recipe import Phase


def cut_for(phase: Phase, classifier: Classifier, epochs: int) -> Cut | None:
    """Where a phase begins once its frozen parts are computed; None where that has to be done at each step.

    :param classifier: in training mode, with what the phase freezes frozen.
    :param epochs: that the phase lasts; a single one passes each picture once in any case.
    """
    is_drawn_anew = len(phase.augment.parsed) > 0 and phase.views is None
    is_passed_once = epochs == 1 and phase.views is None
    # What is unfrozen epoch by epoch would be computed anew in each.
    is_in_vain = is_drawn_anew or is_passed_once or phase.unfreeze is not None
    return None if phase.adversary.parsed or is_in_vain else cut_of(classifier)


def check_views(phase: Phase, classifier: Classifier) -> None:
    """Refuses ``views`` where they cannot be kept.

    :param classifier: in training mode, with what the phase freezes frozen.
    :raises UsageError: naming what stands in the way.
    """
    if phase.views is None:
        return
    if not len(phase.augment.parsed):
        raise UsageError(
            f"views={phase.views} is of how many augmented draws of each picture frozen parts are computed, and "
            "augment= names nothing to draw. Leave views out, or say what to draw, such as augment='flip|shift(0.1)'."
        )
    hindrance = None
    if phase.adversary.parsed:
        hindrance = "an adversary changes the pictures anew at each step"
    elif phase.augment.parsed.mixes:
        hindrance = f"{phase.augment} blends pictures of one batch, which are others in each epoch"
    elif phase.unfreeze is not None:
        hindrance = "unfreeze frees more of them in each epoch"
    elif cut_of(classifier) is None:
        hindrance = "nothing before the parts that are trained is frozen"
    if hindrance:
        raise UsageError(
            f"views={phase.views} keeps what frozen parts make of {phase.views} augmented draws of each picture, and "
            f"{hindrance}. Leave views out, or train only parts at the network's end, as in train=head."
        )
