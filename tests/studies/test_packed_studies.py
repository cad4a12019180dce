"""A study that was run elsewhere, taken in with its runs: nothing is left to train, and the table is the same."""

from pathlib import Path

import pytest
from small_studies import numbers, run_here, study_of

from cnnlab.studies import Study, StudyResult

TINY = {"repeats": 2, "ensemble": {"committee": {"trainings": 2}}}


def means(result: StudyResult) -> dict[str, tuple[object, ...]]:
    """What the table of a study says of each setting."""
    summaries = {setting.label: setting.summary(result.metric.name) for setting in result.settings}
    found = {label: (s.mean, s.std, s.low, s.high) for label, s in summaries.items() if s is not None}
    assert len(found) == len(result.settings) == 3
    return {setting.label: (*found[setting.label], setting.parameters) for setting in result.settings}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, StudyResult]:
    study = Study(study_of(**TINY), runs=tmp_path_factory.mktemp("first") / "runs")
    return study, run_here(study)


@pytest.mark.slow(4)
@pytest.mark.parametrize("predictions", [True, False])
def test_a_study_that_was_taken_in_has_nothing_to_train_and_the_same_table(
    trained: tuple[Study, StudyResult], predictions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, first = trained
    packed = study.store.export(tmp_path / "small.tar.xz", studies=["small"], predictions=predictions)
    # In each of two repeats two trainings of two settings, and the ensemble of the four.
    assert len(packed.runs) == 10 and not packed.left_out
    there = Study(study_of(**TINY), runs=tmp_path / "runs")
    assert there.plan().epochs_left == 8
    there.store.import_pack(packed.path)
    monkeypatch.setattr("cnnlab.training.api._start", None)
    there = Study(study_of(**TINY), runs=tmp_path / "runs")
    assert there.plan().epochs_left == 0
    again = run_here(there)
    assert not again.missing and numbers(again) == numbers(first) and means(again) == means(first)
    assert [claim.verdict for claim in again.claims] == [claim.verdict for claim in first.claims]
