"""Attacks on runs: which pictures are attacked, and what is kept beside the run and read back."""

import dataclasses
import json
import shutil
import struct
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import cnnlab
from cnnlab.attacks import Adversarial, api, curve, perturb, perturbed, stored_attacks
from cnnlab.core.errors import CnnlabWarning, ModelFileError, UsageError
from cnnlab.runs import Run, RunWriter

ATTACK = "pgd(eps=0.1, steps=4)"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = {"data": "digits", "model": "mlp(hidden=[32])", "batch_size": 32, "epochs": 3, "threads": 1}
    return cnnlab.train(recipe, runs=tmp_path_factory.mktemp("attacked") / "runs")


@pytest.fixture
def fresh(run: Run) -> Run:
    """The run without anything kept of attacks."""
    shutil.rmtree(run.folder / "attacks", ignore_errors=True)
    return run


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each computation was on."""
    sizes: list[int] = []
    whole = api.attacked_in_batches

    def note(placed: Any, attack: Any, pixels: torch.Tensor, *rest: Any, **options: Any) -> Any:
        sizes.append(len(pixels))
        return whole(placed, attack, pixels, *rest, **options)

    monkeypatch.setattr(api, "attacked_in_batches", note)
    return sizes


def same(one: Adversarial, other: Adversarial) -> None:
    for name in ("places", "origin", "pixels", "labels", "forwards", "backwards"):
        assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("before", "after", "kept"):
        assert_array_equal(getattr(one, name).predicted, getattr(other, name).predicted)
        assert_array_equal(getattr(one, name).sure, getattr(other, name).sure)
    assert (one.attack, one.classes, one.norm, one.eps) == (other.attack, other.classes, other.norm, other.eps)
    assert one.source == other.source


def test_asked_again_nothing_is_computed_and_all_is_the_same_to_the_bit(fresh: Run, counted: list[int]) -> None:
    first = cnnlab.attack(fresh, ATTACK, n=40)
    again = cnnlab.attack(fresh, ATTACK, n=40)
    assert counted == [40]
    same(first, again)
    same(first, stored_attacks(fresh.folder)[0][0])


def test_more_pictures_add_to_those_there_are_and_fewer_are_read(fresh: Run, counted: list[int]) -> None:
    few = cnnlab.attack(fresh, ATTACK, n=30)
    many = cnnlab.attack(fresh, ATTACK, n=50)
    assert counted == [30, 20]
    same(many.first(30), few)
    same(cnnlab.attack(fresh, ATTACK, n=30), few)
    assert counted == [30, 20] and len(np.unique(many.places)) == 50


def test_pictures_are_those_of_the_split_that_it_says(fresh: Run) -> None:
    found = cnnlab.attack(fresh, ATTACK, n=20, seed=3)
    images = cnnlab.load_data("digits").test
    assert images is not None and found.source is not None
    pixels, targets = images.batch(list(found.source.places))
    assert_array_equal(found.origin, pixels.float().numpy() / 255)
    assert_array_equal(found.labels, targets["label"].numpy())
    assert found.source.ids == tuple(images.ids[place] for place in found.source.places)
    assert found.source.of == f"20 of {len(images)} test pictures of digits, drawn by seed 3"


def test_it_is_what_perturb_finds_of_the_same_pictures(fresh: Run) -> None:
    found = cnnlab.attack(fresh, ATTACK, n=20, seed=3)
    assert found.source is not None
    direct = perturb(fresh, found.origin, found.labels, ATTACK, seed=3, pictures=found.source.places)
    np.testing.assert_allclose(found.pixels, direct.pixels, atol=1e-6)


def test_the_seed_chooses_pictures_and_the_attack_does_not(fresh: Run) -> None:
    places = {
        (attack, seed): cnnlab.attack(fresh, attack, n=10, seed=seed).source.places  # type: ignore[union-attr]
        for attack in ("fgsm", "uniform-noise")
        for seed in (0, 1)
    }
    assert places["fgsm", 0] == places["uniform-noise", 0] != places["fgsm", 1]
    assert len(stored_attacks(fresh.folder)[0]) == 4


def test_fewer_than_asked_for_are_all(fresh: Run) -> None:
    found = cnnlab.attack(fresh, "fgsm", n=10_000)
    assert found.source is not None
    assert sorted(found.source.places) == list(range(found.source.size))
    assert found.clean_accuracy == pytest.approx(fresh.test.accuracy)
    assert found.source.of == f"{found.source.size} test pictures of digits"


def test_an_attack_that_is_cut_short_goes_on(fresh: Run, counted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cnnlab.attack(fresh, ATTACK, n=40, seed=1)
    shutil.rmtree(fresh.folder / "attacks")
    monkeypatch.setattr(api, "_SECONDS", 0.0)
    done = 0

    def halted(*words: Any, **options: Any) -> Any:
        nonlocal done
        for batch in before(*words, **options):
            if done == 3:
                raise KeyboardInterrupt
            done += 1
            yield batch

    before = api.attacked_in_batches
    with monkeypatch.context() as cut:
        cut.setattr(api, "attacked_in_batches", halted)
        with pytest.raises(KeyboardInterrupt):
            cnnlab.attack(fresh, ATTACK, n=40, seed=1, batch_size=10)
    counted.clear()
    again = cnnlab.attack(fresh, ATTACK, n=40, seed=1, batch_size=10)
    assert counted == [10]
    np.testing.assert_allclose(again.pixels, whole.pixels, atol=1e-6)


def test_other_weights_other_data_and_another_spec_are_other_attacks(fresh: Run, counted: list[int]) -> None:
    cnnlab.attack(fresh, ATTACK, n=10)
    cnnlab.attack(fresh, ATTACK, split="validation", n=10)
    cnnlab.attack(fresh, "pgd(eps=0.1, steps=5)", n=10)
    cnnlab.attack(fresh, ATTACK, n=10, target="3")
    # The same in other words.
    cnnlab.attack(fresh, "pgd(eps=0.1, steps=4, target=3)", n=10)
    cnnlab.attack(fresh, "pgd(steps=4, eps=1/10, norm=linf)", n=10)
    assert counted == [10] * 4
    moved = fresh.classifier()
    with torch.no_grad():
        next(moved.parameters()).add_(1.0)
    assert api.weights_digest(moved) != api.weights_digest(fresh.classifier())


@pytest.mark.parametrize("damage", ["cut", "lie", "other"])
def test_damaged_files_are_told_and_computed_anew(damage: str, fresh: Run, counted: list[int]) -> None:
    first = cnnlab.attack(fresh, ATTACK, n=20)
    (path,) = fresh.folder.glob("attacks/pgd-*/*.safetensors")
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "lie":
        path.write_bytes(with_header(content, end=25))
    else:
        path.write_bytes(with_header(content, key="0" * 64))
    with pytest.warns(CnnlabWarning, match=r"It is computed anew"):
        again = cnnlab.attack(fresh, ATTACK, n=20)
    assert counted == [20, 20]
    same(first, again)
    same(cnnlab.attack(fresh, ATTACK, n=20), first)


def with_header(content: bytes, **changes: Any) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["cnnlab"]) | changes
    header["__metadata__"]["cnnlab"] = json.dumps(facts)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "predictions"}, "holds 'predictions', not"),
        ({"format": 99}, "later version"),
        ({"classes": ["one"]}, "classes"),
        ({"places": [1]}, "names 1"),
        ({"eps": -1.0}, "eps"),
        ({"norm": "l9"}, "norm"),
        ({"first": -3}, "first"),
        ({"classes": ["a", "b"]}, "goes beyond 0 to 1"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else None,
)
def test_files_that_lie_are_refused_in_a_sentence(change: dict[str, Any], said: str, fresh: Run) -> None:
    from cnnlab.attacks.stored import load

    cnnlab.attack(fresh, ATTACK, n=20)
    (path,) = fresh.folder.glob("attacks/pgd-*/*.safetensors")
    path.write_bytes(with_header(path.read_bytes(), **change))
    with pytest.raises(ModelFileError, match=said):
        load(path)
    found, reasons = stored_attacks(fresh.folder)
    assert not found and len(reasons) == 1


def test_of_a_run_that_is_busy_nothing_is_kept_and_that_is_said(fresh: Run) -> None:
    with RunWriter.open(fresh.folder), pytest.warns(CnnlabWarning, match="not kept beside"):
        found = cnnlab.attack(fresh, "fgsm", n=10)
    assert len(found) == 10 and not list(fresh.folder.glob("attacks/*/*"))


def test_a_model_by_itself_is_attacked_on_data_that_is_named(run: Run) -> None:
    data = cnnlab.load_data("digits")
    found = cnnlab.attack(run.classifier(), ATTACK, data, "test", n=20, batch_size=7)
    np.testing.assert_allclose(found.pixels, cnnlab.attack(run, ATTACK, n=20).pixels, atol=1e-6)
    file = str(run.folder / "model.safetensors")
    named = cnnlab.attack(file, ATTACK, data, "test", n=20)
    assert named.source is not None and named.source.model == "model.safetensors"
    with pytest.raises(UsageError, match="has no data; name some"):
        cnnlab.attack(run.classifier(), ATTACK)


def test_an_ensemble_is_attacked_and_what_comes_of_it_kept(run: Run, counted: list[int]) -> None:
    other = cnnlab.train({**run.recipe, "seed": 1}, runs=run.folder.parent, threads=1)
    mean = cnnlab.ensemble([run, other], runs=run.folder.parent)
    vote = cnnlab.ensemble([run, other], "vote", runs=run.folder.parent)
    assert cnnlab.attack(mean, ATTACK, n=20).fooled.any()
    cnnlab.attack(mean, ATTACK, n=20)
    assert counted == [20] and list(mean.folder.glob("attacks/pgd-*/*.safetensors"))
    with pytest.raises(UsageError, match=r"pgd goes by the gradient.*have no gradient"):
        cnnlab.attack(vote, ATTACK, n=20)
    # What needs none is carried out.
    assert len(cnnlab.attack(vote, "uniform-noise(eps=0.3)", n=20)) == 20


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "eleven"}, "no class eleven"),
        ({"target": 10}, "classes 0 to 9, and no 10"),
        ({"n": 0}, "at least 1; got 0"),
        ({"batch_size": 0}, "batch_size is how many pictures"),
        ({"split": "tset"}, "no split 'tset'"),
        ({"column": "size"}, "no head size"),
        ({"attack": "uniform-noise", "target": 3}, "takes no target"),
        ({"data": "no-such-set"}, "no-such-set"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_told_in_a_sentence(options: dict[str, Any], said: str, run: Run) -> None:
    with pytest.raises(cnnlab.CnnlabError, match=said):
        cnnlab.attack(run, **options)


def test_a_target_that_all_pictures_are_of_is_told(run: Run) -> None:
    images = cnnlab.load_data("digits").test
    assert images is not None
    threes = images.select((images.targets["label"] == 3).nonzero()[:, 0])
    data = cnnlab.Dataset("threes", train=threes, validation=None, test=threes)
    with pytest.raises(UsageError, match=r"all of \d+ pictures are of the class"):
        cnnlab.attack(run.classifier(), "fgsm(target=3)", data)


def test_the_mean_change_is_that_of_the_pictures_that_are_fooled(run: Run) -> None:
    found = cnnlab.attack(run, "jsma(target=all, theta=1, gamma=0.1)", n=4)
    pixels = (found.pixels != found.origin).any(axis=1).sum(axis=(1, 2))
    assert 0 < found.fooled.sum() < len(pixels)
    told = found.to_dict()["mean_change"]
    assert told["l0"] == pytest.approx(pixels[found.fooled].mean()) != pytest.approx(pixels.mean())
    assert told["linf"] <= 1
    unharmed = cnnlab.attack(run, "fgsm(eps=1e-6)", n=4)
    assert not unharmed.fooled.any() and set(unharmed.to_dict()["mean_change"].values()) == {None}


class TestCurves:
    def test_accuracy_falls_with_the_budget_and_faster_than_by_noise(self, run: Run) -> None:
        found = curve(run, "pgd(steps=4)", [0.0, 0.02, 0.1, 0.3], n=40)
        assert found.budgets == (0.02, 0.1, 0.3) and found.attacks == ("pgd(steps=4)",)
        for shares in (found.robust_accuracy, found.noise_accuracy):
            assert list(shares) == sorted(shares, reverse=True)
        assert found.clean_accuracy == cnnlab.attack(run, "fgsm", n=40).clean_accuracy >= found.noise_accuracy[0]
        assert found.robust_accuracy[1] < found.noise_accuracy[1]
        told = found.to_dict()
        assert found.source is not None and told["data"] == "digits" and told["pictures"] == len(found.source.places)

    def test_what_it_finds_is_kept_and_is_what_attacks_at_each_budget_find(self, run: Run, counted: list[int]) -> None:
        budgets = [0.1, 0.2, 0.4]
        found = curve(run, ["fgsm", "ifgsm(steps=2)"], budgets, n=60)
        together = np.zeros(60, bool)
        for place, budget in enumerate(budgets):
            for row, spec in enumerate((f"fgsm(eps={budget})", f"ifgsm(steps=2, eps={budget})")):
                alone = cnnlab.attack(run, spec, n=60)
                together |= alone.fooled
                assert found.by_attack[row, place] <= alone.robust_accuracy
            assert found.robust_accuracy[place] == pytest.approx(found.clean_accuracy - together.mean())
        counted.clear()
        again = curve(run, ["fgsm", "ifgsm(steps=2)"], budgets, n=60)
        assert not counted and again.to_dict() == found.to_dict()

    @pytest.mark.parametrize("budgets", [[-0.1], []])
    def test_budgets_below_nothing_are_refused(self, budgets: list[float], run: Run) -> None:
        with pytest.raises(UsageError, match="above 0"):
            curve(run, "pgd", budgets, n=10)


class TestChecks:
    def test_what_was_checked_is_kept_and_told_with_what_was_found(self, fresh: Run, counted: list[int]) -> None:
        spec = "pgd(eps=0.1, steps=2, step=0.001)"
        plain = cnnlab.attack(fresh, spec, n=12)
        assert plain.checks == () and plain.warnings == ()
        found = cnnlab.attack(fresh, spec, n=12, check=True)
        assert [check.name for check in found.checks] == ["more steps", "unbounded budget", "black box"]
        assert any("4 steps, twice as many" in warning for warning in found.warnings)
        assert counted == [12]
        again = cnnlab.attack(fresh, spec, n=12)
        assert again.checks == found.checks and again.warnings == found.warnings
        assert stored_attacks(fresh.folder)[0][0].warnings == found.warnings
        # What was found out of twelve pictures says nothing of others.
        assert cnnlab.attack(fresh, spec, n=20).checks == () == cnnlab.attack(fresh, spec, n=8).checks

    def test_checks_that_cannot_be_read_are_made_anew(self, fresh: Run) -> None:
        found = cnnlab.attack(fresh, "fgsm(eps=0.2)", n=6, check=True)
        (path,) = fresh.folder.glob("attacks/fgsm-*/checks.json")
        for damage in ("", "[]", path.read_text().replace("false", "7").replace("true", "7")):
            path.write_text(damage)
            assert cnnlab.attack(fresh, "fgsm(eps=0.2)", n=6).checks == ()
        assert cnnlab.attack(fresh, "fgsm(eps=0.2)", n=6, check=True).checks == found.checks


def test_doubts_of_parts_that_are_put_together_stay(fresh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def doubtful(logits: Any, pixels: torch.Tensor) -> list[str]:
        asked.append(len(pixels))
        return ["It is doubtful."]

    monkeypatch.setattr(perturbed.checks, "of_outputs", doubtful)
    cnnlab.attack(fresh, ATTACK, n=20, batch_size=7)
    found = cnnlab.attack(fresh, ATTACK, n=40, batch_size=7)
    assert found.warnings == ("It is doubtful.",) and asked == [7]
    part = found.first(5)
    assert Adversarial.together([part, dataclasses.replace(part, doubts=("Another.",))]).doubts == (
        "It is doubtful.",
        "Another.",
    )


def test_doubts_are_told_where_the_first_batch_is_of_the_wanted_class(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perturbed.checks, "of_outputs", lambda logits, pixels: ["It is doubtful."])
    first = int(cnnlab.attack(fresh, "fgsm", n=1).labels[0])
    found = cnnlab.attack(fresh, "fgsm", n=12, target=first, batch_size=1)
    assert found.warnings == ("It is doubtful.",)


def test_pictures_that_the_run_was_trained_on_are_warned_of(run: Run) -> None:
    train = cnnlab.load_data("digits").train
    seen = cnnlab.Dataset("seen", train=train, validation=None, test=train.select(torch.arange(8)))
    with pytest.warns(CnnlabWarning, match="8 of the 8 pictures scored were seen by .* in training"):
        cnnlab.attack(run, "fgsm", seen, n=8)
