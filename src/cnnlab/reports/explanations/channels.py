"""Guided backpropagation of channels of a layer: which details each answers to."""

from dataclasses import replace
from functools import partial

from cnnlab.core.arguments import Count
from cnnlab.explain import ATTRIBUTIONS, guided_channels
from cnnlab.explain.guided import RULES, Rule
from cnnlab.reports.contents.explain_channels import channel_sheet, channels_caption, channels_table
from cnnlab.reports.explanations.base import EXPLANATIONS, ExplainedFigure, Explanation, Kind, with_caption
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_attributions import draw_attributions

_MEANING = (
    "Which details of a picture feed a channel of a layer, from the place at which it is most active (Springenberg et "
    "al. 2015). As of a whole class, edges are drawn whatever was learned, and a channel that lights up was not "
    "thereby used."
)


@EXPLANATIONS.register("guided-channels")
class GuidedChannelFigures(Kind):
    """Guided backpropagation of channels of a layer, each from the place at which it is most active.

    :param most: channels, those that are most active, where none are named.
    :param rule: for ReLU on the way back: ``guided``, or that of a ``deconvnet``.
    """

    name = "guided-channels"
    takes = frozenset({"images", "layer", "channels"})

    def __init__(self, most: Count = 10, rule: Rule = "guided") -> None:
        self.most, self.rule = most, rule

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the layer asked for, the last feature map otherwise; of the first picture where none is named."""
        layer = subject.layer or subject.last_map()
        pictures = subject.pictures if subject.images else subject.pictures.first(1)
        channels = guided_channels(
            subject.model,
            pictures.pixels,
            layer,
            subject.channels or self.most,
            rule=self.rule,
            device=subject.device,
        )
        verdict = subject.verdicts.told(ATTRIBUTIONS.bind(RULES[self.rule]), None)
        if verdict:
            channels = tuple(replace(each, notes=(*each.notes, verdict)) for each in channels)
        caption = channels_caption(pictures, channels, subject.name, is_chosen=bool(subject.channels))
        draw = with_caption(partial(draw_attributions, channel_sheet(pictures, channels)), caption)
        key = f"{self.rule} {layer}"
        activations = [
            {
                "channel": int(each.targets[0]),
                "activations": dict(zip(pictures.names, each.scores.tolist(), strict=True)),
            }
            for each in channels
        ]
        return Explanation(
            "guided-channels",
            "What channels answer to in a picture",
            {f"{RULES[self.rule]} of channels": _MEANING},
            (ExplainedFigure(key, f"{channels[0].method}, channels of {subject.name}", caption, draw),),
            (channels_table(pictures, channels),),
            numbers={"layer": layer, "channels": activations},
        )
