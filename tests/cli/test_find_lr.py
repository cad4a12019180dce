"""Where ``cnnlab find-lr`` draws its curve."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

SMALL = ["data=digits", "batch_size=64", "threads=1", "--steps", "20"]


def test_curves_of_different_models_lie_beside_one_another(cnnlab: Callable[..., Result], tmp_path: Path) -> None:
    cnnlab("find-lr", *SMALL, "model=mlp(hidden=[8])")
    cnnlab("find-lr", *SMALL, "model=pool|dense(8)|relu")
    cnnlab("find-lr", *SMALL, "model=mlp(hidden=[8])", "name=my first/try")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "find-lr-digits-mlp.png",
        "find-lr-digits-pool.png",
        "find-lr-my-first-try.png",
    ]


def test_a_curve_that_takes_the_place_of_an_earlier_one_is_said_to(cnnlab: Callable[..., Result]) -> None:
    words = ["find-lr", *SMALL, "model=mlp(hidden=[8])"]
    assert "replaced" not in cnnlab(*words).stdout
    assert "find-lr-digits-mlp.png (an earlier one is replaced)" in cnnlab(*words).stdout


def test_the_document_names_the_image(document: Callable[..., Any], tmp_path: Path) -> None:
    assert document("find-lr", *SMALL, "model=mlp(hidden=[8])")["image"] == "find-lr-digits-mlp.png"
