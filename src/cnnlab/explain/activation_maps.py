"""What a layer puts out for pictures: its feature maps, or the numbers of a dense layer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted
from cnnlab.explain.opened import Model, of_weights, opened, survey
from cnnlab.models import features_of, given_pixels, to_float
from cnnlab.models.features import layer_call


@dataclass(frozen=True, eq=False)
class Activations:
    """What a layer puts out for pictures.

    :param model: what it is called.
    :param layer: by its name in the summary.
    :param values: float32, N×C×H×W (feature maps), N×K (numbers), or N×T×D (tokens).
    :param channels: the numbers of the channels among those of the layer; ``count`` how many it has.
    :param images: the pictures, float32 in [0, 1], N×C×H×W.
    """

    model: str
    layer: str
    values: NDArray[np.float32]
    channels: NDArray[np.int64]
    count: int
    images: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_maps(self) -> bool:
        """Whether channels are maps, H×W each, and not single numbers."""
        return self.values.ndim == 4

    @property
    def strengths(self) -> NDArray[np.float32]:
        """How active each channel is for each picture, N×C: the mean magnitude over its places."""
        magnitudes = np.abs(np.nan_to_num(self.values))
        if magnitudes.ndim == 3:
            magnitudes = magnitudes.swapaxes(1, 2)
        return np.asarray(magnitudes.reshape(*magnitudes.shape[:2], -1).mean(2), dtype=np.float32)

    def most_active(self, picture: int, most: int | None = None) -> NDArray[np.int64]:
        """The places of the channels that are most active for a picture, the most active first."""
        return np.argsort(-self.strengths[picture], kind="stable")[:most]

    def limits(
        self, picture: int, percentile: float = 100.0, shown: Iterable[int] | None = None
    ) -> tuple[float, float]:
        """The ends of the scale of a picture: from 0 where nothing is negative, else symmetric about 0.

        :param percentile: of the magnitudes, by which the scale ends, so that few large values do not darken all else.
        :param shown: the places of the channels that are looked at, all unless given.
        """
        values = self.values[picture] if shown is None else self.values[picture, list(shown)]
        finite = values[np.isfinite(values)]
        magnitudes = np.abs(finite) if finite.size else np.zeros(1)
        high = float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0
        return (-high, high) if finite.min(initial=0) < 0 else (0.0, high)

    def __repr__(self) -> str:
        return f"Activations({self.layer} of {self.model}, {'×'.join(map(str, self.values.shape))})"


def activations(
    model: Model,
    images: Any,
    layer: str,
    channels: Sequence[int] | int | None = None,
    *,
    device: str | None = None,
) -> Activations:
    """What a layer puts out for pictures, in float32, whatever a run was trained in.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array.
    :param layer: by its name in the summary, such as ``conv4`` or ``relu4``; of one that pictures pass several times it
        is the first pass, or the one that is said, as in ``relu, call 2``. What is shown is what the layer itself puts
        out, also where another goes on in its memory.
    :param channels: by their numbers; all of them unless given.
    :raises UsageError: when there is no such layer or channel, listing what there is; when pictures do not pass it.
    """
    subject = opened(model, device=device)
    pixels = given_pixels(images, subject.model.shape)
    with subject.looking() as placed:
        own = to_float(pixels).to(of_weights(placed).dtype)
        values = features_of(placed, layer, own, device=subject.predictor.device).numpy()
        many = survey(placed, layer).passes
    if values.ndim < 2:
        raise UsageError(f"the layer {layer} puts out one number for a picture, which has no channels.")
    axis = 2 if values.ndim == 3 else 1
    chosen = chosen_channels(channels, values.shape[axis], f"{layer} of {subject.name}", "channel")
    is_open = many > 1 and layer_call(layer)[1] is None
    notes = [f"pictures pass {layer} {many} times, and this is what it puts out first"] if is_open else []
    return Activations(
        model=subject.name,
        layer=layer,
        values=np.ascontiguousarray(values.take(chosen, axis)),
        channels=np.array(chosen, dtype=np.int64),
        count=values.shape[axis],
        images=to_float(pixels).float().cpu().numpy(),
        notes=tuple(notes),
    )


def chosen_channels(wanted: Sequence[int] | int | None, count: int, where: str, noun: str) -> list[int]:
    """The numbers of the channels that are meant; all of them for None.

    :param noun: what they are called.
    :raises UsageError: saying what there is.
    """
    if wanted is None:
        return list(range(count))
    each = [wanted] if isinstance(wanted, int | np.integer) else list(wanted)
    for number in each:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < count:
            raise UsageError(f"{where} has {counted(count, noun)}, 0 to {count - 1}; got {number}.")
    if not each:
        raise UsageError(f"name at least one of the {counted(count, noun)} of {where}.")
    return [int(number) for number in each]
