"""Attributions of some pictures by one method or several, side by side."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.explain import Attribution, attribute
from cnnlab.explain.attribution import Method
from cnnlab.reports.contents.explain_attributions import (
    attribution_caption,
    attribution_numbers,
    attribution_sheet,
    attribution_table,
)
from cnnlab.reports.contents.tables import listed
from cnnlab.reports.explanations.base import ExplainedFigure, Explanation, with_caption
from cnnlab.reports.explanations.meanings import ATTRIBUTION_MEANINGS
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_attributions import draw_attributions


def explain_by_attributions(subject: ExplainSubject, methods: Sequence[BoundCall[Method]]) -> Explanation:
    """All methods on the same pictures, one figure, each for what is predicted or for each class asked for.

    :raises UsageError: for a layer, a class or a picture that there is not.
    """
    pictures = subject.pictures
    found: list[Attribution] = []
    titles: list[str] = []
    methods, notes = _usable(subject, methods)
    for target in subject.targets or (None,):
        for method in methods:
            layer = subject.layer if _has_layer(method) else None
            maps = attribute(subject.model, pictures.pixels, method, target, layer, device=subject.device)
            verdict = subject.verdicts.told(method, maps.layer)
            found.append(replace(maps, notes=(*maps.notes, verdict)) if verdict else maps)
            titles.append("" if target is None else found[-1].target_names[0])
    by_name = {method.name: method for method in methods}
    names = list(by_name)
    target = listed(list(dict.fromkeys(titles))) if subject.targets else ""
    caption = attribution_caption(pictures, found, subject.name, target=target, raw=subject.raw)
    several = len(set(titles)) > 1 or bool(subject.targets and len(methods) > 1)
    sheet = attribution_sheet(pictures, found, targets=titles if several else (), raw=subject.raw)
    draw = with_caption(partial(draw_attributions, sheet), caption)
    title = f"{', '.join(names)} of {subject.name}"
    key = names[0] if len(names) == 1 else "attributions"
    return Explanation(
        key=key,
        title="Where it looks" if len(names) > 1 else names[0],
        meanings={name: _meaning(method) for name, method in by_name.items()},
        figures=(ExplainedFigure(key, title, caption, draw),),
        tables=(attribution_table(pictures, found),),
        numbers={"attributions": attribution_numbers(pictures, found)},
        notes=notes,
    )


def _usable(
    subject: ExplainSubject, methods: Sequence[BoundCall[Method]]
) -> tuple[list[BoundCall[Method]], tuple[str, ...]]:
    """Where all is asked for, those that this model allows, and why it does not allow the others.

    :raises UsageError: where none is left.
    """
    if not subject.is_all:
        return list(methods), ()
    usable, reasons = [], []
    for method in methods:
        layer = subject.layer if _has_layer(method) else None
        try:
            attribute(subject.model, subject.pictures.pixels[:1], method, layer=layer, device=subject.device)
        except CnnlabError as error:
            reasons.append(f"No {method.name}: {error}")
        else:
            usable.append(method)
    if not usable:
        raise UsageError(" ".join(reasons))
    return usable, tuple(reasons)


def _has_layer(method: BoundCall[Method]) -> bool:
    return bool(getattr(method.entry.make, "has_layer", False))


def _meaning(method: BoundCall[Method]) -> str:
    """What a method shows and what it does not; of one from elsewhere what it says of itself."""
    if method.name not in ATTRIBUTION_MEANINGS:
        return method.entry.summary.replace("``", "")
    shows, does_not = ATTRIBUTION_MEANINGS[method.name]
    return f"{shows} What it does not show: {does_not[:1].lower()}{does_not[1:]}"
