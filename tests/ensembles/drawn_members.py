"""Members made up for tests: predictions drawn at random."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnlab.ensembles import MemberOutputs, side_by_side
from cnnlab.runs import Predictions

NAMES = ("ant", "bee", "cat")


def predictions(
    outputs: Any, labels: Sequence[int], *, split: str = "validation", names: tuple[str, ...] = NAMES, **changes: Any
) -> Predictions:
    """Outputs N×K of classes under the labels given."""
    facts: dict[str, Any] = {
        "outputs": {"label": np.asarray(outputs, dtype=np.float32)},
        "targets": {"label": np.asarray(labels, dtype=np.int64)},
        "ids": [f"picture {place}" for place in range(len(labels))],
        "objective": "classes(column=label)",
        "classes": {"label": names},
        "data": "d",
        "split": split,
    }
    return Predictions(**(facts | changes))


def drawn(members: int, count: int, *, split: str = "validation", seed: int = 0, skill: float = 1.5) -> MemberOutputs:
    """Members that see the right class through noise, some of it shared, each better than the last."""
    source = np.random.default_rng([seed, split == "test"])
    labels, shared = source.integers(0, len(NAMES), count), source.normal(size=(count, len(NAMES)))
    each = []
    for place in range(members):
        logits = shared + source.normal(size=shared.shape)
        logits[np.arange(count), labels] += skill * (0.5 + place / members)
        each.append(predictions(logits * (1 + place / 2), labels, split=split))
    return side_by_side(each, [f"m{place}" for place in range(members)])
