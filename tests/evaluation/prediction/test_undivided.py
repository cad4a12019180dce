"""Other data without a test split of its own is scored whole."""

from pathlib import Path

import numpy as np

from cnnlab.evaluation import evaluate
from cnnlab.training import train


def test_undivided_data_is_scored_whole_and_divided_data_on_its_test_split(tmp_path: Path) -> None:
    keys = {"subset": "splits(train=200)", "model": "dense(8)|relu", "epochs": 1, "precision": "float32", "threads": 1}
    run = train(data="digits", runs=tmp_path / "runs", **keys)
    images = np.random.default_rng(0).integers(0, 256, (37, 8, 8), np.uint8)
    labels = np.arange(37) % 10
    np.savez(tmp_path / "whole.npz", images=images[:30], labels=labels[:30])
    np.savez(tmp_path / "split.npz", x_train=images[7:], y_train=labels[7:], x_test=images[:7], y_test=labels[:7])
    whole = evaluate(run, str(tmp_path / "whole.npz"))
    assert (whole.split, len(whole.predictions)) == ("all", 30)
    divided = evaluate(run, str(tmp_path / "split.npz"))
    assert (divided.split, len(divided.predictions)) == ("test", 7)
    own = evaluate(run)
    assert (own.split, len(own.predictions)) == ("test", 359)
