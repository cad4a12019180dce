"""How far the maps of a model can be trusted: random weights, deletion and insertion, and pointing on mosaics."""

from functools import partial
from typing import Any

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.explain import RandomisationTest, mosaics, randomisation_test, rank_methods
from cnnlab.explain.chosen_pictures import ChosenPictures, chosen_pictures
from cnnlab.explain.honesty.mosaics import Mosaics
from cnnlab.reports.contents.explain_honesty import (
    areas_sentence,
    measures_table,
    randomisation_caption,
)
from cnnlab.reports.explanations.base import EXPLANATIONS, Explanation, Kind, figure_with_title
from cnnlab.reports.explanations.subject import ExplainSubject
from cnnlab.reports.figures.explain_honesty import draw_measure_ranking, draw_randomisation, draw_removal_curves

USUAL = ("grad-cam", "saliency", "guided-backpropagation")
_MEANINGS = {
    "model randomisation": (
        "Whether maps change when the network forgets what it learned, layer by layer from the top (Adebayo et al. "
        "2018); beside it an edge detector, which asks nothing of the network. A method that fails shows the picture; "
        "one that passes is not thereby right, and how much the test says is debated (Binder et al. 2023)."
    ),
    "deletion and insertion": (
        "How fast the class is lost when the pixels that a map ranks highest go, and found when they come (Petsiuk et "
        "al. 2018), beside random orders. Pictures with pixels gone are such as the network has never seen."
    ),
    "pointing": (
        "The share of a map that lies on the right quarter of a mosaic of four classes. It needs a network that knows "
        "the classes when they are small and side by side."
    ),
}


@EXPLANATIONS.register("honesty")
class HonestyFigures(Kind):
    """Which maps can be trusted on this model: the attributions that are asked for beside it are put to the test.

    :param draws: how often the network is made random.
    :param pictures: that are looked at, where none are named one by one.
    """

    name = "honesty"
    takes = frozenset({"images", "layer", "target", "column"})

    def __init__(self, draws: Count = 3, pictures: Count = 12) -> None:
        self.draws, self.pictures = draws, pictures

    def explain(self, subject: ExplainSubject) -> Explanation:
        """Of the methods asked for, or of three that are quick."""
        methods = USUAL if subject.is_all or not subject.methods else subject.methods
        if len(subject.classes) > 1:
            raise UsageError("honesty is tested for one class, or for what is predicted: name one --target.")
        pictures = chosen_pictures(
            *(subject.model, subject.images),
            column=subject.column,
            count=self.pictures,
            seed=subject.seed,
            **subject.where,
        )
        options: dict[str, Any] = {
            "target": subject.classes[0] if subject.classes else subject.usual_target,
            "layer": subject.layer,
            "device": subject.device,
        }
        tests = [
            randomisation_test(subject.model, pictures.pixels, method, draws=self.draws, seed=subject.seed, **options)
            for method in methods
        ]
        subject.verdicts.keep(tests)
        tiles, note = _tiles(pictures, subject.seed)
        ranking = rank_methods(subject.model, pictures.pixels, methods, tiles=tiles, **options)
        over = f"Of {subject.name}, on {pictures.of}{subject.about}"
        order = subject.pixel_order()
        over = f"{over}. {order.rstrip('.')}" if order else over
        figures = [
            figure_with_title(
                "honesty randomisation",
                f"Maps of {subject.name} as it becomes random",
                f"{randomisation_caption(tests)} {over}.",
                partial(draw_randomisation, tests),
            ),
            figure_with_title(
                "honesty removal",
                f"Deletion and insertion, {subject.name}",
                f"{areas_sentence(ranking, ranking.curves[0].score)} {ranking.measures['deletion'].sentence} "
                f"{ranking.measures['insertion'].sentence} {over}.",
                partial(draw_removal_curves, ranking.curves),
            ),
        ]
        if "pointing" in ranking.measures:
            figures.append(
                figure_with_title(
                    "honesty pointing",
                    f"Pointing on mosaics, {subject.name}",
                    f"{ranking.measures['pointing'].sentence} {over}.",
                    partial(draw_measure_ranking, ranking.measures["pointing"]),
                )
            )
        return Explanation(
            "honesty",
            "How far the maps can be trusted",
            _MEANINGS,
            tuple(figures),
            (measures_table(ranking),),
            numbers={"tests": [_numbers(test) for test in tests], "rankings": _rankings(ranking.measures)},
            notes=(note,) if note else (),
        )


def _tiles(pictures: ChosenPictures, seed: int) -> tuple[Mosaics | None, str]:
    """Mosaics, or why there are none."""
    if not all(pictures.true) or any(", " in name for name in pictures.true):
        return None, "No pointing on mosaics: of these pictures no single class is known."
    try:
        return mosaics(pictures.pixels, pictures.true, seed=seed), ""
    except UsageError as error:
        return None, f"No pointing on mosaics: {error}"


def _numbers(test: RandomisationTest) -> dict[str, Any]:
    curve = [None if each.value != each.value else each.value for each in test.curve()]
    return {
        "method": test.method,
        "verdict": test.verdict,
        "similarity": dict(zip(test.layers, curve, strict=True)),
        "draws": test.draws,
        "pictures": test.pictures,
    }


def _rankings(measures: Any) -> dict[str, Any]:
    return {
        name: {method: measure.estimate(place).value for place, method in enumerate(measure.methods)}
        | {"by chance": measure.by_chance.value}
        for name, measure in measures.items()
    }
