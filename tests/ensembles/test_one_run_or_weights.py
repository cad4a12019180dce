"""Methods over one run, and over weights."""

import copy
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab import training
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import quietly
from cnnlab.data import ImageSet
from cnnlab.ensembles import read_record
from cnnlab.ensembles.methods import Surroundings
from cnnlab.ensembles.methods.snapshots import cycle_ends
from cnnlab.ensembles.weight_averaging import averaged_classifier, has_batch_norm, renew_batch_norm
from cnnlab.evaluation import own_data
from cnnlab.models import load_classifier
from cnnlab.runs import Run, RunStore

SHARED: dict[str, Any] = {
    "data": "digits",
    "model": "conv(8)|bn|relu|pool|flatten|head",
    "batch_size": 64,
    "threads": 1,
    "precision": "float32",
}


@pytest.fixture(scope="session")
def cyclic(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of three cosines whose ends were kept, and the epoch before the last as well."""
    keys = {"epochs": 6, "schedule": "cosine-restarts(period=2)", "snapshots": [2, 4, 5, 6]}
    with quietly():
        return training.train(runs=tmp_path_factory.mktemp("cyclic") / "runs", name="cyclic", **SHARED, **keys)


@pytest.fixture(scope="session")
def tuned(cyclic: Run) -> list[Run]:
    """Fine-tuned from its end, each in its own way; the last one spoilt."""
    rates = (0.001, 0.003, 3.0)
    with quietly():
        return [
            training.extend(
                cyclic, "+1", name=f"tuned-{rate}", optimizer=f"sgd(lr={rate})", schedule="constant", snapshots=()
            )
            for rate in rates
        ]


def likelihoods(run: Run) -> np.ndarray:
    """As stored for test."""
    return np.exp(run.predictions().outputs["label"].astype(np.float64))


def test_snapshots_are_the_mean_over_the_ends_of_the_cosines(cyclic: Run) -> None:
    run = cnnlab.ensemble(cyclic, "snapshots")
    assert [member.epoch for member in read_record(run).members] == [2, 4, 6]
    test = own_data(cyclic).test
    assert test is not None
    pixels, _ = test.batch(torch.arange(len(test)))
    with torch.no_grad():
        each = [cyclic.classifier(epoch=epoch)(pixels).softmax(1).numpy() for epoch in (2, 4, 6)]
    np.testing.assert_allclose(likelihoods(run), np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(np.exp(cnnlab.evaluate(run).predictions.outputs["label"]), likelihoods(run), atol=1e-6)


def test_epochs_may_be_named(cyclic: Run) -> None:
    run = cnnlab.ensemble(cyclic, "snapshots(epochs=[6, 5])")
    assert [member.epoch for member in read_record(run).members] == [5, 6]
    with pytest.raises(
        UsageError, match=r"after epoch 3, and those after .*2, 4, 5, 6 are stored.* 'snapshots=\[3, 6\]'"
    ):
        cnnlab.ensemble(cyclic, "snapshots(epochs=[3, 6])")


@pytest.mark.parametrize(
    ("schedule", "epochs", "ends"),
    [
        ("cosine-restarts(period=2.0, growth=1.0, final=0.0, warmup=0.0)", 7, [2, 4, 6]),
        ("cosine-restarts(period=2.0, growth=2.0)", 14, [2, 6, 14]),
        ("cosine-restarts(period=3, warmup=1)", 7, [4, 7]),
        ("one-cycle", 7, []),
    ],
)
def test_the_ends_of_cosines(schedule: str, epochs: int, ends: list[int]) -> None:
    assert cycle_ends({"schedule": schedule}, epochs) == ends


def test_an_average_is_that_of_the_weights(cyclic: Run) -> None:
    run = cnnlab.ensemble(cyclic, "average(epochs=[4, 6], batch_norm=averaged)")
    states = [cyclic.classifier(epoch=epoch).network.state_dict() for epoch in (4, 6)]
    for name, value in run.classifier().network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)
    assert cnnlab.evaluate(run).scores["accuracy"] == run.test.accuracy
    # It holds all that it needs.
    assert run.needs == () and load_classifier(run.folder / "model.safetensors").outputs == 10


def test_statistics_of_batch_normalisation_are_those_of_torchs_own_function(cyclic: Run) -> None:
    from torch.optim.swa_utils import update_bn

    train = own_data(cyclic).train
    ours = averaged_classifier([(str(epoch), cyclic.classifier(epoch=epoch)) for epoch in (4, 6)])
    theirs = copy.deepcopy(ours)
    before = copy.deepcopy(ours.state_dict())
    renew_batch_norm(ours, train)
    update_bn([train.batch(part)[0] for part in torch.arange(len(train)).split(256)], theirs)
    assert has_batch_norm(ours) and not ours.training
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[name])
        is_statistic = "running" in name
        assert is_statistic != torch.equal(value, before[name]) or "num_batches" in name


def test_statistics_anew_or_averaged_are_two_ensembles_and_told(cyclic: Run) -> None:
    anew, averaged = (cnnlab.ensemble(cyclic, f"average(batch_norm={how})") for how in ("anew", "averaged"))
    assert anew.digest != averaged.digest
    assert "taken anew over all training pictures" in anew.info["warnings"][0]
    assert "averaged like weights" in averaged.info["warnings"][0]


def test_a_soup_leaves_out_what_makes_it_worse(tuned: list[Run]) -> None:
    run = cnnlab.ensemble(tuned, "soup")
    members = [member.name for member in read_record(run).members]
    assert tuned[2].name not in members and members
    assert re.match(rf"left out, for the mean was worse with them: .*{tuned[2].name}", run.info["warnings"][0])
    assert run.validation.accuracy >= max(each.validation.accuracy for each in tuned)
    assert run.info["ensemble"]["members"] == [each.name for each in tuned]


def test_runs_of_one_origin_are_averaged(tuned: list[Run]) -> None:
    run = cnnlab.ensemble(tuned[:2], "average(batch_norm=averaged)")
    states = [each.classifier().network.state_dict() for each in tuned[:2]]
    torch.testing.assert_close(
        run.classifier().network.state_dict()["head.weight"],
        (states[0]["head.weight"] + states[1]["head.weight"]) / 2,
    )


def test_runs_of_two_origins_are_not(cyclic: Run, tuned: list[Run]) -> None:
    other = training.extend(tuned[0], "+1", optimizer="sgd(lr=0.001)", schedule="constant", snapshots=())
    with pytest.raises(UsageError, match="did not start from the same weights"):
        cnnlab.ensemble([tuned[0], other], "soup")


@pytest.mark.parametrize("method", ["soup", "average"])
def test_weights_are_not_judged_on_validation_pictures_that_are_not_those_of_all(
    method: str, cyclic: Run, tuned: list[Run]
) -> None:
    other = training.extend(
        cyclic, "+1", optimizer="sgd(lr=0.001)", schedule="constant", snapshots=(), validation=100, normalize="none"
    )
    with pytest.raises(UsageError, match=r"on validation .*\d+ sample ids are shared .* divided alike: cnnlab train"):
        cnnlab.ensemble([tuned[0], other], method)


def test_views_begin_with_the_picture_as_it_is(cyclic: Run) -> None:
    run = cnnlab.ensemble(cyclic, 'tta("shift(0.2)", views=3)')
    analysis = read_record(run).analysis
    assert analysis is not None and analysis.members[0].scores["test"] == cyclic.test.accuracy
    assert analysis.against is not None and analysis.against.why == "the picture as it is"


def test_views_that_mirror_are_the_mean_of_both_sides(cyclic: Run) -> None:
    run = cnnlab.ensemble(cyclic, "tta(flip(p=1), views=2)")
    test = own_data(cyclic).test
    assert test is not None
    pixels, _ = test.batch(torch.arange(len(test)))
    model = cyclic.classifier()
    with torch.no_grad():
        mean = (model(pixels).softmax(1) + model(pixels.flip(3)).softmax(1)) / 2
    np.testing.assert_allclose(likelihoods(run), mean.numpy(), atol=1e-6)


def test_a_method_over_weights_needs_its_data(cyclic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "recipe", property(lambda self: {"data": "arrays"}))
    with pytest.raises(UsageError, match="arrays given in Python"):
        cnnlab.ensemble(cyclic, "average(epochs=[2, 4])")


def _relabelled(images: ImageSet, labels: torch.Tensor) -> ImageSet:
    """The same pictures under other labels."""
    changed = copy.copy(images)
    changed.targets = {"label": labels}
    return changed


def _shuffled(images: ImageSet, seed: int) -> ImageSet:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return _relabelled(images, images.targets["label"][order])


def _store_targets(run: Run, split: str, images: ImageSet) -> None:
    """Puts the labels of these pictures under what a run has stored."""
    said = replace(run.predictions(split), targets={"label": images.targets["label"].numpy()})
    said.save(run.folder / "predictions" / f"{split}.safetensors")


@pytest.fixture
def relabel(
    cyclic: Run, tuned: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], list[Run]]:
    """Copies of the runs, the cyclic one first, for which the labels of a split are shuffled in all that is read."""
    dataset = own_data(cyclic)

    def copies(split: str, seed: int) -> list[Run]:
        changed = replace(dataset, **{split: _shuffled(dict(dataset.parts())[split], seed)})
        root = tmp_path / f"{split}-{seed}"
        runs = [Run(shutil.copytree(run.folder, root / run.name)) for run in (cyclic, *tuned)]
        for run in runs:
            _store_targets(run, split, dict(changed.parts())[split])
        monkeypatch.setattr(Surroundings, "data", lambda *_: changed)
        return runs

    return copies


OVER_ONE_RUN = [
    "average(epochs=[4, 6])",
    "snapshots",
    "snapshots(temperature=true)",
    'tta("shift(0.1)|rotate(5)", views=3)',
]


def _made(method: str, runs: list[Run]) -> Run:
    return cnnlab.ensemble(runs[1:] if method == "soup" else runs[0], method)


@pytest.mark.parametrize("method", [*OVER_ONE_RUN, "soup"])
def test_nothing_reads_the_labels_of_test(
    method: str, cyclic: Run, tuned: list[Run], relabel: Callable[[str, int], list[Run]]
) -> None:
    one, other = _made(method, [cyclic, *tuned]), _made(method, relabel("test", 0))
    assert [(each.name, each.epoch) for each in read_record(one).members] == [
        (each.name, each.epoch) for each in read_record(other).members
    ]
    assert read_record(one).combination == read_record(other).combination
    for split in ("validation", "test"):
        assert one.predictions(split).outputs["label"].tobytes() == other.predictions(split).outputs["label"].tobytes()
    # The labels were others all the same.
    assert other.test.accuracy < 0.3 < one.test.accuracy


@pytest.mark.parametrize("method", OVER_ONE_RUN)
def test_random_validation_labels_change_nothing_of_what_is_told_of_test(
    method: str, cyclic: Run, tuned: list[Run], relabel: Callable[[str, int], list[Run]]
) -> None:
    one, other = _made(method, [cyclic, *tuned]), _made(method, relabel("validation", 0))
    assert other.validation.accuracy < 0.3
    if "temperature" in method:
        # They make what is said less sure, and bring no gain beyond what 359 pictures tell.
        assert other.test.accuracy - one.test.accuracy <= 0.02 and other.test.loss > one.test.loss
    else:
        assert one.predictions().outputs["label"].tobytes() == other.predictions().outputs["label"].tobytes()


def test_a_soup_chosen_by_random_validation_labels_gains_nothing_on_test(
    cyclic: Run, relabel: Callable[[str, int], list[Run]], tmp_path: Path
) -> None:
    # Runs that are alike: the mean of them all is what they deserve, and no choice among them is better than by chance.
    with quietly():
        for seed in range(4):
            training.extend(
                cyclic, "+1", name="alike", seed=seed, optimizer="sgd(lr=0.02)", schedule="constant", snapshots=()
            )
    alike = RunStore(cyclic.folder.parent).named("alike")
    assert len(alike) == 4
    plain = cnnlab.ensemble(alike, "average(batch_norm=averaged)").test.accuracy
    gains, chosen = [], set()
    for seed in range(4):
        images = relabel("validation", seed)
        root = images[0].folder.parent
        runs = [Run(shutil.copytree(run.folder, root / run.name)) for run in alike]
        for run in runs:
            _store_targets(run, "validation", _shuffled(own_data(cyclic).validation, seed))  # type: ignore[arg-type]
        soup = cnnlab.ensemble(runs, "soup(batch_norm=averaged)")
        gains.append(soup.test.accuracy - plain)
        chosen.add(tuple(each.name for each in read_record(soup).members))
    # What is taken goes by the random labels, so it was a choice.
    assert len(chosen) > 1
    assert np.mean(gains) <= 0.005
