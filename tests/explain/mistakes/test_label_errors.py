"""Doubtful labels of a run: which predictions are asked, and what is told of them."""

from pathlib import Path

import numpy as np
import pytest

from cnnlab import training
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import quietly
from cnnlab.data import load_data
from cnnlab.evaluation import own_data
from cnnlab.explain import label_errors
from cnnlab.runs import Run


def test_labels_of_a_split_are_ordered_by_how_little_they_are_believed(learning: Run) -> None:
    found = label_errors(learning, "validation", most=3)
    assert len(found) and found.of.endswith(f"validation pictures, run {learning.name}")
    assert (np.diff(found.given_probability) >= 0).all()
    assert (found.suggested_probability > found.given_probability).all() and (found.given != found.suggested).all()
    stored = learning.predictions("validation")
    assert (stored.targets["label"][found.places] == found.given).all()
    assert (stored.outputs["label"][found.places].argmax(1) == found.suggested).all()
    assert tuple(stored.ids[place] for place in found.places) == found.ids
    images = own_data(learning).validation
    assert images is not None and found.pixels is not None
    assert (found.pixels == images.batch(found.places[:3].tolist())[0].numpy()).all()
    assert found.estimated == pytest.approx(1 - found.joint.trace() / len(stored))


def test_a_run_is_not_asked_about_what_it_was_trained_on(learning: Run) -> None:
    with pytest.raises(UsageError, match=r"has learned what it was told.*folds=5"):
        label_errors(learning, "train")


@pytest.mark.slow(6)
def test_training_labels_changed_on_purpose_are_found_by_networks_that_had_not_seen_them(tmp_path: Path) -> None:
    digits = load_data("digits")
    assert digits.test is not None
    truth = digits.train.targets["label"].numpy()
    draw = np.random.default_rng(0)
    changed = draw.random(len(truth)) < 0.05
    labels = np.where(changed, (truth + draw.integers(1, 10, len(truth))) % 10, truth)
    pixels, test = (part.batch(list(range(len(part))))[0][:, 0].numpy() for part in (digits.train, digits.test))
    arrays = {"x_train": pixels, "y_train": labels, "x_test": test, "y_test": digits.test.targets["label"].numpy()}
    np.savez(tmp_path / "changed.npz", **arrays)
    with quietly():
        run = training.train(
            data=str(tmp_path / "changed.npz"),
            runs=tmp_path / "runs",
            model="mlp(hidden=[64])",
            folds=2,
            epochs=12,
            optimizer="adamw(lr=0.01)",
            batch_size=64,
            threads=1,
            precision="float32",
        )
    found = label_errors(run, "train")
    asked = [int(name) for name in run.predictions("train@out-of-fold").ids]
    assert found.of == f"{len(asked):,} out-of-fold train pictures, run {run.name}"
    named = [int(name) for name in found.ids]
    assert changed[named].mean() > 0.6, "precision"
    assert changed[named].sum() > 0.75 * changed[asked].sum(), "recall"
    assert found.pixels is not None and (found.pixels[:, 0] == pixels[named[: len(found.pixels)]]).all()
