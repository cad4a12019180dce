from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Confusion
from cnnlab.reports import Curve, draw_confusion, draw_learning_curves, learning_curves
from cnnlab.runs import Run, RunWriter

ROWS = [
    {"epoch": 1, "train_accuracy": 0.5, "train_loss": 2.0, "validation_loss": 1.5, "validation_accuracy": 0.6},
    {"epoch": 2, "train_accuracy": 0.7, "train_loss": 1.0, "validation_loss": 1.2, "validation_accuracy": 0.65},
    {"epoch": 3, "train_accuracy": 0.9, "train_loss": 0.5, "validation_loss": 1.3, "validation_accuracy": 0.62},
]


def _run(root: Path, rows: list[dict[str, float]]) -> Run:
    with RunWriter.create(root, digest="b" * 64, recipe={"data": "digits"}, name="some") as writer:
        if rows:
            writer.history(rows)
        writer.update(selected={"epoch": 2, "metric": "validation_accuracy", "value": 0.65})
    return Run(writer.folder)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_curves_hold_the_history_with_the_loss_first(tmp_path: Path) -> None:
    loss, accuracy = learning_curves(_run(tmp_path, ROWS), "mine")
    assert (loss.run, loss.metric, loss.epochs, loss.selected) == ("mine", "loss", (1, 2, 3), 2)
    assert loss.values == {"train": (2.0, 1.0, 0.5), "validation": (1.5, 1.2, 1.3)}
    assert accuracy.metric == "accuracy"
    assert accuracy.values["validation"] == (0.6, 0.65, 0.62)


def test_without_a_validation_split_there_is_the_training_curve_alone(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if not key.startswith("validation")} for row in ROWS]
    assert [list(curve.values) for curve in learning_curves(_run(tmp_path, rows))] == [["train"], ["train"]]


def test_a_run_without_an_epoch_has_no_curves(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no epoch behind it"):
        learning_curves(_run(tmp_path, []))


def test_curves_are_drawn_and_show_what_they_hold(tmp_path: Path) -> None:
    curves = learning_curves(_run(tmp_path, ROWS), "mine")
    first = _pixels(draw_learning_curves(curves, tmp_path / "a.png", "Costs $5 and $6"))
    again = _pixels(draw_learning_curves(curves, tmp_path / "b.png", "Costs $5 and $6"))
    other = [Curve("mine", "loss", (1, 2, 3), {"train": (0.1, 0.2, 0.3)}), curves[1]]
    assert first.shape[0] > 400 and first.shape[1] > first.shape[0]
    np.testing.assert_array_equal(first, again)
    assert (_pixels(draw_learning_curves(other, tmp_path / "c.png", "Costs $5 and $6")) != first).any()


def test_a_curve_of_one_epoch_and_many_runs_can_be_drawn(tmp_path: Path) -> None:
    curves = [Curve(f"run {number}", "loss", (1,), {"train": (float(number),)}) for number in range(9)]
    assert _pixels(draw_learning_curves(curves, tmp_path / "one.png")).std() > 0


def test_a_confusion_matrix_is_drawn_darkest_where_the_share_is_largest(tmp_path: Path) -> None:
    counts = np.array([[90, 10], [0, 100]])
    pixels = _pixels(draw_confusion({"one": Confusion(("cat", "dog"), counts)}, tmp_path / "matrix.png"))
    swapped = _pixels(draw_confusion({"one": Confusion(("cat", "dog"), counts[:, ::-1])}, tmp_path / "other.png"))
    half = pixels.shape[1] // 2
    # Blue ink on the diagonal of the one is beside the diagonal of the other.
    assert pixels[:half, half:].mean() > swapped[:half, half:].mean()


@pytest.mark.parametrize("classes", [2, 26, 100])
def test_matrices_of_any_number_of_classes_are_drawn(tmp_path: Path, classes: int) -> None:
    counts = np.random.default_rng(0).integers(0, 1000, (classes, classes))
    matrix = Confusion(tuple(f"class $ {place}" for place in range(classes)), counts)
    draw_confusion({"left": matrix, "right": matrix}, tmp_path / "matrix.png")
    assert _pixels(tmp_path / "matrix.png").std() > 0


def test_the_suffix_names_the_format_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    matrix = Confusion(("a", "b"), np.eye(2, dtype=np.int64))
    assert draw_confusion({"": matrix}, tmp_path / "m.svg").read_text().startswith("<?xml")
    with pytest.raises(UsageError, match=r"figures are .*png"):
        draw_confusion({"": matrix}, tmp_path / "m.doc")
    assert not (tmp_path / "m.doc").exists()
