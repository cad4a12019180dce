"""The recipes that are shipped can be trained as they are."""

from pathlib import Path
from typing import Any

import pytest

from cnnlab import train
from cnnlab.core.packaged import packaged

IN_SHORT: dict[str, dict[str, Any]] = {
    "clocks": {"data.n": 300, "phases[0].epochs": 1, "phases[1].epochs": 1},
    "fashion-mnist": {"epochs": 1, "subset": 256, "model.width": 0.25},
    "mnist": {"epochs": 1, "subset": 256, "model.width": 0.25},
}
SCORED = {"clocks": "clock_mean_error"}


def test_each_recipe_is_tried() -> None:
    assert set(packaged("recipe")) == set(IN_SHORT)


@pytest.mark.slow(5)
@pytest.mark.parametrize("name", IN_SHORT)
def test_a_shipped_recipe_trains_and_is_scored(name: str, tmp_path: Path, data_dir: Path) -> None:
    run = train(f"recipe:{name}", runs=tmp_path / "runs", data_dir=data_dir, threads=1, **IN_SHORT[name])
    assert run.status == "finished"
    assert SCORED.get(name, "accuracy") in dict(run.test)
