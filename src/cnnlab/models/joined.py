"""Several networks side by side as one, whose outputs are their combined prediction: an ensemble to be trained on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor, nn

from cnnlab.core.digests import digest
from cnnlab.core.errors import SpecError, UsageError, in_quotes
from cnnlab.core.hooks import open_stored
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call
from cnnlab.models.initialisers import unmark_heads
from cnnlab.models.networks import JOINED, ModelSpec, architectures, build_network, parse_model
from cnnlab.models.pixel_order import permuted, pixel_permutation
from cnnlab.models.shapes import Shape
from cnnlab.objectives import Classes, Objective, restore_objective

Averaged: TypeAlias = Literal["probabilities", "logits"]
Seed: TypeAlias = Annotated[int, Field(ge=0)]
_RUN = "run:"


class JoinedNetwork(nn.Module):
    """Networks that see the same pictures, each normalised in its own way, and the weighted mean of what they say.

    They are its children ``member1``, ``member2`` and so on, each a part. All that is known of them in numbers is in
    buffers, and so in the file of weights: M×C ``scale`` and ``shift`` by which each normalises pixels, M×K ``places``,
    ``factor`` and ``offset`` that bring what it puts out to the order of classes and the scales of all, and M
    ``shares``, its weight in the whole; ``order_of_member1`` where that permutes pixels. None of them is trained.

    :param members: from normalised pixels N×C×H×W to outputs N×K.
    :param shape: of a picture: channels, height, width.
    :param outputs: K.
    :param of: what the mean is taken of: probabilities, or logits.
    :param permute: for each member the seed of its permutation of pixels, or None.
    """

    def __init__(
        self,
        members: Sequence[nn.Module],
        shape: Shape,
        outputs: int,
        of: Averaged = "probabilities",
        permute: Sequence[int | None] = (),
    ) -> None:
        super().__init__()
        count, channels = len(members), shape[0]
        self.out_features, self.of = outputs, of
        self.names = [f"member{number}" for number in range(1, count + 1)]
        for name, member in zip(self.names, members, strict=True):
            self.add_module(name, member)
        self.register_buffer("scale", torch.ones(count, channels))
        self.register_buffer("shift", torch.zeros(count, channels))
        self.register_buffer("places", torch.arange(outputs).repeat(count, 1))
        self.register_buffer("factor", torch.ones(count, outputs))
        self.register_buffer("offset", torch.zeros(count, outputs))
        self.register_buffer("shares", torch.full((count,), 1 / count))
        for name, seed in zip(self.names, permute or [None] * count, strict=True):
            order = None if seed is None else pixel_permutation(seed, shape).to(self.get_buffer("scale").device)
            self.register_buffer(f"order_of_{name}", order)
        # What the outputs mean is told by the classifier that holds the network; until then they are of classes.
        self.objective: Objective = Classes("class", tuple(map(str, range(outputs))))

    def forward(self, pixels: Tensor) -> Tensor:
        """N×C×H×W, as the classifier was given them, to N×K."""
        said = [self._said(place, name, pixels) for place, name in enumerate(self.names)]
        members = torch.stack([rows if rows.dtype == torch.float64 else rows.float() for rows in said])
        device = pixels.device.type
        if not torch.amp.is_autocast_available(device):
            return self._combined(members)
        # Sums of probabilities and of numbers are not for half a float.
        with torch.autocast(device, enabled=False):
            return self._combined(members)

    def _said(self, place: int, name: str, pixels: Tensor) -> Tensor:
        order = getattr(self, f"order_of_{name}")
        if order is not None:
            pixels = permuted(pixels, order)
        scale, shift = (getattr(self, key)[place].view(1, -1, 1, 1) for key in ("scale", "shift"))
        rows: Tensor = getattr(self, name)(torch.addcmul(shift, pixels, scale))
        return rows

    def _combined(self, members: Tensor) -> Tensor:
        places = self.get_buffer("places")[:, None].expand(-1, members.shape[1], -1)
        common = torch.addcmul(
            self.get_buffer("offset")[:, None], members.gather(2, places), self.get_buffer("factor")[:, None]
        )
        return self.objective.weighted_mean(common, self.get_buffer("shares").to(common.dtype), self.of)


def tell_meaning(network: nn.Module, objective: str, classes: Mapping[str, tuple[str, ...]]) -> None:
    """Has joined networks inside combine what their members say as the objective of this spec means it."""
    joined = [module for module in network.modules() if isinstance(module, JoinedNetwork)]
    for module in joined:
        module.objective = restore_objective(objective, classes)


@dataclass(frozen=True, eq=False)
class JoinedWeights:
    """All that makes a joined network say what an ensemble says.

    :param named: the ensemble, as ``weights=`` of the model names it.
    :param members: canonical specs of their networks.
    :param shape: of the pictures that all of them take.
    :param of, permute: as of :class:`JoinedNetwork`.
    :param tensors: its state.
    """

    named: str
    members: tuple[str, ...]
    shape: Shape
    of: Averaged
    permute: tuple[int | None, ...]
    tensors: Mapping[str, Tensor]

    @property
    def model(self) -> ModelSpec:
        """The network as a spec that says all by itself, with the ensemble as the weights that it starts from."""
        permute = self.permute if any(seed is not None for seed in self.permute) else None
        arguments = {"weights": self.named, "members": self.members, "of": self.of, "permute": permute}
        return parse_model(str(Call(JOINED, (), arguments)))

    @property
    def digest(self) -> str:
        """Of the weights of all members, their preprocessing, and how they are combined."""
        content = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            content.update(name.encode())
            content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest([content.hexdigest(), str(self.model.without_weights())])

    def fill(self, network: nn.Module) -> None:
        """Puts them into the network of :attr:`model`."""
        network.load_state_dict(dict(self.tensors))
        unmark_heads(network)


def is_joined(model: ModelSpec) -> bool:
    """Whether a model is networks side by side, and starts from what an ensemble is made of."""
    return isinstance(model.bound, BoundCall) and model.bound.name == JOINED and model.weights is not None


def joined_weights(
    model: ModelSpec,
    objective: Objective | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    runs: Path | str | None = None,
) -> JoinedWeights:
    """What the ensemble is made of that a model of this kind starts from.

    :param objective, classes: in whose terms the network is to speak; those of the ensemble unless given.
    :param runs: the folder in which it is looked for.
    :raises UsageError: for an ensemble that is no mean of networks, and one of other members than the model says.
    """
    named = str(model.weights)
    if not named.startswith(_RUN):
        raise UsageError(
            f"model=joined starts from an ensemble, as in model=ensemble:NAME, and not from weights={named}. Make one "
            "of the runs that are meant: cnnlab ensemble NAME NAME"
        )
    name = named.removeprefix(_RUN)
    ensemble = open_stored("ensemble", name, runs=runs)
    if not hasattr(ensemble, "joined"):
        raise UsageError(
            f"{name} is one network already, whose weights are the mean of several. Train it on with "
            f"model={in_quotes(parse_model(ensemble.model).short)} weights={named}"
        )
    found: JoinedWeights = ensemble.joined(named, objective, classes)
    assert isinstance(model.bound, BoundCall)
    if model.bound.arguments["members"] and str(found.model) != str(model):
        raise UsageError(
            f"the ensemble {name} is made of other networks now than the model says. Leave its members out: "
            f"model=ensemble:{name}"
        )
    return found


@architectures.register(JOINED)
def joined(
    shape: Shape,
    outputs: int,
    weights: str | None = None,
    members: tuple[str, ...] = (),
    of: Averaged = "probabilities",
    permute: tuple[Seed | None, ...] | None = None,
) -> nn.Module:
    """Networks side by side as one: ``weights=run:NAME`` an ensemble to be trained on, or ``members`` from the start.

    What it puts out is the weighted mean of the members' probabilities, ``of=logits`` their geometric mean; of numbers
    the mean. Its parts are ``member1``, ``member2`` and so on. With an ensemble's weights each member keeps the
    normalisation and the permutation of pixels that it was trained with.
    """
    if weights is not None:
        found = joined_weights(parse_model(Call(JOINED, (), {"weights": weights, "members": members})))
        network = found.model.without_weights().build(shape, outputs)
        found.fill(network)
        return network
    if not members:
        raise SpecError('members are missing: name networks, as in members=["cnn(filters=[16])", "mlp(hidden=[32])"].')
    if permute is not None and len(permute) != len(members):
        raise SpecError(f"permute has {len(permute)} seeds for {len(members)} members; it takes one or none for each.")
    networks = [build_network(member, shape, outputs) for member in members]
    return JoinedNetwork(networks, shape, outputs, of, permute or ())
