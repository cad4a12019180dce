import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cnnlab.evaluation import ClassPredictions
from cnnlab.reports.contents.ranking_curves import ranking_caption, ranking_of, ranking_table, rankings_together
from cnnlab.reports.figures.ranking_curves import draw_ranking


def _drawn(count: int, classes: int, seed: int = 0, names: tuple[str, ...] = ()) -> ClassPredictions:
    draws = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    logits = draws.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    likely = np.exp(logits)
    return ClassPredictions(likely / likely.sum(axis=1, keepdims=True), labels, names)


@pytest.mark.parametrize("kind", ["roc", "precision-recall"])
def test_the_three_lowest_classes_are_named_and_the_mean_is_drawn_last(kind: str) -> None:
    ranking = ranking_of(kind, [_drawn(600, 6)])  # type: ignore[arg-type]
    lowest = sorted(ranking.areas, key=ranking.areas.__getitem__)[:3]
    assert [line.label for line in ranking.lines if line.role == "named"] == lowest
    assert ranking.lines[-1].role == "mean"
    assert ranking.lines[-1].area == pytest.approx(np.mean(list(ranking.areas.values())))


def test_areas_are_means_over_the_repeats() -> None:
    parts = [_drawn(300, 3, seed) for seed in range(2)]
    areas = ranking_of("roc", parts).areas
    expected = [np.mean([roc_auc_score(p.labels == k, p.probabilities[:, k]) for p in parts]) for k in range(3)]
    assert list(areas.values()) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["roc", "precision-recall"])
def test_few_points_keep_the_area_under_a_long_curve(kind: str) -> None:
    line = ranking_of(kind, [_drawn(9000, 3)]).lines[-1]  # type: ignore[arg-type]
    assert len(line.x) <= 400
    assert np.trapezoid(line.y, line.x) == pytest.approx(line.area, abs=5e-3)


def test_of_two_classes_the_second_is_drawn_alone() -> None:
    ranking = ranking_of("precision-recall", [_drawn(100, 2, names=("dark", "light"))])
    assert [line.label for line in ranking.lines] == ["light"]
    assert ranking.chance == 0.5
    assert ranking_caption(ranking, 1).startswith("light against dark")
    assert ("repeats" in ranking_caption(ranking, 1), "repeats" in ranking_caption(ranking, 2)) == (False, True)


def test_several_runs_are_one_curve_each() -> None:
    series = {"small": [_drawn(300, 4)], "large": [_drawn(300, 4, 1)]}
    ranking = rankings_together("roc", series)
    assert [line.label for line in ranking.lines] == ["small", "large"]
    assert ranking.areas["small"] == ranking_of("roc", series["small"]).lines[-1].area


def test_the_legend_holds_the_areas_and_the_table_all_classes() -> None:
    ranking = ranking_of("roc", [_drawn(300, 5)])
    (legend,) = draw_ranking(ranking).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[-1] == f"mean of the classes: {100 * ranking.lines[-1].area:.2f}%"
    assert sum("other class" in text for text in texts) == 1
    assert [row[0] for row in ranking_table(ranking, "label").rows] == list("01234")


def test_curves_that_keep_to_the_corner_are_shown_larger_there() -> None:
    labels = np.arange(200) % 2
    likely = np.where(labels, 0.9, 0.1)
    sure = ClassPredictions(np.stack([1 - likely, likely], axis=1), labels)
    assert len(draw_ranking(ranking_of("roc", [sure])).axes[0].child_axes) == 1
    assert not draw_ranking(ranking_of("roc", [_drawn(200, 2)])).axes[0].child_axes
