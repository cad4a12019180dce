"""What fools a network, and how much it takes: attacks within a budget, least changes, noise as the honest baseline.

Tensors in, plain arrays out; everything is in pixels from 0 to 1, and models are left exactly as they were found.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.attacks.accuracy_curve import Curve as Curve
    from cnnlab.attacks.accuracy_curve import curve as curve
    from cnnlab.attacks.adversarial import Adversarial as Adversarial
    from cnnlab.attacks.adversarial import Answers as Answers
    from cnnlab.attacks.adversarial import Source as Source
    from cnnlab.attacks.attack import ATTACKS as ATTACKS
    from cnnlab.attacks.attack import Attack as Attack
    from cnnlab.attacks.attack_check import check_attack as check_attack
    from cnnlab.attacks.checks import Check as Check
    from cnnlab.attacks.fooling import Fooled as Fooled
    from cnnlab.attacks.fooling_noise import from_noise as from_noise
    from cnnlab.attacks.fooling_pattern import from_patterns as from_patterns
    from cnnlab.attacks.fooling_picture import from_pictures as from_pictures
    from cnnlab.attacks.fooling_universal import Universal as Universal
    from cnnlab.attacks.fooling_universal import universal as universal
    from cnnlab.attacks.perturbed import perturb as perturb
    from cnnlab.attacks.problem import ClassProblem as ClassProblem
    from cnnlab.attacks.problem import LossProblem as LossProblem
    from cnnlab.attacks.problem import Problem as Problem
    from cnnlab.attacks.smoothing import Smoothed as Smoothed
    from cnnlab.attacks.smoothing import smoothed as smoothed
    from cnnlab.attacks.stored import stored_attacks as stored_attacks
    from cnnlab.attacks.transfers import TransferMatrix as TransferMatrix
    from cnnlab.attacks.transfers import transfer_matrix as transfer_matrix

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "accuracy_curve": ("Curve", "curve"),
        "adversarial": ("Adversarial", "Answers", "Source"),
        "attack": ("ATTACKS", "Attack"),
        "attack_check": ("check_attack",),
        "checks": ("Check",),
        "fooling": ("Fooled",),
        "fooling_noise": ("from_noise",),
        "fooling_pattern": ("from_patterns",),
        "fooling_picture": ("from_pictures",),
        "fooling_universal": ("Universal", "universal"),
        "perturbed": ("perturb",),
        "problem": ("ClassProblem", "LossProblem", "Problem"),
        "smoothing": ("Smoothed", "smoothed"),
        "stored": ("stored_attacks",),
        "transfers": ("TransferMatrix", "transfer_matrix"),
    },
)
