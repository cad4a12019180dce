"""Training part of a network: what of it a phase trains, and what stays as it is to the bit."""

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, parts_of
from cnnlab.models.parts import leaves_of, outwards
from cnnlab.training.optimizers import TrainedPart
from cnnlab.training.part_selection import innermost
from cnnlab.training.recipe import Phase


class PartialTraining:
    """What of a classifier is trained during one phase.

    All else is frozen: its weights ask for no gradient and are not the optimiser's, and its modules are in evaluation
    mode, so that batch normalisation keeps its statistics and dropout lets everything pass. A module is frozen when
    nothing inside it is trained.

    :param parts: what is trained, by learning rate; whoever made the network may have frozen weights for good.
    :raises UsageError: for a part that there is not, and a phase that would train nothing.
    """

    def __init__(self, classifier: Classifier, phase: Phase) -> None:
        self.classifier = classifier
        self.network = classifier.network
        self._chosen = {"": True} if phase.train is None else self._choose(phase)
        own = [(name, weight) for name, weight in self.network.named_parameters() if weight.requires_grad]
        trained = [weight for name, weight in own if self._is_chosen(name)]
        if not trained:
            raise UsageError(
                f"train={phase.train} comes to layers without weights that could be trained. Name a part that has "
                "some, such as head."
            )
        self.frozen = [weight for name, weight in own if not self._is_chosen(name)]
        self.parts: tuple[TrainedPart, ...] = (TrainedPart(trained),)
        frozen = self._frozen_by_their_maker if phase.train is None else self._frozen_modules
        self._frozen = dict(frozen())

    def begin(self) -> None:
        """Freezes what is not trained."""
        for weight in self.frozen:
            weight.requires_grad_(False)

    def end(self) -> None:
        """Lets go of what was frozen."""
        for weight in self.frozen:
            weight.requires_grad_(True)

    def train(self) -> None:
        """Puts the classifier into training mode, except what is frozen."""
        self.classifier.train()
        for module in self._frozen.values():
            module.training = False

    def is_frozen(self, name: str) -> bool:
        """Whether the module of this name in the network, with all inside, computes the same throughout the phase."""
        return name in self._frozen

    def _choose(self, phase: Phase) -> dict[str, bool]:
        """Whether each layer that the phase's choice comes to is trained."""
        assert phase.train is not None
        if not any(next(child.parameters(), None) is not None for child in self.network.children()):
            raise UsageError(
                f"train={phase.train} names parts, and this network has none: all its weights are held by one module. "
                "Leave train out, or write the network as several modules."
            )
        layers = [name for name, _ in self.network.named_modules()]
        return phase.train.parsed.within(parts_of(self.network, self.classifier.shape), layers)

    def _is_chosen(self, name: str) -> bool:
        return bool(innermost(name, self._chosen, False))

    def _frozen_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """The modules inside which nothing is trained; one without weights goes with the part that it is in."""
        weights = dict(self.network.named_parameters())
        modules = dict(self.network.named_modules())
        around_trained = set()
        for name in filter(self._is_chosen, leaves_of(self.network)):
            own = [weights[name]] if name in weights else list(modules[name].parameters())
            if not own or any(weight.requires_grad for weight in own):
                around_trained.update(outwards(name))
        yield from ((name, module) for name, module in modules.items() if name and name not in around_trained)

    def _frozen_by_their_maker(self) -> Iterator[tuple[str, nn.Module]]:
        """Batch normalisation whose weights were all frozen before; nothing is said of what is around it."""
        for name, module in self.network.named_modules():
            weights = list(module.parameters())
            if isinstance(module, _BatchNorm) and weights and not any(weight.requires_grad for weight in weights):
                yield name, module
