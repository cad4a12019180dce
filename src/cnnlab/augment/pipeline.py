"""A recipe's augmentation: read from a spec, checked against the data, drawn, applied."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.device_transfer import move
from cnnlab.augment.errors import OperationError
from cnnlab.augment.fusion import AnyStage, ColourRun, GeometricRun, stages
from cnnlab.augment.operation import Info, Operation, Parameters, Shape, SoftTargets
from cnnlab.augment.padding import fills
from cnnlab.augment.sampling import Spread
from cnnlab.core import seeds
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call, format_calls, read


@dataclass(frozen=True)
class PipelineStep:
    """An operation and the call that asked for it, which knows its place in the text."""

    call: Call
    bound: BoundCall[Operation]
    operation: Operation

    @classmethod
    def read(cls, call: Call) -> "PipelineStep":
        """The operation that a call means.

        :raises SpecError: pointing at the name or the argument that is wrong.
        """
        bound = augmentations.bind(call)
        try:
            _check_spreads(bound)
            operation = bound.build()
            operation.validate()
        except OperationError as refusal:
            raise call.error(str(refusal), _place(call, bound, refusal.argument)) from refusal
        return cls(call, bound, operation)

    @property
    def canonical(self) -> Call:
        """The call with every argument by name, those of a nested fill too."""
        arguments = dict(self.bound.arguments)
        if isinstance(arguments.get("fill"), Call):
            arguments["fill"] = fills.bind(arguments["fill"]).call
        return Call(self.bound.name, (), arguments)

    def refusal(self, shape: Shape, soft_targets: bool) -> str | None:
        """Why the data or the objective does not allow it, or None."""
        name = self.bound.name
        if self.operation.needs_colour and shape[0] != 3:
            channels = "grey" if shape[0] == 1 else f"of {shape[0]} channels"
            return f"{name} needs colour pictures (three channels), and these are {channels}"
        if self.operation.mixes and not soft_targets:
            return f"{name} blends targets, and this objective takes none that are blended; leave it out"
        return self.operation.refusal(shape)


class Pipeline:
    """Operations in order, fused where they can be.

    >>> crop = pipeline("flip|crop(4)")
    >>> images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    >>> images, targets = crop(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(8))
    """

    def __init__(self, steps: Sequence[PipelineStep]) -> None:
        self.steps = tuple(steps)
        self.operations = tuple(step.operation for step in steps)
        self.stages: tuple[AnyStage, ...] = stages(self.operations)

    @property
    def spec(self) -> str:
        """The canonical text; ``none`` where there is nothing to do."""
        return format_calls([step.canonical for step in self.steps])

    @property
    def mixes(self) -> bool:
        """Whether targets are blended."""
        return any(operation.mixes for operation in self.operations)

    def __len__(self) -> int:
        return len(self.steps)

    def __str__(self) -> str:
        return self.spec

    def __repr__(self) -> str:
        return f"pipeline({self.spec!r})"

    def check(self, shape: Shape, soft_targets: bool) -> None:
        """Refuses the pipeline where the data or the objective does not allow it.

        :param shape: channels, height and width of a picture.
        :param soft_targets: whether the objective can learn from blended targets.
        :raises SpecError: pointing at the first operation that does not fit. Where the text is the canonical one, as
            a recipe holds it, nobody needs to have written it so, and the operation's place in the pipeline is told.
        """
        for number, step in enumerate(self.steps, 1):
            reason = step.refusal(shape, soft_targets)
            if reason is None:
                continue
            if step.call.text is not None and step.call.text != self.spec:
                raise step.call.error(reason)
            raise SpecError(f"operation {number} of the pipeline: {reason}" if len(self) > 1 else reason)

    def draw(self, generator: Generator, info: Info) -> list[Parameters]:
        """All random choices for a batch, on the processor: for each stage, what was drawn by name."""
        return [stage.draw(generator, info) for stage in self.stages]

    def apply(
        self, images: Tensor, targets: SoftTargets, parameters: Sequence[Parameters]
    ) -> tuple[Tensor, SoftTargets]:
        """The batch with those choices made; nothing here is random, and what is given is not written to.

        :param images: N×C×H×W on any device, uint8 or float in [0, 1].
        :param targets: columns of N×K numbers, which mixing blends.
        :returns: uint8 pictures where values were only moved or replaced, else float32 in [0, 1]; and the targets.
        """
        if not self.stages or len(images) == 0:
            return images, targets
        images = images.contiguous() if images.dtype == torch.uint8 else _own(images)
        for stage, drawn in zip(self.stages, move(parameters, images.device), strict=True):
            images, targets = stage.apply(images, targets, drawn)
        return images, targets

    def __call__(
        self, images: Tensor, targets: SoftTargets, *, seed: int, epoch: int, step: int, ids: Tensor
    ) -> tuple[Tensor, SoftTargets]:
        """Draws for one step of a training and applies: the same arguments always give the same batch."""
        if not self.stages or len(images) == 0:
            return images, targets
        channels, height, width = images.shape[1:]
        info = Info(len(images), (channels, height, width), epoch, ids.cpu())
        return self.apply(images, targets, self.draw(seeds.generator(seed, "augment", epoch, step), info))

    def on_part(
        self, images: Tensor, targets: SoftTargets, part: slice, *, seed: int, epoch: int, step: int, ids: Tensor
    ) -> tuple[Tensor, SoftTargets]:
        """As the call, for some pictures of a batch: they become what they would in the whole of it.

        :param images: those at the places ``part`` of the batch, and ``targets`` theirs; ``ids`` are of the whole.
        :raises ValueError: where pictures are blended, which takes all of them.
        """
        if self.mixes:
            raise ValueError(f"{self.spec} blends pictures of the whole batch")
        if not self.stages or len(images) == 0:
            return images, targets
        channels, height, width = images.shape[1:]
        info = Info(len(ids), (channels, height, width), epoch, ids.cpu())
        drawn = self.draw(seeds.generator(seed, "augment", epoch, step), info)
        if all(isinstance(stage, GeometricRun | ColourRun) for stage in self.stages):
            return self.apply(images, targets, [{name: rows[part] for name, rows in each.items()} for each in drawn])
        # What operations draw need not be a row a picture, such as the seed of noise: all others are black.
        whole = images.new_zeros(len(ids), *images.shape[1:])
        whole[part] = images
        changed, _ = self.apply(whole, {}, drawn)
        return changed[part], targets


def pipeline(spec: object) -> Pipeline:
    """The pipeline that a spec means, such as ``flip|shift(0.1)|erase``; none is the empty one.

    :raises SpecError: with the place in the text, for an unknown name or an argument out of its range.
    """
    return spec if isinstance(spec, Pipeline) else Pipeline([PipelineStep.read(call) for call in read(spec)])


def canonical_pipeline(spec: object) -> str:
    """The canonical text of a pipeline, defaults filled in."""
    return pipeline(spec).spec


def _check_spreads(bound: BoundCall[Operation]) -> None:
    for name, value in bound.arguments.items():
        if bound.entry.arguments[name].annotation == Spread and isinstance(value, tuple) and value[0] > value[1]:
            raise OperationError(
                f"{name} of {bound.name} takes the lower factor first; got [{value[0]:g}, {value[1]:g}]", name
            )


def _own(images: Tensor) -> Tensor:
    """A copy that stages may write to."""
    return images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def _place(call: Call, bound: BoundCall[Operation], argument: str | None) -> str | int | None:
    """The key under which the call knows the place of an argument in its text."""
    if argument is None or argument in call.kwargs:
        return argument
    index = list(bound.entry.arguments).index(argument)
    return index if index < len(call.args) else None
