"""A paper of two entries on handwritten digits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core import yaml

PAPER = {
    "title": "Small networks",
    "authors": "A. Author",
    "year": 2020,
    "source": "made up",
    "licence": "ours",
    "data": "digits",
    "about": "It trains small networks.",
    "entries": ["rates", "scores"],
}
RATES: dict[str, Any] = {
    "place": "Table 1",
    "title": "Learning rates",
    "about": "Two rates.",
    "base": {"data": "digits", "model": "mlp(hidden=[16])", "epochs": 4, "batch_size": 64, "precision": "float32"},
    "vary": {"optimizer.lr": [0.0001, 0.01]},
    "repeats": 3,
    "scales": {"smoke": {"epochs": 1, "repeats": 1}, "laptop": {}, "full": {"epochs": 9}},
    "deviations": {"all": "another data set", "laptop": "fewer epochs"},
    "claims": [
        {"says": "the larger rate is better", "judged": "optimizer.lr=0.01 is better than optimizer.lr=0.0001"},
        {
            "says": "it is better, and nearly perfect",
            "judged": ["optimizer.lr=0.01 is better than optimizer.lr=0.0001", "the best test_accuracy is at most 20%"],
        },
        {"says": "it is elegant", "not_judged": "no number says so"},
    ],
    "published": [{"metric": "test_accuracy", "rows": [{"optimizer.lr": 0.01, "value": 0.999}]}],
    "recomputed": [{"what": "SD of three", "reported": 0.5, "sd": [1, 2, 3]}],
}
SCORES: dict[str, Any] = {
    "place": "Figure 2",
    "title": "What it scores",
    "about": "One network.",
    "trainings": {"net": {"data": "digits", "model": "mlp(hidden=[16])", "epochs": 2, "precision": "float32"}},
    "repeats": 2,
    "commands": {
        "scored": "evaluate {net}",
        "seen": "explain {net} --what saliency --images test:0 --out {out}",
        "shape": "arithmetic conv 32x32x3 --filters 8 --kernel 3",
    },
    "numbers": {
        "accuracy": {"of": "scored.scores.accuracy", "unit": "share"},
        "weights": {"of": "shape.parameters", "exact": True},
    },
    "scales": {"smoke": {"trainings.*.epochs": 1, "repeats": 1}, "laptop": {}, "full": {"trainings.net.epochs": 9}},
    "claims": [
        {"says": "eight filters of 3×3 have 224 weights", "judged": "weights is equal to 224"},
        {"says": "it learns a little", "judged": "accuracy is above 101%"},
    ],
    "published": [{"number": "weights", "value": 216, "note": "without biases"}],
}


@pytest.fixture
def write_paper(tmp_path: Path) -> Callable[..., Path]:
    """Writes the paper into ``small`` with the entries changed as given, and returns its folder."""

    def write(rates: dict[str, Any] | None = None, scores: dict[str, Any] | None = None, **paper: Any) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        files = {
            "paper": {**PAPER, **paper},
            "rates": {**RATES, **(rates or {})},
            "scores": {**SCORES, **(scores or {})},
        }
        for name, content in files.items():
            whole = {key: value for key, value in content.items() if value is not None}
            (folder / f"{name}.yaml").write_text(yaml.dump(whole), encoding="utf-8")
        return folder

    return write
