"""Pictures of how far maps can be trusted: what they show is what was measured."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnlab.explain import MethodRanking, RandomisationTest, RemovalCurves, SeedSimilarity
from cnnlab.explain.honesty.ranking import MeasureRanking
from cnnlab.reports.contents.explain_honesty import (
    areas_sentence,
    measures_table,
    randomisation_caption,
)
from cnnlab.reports.figures.explain_honesty import (
    draw_measure_ranking,
    draw_randomisation,
    draw_removal_curves,
    draw_seed_similarity,
)

DRAWS = np.random.default_rng(0)


def randomised(method: str, level: float) -> RandomisationTest:
    table = level + 0.05 * DRAWS.normal(size=(3, 2, 5))
    return RandomisationTest(
        method=method,
        layer=None,
        layers=("head", "conv1"),
        similarity={"absolute": table, "signed": table - 1, "ssim": table},
        control=np.ones((3, 2, 5)),
        edges=np.zeros(5),
        random_edges=np.zeros((3, 5)),
        how="fresh",
    )


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_randomisation_is_a_line_a_method_beside_the_control_and_the_threshold() -> None:
    tests = [randomised("saliency", 0.1), randomised("guided-backpropagation", 0.9)]
    figure = draw_randomisation(tests)
    (axes,) = figure.axes
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["nothing", "head", "conv1"]
    assert labels(figure)[:3] == ["saliency", "guided-backpropagation", "edge detector"]
    line = next(each for each in axes.lines if len(each.get_xdata()) == 3)
    wanted = [1, *tests[0].similarity["absolute"].mean((0, 2))]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), wanted)
    assert axes.get_ylim()[1] > 1


def test_one_caption_says_of_all_methods_whether_they_fail_and_by_how_much() -> None:
    tests = [randomised("saliency", 0.1), randomised("guided-backpropagation", 0.9), randomised("deconvnet", 0.9)]
    said = randomisation_caption(tests)
    assert re.search(
        r"guided-backpropagation \(0\.\d+ \[0\.\d+ to 0\.\d+\]\) and deconvnet \(.*?\) fail; saliency", said
    )
    assert "over 3 draws and 5 pictures" in said and said.count("Dashed") == 1 and len(said.split()) < 110


def test_areas_are_told_and_tabled_beside_chance() -> None:
    values = np.stack([np.full(8, 0.25), np.full(8, 0.5)])
    measures = {
        name: MeasureRanking(name, ("a", "b"), values, np.full(8, 0.75), "pictures")  # type: ignore[arg-type]
        for name in ("deletion", "insertion")
    }
    ranking = MethodRanking(("a", "b"), measures, ())  # type: ignore[arg-type]
    assert areas_sentence(ranking, "probability") == (
        "Mean areas of the probability: under deletion a 0.250, b 0.500, random orders 0.750; under insertion b 0.500, "
        "a 0.250, random orders 0.750."
    )
    table = measures_table(ranking)
    assert [row[0] for row in table.rows] == ["a", "b", "by chance"]
    assert [column.key for column in table.columns if "interval" not in column.key] == [
        "method",
        "deletion",
        "insertion",
    ]
    assert table.rows[2][1] == 0.75


def test_signed_similarity_below_zero_is_within_the_panel_and_has_no_threshold() -> None:
    figure = draw_randomisation([randomised("saliency", 0.1)], "signed")
    assert figure.axes[0].get_ylim()[0] < -0.9
    assert labels(figure) == ["saliency", "edge detector"]


def test_removal_shows_each_method_and_random_orders_in_both_panels() -> None:
    shares = np.linspace(0, 1, 5)
    fall = np.linspace(1, 0, 5) * np.ones((6, 1))
    curves = RemovalCurves(
        method="grad-cam",
        layer="conv1",
        target_names=("cat",) * 6,
        score="probability",
        shares=shares,
        scores={"deletion": fall, "insertion": fall[:, ::-1]},
        random_scores={"deletion": fall[None], "insertion": fall[None]},
        baselines={"deletion": "0", "insertion": "0"},
    )
    figure = draw_removal_curves([curves])
    assert labels(figure) == ["random orders: 0.50, 0.50", "grad-cam: 0.50, 0.50"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "deletion: probability (%)",
        "insertion: probability (%)",
    ]
    np.testing.assert_allclose(np.asarray(figure.axes[1].lines[1].get_ydata(), dtype=float), shares)
    alone = replace(curves, random_scores={"deletion": fall[None][:0], "insertion": fall[None][:0]})
    assert labels(draw_removal_curves([alone])) == ["grad-cam: 0.50, 0.50"]


@pytest.mark.parametrize(("measure", "first"), [("deletion", "low"), ("insertion", "high")])
def test_ranking_has_the_best_above_and_hollow_what_is_worse(measure: str, first: str) -> None:
    values = np.stack([np.linspace(0.1, 0.2, 8), np.linspace(0.7, 0.9, 8)])
    ranking = MeasureRanking(measure, ("low", "high"), values, np.full(8, 0.5), "pictures")  # type: ignore[arg-type]
    (axes,) = draw_measure_ranking(ranking).axes
    assert axes.get_yticklabels()[0].get_text() == first
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == dot.get_markeredgecolor() for dot in dots] == [True, False]


def test_seeds_are_drawn_beside_other_pictures() -> None:
    tables = {name: np.full((1, 4), 0.75) for name in ("absolute", "signed", "ssim")}
    others = {name: np.full((2, 4), 0.25) for name in ("absolute", "signed", "ssim")}
    found = SeedSimilarity("saliency", None, ("a", "b"), np.array([[0, 1]]), tables, others, np.ones(4, dtype=bool))  # type: ignore[arg-type]
    (axes,) = draw_seed_similarity([found]).axes
    dots = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_marker() in "os"]
    assert dots == [0.75, 0.25]
    assert not math.isnan(found.seed_share().value)
