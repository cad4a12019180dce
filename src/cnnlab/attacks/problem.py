"""What an attack is given: pictures, and what of a model's answer is to change."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.attacks.draws import Draws
from cnnlab.attacks.norms import AnyNorm
from cnnlab.attacks.rounding import rounded_within
from cnnlab.objectives import Objective, Targets

P = TypeVar("P", bound="Problem")
C = TypeVar("C", bound="ClassProblem")
Model = Callable[[Tensor], Tensor]
FLAT = 1e-12
"""A gradient with no number beyond this, for a loss in nats and pixels from 0 to 1, is taken for none."""


class Problem(ABC):
    """Pictures to be changed until the model errs, and the model as one may ask it.

    :param model: from pixels in [0, 1] to outputs N×K, in evaluation mode.
    :param pixels: the originals, float32 N×C×H×W in [0, 1].
    :param draws: random numbers, a tensor for each picture.

    ``norm`` and ``eps`` are the budget of the attack that it is given to, which rounding to 8 bits is not to leave. How
    often the model was asked is counted for each picture: ``forwards`` and ``backwards``, and in ``flat`` how many of
    the gradients were nearly 0. ``by`` is which attack of an ensemble fooled it, −1 for none. ``facts`` are further
    numbers of each that an attack tells, NaN where it tells none.
    """

    is_judged: ClassVar[bool] = True
    """Whether an answer of the model can ever be what is wanted, so that it is worth asking."""

    def __init__(self, model: Model, pixels: Tensor, draws: Draws) -> None:
        self.model, self.pixels, self.draws = model, pixels, draws
        self.forwards, self.backwards, self.flat = (torch.zeros(len(pixels), dtype=torch.long) for _ in range(3))
        self.by = torch.full((len(pixels),), -1)
        self.facts: dict[str, Tensor] = {}
        self.norm: AnyNorm | None = None
        self.eps: float | None = None
        self._places = torch.arange(len(pixels))

    def __len__(self) -> int:
        return len(self.pixels)

    @abstractmethod
    def loss(self, outputs: Tensor) -> Tensor:
        """What is to grow, N, of outputs N×K."""

    @abstractmethod
    def is_fooled(self, outputs: Tensor) -> Tensor:
        """Whether these outputs, N×K, are what is wanted, N."""

    def outputs(self, pixels: Tensor) -> Tensor:
        """What the model says of changed pictures, N×K, without a gradient."""
        self._count(self.forwards)
        with torch.no_grad():
            return self.model(pixels)

    def gradient(self, pixels: Tensor, of: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """What the model says of changed pictures, N×K, and the gradient by the pixels of a number of each.

        :param of: that number, N, of outputs N×K; the loss unless given.
        """
        self._count(self.forwards)
        self._count(self.backwards)
        asked = pixels.detach().requires_grad_(True)
        with torch.enable_grad():
            outputs = self.model(asked)
            (gradient,) = torch.autograd.grad((of or self.loss)(outputs).sum(), asked)
        self._count(self.flat, (gradient.flatten(1).abs().amax(1) < FLAT).cpu())
        return outputs.detach(), gradient

    def gradients(self, pixels: Tensor, of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Iterator[Tensor]]:
        """What the model says of changed pictures, N×K, some numbers of each, and the gradients of these.

        :param of: those numbers, N×M, of outputs N×K.
        :returns: the outputs, the numbers, and M gradients by the pixels, N×C×H×W, each computed when it
            is asked for.
        """
        self._count(self.forwards)
        asked = pixels.detach().requires_grad_(True)
        with torch.enable_grad():
            outputs = self.model(asked)
            numbers = of(outputs)
            # A picture's numbers depend on no other's pixels, so that the gradient of a sum over pictures is that of
            # each.
            sums = numbers.sum(0).unbind()

        def each() -> Iterator[Tensor]:
            for place, total in enumerate(sums):
                self._count(self.backwards)
                yield torch.autograd.grad(total, asked, retain_graph=place + 1 < len(sums))[0]

        return outputs.detach(), numbers.detach(), each()

    def _count(self, asked: Tensor, which: Tensor | None = None) -> None:
        # A picture may stand among the rows many times, once for each change that is tried.
        ones = torch.ones_like(self._places)
        asked.index_add_(0, self._places, ones if which is None else ones * which)

    def credit(self, member: int) -> None:
        """Notes which attack of an ensemble fooled these pictures."""
        self.by[self._places] = member

    def tell(self, fact: str, values: Tensor) -> None:
        """Keeps a number of each picture, N, for those who read what the attack came to."""
        column = self.facts.setdefault(fact, torch.full((len(self.forwards),), torch.nan))
        column[self._places] = values.detach().float().cpu()

    def fooled(self, pixels: Tensor, outputs: Tensor | None = None) -> Tensor:
        """Whether changed pictures fool the model, N: as they are, and rounded to the 8 bits that files have.

        :param outputs: what the model says of them, where that is known.
        """
        found = self.is_fooled(self.outputs(pixels) if outputs is None else outputs)
        # Rounded they are asked about only where there is something to confirm.
        rows = found.nonzero()[:, 0]
        if len(rows):
            some = self.take(rows)
            kept = rounded_within(pixels[rows], some.pixels, self.norm, self.eps)
            found[rows] = some.is_fooled(some.outputs(kept))
        return found

    def take(self: P, rows: Tensor) -> P:
        """The problem of some of the pictures, by their places; what is asked of the model goes on being counted."""
        taken = object.__new__(type(self))
        taken.__dict__.update(self.__dict__)
        taken.pixels, taken.draws = self.pixels[rows], self.draws.take(rows)
        taken._places = self._places[rows.cpu()]
        return taken


class ClassProblem(Problem):
    """Pictures of known classes; another class is to be predicted, or a certain one.

    :param model: to logits N×K of one head, K at least 2.
    :param labels: int64 N, the classes that are right.
    :param targets: int64 N, the class that each is to be taken for; None for any that is wrong.
    """

    def __init__(self, model: Model, pixels: Tensor, draws: Draws, labels: Tensor, targets: Tensor | None) -> None:
        super().__init__(model, pixels, draws)
        self.labels, self.targets = labels, targets

    @property
    def is_targeted(self) -> bool:
        """Whether each is to be taken for a certain class."""
        return self.targets is not None

    def loss(self, outputs: Tensor) -> Tensor:
        """Cross-entropy of the right class, or the negative one of the target."""
        if self.targets is None:
            return F.cross_entropy(outputs, self.labels, reduction="none")
        return -F.cross_entropy(outputs, self.targets, reduction="none")

    def is_fooled(self, outputs: Tensor) -> Tensor:
        """Whether another class is predicted, or the target."""
        predicted = outputs.argmax(1)
        return predicted != self.labels if self.targets is None else predicted == self.targets

    def margin(self, outputs: Tensor) -> Tensor:
        """By how much the logit of what is wanted is above the others, N: over 0 where the model is fooled.

        Without a target it is the largest wrong logit minus the right one; with one, the target's minus the largest
        of all others. With two classes both are one difference.
        """
        fixed = self.labels if self.targets is None else self.targets
        own = outputs.gather(1, fixed[:, None])[:, 0]
        others = outputs.scatter(1, fixed[:, None], -torch.inf).amax(1)
        return others - own if self.targets is None else own - others

    def take(self: C, rows: Tensor) -> C:
        """As of any problem, with labels and targets."""
        taken = super().take(rows)
        taken.labels = self.labels[rows]
        taken.targets = None if self.targets is None else self.targets[rows]
        return taken


class LossProblem(Problem):
    """Pictures of a training batch whose loss is to grow, whatever is predicted; nothing is ever good enough.

    :param model: to the outputs of all heads.
    :param encoded: the targets as the objective encodes them.
    """

    is_judged = False

    def __init__(self, model: Model, pixels: Tensor, draws: Draws, encoded: Targets, objective: Objective) -> None:
        super().__init__(model, pixels, draws)
        self.encoded, self.objective = encoded, objective

    def loss(self, outputs: Tensor) -> Tensor:
        """That of the training, N."""
        return self.objective.loss(outputs, self.encoded)

    def is_fooled(self, outputs: Tensor) -> Tensor:
        """Never."""
        return torch.zeros(len(outputs), dtype=torch.bool, device=outputs.device)

    def take(self: "LossProblem", rows: Tensor) -> "LossProblem":
        """As of any problem, with the targets."""
        taken = super().take(rows)
        taken.encoded = {name: column[rows] for name, column in self.encoded.items()}
        return taken


def of_classes(problem: Problem) -> ClassProblem:
    """The problem, which has to be one of classes.

    :raises TypeError: for a training's, for attacks that are no adversaries of trainings.
    """
    if not isinstance(problem, ClassProblem):
        raise TypeError(f"the attack changes which class is predicted; got a {type(problem).__name__}.")
    return problem
