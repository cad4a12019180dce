"""Robust accuracy as a metric of studies and claims."""

from pathlib import Path
from typing import Any

import pytest

from cnnlab import attack
from cnnlab.attacks.projected import Projected
from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import MeasuredRuns, read_measure
from cnnlab.core.metric_names import better
from cnnlab.studies import Study, ThreadExecutor
from cnnlab.studies.claim_grammar import BoundClaim, ComparisonClaim, read_claim

SCORED = ("loss", "accuracy")
SPLITS = {"train": SCORED, "validation": SCORED, "test": SCORED}
RUNS = MeasuredRuns(SPLITS, SPLITS, "accuracy", better, ("cat", "ankle boot"))
UNDER = "robust accuracy under 'pgd(eps=0.1, steps=5)'"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (UNDER, UNDER),
        ('robust accuracy under "pgd(eps=.1,steps=5, norm=linf)"', UNDER),
        ("robust accuracy under pgd(eps=0.1, steps=5) on test", UNDER),
        (f"{UNDER} on validation", f"{UNDER} on validation"),
        (f"{UNDER} on 200 test pictures", f"{UNDER} on 200 test pictures"),
        ("robust accuracy under fgsm", "robust accuracy under 'fgsm'"),
        (
            "robust accuracy under \"pgd(target='ankle boot')\"",
            "robust accuracy under 'pgd(target=\"ankle boot\")'",
        ),
    ],
)
def test_it_goes_by_a_name_that_says_what_differs_from_the_usual(said: str, name: str) -> None:
    metric = read_measure(said, RUNS).metric
    assert metric.name == name and metric.unit == "share" and metric.better == "higher"
    assert read_measure(name, RUNS).metric == metric


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("robust accuracy under 'pdg(eps=0.1)'", "no attack called 'pdg'.*pgd"),
        ("robust accuracy under 'pgd(eps=-0.1)'", "eps of attack pgd takes"),
        ("robust accuracy under 'pgd(eps=0.1'", "robust accuracy under"),
        ("robust accuracy under 'pgd(target=dog)'", "no class 'dog'"),
        (f"{UNDER} on 0 test pictures", "of no pictures"),
    ],
)
def test_what_cannot_be_measured_is_told_of_when_the_name_is_read(said: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_measure(said, RUNS)


def test_numbers_and_splits_that_there_are_not_are_refused() -> None:
    with pytest.raises(UsageError, match="no single column of classes"):
        read_measure(UNDER, MeasuredRuns(SPLITS, SPLITS, "loss", better))
    with pytest.raises(UsageError, match="no test split"):
        read_measure(UNDER, MeasuredRuns({"train": SCORED}, {}, "accuracy", better, ("cat", "dog")))


def test_claims_name_it_with_all_its_commas() -> None:
    compared = read_claim(
        f"adversary='pgd(eps=0.1, steps=7)' is better than the baseline on {UNDER} by at least 10 points"
    )
    assert isinstance(compared, ComparisonClaim) and compared.metric == UNDER and compared.margin is not None
    assert compared.left.values == {"adversary": "pgd(eps=0.1, steps=7)"} and compared.margin.number == 10
    bounded = read_claim(f"{UNDER} on validation of adversary=none is below 5%")
    assert isinstance(bounded, BoundClaim) and bounded.metric == f"{UNDER} on validation"


def study(tmp_path: Path, **keys: Any) -> Any:
    base = {"data": "digits", "subset": 200, "model": "conv(4)|relu|pool|flatten", "optimizer": "sgd(lr=0.2)"}
    base |= {"batch_size": 50, "epochs": 3, "precision": "float32", "threads": 1}
    content = {"question": "Which withstands more?", "name": "robust", "base": base, "repeats": 2}
    content |= {"vary": {"adversary": ["none", "pgd(eps=0.3, steps=3)"]}, "baseline": {"adversary": "none"}}
    return Study({**content, **keys}, runs=tmp_path / "runs")


def test_a_study_compares_defences_by_it_and_attacks_each_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "robust accuracy under 'pgd(eps=0.1, steps=5)' on 50 test pictures"
    claim = f"adversary='pgd(eps=0.3, steps=3)' is better than adversary=none on {name}"
    made = study(tmp_path, metrics=["test_accuracy", name], claims=[claim])
    result = made.run(executor=ThreadExecutor(runs=made.store.root, sets=made.trials.sets), workers=1)
    found = {run: attack(found, "pgd(eps=0.1, steps=5)", n=50).robust_accuracy for run, found in made.runs().items()}
    assert {t.run: t.metrics[name] for setting in result.settings for t in setting.trials} == found
    assert len(set(found.values())) > 1
    (judged,) = result.claims
    assert judged.verdict != "contradicted" and judged.text == claim
    monkeypatch.setattr(Projected, "climb", lambda *given: pytest.fail("attacked again"))
    again = study(tmp_path, metrics=["test_accuracy", name], claims=[claim]).result()
    assert {t.run: t.metrics[name] for setting in again.settings for t in setting.trials} == found


def test_a_wrong_attack_stops_a_study_before_it_trains(tmp_path: Path) -> None:
    made = study(tmp_path, claims=["adversary=none is the best on robust accuracy under 'pgd(epsilonn=0.1)'"])
    with pytest.raises(UsageError, match="no argument 'epsilonn'"):
        made.plan()
    assert not list((tmp_path / "runs").glob("*/run.json"))
