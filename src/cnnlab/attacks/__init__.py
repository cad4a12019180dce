"""What fools a network, and how much it takes: attacks within a budget, least changes, noise as the honest baseline.

Tensors in, plain arrays out; everything is in pixels from 0 to 1, and models are left exactly as they were found.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.attacks.adversarial import Adversarial as Adversarial
    from cnnlab.attacks.adversarial import Answers as Answers
    from cnnlab.attacks.attack import ATTACKS as ATTACKS
    from cnnlab.attacks.attack import Attack as Attack
    from cnnlab.attacks.perturb import perturb as perturb
    from cnnlab.attacks.problem import ClassProblem as ClassProblem
    from cnnlab.attacks.problem import LossProblem as LossProblem
    from cnnlab.attacks.problem import Problem as Problem

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "adversarial": ("Adversarial", "Answers"),
        "attack": ("ATTACKS", "Attack"),
        "perturb": ("perturb",),
        "problem": ("ClassProblem", "LossProblem", "Problem"),
    },
)
