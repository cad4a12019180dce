"""How much of a heat map is the seed: one method on several trainings of a recipe, in numbers and side by side."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.explain import ATTRIBUTIONS, Attribution, SeedSimilarity, attribute, seed_similarity
from cnnlab.explain.chosen_pictures import ChosenPictures, chosen_pictures
from cnnlab.explain.honesty.methods import settled_targets
from cnnlab.models import Predictable
from cnnlab.reports.contents.explain_attributions import attribution_caption, attribution_sheet
from cnnlab.reports.contents.tables import listed
from cnnlab.reports.explanations.base import (
    EXPLANATIONS,
    ExplainedFigure,
    Explanation,
    Kind,
    figure_with_title,
    with_caption,
)
from cnnlab.reports.explanations.honesty import USUAL
from cnnlab.reports.explanations.subject import ExplainSubject, called
from cnnlab.reports.figures.explain_attributions import draw_attributions
from cnnlab.reports.figures.explain_honesty import draw_seed_similarity
from cnnlab.runs import Run
from cnnlab.runs.differences import differences

_OF_REPEATS = ("seed", "repeat", "snapshots")
"""Keys of recipes by which repeats may differ."""
_SHOWN = 4
"""Pictures whose maps are shown side by side."""
_MEANING = (
    "How alike the maps of one picture are in trainings that differ by their seed, beside those of two pictures in one "
    "training. What another seed changes is no property of the pictures, nor of the recipe. That maps are alike does "
    "not make them right: an edge detector has the same map in all trainings."
)


@EXPLANATIONS.register("seeds")
class SeedFigures(Kind):
    """How much of a heat map is the seed: the attributions asked for beside it, on several trainings of a recipe.

    :param pictures: that are looked at, where none are named one by one.
    """

    name = "seeds"
    takes = frozenset({"images", "layer", "target", "beside"})

    def __init__(self, pictures: Count = 24) -> None:
        self.pictures = pictures

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the methods asked for, or of three that are quick."""
        trainings = _trainings(subject)
        if len(subject.targets) > 1:
            raise UsageError("seeds are compared for one class, or for what is predicted: name one --target.")
        methods = [ATTRIBUTIONS.bind(method) for method in USUAL] if not subject.methods else list(subject.methods)
        pictures = chosen_pictures(
            subject.model, subject.images, count=self.pictures, seed=subject.seed, **subject.where
        )
        options: dict[str, Any] = {"layer": subject.layer, "device": subject.device}
        target = subject.targets[0] if subject.targets else None
        found = [
            replace(
                seed_similarity(
                    list(trainings.values()), pictures.pixels, method, target, seed=subject.seed, **options
                ),
                models=tuple(trainings),
            )
            for method in methods
        ]
        return Explanation(
            "seeds",
            "How much of a map is the seed",
            {"seeds": _MEANING},
            (
                _similarity_figure(subject, trainings, found, pictures),
                _maps_figure(trainings, subject.predictor.classifier, methods, pictures, target, options),
            ),
            numbers={"trainings": list(trainings), "seeds": [_numbers(one) for one in found]},
        )


def _trainings(subject: ExplainSubject) -> dict[str, Run | Predictable]:
    """The model and those beside it, by what captions call them.

    :raises UsageError: where none is beside it, or it is itself.
    """
    if not subject.beside:
        raise UsageError(
            "how much of a map is the seed is seen beside another training of the same recipe, with another seed: name "
            "it with --beside RUN."
        )
    others = {called(name, found): found for name, found in ((name, subject.other(name)) for name in subject.beside)}
    trainings = {subject.name: subject.model, **others}
    if len(trainings) <= len(subject.beside):
        raise UsageError(f"{listed(list(trainings))} would be set beside itself: name other trainings of its recipe.")
    return trainings


def _similarity_figure(
    subject: ExplainSubject,
    trainings: dict[str, Run | Predictable],
    found: Sequence[SeedSimilarity],
    pictures: ChosenPictures,
) -> ExplainedFigure:
    apart = int((~found[0].agreed).sum())
    explained = subject.targets[0] if subject.targets else "the class that the first predicts"
    sentences = [
        *(one.sentence for one in found),
        f"{listed(list(trainings))}, on {pictures.of}; all explain {explained}.",
        *([f"On {apart} of these pictures the trainings predict different classes."] if apart else []),
        *_other_differences([model for model in trainings.values() if isinstance(model, Run)]),
    ]
    title = f"How much of the maps of {subject.name} is the seed"
    return figure_with_title("seeds", title, " ".join(sentences), partial(draw_seed_similarity, found))


def _other_differences(runs: Sequence[Run]) -> list[str]:
    """A sentence where trainings differ by more than their seeds."""
    keys = dict.fromkeys(key for told in differences(runs) for key in told if key not in _OF_REPEATS)
    return [f"Their recipes differ in {listed(list(keys))} too, which counts as the seed here."] if keys else []


def _maps_figure(
    trainings: dict[str, Run | Predictable],
    classifier: Predictable,
    methods: Sequence[Any],
    pictures: ChosenPictures,
    target: str | None,
    options: dict[str, Any],
) -> ExplainedFigure:
    """The maps of the first pictures, by each method in all trainings, one beside the other."""
    shown = pictures.first(_SHOWN)
    maps: list[Attribution] = []
    for method in methods:
        wanted: Any = target
        for name, model in trainings.items():
            found = attribute(model, shown.pixels, method, wanted, **options)
            maps.append(replace(found, notes=tuple(f"of {name}, {note}" for note in found.notes)))
            # What the first predicts is explained of all.
            wanted = settled_targets(found, classifier)
    whose = listed(list(trainings))
    caption = attribution_caption(shown, maps, whose, target=target or "", predicted_by=next(iter(trainings)))
    sheet = attribution_sheet(shown, maps)
    names = [name.removeprefix("run ") for name in trainings] * len(methods)
    columns = tuple(
        replace(column, title=f"{column.title} {name}", method=column.title)
        for column, name in zip(sheet.columns, names, strict=True)
    )
    draw = partial(draw_attributions, replace(sheet, columns=columns, together=len(trainings)))
    return ExplainedFigure("seeds maps", f"Maps of {whose} side by side", caption, with_caption(draw, caption))


def _numbers(found: SeedSimilarity) -> dict[str, Any]:
    similarity, reference, share = found.similarity(), found.reference(), found.seed_share()
    return {
        "method": found.method,
        "layer": found.layer,
        "rank correlation between trainings": similarity.value,
        "rank correlation between pictures": reference.value,
        "share of the seed": share.value if share.value == share.value else None,
        "interval": None if share.interval is None else share.interval.to_dict(),
        "pictures": len(found.agreed),
        "predicted alike": int(found.agreed.sum()),
    }
