"""What a report says is no surer than what was tested, and nothing is left out in silence."""

from dataclasses import replace

import pytest

from cnnlab.reports.contents.answer import answer
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.search import search_table
from cnnlab.reports.contents.settings import comparisons_table, settings_table
from cnnlab.reports.contents.trade_off import trade_off
from cnnlab.reports.sections.cost import cost
from cnnlab.studies.result import MCNEMAR, Trial
from cnnlab.studies.search_record import Search, SearchStep


def single(study, verdict, kind="pairs"):
    """The study as if it had one training of each setting."""
    result, runs = study
    settings = tuple(replace(s, trials=s.trials[:1]) for s in result.settings)
    family = result.families[0]
    own = tuple(
        replace(one, setting="s2", reference=key, verdict=verdict, test=MCNEMAR, needed=())
        for one, key in zip(family.comparisons, ("s0", "s1", "s3"), strict=True)
    )
    family = replace(family, kind=kind, method="Exact McNemar test", comparisons=own)
    return ReportSubject(replace(result, settings=settings, families=(family,)), runs)


@pytest.mark.parametrize("verdict", ["differ", "undecided", "identical"])
def test_one_training_each_says_nothing_of_the_recipes(study, verdict):
    subject = single(study, verdict)
    _, second = answer(subject)
    assert second.endswith("one training each says nothing of the recipes.") and "better" not in second
    assert f"differs from {'all 3' if verdict == 'differ' else '0 of the 3'} others" in second
    two = replace(subject.result.families[0], comparisons=subject.result.families[0].comparisons[:1])
    _, second = answer(replace(subject, result=replace(subject.result, families=(two,))))
    assert second.endswith("one training each says nothing of the recipes.") and "better" not in second
    if verdict == "differ":
        assert second.startswith("These two classifiers differ on these pictures (+2.00 points, 95% interval 0.00 to")
        assert "McNemar\u00a0p\u00a0=\u00a00.20" in second


def test_single_trainings_differ_in_the_table_and_are_never_better(study):
    subject = single(study, "differ", kind="baseline")
    table = comparisons_table(subject, subject.result.families[0])
    assert set(column(table, "verdict")) == {"differ on these pictures"}


def column(table, key):
    place = [known.key for known in table.columns].index(key)
    return [row[place] for row in table.rows]


@pytest.mark.parametrize(("ends", "where"), [((-0.01, 0.05), ", perhaps only on these pictures"), ((0.001, 0.05), "")])
def test_a_difference_that_new_pictures_may_not_show_is_one_on_these_pictures(study, ends, where):
    result, runs = study
    family = result.families[0]
    new_low, new_high = ends
    called = tuple(
        replace(one, setting="s2", reference="s0", verdict="better", low=0.004, high=0.04, p=0.01, why="", needed=())
        for one in family.comparisons[:1]
    )
    called = tuple(replace(one, new_low=new_low, new_high=new_high) for one in called)
    result = replace(result, baseline="s0", families=(replace(family, kind="baseline", comparisons=called),))
    subject = ReportSubject(result, runs)
    _, second = answer(subject)
    assert f", by more than chance{where} (+2.00 points, 95% interval +0.40 to +4.00 on these pictures and " in second
    assert " to +5.00 on new ones like these, " in second
    table = comparisons_table(subject, result.families[0])
    assert column(table, "verdict") == ["better on these pictures" if where else "better"]
    assert column(table, "interval new") == [ends]
    assert "these recipes on new pictures like these" in table.note


def test_what_is_lacking_stands_beside_what_it_is_for(study):
    subject = ReportSubject(*study)
    table = comparisons_table(subject, subject.result.families[0])
    assert column(table, "needed seen") == [4, None, 4] and column(table, "needed smallest") == [9, None, 9]
    headings = {known.key: known.label for known in table.columns}
    assert headings["needed smallest"] == "more repeats to see 1.00 points"


def test_a_setting_of_which_trainings_diverged_is_not_the_best(study):
    result, runs = study
    best = result.settings[2]
    lost = replace(best.trials[0], status="failed", metrics={}, failure="nan", reason="the loss became nan")
    settings = tuple(replace(s, trials=(lost, *s.trials[1:])) if s is best else s for s in result.settings)
    subject = ReportSubject(replace(result, settings=settings), runs)
    assert subject.best.key == subject.result.best.key == "s1" and subject.ranked[-1].key == "s2"
    first, _ = answer(subject)
    assert "optimizer.lr=0.1 has the highest" in first and first.endswith("; of 9 trainings of the others 1 failed.")
    assert column(settings_table(subject), "left out") == [None, None, "seed 0 diverged", None]


def test_the_first_sentence_says_what_its_mean_leaves_out(study):
    result, runs = study
    best = result.settings[2]
    lost = replace(best.trials[0], status="failed", metrics={}, failure="crash", reason="it died")
    settings = tuple(replace(s, trials=(lost, *s.trials[1:])) if s is best else s for s in result.settings)
    first, _ = answer(ReportSubject(replace(result, settings=settings), runs))
    assert "1 of its 3 trainings left out)" in first


def test_times_that_cannot_be_compared_have_no_front_and_it_says_so(study):
    result, runs = study
    subject = ReportSubject(replace(result, untimed="training times are compared only where …"), runs)
    points = trade_off(subject)
    assert not any(point.is_front for point in points)
    (section,) = cost(subject)
    (figure,) = section.figures
    assert "Training times are compared only where …" in figure.caption and "Pareto" not in figure.caption
    assert "quicker than" not in figure.alt and "front" not in [known.key for known in figure.table.columns]
    (section,) = cost(ReportSubject(result, runs))
    assert "Each run was timed alone on one machine." in section.figures[0].caption


def test_search_table_holds_what_was_stopped_and_what_failed(study):
    result, runs = study
    failed = replace(
        result.settings[2],
        trials=(Trial(0, "failed", reason="memory ran out", failure="memory"),),
        summaries=(),
    )
    steps = (
        SearchStep(0, "s0", 0.80, "complete"),
        SearchStep(1, "s1", 0.99, "pruned", 2),
        SearchStep(2, "s2", None, "failed"),
    )
    settings = (*result.settings[:2], failed, result.settings[3])
    subject = ReportSubject(replace(result, settings=settings, search=Search("validation_accuracy", steps)), runs)
    table = search_table(subject)
    assert column(table, "state") == ["complete", "pruned", "failed"] and column(table, "epochs") == [None, 2, None]
    assert column(table, "reason") == [None, None, "memory ran out"]
    assert column(settings_table(subject), "left out")[2] == "seed 0 ran out of memory"
