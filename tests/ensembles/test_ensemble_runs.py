"""Ensembles of runs really trained: stored, opened, moved, deleted, and used like any run."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.core.errors import CnnlabError, CnnlabWarning, DataError, ModelFileError, UsageError
from cnnlab.data import ImageSet
from cnnlab.ensembles import EnsembleClassifier, read_record
from cnnlab.models import Predictable, require_gradient
from cnnlab.runs import Run, RunStore

METHODS = [
    "mean",
    "mean(of=logits)",
    "mean(temperature=true)",
    "vote",
    "weights",
    "greedy(size=5)",
    "swarm(iterations=5)",
    "swarm(kind=attractive-repulsive, iterations=5)",
    "stacking",
    "stacking(temperature=true)",
]
OF_ONE_RUN = ['tta("shift(0.1)|rotate(10)", views=3)', 'tta("flip(p=0.5)|gaussian_noise(0.1)|brightness", views=3)']


def likelihoods(run: Run, split: str = "test") -> np.ndarray:
    """As stored."""
    scores = run.predictions(split).outputs["label"].astype(np.float64)
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


@pytest.mark.parametrize("method", [*METHODS, *OF_ONE_RUN])
def test_the_classifier_says_picture_by_picture_what_is_stored_also_elsewhere(
    method: str, members: list[Run], tmp_path: Path
) -> None:
    run = cnnlab.ensemble(members[:1] if method in OF_ONE_RUN else members, method)
    moved, scores = tmp_path / "elsewhere", dict(run.test) | {"n": run.test.n}
    shutil.move(run.folder.parent, moved)
    model = cnnlab.open_model(f"ensemble:{run.name}", runs=moved)
    assert isinstance(model, EnsembleClassifier)
    test = cnnlab.load_data("digits").test
    assert test is not None
    # One by one and a few together: what a picture is told depends on nothing beside it.
    pixels, _ = test.batch(torch.arange(12))
    with torch.no_grad():
        alone = torch.cat([model(picture[None]) for picture in pixels]).softmax(1)
        together = model(pixels.flip(0)).softmax(1).flip(0)
    stored = likelihoods(Run(moved / run.name))[:12]
    assert np.abs(alone.numpy() - stored).max() <= 1e-6
    assert np.abs(together.numpy() - stored).max() <= 1e-6
    again = cnnlab.evaluate(Run(moved / run.name))
    assert (
        np.abs(
            np.exp(again.predictions.outputs["label"]) - np.exp(Run(moved / run.name).predictions().outputs["label"])
        ).max()
        <= 1e-6
    )
    assert again.scores == pytest.approx(scores)


@pytest.mark.parametrize("method", ["mean", "vote", "weights", "stacking(c=0.1)"])
def test_members_that_count_the_same_classes_in_another_order_say_picture_by_picture_what_is_stored(
    method: str, members: list[Run], caplog: pytest.LogCaptureFixture
) -> None:
    order = [3, 0, 1, 2, 9, 8, 7, 6, 5, 4]
    digits = cnnlab.load_data("digits")
    parts = {name: _counted_otherwise(part, order) for name, part in digits.parts()}
    turned = cnnlab.train(
        data=replace(digits, **parts),
        runs=members[0].folder.parent,
        model="mlp(hidden=[32])",
        optimizer="adam(lr=0.01)",
        batch_size=32,
        epochs=2,
        threads=1,
    )
    assert turned.predictions().classes["label"] == tuple(map(str, order))
    with caplog.at_level("INFO", "cnnlab"):
        run = cnnlab.ensemble([members[0], turned], method)
    assert f"{turned.name} counts the same classes in another order than {members[0].name}" in caplog.text
    pixels, _ = parts["test"].batch(torch.arange(40))
    with torch.no_grad():
        said = run.classifier()(pixels).softmax(1).numpy()
        own = [each.classifier()(pixels).softmax(1).numpy() for each in (members[0], turned)]
    assert np.abs(said - likelihoods(run)[:40]).max() <= 1e-6
    if method == "mean":
        # By hand: column 0 of the one that counts 3 first is of the class 3.
        np.testing.assert_allclose(said, (own[0] + own[1][:, np.argsort(order)]) / 2, atol=1e-6)
    # Put into a wrong order, one of them would be right by chance alone.
    assert run.test.accuracy >= min(each.test.accuracy for each in (members[0], turned)) > 0.2


def _counted_otherwise(images: ImageSet, order: list[int]) -> ImageSet:
    """The same pictures, the class at each place of ``order`` counted at that place."""
    changed = copy.copy(images)
    changed.targets = {"label": torch.tensor(np.argsort(order))[images.targets["label"]]}
    changed.classes = {"label": tuple(map(str, order))}
    return changed


def test_it_is_a_run_like_any_other(members: list[Run], tmp_path: Path) -> None:
    run = cnnlab.ensemble(members, "weights", name="committee")
    store = RunStore(members[0].folder.parent)
    assert store.find("committee") == run and "committee" in store.list()[0].name
    assert run.status == "finished" and run.splits == ["test", "validation"]
    assert run.test.accuracy >= min(member.test.accuracy for member in members)
    assert store.compare([run, members[0]]).states == ["finished", "finished"]
    assert {"recipe.ensemble", "test.accuracy"} <= set(store.frame().columns)
    Image.new("L", (8, 8), 200).save(tmp_path / "grey.png")
    assert len(cnnlab.predict(run, tmp_path / "grey.png")) == 1
    with pytest.warns(CnnlabWarning, match="was fitted on its validation pictures"):
        assert cnnlab.evaluate(run, split="validation").scores["accuracy"] == run.validation.accuracy
    perturbed = cnnlab.evaluate(run, perturb="gaussian_noise(0.2)")
    assert perturbed.predictions.split in run.splits
    assert "weights" in repr(run._repr_html_()) and "ensemble of 3" in repr(run)


def test_the_record_names_members_by_digest_and_weight(members: list[Run]) -> None:
    run = cnnlab.ensemble(members, "weights")
    record = read_record(run)
    assert [member.name for member in record.members] == [member.name for member in members]
    assert [member.digest for member in record.members] == [member.digest for member in members]
    assert sum(member.share or 0 for member in record.members) == pytest.approx(1)
    assert run.info["ensemble"] == {
        "method": "weights",
        "members": [member.name for member in members],
        "needs": [member.name for member in members],
        "fitted_on": ["validation"],
        "cross_fitted": [],
    }


@pytest.mark.parametrize("method", ["weights", "greedy(size=2)", "stacking", "mean(temperature=true)"])
def test_a_score_on_the_pictures_fitted_on_is_told_to_flatter(method: str, members: list[Run]) -> None:
    run = cnnlab.ensemble(members[:2], method)
    with pytest.warns(CnnlabWarning, match=rf"{run.name} was fitted on its validation pictures.* split=test") as told:
        cnnlab.evaluate(run, split="validation")
    assert len(told) == 1 and "\n" not in str(told[0].message)
    # Of an ensemble of it the same holds; warnings are errors here, so test is told of nowhere.
    outer = cnnlab.ensemble([run, members[2]])
    with pytest.warns(CnnlabWarning, match=f"{outer.name} was fitted on its validation"):
        cnnlab.evaluate(outer, data="digits", split="validation")
    cnnlab.evaluate(run)
    cnnlab.evaluate(outer, split="test")


@pytest.mark.parametrize("method", ["mean", "vote"])
def test_where_nothing_was_fitted_no_score_flatters(method: str, members: list[Run]) -> None:
    run = cnnlab.ensemble(members, method)
    assert cnnlab.evaluate(run, split="validation").scores["accuracy"] == run.validation.accuracy


def test_the_same_members_and_method_are_the_same_ensemble(members: list[Run]) -> None:
    first = cnnlab.ensemble(members)
    assert cnnlab.ensemble([member.name for member in members], runs=first.folder.parent) == first
    again, named = cnnlab.ensemble(members, again=True), cnnlab.ensemble(members, name="other")
    assert len({first.name, again.name, named.name}) == 3 and again.digest == named.digest == first.digest
    assert cnnlab.ensemble(members, name="other") == named
    assert cnnlab.ensemble(members[::-1]).digest != first.digest


def test_a_name_that_begins_like_another_is_another(members: list[Run]) -> None:
    long, short = cnnlab.ensemble(members, name="all-three"), cnnlab.ensemble(members, name="all")
    assert short.name.startswith("all-") and long != short
    assert [cnnlab.ensemble(members, name=name) for name in ("all-three", "all")] == [long, short]


@pytest.mark.parametrize("make", [cnnlab.ensemble, lambda runs, name: _trained_as(name, runs[0].folder.parent)])
def test_the_name_of_a_member_given_again_leaves_both_to_be_told_by_their_folders(
    make: Callable[..., Run], members: list[Run], caplog: pytest.LogCaptureFixture
) -> None:
    # Trainings and ensembles behave alike: the digest is in the name of the folder.
    store, member = RunStore(members[2].folder.parent), members[2]
    with caplog.at_level("INFO", "cnnlab"):
        run = make(members, name="narrow")
    assert run.name.startswith("narrow-") and run != member
    assert store.find(run.name) == run and store.find(member.name) == member
    with pytest.raises(CnnlabError, match=f"2 runs under .* answer to 'narrow': .*{member.name}.* Name one by its"):
        store.find("narrow")
    is_told = f"narrow is the name of {member.name} too: name each by its folder, this ensemble as {run.name}"
    assert (is_told in caplog.text) == run.is_ensemble


def _trained_as(name: str, runs: Path) -> Run:
    return cnnlab.train(runs=runs, name=name, data="digits", model="mlp(hidden=[2])", epochs=1, threads=1, subset=100)


def test_an_ensemble_may_be_a_member(members: list[Run]) -> None:
    pair = cnnlab.ensemble(members[:2], name="pair")
    both = cnnlab.ensemble([pair, members[2]], name="both")
    third = likelihoods(members[2])
    np.testing.assert_allclose(likelihoods(both), (likelihoods(pair) + third) / 2, atol=1e-6)
    assert cnnlab.evaluate(both).scores["accuracy"] == both.test.accuracy


def test_a_vote_has_no_gradient_and_a_mean_has(members: list[Run]) -> None:
    vote, mean = (cnnlab.ensemble(members, method).classifier() for method in ("vote", "mean"))
    with pytest.raises(UsageError, match=r"saliency is one, and the outputs of this .* have no gradient.* Take one of"):
        require_gradient(vote, "saliency is one")
    pixels = torch.rand(2, *mean.shape, requires_grad=True)
    with pytest.raises(UsageError, match=r"by the pixels is asked for, and the outputs of this .* have no gradient"):
        vote(pixels)
    with torch.no_grad():
        assert vote(pixels).shape == (2, 10)
    mean(pixels)[:, 3].sum().backward()
    assert isinstance(mean, Predictable) and pixels.grad is not None and pixels.grad.abs().sum() > 0


def test_a_member_is_not_deleted_unnoticed(members: list[Run]) -> None:
    run = cnnlab.ensemble(members, name="committee")
    store = RunStore(run.folder.parent)
    with pytest.raises(UsageError, match=rf"{members[0].name} is a member of {run.name}, which cannot predict"):
        store.delete(members[0])
    assert members[0].folder.is_dir()
    store.delete(members[0], even_if_needed=True)
    with pytest.raises(ModelFileError, match=f"needs its member {members[0].name}.* cnnlab runs restore"):
        run.classifier()
    # What was stored is there all the same.
    assert run.predictions().outputs and read_record(run).analysis is not None
    store.restore(members[0].name)
    assert cnnlab.evaluate(run).scores["accuracy"] == run.test.accuracy
    store.delete(run)
    store.delete(members[0])


def test_a_renamed_member_is_found_and_one_with_other_weights_refused(members: list[Run]) -> None:
    run = cnnlab.ensemble(members)
    members[0].folder.rename(members[0].folder.with_name("called-otherwise"))
    assert cnnlab.evaluate(run).scores["accuracy"] == run.test.accuracy
    shutil.copy(members[1].folder / "model.safetensors", run.folder.parent / "called-otherwise" / "model.safetensors")
    with pytest.raises(ModelFileError, match="with other weights than it has now"):
        run.classifier()


@pytest.mark.parametrize(
    "damage", [lambda t: t[: len(t) // 2], lambda t: t.replace("weighted-mean", "x"), lambda t: "[]", lambda t: "\x00"]
)
def test_a_damaged_record_is_told_of(damage: Callable[[str], str], members: list[Run]) -> None:
    run = cnnlab.ensemble(members)
    path = run.folder / "ensemble.json"
    path.write_text(damage(path.read_text()))
    for ask in (run.classifier, lambda: read_record(run)):
        with pytest.raises(DataError, match="damaged or from another version"):
            ask()
    path.unlink()
    with pytest.raises(UsageError, match=r"it holds no ensemble\.json"):
        run.classifier()


def test_a_record_of_a_later_version_asks_for_an_update(members: list[Run]) -> None:
    run = cnnlab.ensemble(members)
    path = run.folder / "ensemble.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="Update cnnlab"):
        read_record(run)


KILLED = """
import sys, time, cnnlab
from cnnlab.runs import Predictions
save = Predictions.save
def slowly(self, path):
    save(self, path)
    print("writing", flush=True)
    time.sleep(60)
Predictions.save = slowly
cnnlab.ensemble(sys.argv[1:], name="killed")
"""


def test_one_killed_while_it_is_written_is_not_there(members: list[Run]) -> None:
    root = members[0].folder.parent
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *(member.name for member in members)],
        stdout=subprocess.PIPE,
        env={**os.environ, "CNNLAB_RUNS": str(root)},
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = RunStore(root)
    assert len(store.list()) == 3 and len(list(root.glob(".creating-*"))) == 1
    old = time.time() - 3600
    os.utime(next(root.glob(".creating-*")), (old, old))
    assert len(RunStore(root).list()) == 3 and not list(root.glob(".creating-*"))
    assert cnnlab.ensemble(members, name="killed").status == "finished"


def test_a_failure_on_the_way_leaves_nothing(members: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("cnnlab.ensembles.api.write_record", fail)
    with pytest.raises(OSError, match="no"):
        cnnlab.ensemble(members)
    assert not [path for path in members[0].folder.parent.iterdir() if "mean" in path.name or "creating" in path.name]


@pytest.mark.parametrize(
    "ask",
    [lambda r: cnnlab.extend(r, "+1"), lambda r: cnnlab.train(parent=r.name, runs=r.folder.parent, data="digits")],
)
def test_an_ensemble_is_not_trained_on(ask: Callable[[Run], object], members: list[Run]) -> None:
    run = cnnlab.ensemble(members)
    with pytest.raises(CnnlabError, match=f"{run.name} is an ensemble"):
        ask(run)
