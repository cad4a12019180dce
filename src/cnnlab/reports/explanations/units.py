"""What a network learned: filters, what layers put out, what units answer to, and which of them are dead."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.explain import (
    activations,
    dead_units,
    dead_units_over_training,
    filter_responses,
    filters,
    maximize,
)
from cnnlab.explain.filter_kernels import convolutions
from cnnlab.models import Classifier, heads_of
from cnnlab.reports.contents.dead_units import dead_over_epochs, dead_units_table
from cnnlab.reports.contents.explain_captions import (
    activations_caption,
    dead_units_caption,
    filters_caption,
    maximized_caption,
)
from cnnlab.reports.explanations.base import EXPLANATIONS, ExplainedFigure, Explanation, Kind, with_caption
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_activations import draw_activations, draw_dead_units
from cnnlab.reports.figures.explain_filters import draw_filter_responses, draw_filters
from cnnlab.reports.figures.explain_maximization import draw_maximized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST_STEPS = 64
_LARGE = 64
"""Pixels of a side beyond which fewer units are maximised, in fewer steps."""


@EXPLANATIONS.register("filters")
class FilterFigures(Kind):
    """The filters of a convolution as they were learned, and what each makes of a picture.

    :param most: filters that are shown.
    :param patterns: of each the one pattern that says most of it, in the place of a grid of inputs.
    """

    name = "filters"
    takes = frozenset({"images", "layer", "column", "channels"})

    def __init__(self, most: Count = 64, patterns: bool = False) -> None:
        self.most, self.patterns = most, patterns

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the layer asked for, the first convolution otherwise."""
        channels = subject.channels or None
        shown = filters(subject.model, subject.layer, channels, device=subject.device)
        shown = replace(shown, model=subject.name)
        kept, inputs = min(self.most, len(shown)), shown.kernels.shape[1]
        drawn = partial(draw_filters, shown, most=self.most, as_patterns=self.patterns)
        title = f"Filters of {shown.layer} of {subject.name}"
        figures = [
            ExplainedFigure(
                _key("filters", shown.layer),
                title,
                filters_caption(shown, kept, min(inputs, 16), as_patterns=self.patterns),
                _with_words(drawn),
            )
        ]
        if subject.has_pictures:
            pixels = subject.pictures.pixels[:1]
            answers = filter_responses(subject.model, pixels, shown.layer, channels, device=subject.device)
            answers = replace(answers, model=subject.name)
            words = activations_caption(answers, min(self.most, len(answers.channels)), is_response=True)
            caption = f"{words} {_picture(subject, 0)}"
            figures.append(
                ExplainedFigure(
                    _key("filters", shown.layer, "responses"),
                    f"What each filter of {shown.layer} makes of {subject.pictures.names[0]}",
                    caption,
                    with_caption(partial(draw_filter_responses, answers, most=self.most), caption),
                )
            )
        meaning = (
            "The weights of a convolution, and what it puts out: of the first layer edges and colours that it looks "
            "for. Further in a filter reads channels that nobody can see, so that its weights alone say little."
        )
        numbers = {"layer": shown.layer, "filters": shown.count, "largest weight": shown.limit}
        return Explanation("filters", "Filters", {"filters": meaning}, tuple(figures), numbers=numbers)


@EXPLANATIONS.register("activations")
class ActivationFigures(Kind):
    """What layers put out for pictures, the most active channels first.

    :param most: channels that are shown.
    :param own_scales: each map by its own largest value, where the strong ones darken all others.
    """

    name = "activations"
    takes = frozenset({"images", "layer", "column", "channels"})

    def __init__(self, most: Count = 40, own_scales: bool = False) -> None:
        self.most, self.own_scales = most, own_scales

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the layer asked for, the first convolution and the last feature map otherwise; of the first picture where
        none is named one by one."""
        layers = (subject.layer,) if subject.layer else _telling_layers(subject)
        pictures = subject.pictures
        count = len(pictures) if subject.images and not subject.is_all else 1
        figures, numbers = [], []
        for layer in layers:
            channels = subject.channels or None
            shown = activations(subject.model, pictures.pixels[:count], layer, channels, device=subject.device)
            shown = replace(shown, model=subject.name)
            for place in range(count):
                kept = min(self.most, len(shown.channels))
                words = activations_caption(shown, kept, place, own_scales=self.own_scales)
                caption = f"{words} {_picture(subject, place)}"
                drawn = partial(draw_activations, shown, place, most=self.most, own_scales=self.own_scales)
                title = f"Activations of {layer} of {subject.name} for {pictures.names[place]}"
                key = _key("activations", layer, *([pictures.names[place]] if count > 1 else []))
                figures.append(ExplainedFigure(key, title, caption, with_caption(drawn, caption)))
                strongest = shown.most_active(place, 5)
                numbers.append(
                    {
                        "layer": layer,
                        "picture": pictures.names[place],
                        "most active": [int(shown.channels[channel]) for channel in strongest],
                        "mean magnitudes": [float(shown.strengths[place][channel]) for channel in strongest],
                    }
                )
        meaning = (
            "What reaches the next layer: where each channel answers to the picture, and how strongly. A channel that "
            "lights up was not thereby used: what follows may weigh it with nothing."
        )
        return Explanation(
            "activations",
            "Activations",
            {"activations": meaning},
            tuple(figures),
            numbers={"activations": numbers},
        )


@EXPLANATIONS.register("maximize")
class MaximizedFigures(Kind):
    """Pictures that classes, or channels of a layer, answer to most strongly, by gradient ascent.

    :param most: units; 64 of small pictures, and 8 of those with more than 64 pixels a side, unless given.
    :param steps: of the ascent; 256 and 128, and in an ensemble as many in all members together, 64 at least.
    :param kind: ``fourier`` changes waves, ``pixels`` each pixel by itself.
    :param blur: deviation in pixels of a blur after each step; ``variation`` what the total variation counts, ½ of
        pictures with a side below 64 pixels and 0 of larger ones unless given.
    """

    name = "maximize"
    takes = frozenset({"layer", "target", "channels"})

    def __init__(
        self,
        most: Count | None = None,
        steps: Count | None = None,
        kind: Literal["fourier", "pixels"] = "fourier",
        blur: float = 0.0,
        variation: float | None = None,
    ) -> None:
        self.most, self.steps, self.kind, self.blur, self.variation = most, steps, kind, blur, variation

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the channels of the layer asked for, the classes otherwise."""
        is_large = max(subject.predictor.classifier.shape[1:]) > _LARGE
        most = self.most or (8 if is_large else 64)
        steps = self.steps or max(_LEAST_STEPS, (128 if is_large else 256) // _networks(subject))
        made = maximize(
            subject.model,
            subject.layer,
            self._units(subject, most),
            kind=self.kind,
            steps=steps,
            blur=self.blur,
            variation=self.variation,
            seed=subject.seed,
            device=subject.device,
        )
        made = replace(made, model=subject.name)
        order = "What is seen is in the order of the data, where neighbours of the network lie far apart."
        caption = f"{maximized_caption(made)} {subject.pixel_order(order)}".rstrip()
        of = f"channels of {made.layer}" if made.layer else "classes"
        figure = ExplainedFigure(
            _key("maximize", made.layer or "classes"),
            f"What {of} of {subject.name} answer to",
            caption,
            with_caption(partial(draw_maximized, made), caption),
        )
        meaning = (
            "Pictures made from noise that a unit gives the most for: which pattern it would like best. They are not "
            "what it meets in pictures, and without the means that make them legible they look like noise."
        )
        each = zip(made.names, made.starts.tolist(), made.scores.tolist(), strict=True)
        numbers = [{"unit": name, "start": start, "score": score} for name, start, score in each]
        return Explanation(
            "maximize",
            "What units answer to",
            {"activation maximisation": meaning},
            (figure,),
            numbers={"layer": made.layer, "units": numbers},
        )

    def _units(self, subject: ExplainSubject, most: int) -> list[int | str] | None:
        """Those asked for, or the first so many."""
        if subject.channels and subject.layer is None:
            raise UsageError("channels are those of a layer: name it with --layer. Classes are named with --target.")
        if subject.channels:
            return list(subject.channels)
        if subject.targets and subject.layer is None:
            return list(subject.classes)
        if subject.layer is None:
            _, heads = heads_of(subject.predictor.classifier)
            count = sum(max(1, len(head.names)) for head in heads)
        else:
            pixels = torch.full((1, *subject.predictor.classifier.shape), 0.5)
            count = activations(subject.model, pixels, subject.layer, device=subject.device).count
        return list(range(min(most, count)))


@EXPLANATIONS.register("dead-units")
class DeadUnitFigures(Kind):
    """Which units of each ReLU are never above zero over a split, after each epoch whose weights were kept."""

    name = "dead-units"
    takes = frozenset({"images"})

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Over validation, or the split that is named."""
        run = subject.own_run("dead units are counted over the data")
        split = subject.splits[0] if subject.splits and not subject.is_all else "validation"
        where: dict[str, Any] = {"split": split, **subject.where}
        if len(run.stored_epochs) > 1:
            found = [replace(each, model=subject.name) for each in dead_units_over_training(run, **where)]
        else:
            found = [replace(dead_units(run, **where), model=subject.name)]
        caption = dead_units_caption(found)
        drawn = partial(draw_dead_units, [dead_over_epochs(subject.name, found)])
        figure = ExplainedFigure(
            "dead-units", f"Dead units and zeros of {subject.name}", caption, with_caption(drawn, caption)
        )
        meaning = (
            "How many units say nothing on any picture, and how much of what is put out is 0. Many zeros are usual and "
            "harmless; dead units that grow in number hint at a learning rate too high."
        )
        last = found[-1]
        return Explanation(
            "dead-units",
            "Dead units",
            {"dead units": meaning},
            (figure,),
            (dead_units_table({subject.name: found}),),
            numbers={"split": split, "dead": last.dead, "units": last.units},
        )


def _networks(subject: ExplainSubject) -> int:
    """How many networks a picture passes: the members of an ensemble."""
    return max(1, sum(isinstance(part, Classifier) for part in subject.predictor.classifier.modules()))


def _telling_layers(subject: ExplainSubject) -> tuple[str, ...]:
    """The first convolution and the last feature map."""
    first = next(iter(convolutions(subject.predictor.classifier)), None)
    return tuple(dict.fromkeys(name for name in (first, subject.last_map()) if name is not None))


def _picture(subject: ExplainSubject, place: int) -> str:
    """What a picture is, and what it was predicted as, in a sentence."""
    pictures = subject.pictures
    known = ", ".join(filter(None, (pictures.true[place], pictures.ids[place])))
    told = f"{pictures.names[place]}{f' ({known})' if known else ''}"
    sure = f", {pictures.sure[place]}" if pictures.sure[place] else ""
    order = subject.pixel_order("It is shown in the order of the data, and maps in that of the network.")
    return f"The picture: {told}, predicted as {pictures.predicted[place]}{sure}. {order}".rstrip()


def _key(*words: str) -> str:
    return " ".join(words)


def _with_words(draw: "Callable[..., Figure]") -> "Callable[[bool], Figure]":
    """A figure that writes its own caption."""
    return lambda with_words: draw() if with_words else draw(caption="")
