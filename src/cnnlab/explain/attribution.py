"""Attributions: what in a picture a model's answer hangs on, by any registered method, over a batch of pictures."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.registry import Registry
from cnnlab.evaluation import looking, predictor_of
from cnnlab.explain.batches import SMALL, Batch, batches_of
from cnnlab.explain.layers import passes_of, places_of
from cnnlab.explain.targets import Score, Target
from cnnlab.models import (
    Predictable,
    given_pixels,
    on_device,
    require_gradient,
)
from cnnlab.runs import Run

Scale: TypeAlias = Literal["signed", "positive", "magnitude", "range"]
"""How raw values are made what the eye is shown; see :meth:`Attribution.scaled`."""
Model: TypeAlias = Run | Predictable | str | Path
"""What is explained: a run, a model by itself, or the name of either."""
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Attribution:
    """What a method says of pictures, raw and signed.

    :param values: float32, N×H×W (a map), or N×C×H×W (a value for each channel of each pixel).
    :param method: its canonical spec.
    :param layer: that it is of; None for a method that needs none.
    :param targets: N, the class that was explained, within its head; ``target_names`` what it is called.
    :param scores: N float32, the number that was explained.
    :param scale: how the values are shown.
    :param notes: what a person must know who looks at them, such as that a map is blank.
    :param facts: further numbers of the method, N each, such as ``completeness_gap``.
    """

    values: NDArray[np.float32]
    method: str
    layer: str | None
    targets: NDArray[np.int64]
    target_names: tuple[str, ...]
    scores: NDArray[np.float32]
    scale: Scale = "signed"
    notes: tuple[str, ...] = ()
    facts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def low(self) -> NDArray[np.float32]:
        """The least value of each map, N."""
        low: NDArray[np.float32] = self.maps().min((1, 2))
        return low

    @property
    def high(self) -> NDArray[np.float32]:
        """The largest value of each map, N."""
        high: NDArray[np.float32] = self.maps().max((1, 2))
        return high

    def maps(self) -> NDArray[np.float32]:
        """One value for each pixel, N×H×W.

        Of values by channel it is their sum, for shares of a score add up; of mere gradients, whose sign says in which
        direction a colour would have to change, the largest magnitude (Simonyan et al. 2014, section 3.1).
        """
        if self.values.ndim == 3:
            return self.values
        is_gradient = self.scale == "magnitude"
        maps: NDArray[np.float32] = np.abs(self.values).max(1) if is_gradient else self.values.sum(1, dtype=np.float32)
        return maps

    def scaled(self, percentile: float = 100.0) -> NDArray[np.float32]:
        """The maps as they are shown, N×H×W, each picture by itself; a blank map stays 0.

        ============== ====================================================================================
        ``signed``     divided by the largest magnitude: [-1, 1], and 0 stays 0
        ``positive``   what is below 0 cut off, as the method's own equation has it, then divided by the
                       largest value: [0, 1]
        ``magnitude``  divided by the largest magnitude: [0, 1]
        ``range``      the least value becomes 0 and the largest 1
        ============== ====================================================================================

        :param percentile: this percentile of the magnitudes stands in for the largest one, and what is beyond is cut
            off: 99 keeps single pixels from darkening all others.
        """
        maps = np.nan_to_num(self.maps(), nan=0.0, posinf=0.0, neginf=0.0)
        if self.scale == "positive":
            maps = maps.clip(min=0)
        elif self.scale == "range":
            maps = maps - maps.min((1, 2), keepdims=True)
        largest = np.percentile(np.abs(maps), percentile, axis=(1, 2), keepdims=True)
        # A map with few values that are not 0 has a percentile of 0.
        largest = np.where(largest > 0, largest, np.abs(maps).max((1, 2), keepdims=True))
        shown = np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0, casting="unsafe")
        return np.asarray(shown.clip(-1, 1), dtype=np.float32)

    def __repr__(self) -> str:
        where = f" at {self.layer}" if self.layer else ""
        return f"Attribution({self.method}{where} of {len(self)} pictures, {'×'.join(map(str, self.values.shape[1:]))})"


class Method(ABC):
    """A way of attributing. Subclasses write :meth:`explain`; what a spec may say of them are their arguments.

    :param name: under which it is registered.
    :param needs_gradient: whether it goes by a gradient, which a vote or a pipeline of scikit-learn has not.
    :param has_layer: whether it is of a layer.
    :param is_one_pass: whether it passes each picture once or twice, and no copies of it.
    :param scale: how its values are shown.
    """

    name: ClassVar[str]
    needs_gradient: ClassVar[bool] = True
    has_layer: ClassVar[bool] = False
    is_one_pass: ClassVar[bool] = False
    scale: ClassVar[Scale] = "signed"

    @abstractmethod
    def explain(self, batch: Batch) -> Tensor:
        """Raw values of some pictures, N×H×W or N×C×H×W; the score that they are of is settled by the batch."""

    def notes(self, facts: Mapping[str, NDArray[np.float32]], scores: NDArray[np.float32]) -> list[str]:
        """What of the numbers it gave a person must know."""
        return []


ATTRIBUTIONS: Registry[Method] = Registry(
    "attribution",
    homes={
        **dict.fromkeys(
            ("saliency", "gradient-x-input", "smoothgrad", "integrated-gradients", "gradient-shap"),
            "cnnlab.explain.gradients",
        ),
        **dict.fromkeys(("guided-backpropagation", "deconvnet", "guided-grad-cam"), "cnnlab.explain.guided"),
        **dict.fromkeys(
            ("grad-cam", "grad-cam++", "hirescam", "layer-cam", "score-cam", "ablation-cam"), "cnnlab.explain.cams"
        ),
        **dict.fromkeys(("occlusion", "rise"), "cnnlab.explain.masking"),
    },
)
"""Methods of attribution by name; each is made of the arguments of its spec."""


def attribute(
    model: Model,
    images: Any,
    method: object = "grad-cam",
    target: Any = None,
    layer: str | None = None,
    *,
    score: Score = "output",
    device: str | None = None,
) -> Attribution:
    """What in pictures the answer of a model hangs on, by the method that a spec names.

    The model is left as it was found. However many the pictures, no more are computed at once than memory is free for,
    and the result is the same but for roundings.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array. Normalisation
        and a permutation of pixels are inside the model; maps are of the pictures as they are given.
    :param method: such as ``grad-cam`` or ``smoothgrad(n=50)``: one of :data:`ATTRIBUTIONS`.
    :param target: what of the output is explained: None for what the model predicts, picture by picture; a class by its
        name or index; of several heads ``"column=class"`` or ``(column, class)``; or a sequence of these, one for each
        picture. A number is explained by its own output; one that goes round a circle by the part of its sine and
        cosine in the direction that is predicted.
    :param layer: for class activation maps, by its name in the summary; the last feature map unless given. In an
        ensemble it is that layer of each member, and the map is the mean of theirs.
    :param score: ``output`` for the raw output, such as a logit before softmax; ``probability`` for what comes after.
    :param device: another device than the model's own.
    :raises UsageError: for a method, target, layer or pictures that cannot be meant, listing what there is; for a model
        without a gradient where the method goes by it.
    """
    bound = ATTRIBUTIONS.bind(method)
    return carried_out(bound.build(), str(bound), model, images, target, layer, score=score, device=device)


def carried_out(
    method: Method,
    spec: str,
    model: Model,
    images: Any,
    target: Any,
    layer: str | None,
    *,
    score: Score = "output",
    device: str | None = None,
) -> Attribution:
    """As :func:`attribute`, for a method that is made already.

    :param spec: what the result calls it.
    """
    predictor = predictor_of(model, device=device)
    if method.needs_gradient:
        require_gradient(predictor.classifier, f"{method.name} goes by the gradient")
    pixels = given_pixels(images, predictor.classifier.shape)
    wanted = Target(predictor.classifier, target, len(pixels), score)
    is_small = method.is_one_pass and len(pixels) * math.prod(pixels.shape[2:]) <= SMALL
    how = {"keeps_maps": method.needs_gradient, "is_small": is_small}
    with looking(predictor, by_native_kernels=not is_small) as placed:
        is_one = method.is_one_pass and len(pixels) == 1
        passes = None if is_one and not method.has_layer else passes_of(placed, on_device(pixels[:1], placed))
        places = places_of(placed, layer, passes or ()) if method.has_layer else ()
        done = []
        for batch in batches_of(placed, pixels, wanted, places, None if is_one else passes, **how):
            values = method.explain(batch).detach().float().cpu().numpy()
            done.append((batch, np.ascontiguousarray(values)))
        # Within the block: what a method has not asked for, such as the score, is asked of the model here.
        return _put_together(method, spec, wanted, done, layer)


def _put_together(
    method: Method, spec: str, wanted: Target, done: list[tuple[Batch, NDArray[np.float32]]], layer: str | None
) -> Attribution:
    """The batches as one result."""
    values = np.concatenate([part for _, part in done])
    chosen = [batch.chosen for batch, _ in done]
    facts = {
        name: np.concatenate([batch.facts[name].detach().float().cpu().numpy() for batch, _ in done])
        for name in done[0][0].facts
    }
    scores = np.concatenate([batch.scores.detach().float().cpu().numpy() for batch, _ in done])
    pairs = [pair for each in chosen for pair in zip(each.heads, each.indices, strict=True)]
    names = list(dict.fromkeys(place.name for place in done[0][0].places))
    result = Attribution(
        values=values,
        method=spec,
        layer=(layer or ", ".join(names)) if names else None,
        targets=np.array([index for _, index in pairs], dtype=np.int64),
        target_names=tuple(wanted.name(head, index) for head, index in pairs),
        scores=scores,
        scale=method.scale,
        facts=facts,
    )
    said = [*wanted.notes, *dict.fromkeys(note for batch, _ in done for note in batch.notes)]
    return replace(result, notes=(*said, *method.notes(facts, scores), *blank_notes(result.maps(), method.scale)))


def blank_notes(maps: NDArray[np.float32], scale: Scale) -> Iterator[str]:
    """Sentences about maps, N×…, that show nothing."""
    maps = maps.reshape(len(maps), -1)
    low, high = maps.min(1), maps.max(1)
    is_finite = np.isfinite(maps).all(1)
    is_zero = is_finite & (low == 0) & (high == 0)
    is_flat = is_finite & (low == high) & ~is_zero
    is_negative = is_finite & (high <= 0) & ~is_zero & (scale == "positive")
    told = (
        (~is_finite, "holds values that are not finite, shown as 0"),
        (is_zero, "is blank: every value is 0"),
        (is_flat & ~is_negative, "is constant: every pixel has the same value"),
        (
            is_negative,
            "has no value above 0, so that what is shown is blank: nothing there speaks for what is explained",
        ),
    )
    for which, sentence in told:
        places = np.flatnonzero(which).tolist()
        if places:
            yield f"the map {_of_pictures(places, len(maps))} {sentence}"


def _of_pictures(places: list[int], count: int) -> str:
    if len(places) == count:
        return "of the picture" if count == 1 else f"of each of the {count} pictures"
    shown = ", ".join(map(str, places[:_MOST_NAMED]))
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    return f"of picture{'s' if len(places) > 1 else ''} {shown}{more}"
