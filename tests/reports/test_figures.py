"""Figures by themselves, drawn to files."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Confusion
from cnnlab.reports import draw_confusion, draw_learning_curves
from cnnlab.reports.colours import LOOKS, PAPER
from cnnlab.reports.contents.curves import PhaseStart, learning_curves, points_table, run_metrics
from cnnlab.reports.figures.curves import draw_curves
from cnnlab.runs import Run, RunWriter

ROWS = [
    {"epoch": 1, "train_accuracy": 0.5, "train_loss": 2.0, "validation_loss": 1.5, "validation_accuracy": 0.6},
    {"epoch": 2, "train_accuracy": 0.7, "train_loss": 1.0, "validation_loss": 1.2, "validation_accuracy": 0.65},
    {"epoch": 3, "train_accuracy": 0.9, "train_loss": 0.5, "validation_loss": 1.3, "validation_accuracy": 0.62},
]


def _run(root: Path, rows: list[dict[str, float]], name: str = "some") -> Run:
    with RunWriter.create(root, digest="b" * 64, recipe={"data": "digits"}, name=name) as writer:
        if rows:
            writer.history(rows)
        writer.update(selected={"epoch": 2, "metric": "validation_accuracy", "value": 0.65})
    return Run(writer.folder)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _texts(path: Path) -> list[str]:
    """Every text of a drawing, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_curves_hold_the_history_with_the_metric_judged_by_first(tmp_path: Path) -> None:
    run = _run(tmp_path, ROWS)
    assert [metric.name for metric in run_metrics(run)] == ["accuracy", "loss"]
    curves = learning_curves(run, "mine")
    assert (curves.label, curves.selected) == ("mine", 2)
    train, validation = (curves.bands["loss"][split] for split in ("train", "validation"))
    assert train.epochs.tolist() == [1, 2, 3] and train.mean.tolist() == [2.0, 1.0, 0.5]
    assert validation.mean.tolist() == [1.5, 1.2, 1.3] == validation.low.tolist()
    assert curves.bands["accuracy"]["validation"].mean.tolist() == [0.6, 0.65, 0.62]
    # At the epoch that was kept, train was 0.7 and validation 0.65.
    assert curves.gaps["accuracy"].size == pytest.approx(0.05) and curves.gaps["accuracy"].epoch == 2


def test_without_a_validation_split_there_is_the_training_curve_alone(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if not key.startswith("validation")} for row in ROWS]
    bands = learning_curves(_run(tmp_path, rows)).bands
    assert {name: list(by_split) for name, by_split in bands.items()} == {"accuracy": ["train"], "loss": ["train"]}


def test_a_run_without_an_epoch_has_no_curves(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no epoch behind it"):
        learning_curves(_run(tmp_path, []))


def test_curves_of_several_runs_share_a_panel_a_metric_each_named_at_its_end(tmp_path: Path) -> None:
    runs = {"first": _run(tmp_path, ROWS, "one"), "second": _run(tmp_path, ROWS[:2], "two")}
    path = draw_learning_curves(runs, tmp_path / "curves.svg", "Costs $5 and $6")
    texts = _texts(path)
    assert [texts.count(word) for word in ("accuracy (%)", "loss", "first", "second", "epoch")] == [1, 1, 2, 2, 2]
    assert {"Costs $5 and $6", "train", "validation", "weights kept"} <= set(texts)
    again = draw_learning_curves(runs, tmp_path / "again.svg", "Costs $5 and $6")
    assert again.read_bytes() == path.read_bytes()


def test_other_numbers_are_drawn_elsewhere(tmp_path: Path) -> None:
    other = [{**row, "train_loss": row["train_loss"] + 0.3} for row in ROWS]
    drawn = [
        draw_learning_curves([_run(tmp_path / name, rows)], tmp_path / f"{name}.png")
        for name, rows in (("a", ROWS), ("b", other), ("c", ROWS))
    ]
    first, changed, same = map(_pixels, drawn)
    np.testing.assert_array_equal(first, same)
    # The panel on the left, of accuracy, stays.
    differs = (first != changed).any(axis=(0, 2))
    assert differs[len(differs) // 2 :].any() and not differs[: len(differs) // 3].any()


def test_one_epoch_of_many_runs_can_be_drawn(tmp_path: Path) -> None:
    runs = [_run(tmp_path, [{"epoch": 1, "train_loss": float(place)}], f"run{place}") for place in range(9)]
    texts = _texts(draw_learning_curves(runs, tmp_path / "one.svg"))
    assert all(any(text.startswith(f"run{place}") for text in texts) for place in range(9))


def test_of_one_epoch_the_legend_tells_train_from_validation_and_each_run_has_its_sign(tmp_path: Path) -> None:
    runs = [_run(tmp_path, ROWS[:1], f"run{place}") for place in range(8)]
    curves = [replace(learning_curves(run), key=run.name) for run in runs]
    looks = {curve.key: look for curve, look in zip(curves, LOOKS, strict=False)}
    figure = draw_curves(curves, run_metrics(runs[0])[:1], looks)
    (legend,) = figure.legends
    signs = {text.get_text(): line for text, line in zip(legend.get_texts(), legend.legend_handles, strict=True)}
    assert list(signs) == ["train", "validation"]
    assert signs["train"].get_markerfacecolor() == PAPER != signs["validation"].get_markerfacecolor()
    # Six colours, and then squares.
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o"] * 12 + ["s"] * 4


def test_of_no_runs_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one run or more"):
        draw_learning_curves([], tmp_path / "none.png")


def test_a_confusion_matrix_shows_the_percentage_of_each_row(tmp_path: Path) -> None:
    matrix = Confusion(("cat", "dog"), np.array([[90, 10], [0, 50]]))
    texts = _texts(draw_confusion({"mine": matrix}, tmp_path / "matrix.svg"))
    # 140 of 150 are right; a share of nothing is left to its shade.
    assert {"mine: accuracy 93.33%", "90", "10", "100", "predicted", "true"} <= set(texts) and "0" not in texts
    assert texts.count("cat") == texts.count("dog") == 2


def test_a_cell_is_darker_the_larger_its_share(tmp_path: Path) -> None:
    counts = np.array([[90, 10], [0, 100]])
    pixels = _pixels(draw_confusion(Confusion(("cat", "dog"), counts), tmp_path / "matrix.png"))
    swapped = _pixels(draw_confusion(Confusion(("cat", "dog"), counts[:, ::-1]), tmp_path / "other.png"))
    half = pixels.shape[1] // 2
    # Blue ink on the diagonal of the one is beside the diagonal of the other.
    assert pixels[:half, half:].mean() > swapped[:half, half:].mean()


@pytest.mark.parametrize("classes", [2, 26, 100])
def test_matrices_of_any_number_of_classes_are_drawn_side_by_side(tmp_path: Path, classes: int) -> None:
    counts = np.random.default_rng(0).integers(0, 1000, (classes, classes))
    matrix = Confusion(tuple(f"class $ {place}" for place in range(classes)), counts)
    texts = _texts(draw_confusion({"left": matrix, "right": matrix}, tmp_path / "matrix.svg"))
    assert texts.index(f"left: accuracy {matrix.accuracy:.2%}") < texts.index(f"right: accuracy {matrix.accuracy:.2%}")
    assert texts.count("class $ 1") == (4 if classes <= 26 else 0)


def test_the_suffix_names_the_format_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    matrix = Confusion(("a", "b"), np.eye(2, dtype=np.int64))
    assert draw_confusion(matrix, tmp_path / "m.svg").read_text().startswith("<?xml")
    with pytest.raises(UsageError, match=r"figures are .*png"):
        draw_confusion(matrix, tmp_path / "m.doc")
    assert not (tmp_path / "m.doc").exists()


def _phased(root: Path, phases: list[dict[str, object]], name: str, rows: int = 3) -> Run:
    numbered = [{**row, "phase": number} for row, number in zip(ROWS[:rows], (1, 2, 2), strict=False)]
    recipe = {"data": "digits", "train": "all-stem", "phases": phases}
    with RunWriter.create(root, digest="b" * 64, recipe=recipe, name=name) as writer:
        writer.history(numbered)
    return Run(writer.folder)


def test_phases_are_parted_in_the_figure_and_named_in_the_points(tmp_path: Path) -> None:
    run = _phased(tmp_path, [{"epochs": 1, "train": "head"}, {"epochs": 2}], "one")
    curves = learning_curves(run)
    assert curves.phases == (PhaseStart(1, 1, "head"), PhaseStart(2, 2, "all-stem"))
    said = (
        "Dotted lines part the phases: 1 from epoch 1 on, which trains head; 2 from epoch 2 on, which trains all-stem."
    )
    assert curves.said_of_phases == said
    table = points_table([curves])
    place = [column.key for column in table.columns].index("phase")
    assert [row[place] for row in table.rows] == [1, 2, 2] * 4
    drawn = draw_learning_curves([run], tmp_path / "curves.svg")
    assert _texts(drawn).count("all-stem") == 2
    assert "phase" not in [column.key for column in points_table([learning_curves(_run(tmp_path, ROWS))]).columns]


def test_runs_of_other_phases_are_drawn_without_them(tmp_path: Path) -> None:
    one = _phased(tmp_path, [{"epochs": 1, "train": "head"}, {"epochs": 2}], "one")
    other = _phased(tmp_path, [{"epochs": 1, "train": "head"}, {"epochs": 2, "train": "all"}], "other")
    assert "all-stem" not in _texts(draw_learning_curves([one, other], tmp_path / "curves.svg"))
