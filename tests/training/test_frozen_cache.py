"""What frozen parts put out is kept in the cache: found by the next run and by one that goes on, with the same bits."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import content, equal, weights
from safetensors import safe_open
from torch import Tensor, nn
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core.feature_cache import cached_features, clear_features
from cnnlab.core.files import cache_folder
from cnnlab.models.features import features_in_turn
from cnnlab.runs import Run
from cnnlab.training import frozen_cache, frozen_features, resume

KEYS: dict[str, Any] = {"model": "conv(4)|bn|relu|pool|dense(8)|relu|dropout(0.3)", "train": "head"}
Trained = Callable[..., Run]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that frozen parts compute, 50 pictures at once; each goes into a file of its own."""
    seen: list[int] = []
    computed = features_in_turn

    def counted(classifier: nn.Module, layer: str, pictures: Iterable[Tensor], **rest: Any) -> Iterator[Tensor]:
        for part in computed(classifier, layer, pictures, **rest):
            seen.append(len(part))
            yield part

    monkeypatch.setattr(frozen_features, "features_in_turn", counted)
    monkeypatch.setattr(frozen_features, "_BATCH", 50)
    monkeypatch.setattr(frozen_features, "_KEPT_BYTES", 1)
    return seen


def since(batches: list[int]) -> list[int]:
    """What was computed until now, but for the single pictures that tell the format of numbers."""
    found = [size for size in batches if size > 1]
    batches.clear()
    return found


def files() -> list[Path]:
    return sorted((cache_folder() / "features").glob("*/*.safetensors"))


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        found: dict[str, str] = file.metadata()
    return found


def kept(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = run.info["frozen_features"]["1"]
    return found


def test_the_next_run_finds_them_and_has_the_bits_of_one_that_does_not(
    small_run: Trained, batches: list[int], tmp_path: Path
) -> None:
    first = small_run(**KEYS)
    # 120 pictures of training and 60 of validation.
    assert since(batches) == [50, 50, 20, 50, 10] and not kept(first)["found"]
    spared = sum(float(metadata(path)["seconds"]) for path in files())
    again = small_run(**KEYS, runs=tmp_path / "again")
    assert since(batches) == [] and kept(again)["found"]
    clear_features()
    anew = small_run(**KEYS, runs=tmp_path / "anew")
    assert len(since(batches)) == 5 and not kept(anew)["found"]
    assert content(first) == content(again) == content(anew)
    # What was found counts as when it was computed.
    assert 0 < spared < kept(first)["seconds"] + 1e-3 and kept(again)["seconds"] > spared - 1e-3
    shown = CliRunner().invoke(app, ["runs", "show", again.name, "--runs", str(again.folder.parent)]).stdout
    assert "found in the cache up to relu2, " in shown and "when it was computed" in shown


def test_another_optimizer_finds_them_too(small_run: Trained, batches: list[int]) -> None:
    small_run(**KEYS)
    since(batches)
    assert kept(small_run(**KEYS, optimizer="sgd(lr=0.1)", batch_size=10))["found"] and since(batches) == []


def test_a_run_that_goes_on_finds_them(
    small_run: Trained, interrupted: Callable[..., Any], batches: list[int], tmp_path: Path
) -> None:
    whole = small_run(**KEYS, runs=tmp_path / "whole")
    clear_features()
    stopped, _ = interrupted(epoch=1, **KEYS)
    since(batches)
    resumed = resume(stopped)
    assert since(batches) == [] and kept(resumed)["found"] and content(resumed) == content(whole)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_what_is_lost_or_damaged_is_computed_alone_and_the_bits_are_the_same(
    small_run: Trained, batches: list[int], damage: Callable[[Path], Any], tmp_path: Path
) -> None:
    first = small_run(**KEYS)
    since(batches)
    assert len(files()) == 5
    damage(files()[0])
    again = small_run(**KEYS, runs=tmp_path / "again")
    assert len(since(batches)) == 1 and not kept(again)["found"] and content(first) == content(again)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"subset": 119}, {"precision": "bfloat16"}, {"model": KEYS["model"].replace("bn|", "")}]
)
def test_nothing_is_found_of_other_weights_pictures_or_numbers(
    small_run: Trained, batches: list[int], other: dict[str, Any]
) -> None:
    small_run(**KEYS)
    since(batches)
    found = small_run(**KEYS | other, again=True)
    assert not kept(found)["found"] and len(since(batches)) >= 3


def test_nothing_is_found_of_another_program(
    small_run: Trained, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_run(**KEYS)
    monkeypatch.setattr(frozen_cache, "code_digest", lambda: "another")
    since(batches)
    small_run(**KEYS, again=True)
    assert len(since(batches)) == 5


def test_a_third_view_is_computed_alone_and_another_seed_draws_anew(small_run: Trained, batches: list[int]) -> None:
    keys = {**KEYS, "augment": "shift(0.3)", "epochs": 3, "seed": 4}
    small_run(**keys, views=2)
    since(batches)
    assert not kept(small_run(**keys, views=3))["found"]
    assert since(batches) == [50, 50, 20]
    shown = {str(each.about.get("draw")): each.pictures for each in cached_features()}
    assert shown.pop("None") == 60 and list(shown.values()) == [360] and "seed 4" in next(iter(shown))
    small_run(**keys | {"augment": "shift(0.2)"}, views=2)
    assert since(batches) == [50, 50, 20] * 2


def test_they_are_listed_and_bounded(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batches: list[int]
) -> None:
    first = small_run(**KEYS)
    listed = CliRunner().invoke(app, ["cache", "list"]).stdout
    assert "relu2" in listed and "120" in listed and "float32" in listed
    clear_features()
    monkeypatch.setenv("CNNLAB_FEATURES", "1KB")
    again = small_run(**KEYS, runs=tmp_path / "again")
    assert not cached_features() and content(first) == content(again)


def test_of_a_network_of_ones_own_nothing_is_kept(small_run: Trained) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(1, 3, 3)
            self.head = nn.Linear(3, 10)

        def forward(self, input: Tensor) -> Tensor:
            return torch.as_tensor(self.head(self.body(input).relu().mean((2, 3))))

    run = small_run(model=Own, train="head")
    assert not cached_features() and not (run.info.get("frozen_features") or {}).get("1", {}).get("found")


def test_numbers_of_two_bytes_come_back_as_they_were(small_run: Trained, batches: list[int], tmp_path: Path) -> None:
    first = small_run(**KEYS, precision="bfloat16")
    since(batches)
    again = small_run(**KEYS, precision="bfloat16", runs=tmp_path / "again")
    assert kept(again)["found"] and equal(weights(first), weights(again))
    assert kept(again)["bytes"] == kept(first)["bytes"] == 180 * 8 * 2
