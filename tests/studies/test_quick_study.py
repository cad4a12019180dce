"""A quick trial of a study: all its trainings in seconds, and nothing that passes for an answer."""

import pytest
from small_studies import run_here, study_of

from cnnlab.core.errors import UsageError
from cnnlab.runs import RunStore
from cnnlab.studies import Study
from cnnlab.studies.study_file import read_study

WHOLE = study_of(
    repeats=2,
    claims=["optimizer.lr=0.5 is better than optimizer.lr=0.01"],
    published={"source": "somewhere", "metric": "test_accuracy", "rows": [{"optimizer.lr": 0.5, "value": 0.9}]},
)


@pytest.fixture(params=["quick first", "whole first"])
def both(request, tmp_path):
    """The results of a study and of its quick trial, in either order."""
    loaded = {quick: Study.load(WHOLE, runs=tmp_path, quick=quick) for quick in (True, False)}
    order = [True, False] if request.param == "quick first" else [False, True]
    results = {quick: run_here(loaded[quick]) for quick in order}
    return results[True], results[False]


def test_it_decides_nothing_and_is_no_part_of_the_study(both) -> None:
    quick, whole = both
    assert (quick.name, whole.name) == ("small-quick", "small")
    assert quick.is_quick and not whole.is_quick
    assert quick.to_dict()["is_quick"] is True
    assert not quick.missing and not whole.missing
    assert quick.families == () and quick.published == () and quick.multiplicity == ""
    assert [(claim.verdict, claim.why) for claim in quick.claims] == [("undecided", "A quick trial decides nothing.")]
    assert whole.families and whole.published and whole.claims[0].why != quick.claims[0].why
    runs = [{trial.run for setting in result.settings for trial in setting.trials} for result in both]
    assert len(runs[0]) == len(runs[1]) == 4 and not runs[0] & runs[1]
    stored = {summary.name: summary for summary in RunStore(quick.runs).list()}
    assert {name for name, summary in stored.items() if summary.is_quick} == runs[0]
    assert {stored[name].study for name in runs[0]} == {"small-quick"}


def test_repeats_are_not_added_until_something_is_decided() -> None:
    content = study_of(claims=WHOLE["claims"], repeats="until(claims, most=9, first=4)")
    assert read_study(content, {"quick": True}).repeats == (0, 1, 2, 3)
    assert read_study(content, {"quick": True}).adds_repeats is None
    assert read_study(content).adds_repeats is not None


def test_it_keeps_its_name_when_it_is_read_again(tmp_path) -> None:
    study = Study.load(WHOLE, runs=tmp_path, quick=True)
    run_here(study)
    again = Study.load("small-quick", runs=tmp_path)
    assert again.name == "small-quick" and again.file.is_quick and again.plan().count("finished") == 4


def test_what_cannot_be_meant_is_refused_as_of_the_study_itself(tmp_path) -> None:
    mistaken = study_of(claims=["optimizer.lr=7 is better than optimizer.lr=0.01"])
    with pytest.raises(UsageError, match=r"the axis optimizer\.lr has no value 7"):
        Study.load(mistaken, runs=tmp_path, quick=True).check()
