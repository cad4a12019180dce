"""Frozen parts computed once for a phase: the same training, the same bits after a kill, views that repeat."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from comparing import content, equal, weights
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.cli.summary import write_summary
from cnnlab.core.errors import UsageError
from cnnlab.core.feature_cache import clear_features
from cnnlab.runs import Run
from cnnlab.training import frozen_features, loop, resume

MODEL = "conv(4)|bn|relu|pool|conv(6)|bn|relu|pool|dense(8)|relu|dropout(0.3)"
HEAD_FIRST = [{"train": "head", "epochs": 2}, {"train": "all", "epochs": 2, "optimizer": "adam(lr=1e-3)"}]
Trained = Callable[..., Run]


def kept(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = run.info.get("frozen_features") or {}
    return found


@pytest.mark.parametrize("keys", [{}, {"ema": 0.9}, {"label_smoothing": 0.1}, {"balance": "sampler"}])
def test_training_on_what_is_kept_is_training_at_each_step(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    once = small_run(model=MODEL, phases=HEAD_FIRST, **keys)
    monkeypatch.setattr(loop, "cut_for", lambda *phase: None)
    each_step = small_run(model=MODEL, phases=HEAD_FIRST, again=True, **keys)
    assert kept(once)["1"]["shape"] == [8] and "2" not in kept(once) and not kept(each_step)
    ours, theirs = weights(once), weights(each_step)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name].float(), theirs[name].float(), atol=1e-4) for name in ours)
    assert once.history["validation_loss"].tolist() == pytest.approx(each_step.history["validation_loss"], abs=1e-3)


def test_only_what_is_the_same_in_every_epoch_is_kept(small_run: Trained) -> None:
    assert not kept(small_run(model=MODEL, train="head", augment="shift(0.2)"))
    assert not kept(small_run(model=MODEL, train="head", epochs=1))
    assert not kept(small_run(model=MODEL))
    assert kept(small_run(model=MODEL, train="head"))["1"]["layer"] == "relu3"


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_that_was_stopped_in_any_phase_ends_with_the_same_bits(
    small_run: Trained, interrupted: Callable[..., Any], epoch: int, tmp_path: Any
) -> None:
    keys: dict[str, Any] = {"model": MODEL, "phases": HEAD_FIRST, "ema": 0.9}
    whole = small_run(**keys, runs=tmp_path / "whole")
    stopped, _ = interrupted(epoch=epoch, **keys)
    assert content(resume(stopped)) == content(whole)


def test_what_computing_them_took_is_told_and_counts_as_training(
    small_run: Trained, interrupted: Callable[..., Any], tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small_run(model=MODEL, phases=HEAD_FIRST)
    facts = kept(run)["1"]
    # 120 pictures of training and 60 of validation, eight floats each.
    assert facts["bytes"] == 180 * 8 * 4 and facts["seconds"] > 0
    assert run.seconds == pytest.approx(run.info["seconds"] + facts["seconds"])
    clear_features()
    stopped, _ = interrupted(epoch=1, model=MODEL, phases=HEAD_FIRST, again=True)
    before = kept(stopped)["1"]["seconds"]
    clear_features()
    assert kept(resume(stopped))["1"]["seconds"] > before
    shown = CliRunner().invoke(app, ["runs", "show", run.name, "--runs", str(run.folder.parent)]).stdout
    assert "its steps and its frozen parts" in shown and "computed once up to relu3, " in shown
    write_summary(run, run.folder.parent, as_json=False)
    assert "computed once up to relu3, " in capsys.readouterr().out


def test_views_repeat_after_as_many_epochs(small_run: Trained) -> None:
    # At a rate of next to nothing the loss tells the pictures apart.
    run = small_run(
        model="conv(4)|relu|pool|dense(8)|relu",
        train="head",
        augment="shift(0.3)|rotate(30)",
        views=2,
        epochs=4,
        optimizer="sgd(lr=1e-20)",
    )
    first, second, third, fourth = run.history["train_loss"]
    assert first == pytest.approx(third, rel=1e-6) and second == pytest.approx(fourth, rel=1e-6)
    assert abs(first - second) > 1e-5
    assert kept(run)["1"]["views"] == 2 and run.recipe["views"] == 2
    shown = CliRunner().invoke(app, ["runs", "show", run.name, "--runs", str(run.folder.parent)]).stdout
    assert "computed once up to relu2, in 2 views that repeat, " in shown


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"train": "all", "augment": "flip"}, "nothing before the parts that are trained is frozen"),
        ({"train": "head"}, r"views=3 is of how many augmented draws .* augment= names nothing to draw"),
        ({"train": "head", "augment": "mixup"}, "blends pictures of one batch"),
    ],
)
def test_views_that_cannot_be_kept_are_refused(small_run: Trained, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        small_run(model=MODEL, views=3, **keys)


def test_what_memory_has_no_room_for_lies_in_a_file_and_trains_the_same(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    in_memory = small_run(model=MODEL, train="head")
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frozen_features, "free_memory", lambda: 0)
    on_disk = small_run(model=MODEL, train="head", again=True)
    assert equal(weights(in_memory), weights(on_disk)) and kept(on_disk)["1"]["bytes"] > 0
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 1e5]


def test_without_any_room_they_are_computed_at_each_step_and_go_on_so(
    small_run: Trained, interrupted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    keys: dict[str, Any] = {"model": MODEL, "train": "head"}
    with monkeypatch.context() as patch:
        patch.setattr(frozen_features, "free_memory", lambda: 0)
        patch.setattr(frozen_features, "free_space", lambda folder: 0)
        whole = small_run(**keys, runs=tmp_path / "whole")
        stopped, _ = interrupted(epoch=1, **keys)
    assert kept(whole) == {"1": None}
    # There is room now, but other bits must not come of that.
    assert content(resume(stopped)) == content(whole)
