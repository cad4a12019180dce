"""Training part of a network: what of it a phase trains, at which rates, and what stays as it is to the bit."""

from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import Parameter

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, Part, parts_of
from cnnlab.models.joined import JoinedNetwork
from cnnlab.models.parts import leaves_of, outwards
from cnnlab.training.optimizers import TrainedPart
from cnnlab.training.part_selection import innermost, layers_of
from cnnlab.training.recipe import Phase


class PartialTraining:
    """What of a classifier is trained during one phase.

    All else is frozen: its weights ask for no gradient and are not the optimiser's, and its modules are in evaluation
    mode, so that batch normalisation keeps its statistics and dropout lets everything pass. A module is frozen where
    nothing inside it is trained. With ``norms=train`` batch normalisation goes on gathering statistics all the same;
    with ``norms=fixed`` that of trained parts too normalises by the statistics that it has.

    ``parts`` is what is trained by now, by learning rate, and ``still`` the names of the weights and buffers of the
    classifier that stay as they are. Whoever made the network may have frozen weights for good.

    :raises UsageError: for a part that there is not or that is frozen and given a rate, and for a phase that would
        train nothing.
    """

    def __init__(self, classifier: Classifier, phase: Phase) -> None:
        self.classifier, self.network, self.phase = classifier, classifier.network, phase
        is_simple = not (phase.train or phase.rates or phase.layer_decay or phase.unfreeze)
        self._network_parts = () if is_simple else _checked_parts(classifier, phase)
        self._layers = [name for name, _ in self.network.named_modules()]
        self._chosen = (
            {"": True} if phase.train is None else phase.train.parsed.within(self._network_parts, self._layers)
        )
        self._weights = {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}
        chosen = [name for name in self._weights if self._is_chosen(name)]
        if not chosen:
            raise UsageError(
                f"train={phase.train} comes to layers without weights that could be trained. Name a part that has "
                "some, such as head."
            )
        # From the head on, where parts are freed one after another; else all of them at once.
        order = [part.name for part in reversed(self._network_parts) if any(map(part.holds, chosen))]
        self._turns = {name: turn for turn, name in enumerate(order)} if phase.unfreeze else {}
        self._rates = self._own_rates(chosen)
        fixed = {name: norm for name, norm in self.network.named_modules() if isinstance(norm, _BatchNorm)}
        self._fixed_norms = fixed if phase.norms == "fixed" else {}
        self._freed = 0
        self.parts: tuple[TrainedPart, ...] = ()
        self.unfreeze(0)

    def begin(self) -> None:
        """Freezes what is not trained."""
        for weight in self._weights.values():
            weight.requires_grad_(id(weight) in self._trained)

    def end(self) -> None:
        """Lets go of what was frozen."""
        for weight in self._weights.values():
            weight.requires_grad_(True)

    def unfreeze(self, epoch: int) -> tuple[TrainedPart, ...]:
        """Frees the parts whose turn has come; gives those that were frozen until now.

        :param epoch: of the phase, counted from 0.
        """
        before, self._freed = self._freed, 1 + int(epoch * (self.phase.unfreeze or 0))
        fresh: dict[tuple[int, float | None], list[Parameter]] = {}
        for name, weight in self._weights.items():
            if self._is_chosen(name) and before <= self._turn_of(name) < self._freed:
                weight.requires_grad_(True)
                fresh.setdefault((self._turn_of(name), self._rate_of(name)), []).append(weight)
        in_turn = sorted(fresh.items(), key=lambda found: found[0][0])
        freed = tuple(TrainedPart(weights, rate) for (_, rate), weights in in_turn)
        if freed:
            self.parts += freed
            self._trained = {id(weight) for part in self.parts for weight in part.parameters}
            is_partial = self.phase.train or self.phase.unfreeze
            self._evaluated = self._frozen_modules() if is_partial else self._frozen_norms()
            self.still = self._still_tensors()
        return freed

    def train(self) -> None:
        """Puts the classifier into training mode, except what is frozen."""
        self.classifier.train()
        for module in self._evaluated.values():
            module.training = isinstance(module, _BatchNorm) and self.phase.norms == "train"
        for norm in self._fixed_norms.values():
            norm.training = False

    def is_frozen(self, name: str) -> bool:
        """Whether the module of this name in the network, with all inside, computes the same until more is freed."""
        module = self._evaluated.get(name)
        if module is None:
            return False
        return self.phase.norms != "train" or not any(isinstance(inner, _BatchNorm) for inner in module.modules())

    def _still_tensors(self) -> frozenset[str]:
        """The weights and buffers of the classifier that stay as they are."""
        weights = {name for name, weight in self.network.named_parameters() if id(weight) not in self._trained}
        buffers = {name for name, _ in self.network.named_buffers() if self._keeps_buffers(name.rpartition(".")[0])}
        return frozenset(f"network.{name}" for name in weights | buffers)

    def _keeps_buffers(self, name: str) -> bool:
        return name in self._fixed_norms or self.is_frozen(name)

    def _is_chosen(self, name: str) -> bool:
        return bool(innermost(name, self._chosen, False))

    def _turn_of(self, name: str) -> int:
        """How many parts are freed before the one that a layer or weight is in."""
        return next((self._turns.get(part.name, 0) for part in self._network_parts if part.holds(name)), 0)

    def _rate_of(self, name: str) -> float | None:
        """The learning rate of a weight, where it is not the optimiser's."""
        own: float | None = innermost(name, self._rates, None)
        decay = self.phase.layer_decay
        if own is not None or decay is None:
            return own
        behind = next(place for place, part in enumerate(reversed(self._network_parts)) if part.holds(name))
        rate: float = self.phase.optimizer.parsed.arguments["lr"] * decay**behind
        return rate if behind else None

    def _own_rates(self, chosen: list[str]) -> Mapping[str, float]:
        """The rate of each layer that ``rates`` comes to."""
        rates: dict[str, float] = {}
        for term, rate in (self.phase.rates or {}).items():
            layers = dict.fromkeys(layers_of(term, self._network_parts, self._layers, "rates"), rate)
            if not any(innermost(name, layers, None) for name in chosen):
                raise UsageError(
                    f"rates gives {term} a learning rate, and this phase does not train it (train={self.phase.train}). "
                    "Train it too, or leave its rate out."
                )
            rates |= layers
        return rates

    def _frozen_modules(self) -> dict[str, nn.Module]:
        """The modules inside which nothing is trained; one without weights goes with the part that it is in."""
        weights = dict(self.network.named_parameters())
        modules = dict(self.network.named_modules())
        around_trained = set()
        for name in leaves_of(self.network):
            own = [weights[name]] if name in weights else list(modules[name].parameters())
            has_trained = not own or any(id(weight) in self._trained for weight in own)
            if has_trained and self._is_chosen(name) and self._turn_of(name) < self._freed:
                around_trained.update(outwards(name))
        return {name: module for name, module in modules.items() if name and name not in around_trained}

    def _frozen_norms(self) -> dict[str, nn.Module]:
        """Batch normalisation whose maker froze all its weights; nothing is said of what is around it."""
        norms = {name: norm for name, norm in self.network.named_modules() if isinstance(norm, _BatchNorm)}
        own = {id(weight) for weight in self._weights.values()}
        return {
            name: norm
            for name, norm in norms.items()
            if (weights := list(norm.parameters())) and not any(id(weight) in own for weight in weights)
        }


def _checked_parts(classifier: Classifier, phase: Phase) -> tuple[Part, ...]:
    """The parts of a network, which a phase names or counts."""
    children = classifier.network.children()
    if not any(next(child.parameters(), None) is not None for child in children):
        key = next(key for key in ("train", "rates", "layer_decay", "unfreeze") if getattr(phase, key))
        raise UsageError(
            f"{key}={getattr(phase, key)} goes by parts, and this network has none: all its weights are held by one "
            f"module. Leave {key} out, or write the network as several modules."
        )
    if phase.layer_decay and isinstance(classifier.network, JoinedNetwork):
        raise UsageError(
            f"layer_decay={phase.layer_decay} goes by how far a part is from the head, and the members of this network "
            "stand side by side. Give them learning rates of their own, as in rates='{member1: 1e-4}'."
        )
    return parts_of(classifier.network, classifier.shape)
