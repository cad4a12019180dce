"""The best member of an ensemble by validation, and what is said of spreads, on numbers made up by hand."""

import pytest

from cnnlab.core.measurements import Metric
from cnnlab.studies.result import Setting, SettingComparison, Trial
from cnnlab.studies.statistics.ensemble_summaries import best_member, ensemble_summary
from cnnlab.studies.statistics.tables import Tables

TEST = Metric("test_accuracy", "test accuracy", "share", "higher")
CHOICE = Metric("validation_accuracy", "validation accuracy", "share", "higher")
LOSS = Metric("validation_loss", "validation loss", "loss", "lower")


def setting(key, test, validation=None, losses=None):
    trials = []
    for seed, value in enumerate(test):
        if value is None:
            trials.append(Trial(seed, "failed", reason="it diverged", failure="nan"))
            continue
        metrics = {"test_accuracy": value}
        metrics |= {"validation_accuracy": validation[seed]} if validation else {}
        metrics |= {"validation_loss": losses[seed]} if losses else {}
        trials.append(Trial(seed, "finished", f"{key}-{seed}", metrics=metrics))
    return Setting(key, key, {}, {}, tuple(trials))


def summary_of(ensemble, members, compare=lambda *_: None):
    def tables_of(settings):
        return Tables.of(settings, range(len(ensemble.trials)), [TEST])

    return ensemble_summary(ensemble, members, TEST, CHOICE, tables_of, compare)


def test_the_best_is_chosen_by_validation_not_by_test_and_the_first_of_equals():
    first = setting("a", [0.5, 0.9, 0.6], [0.7, 0.6, 0.8])
    second = setting("b", [0.8, 0.4, 0.7], [0.6, 0.7, 0.8])
    best, chosen = best_member(setting("e", [0.9, 0.9, 0.9]), [first, second], CHOICE)
    assert chosen == ("a", "b", "a")
    assert [trial.metrics["test_accuracy"] for trial in best.trials] == [0.5, 0.4, 0.6]


def test_a_lower_loss_is_the_better_one():
    first = setting("a", [0.5], losses=[0.4])
    second = setting("b", [0.6], losses=[0.3])
    assert best_member(setting("e", [0.9]), [first, second], LOSS)[1] == ("b",)


def test_a_repeat_that_lacks_a_member_has_no_best_one():
    made = setting("e", [0.9, 0.9])
    broken = Setting("e", "e", {}, {}, (made.trials[0], Trial(1, "failed", reason="it lacks b", failure="member")))
    best, chosen = best_member(broken, [setting("a", [0.5, 0.6], [0.5, 0.6]), setting("b", [0.4, None], [0.4])], CHOICE)
    assert chosen == ("a",)
    assert [(trial.status, trial.reason) for trial in best.trials] == [("finished", None), ("failed", "it lacks b")]
    nobody = best_member(setting("e", [None]), [setting("a", [None])], CHOICE)
    assert nobody == (None, ())


def test_repeats_in_which_it_is_above_its_best_member_are_counted():
    members = [setting("a", [0.7, 0.8, 0.6], [0.7, 0.8, 0.6]), setting("b", [0.5, 0.5, 0.7], [0.5, 0.5, 0.7])]
    asked = []

    def compare(ensemble, best):
        asked.append((ensemble.key, best.key))
        return SettingComparison("test_accuracy", "e", "e-best", 0.0, None, None, None, "undecided", "said")

    found = summary_of(setting("e", [0.75, 0.8, 0.9]), members, compare)
    assert asked == [("e", "e-best")]
    # The second repeat is a draw.
    assert (found.above, found.repeats, found.chosen) == (2, 3, ("a", "a", "b"))
    assert found.best.summary("test_accuracy").mean == pytest.approx((0.7 + 0.8 + 0.7) / 3)


def test_the_ratio_is_of_the_repeats_that_both_have():
    found = summary_of(setting("e", [1, 2, 3, None, 4]), [setting("a", [2, 4, None, 1, 8], [1] * 5)])
    (spread, *_) = found.spreads
    assert (spread.repeats, spread.ratio) == (3, pytest.approx(0.5))


def test_what_has_no_spread_says_why():
    found = summary_of(setting("e", [0.1, 0.2, 0.4]), [setting("a", [0.5, 0.5, 0.5], [1, 1, 1])])
    assert found.spreads[0].ratio is None and "same in every repeat" in found.spreads[0].why
    few = summary_of(setting("e", [0.1, 0.2]), [setting("a", [0.5, 0.6], [1, 1])])
    assert few.words == "A spread against another takes 3 repeats or more."


@pytest.mark.parametrize(("repeats", "said"), [(5, "up to 3.1 in 95%"), (3, "up to 6.2 in 95%"), (20, "")])
def test_few_repeats_are_said_to_say_little(repeats, said):
    values = [0.5 + 0.01 * (seed % 3) for seed in range(repeats)]
    found = summary_of(setting("e", values[::-1]), [setting("a", values, values)])
    assert ("say little about a spread" in found.words) == bool(said)
    assert said in found.words
