"""Doubtful labels of a run: which predictions are asked, and what is told of them."""

from dataclasses import replace

import numpy as np
import pytest

from cnnlab import training
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import quietly
from cnnlab.data import TensorImages, load_data
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
def test_training_labels_changed_on_purpose_are_found_by_networks_that_had_not_seen_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    digits = load_data("digits")
    truth = digits.train.targets["label"]
    draw = np.random.default_rng(0)
    changed = draw.random(len(truth)) < 0.05
    labels = truth.clone()
    labels[changed] = (truth[changed] + 1 + draw.integers(0, 9, int(changed.sum()))) % 10
    pixels = digits.train.batch(list(range(len(truth))))[0]
    train = TensorImages(pixels, {"label": labels}, digits.train.classes)
    with quietly():
        run = training.train(
            data=replace(digits, train=train),
            runs=tmp_path_factory.mktemp("folds") / "runs",
            model="mlp(hidden=[64])",
            folds=2,
            epochs=12,
            batch_size=64,
            threads=1,
            precision="float32",
        )
    found = label_errors(run, "train")
    assert found.of.startswith(f"{len(truth):,} out-of-fold train pictures")
    # By sample id: networks of folds are asked in another order.
    is_changed = np.array([changed[int(name)] for name in found.ids])
    assert is_changed.mean() > 0.6, "precision"
    assert is_changed.sum() > 0.85 * changed.sum(), "recall"
    assert found.pixels is None and "pictures cannot be shown" in found.trouble
