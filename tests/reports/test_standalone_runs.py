"""Runs that belong to no study: how they are grouped, named and compared."""

import numpy as np
import pytest
from scipy import stats

from cnnlab.core import measurements
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.evaluation import compare_predictions
from cnnlab.reports import write_runs_report
from cnnlab.reports.contents.standalone_runs import result_of_runs
from cnnlab.runs import Predictions, Run, RunWriter


def test_runs_that_differ_in_the_seed_alone_are_repeats(make_run):
    values = {0.01: (0.80, 0.81, 0.82), 0.1: (0.89, 0.90, 0.92)}
    runs = [make_run(rate=rate, seed=s, accuracy=values[rate][s]) for rate in values for s in range(3)]
    result = result_of_runs(runs)
    assert [s.label for s in result.settings] == ["0.01", "0.1"]
    assert [[t.seed for t in s.trials] for s in result.settings] == [[0, 1, 2], [0, 1, 2]]
    assert [axis.name for axis in result.axes] == ["optimizer.lr"]
    assert result.metric.name == "test_accuracy" and result.question == "What difference does optimizer.lr make?"
    (family,) = result.families
    (comparison,) = family.comparisons
    assert (comparison.setting, comparison.reference, comparison.verdict) == ("s1", "s0", "better")
    # The differences seed by seed are 0.09, 0.09 and 0.10.
    assert comparison.difference == pytest.approx(0.28 / 3)
    assert result.settings[0].summary("test_accuracy").interval == "t over 3 repeats"


def test_labels_that_look_like_keys_of_settings_stay_as_they_are(make_run):
    # Inside, settings are called s0, s1 and s2 in this order; these are called otherwise.
    tight, wide = (0.80, 0.81, 0.80, 0.81, 0.82), (0.60, 0.95, 0.70, 0.99, 0.65)
    values = {"s1": tight, "s2": [value + 0.05 for value in tight[::-1]], "s0": wide}
    runs = [make_run(name, seed=s, accuracy=value) for name in values for s, value in enumerate(values[name])]
    (family,) = result_of_runs(runs).families
    assert "seed by seed" in family.why
    assert family.comparisons[0].sentence.startswith("s2 is better than s1 (+5.00 points, ")


def test_single_runs_are_compared_image_by_image(make_run):
    runs = [make_run("none", accuracy=0.80), make_run("flip(p=0.5)", accuracy=0.90)]
    result = result_of_runs(runs)
    (family,) = result.families
    expected = compare_predictions(runs[1].predictions("test"), runs[0].predictions("test"))
    (comparison,) = family.comparisons
    assert family.method == "Exact McNemar test" and "only repeats can tell" in family.why
    assert (comparison.difference, comparison.p, comparison.verdict) == (
        expected.difference,
        expected.p_value,
        "differ",
    )
    assert result.settings[0].summary("test_accuracy").interval.startswith("Wilson")


def test_repeats_that_share_no_seeds_are_compared_as_independent_by_a_test_of_that_name(make_run):
    runs = [make_run(rate=0.01, seed=s, accuracy=0.80 + 0.01 * s) for s in range(3)]
    runs += [make_run(rate=0.1, seed=10 + s, accuracy=0.90 + 0.01 * s) for s in range(3)]
    result = result_of_runs(runs)
    (comparison,) = result.families[0].comparisons
    assert comparison.verdict == "better" and comparison.repeats == 0
    assert comparison.test in ("two-sample t", "Welch's t") and "seed by seed" not in result.families[0].why


def test_p_values_of_several_single_runs_are_adjusted(make_run):
    runs = [make_run(rate=rate, accuracy=0.8 + rate) for rate in (0.0, 0.005, 0.1)]
    (family,) = result_of_runs(runs).families
    assert len(family.comparisons) == 3
    raw = [
        compare_predictions(runs[a].predictions("test"), runs[b].predictions("test")).p_value
        for a, b in ((1, 0), (2, 0), (2, 1))
    ]
    p_values = [comparison.p for comparison in family.comparisons]
    # Holm: the smallest times three, the next times two.
    assert min(p_values) == pytest.approx(3 * min(raw)) and all(p >= r for p, r in zip(p_values, raw, strict=True))


def test_data_of_other_content_is_not_compared(make_run):
    runs = [make_run(seed=0), make_run(rate=0.2, seed=0)]
    with RunWriter.open(runs[1].folder) as writer:
        writer.update(data={"digest": "another"})
    result = result_of_runs(runs)
    assert result.families == () and "different content" in result.notes[0]


def test_runs_on_other_data_have_no_best(make_run, tmp_path, no_pdf):
    runs = [make_run(accuracy=0.8), make_run(rate=0.2, accuracy=0.9)]
    with RunWriter.open(runs[1].folder) as writer:
        writer.update(data={"digest": "another"})
    text = write_runs_report(runs, tmp_path / "out").read_text()
    assert "do not tell which is better" in text and "has the highest" not in text
    assert "What each factor does" not in text and "class by class" not in text and "What it costs" not in text


def test_the_same_recipe_and_seed_counts_once(make_run):
    result = result_of_runs([make_run(accuracy=0.8), make_run(accuracy=0.81)])
    assert len(result.settings) == 1 and len(result.settings[0].trials) == 1
    assert "is not counted again" in result.notes[0]


def test_failed_and_unfinished_runs_are_missing_with_their_reasons(make_run, tmp_path):
    good, bad, going = make_run(seed=0), make_run(seed=1), make_run(seed=2)
    with RunWriter.open(bad.folder) as writer:
        writer.fail("the loss became nan")
    with RunWriter.open(going.folder) as writer:
        writer.update(status="unfinished", finished=None, epochs_done=3)
    result = result_of_runs([good, bad, going])
    assert [(t.status, t.reason) for t in result.settings[0].trials] == [
        ("finished", None),
        ("failed", "the loss became nan"),
        ("missing", "unfinished at epoch 3 of 5"),
    ]
    assert result.finished is None


def test_one_run_has_a_report_of_its_own(make_run, tmp_path, no_pdf):
    run = make_run()
    text = write_runs_report([run], tmp_path / "out").read_text()
    assert f"How well does {run.name} do?" in text and "nothing to compare it with" in text
    assert "cnnlab study run" not in text and "Learning curves" in text and "confident mistakes" in text


def test_a_report_may_be_named_by_its_page(make_run, tmp_path, no_pdf):
    run = make_run()
    for _ in range(2):
        page = write_runs_report([run], tmp_path / "new" / "thesis.html")
        assert page == tmp_path / "new" / "thesis.html"
        assert sorted(path.name for path in page.parent.iterdir()) == ["thesis-files", "thesis.html"]
    assert (page.parent / "thesis-files" / "tables").is_dir() and "thesis-files" in page.read_text()


def test_run_that_has_only_begun_has_its_curves(tmp_path, no_pdf):
    with RunWriter.create(
        tmp_path / "runs", digest="c" * 64, recipe={"data": "digits", "seed": 3}, name="begun"
    ) as writer:
        writer.history([{"epoch": 1, "train_loss": 2.0, "validation_loss": 1.0}])
        writer.update(epochs_done=1, epochs=9)
    text = write_runs_report([Run(writer.folder)], tmp_path / "out").read_text()
    assert "There is no answer yet." in text and "Learning curves" in text and "unfinished at epoch 1 of 9" in text


def test_no_runs_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one run"):
        write_runs_report([], tmp_path)


def test_a_single_run_judged_by_an_area_has_delongs_interval(tmp_path):
    # Of nine pairs of a yes and a no one is ranked wrongly.
    labels, outputs = np.array([0, 0, 0, 1, 1, 1]), np.array([[0.1], [0.2], [0.5], [0.4], [0.6], [0.7]])
    content = {"data": "two", "model": "mlp(hidden=[8])", "objective": "binary", "epochs": 1, "seed": 0}
    with RunWriter.create(tmp_path / "runs", digest="0" * 64, recipe=content, name="made") as writer:
        writer.predictions(
            Predictions(
                {"label": outputs},
                {"label": labels},
                list("abcdef"),
                *("binary(column=label)", {"label": ("no", "yes")}, "digest", "test"),
            )
        )
        writer.update(selected={"epoch": 1, "metric": "validation_roc_auc", "value": 0.9}, epochs_done=1, epochs=1)
        writer.finish({"test": {"roc_auc": 8 / 9, "accuracy": 5 / 6, "loss": 0.4, "n": 6}})
    (setting,) = result_of_runs([Run(writer.folder)]).settings
    summary = setting.summary("test_roc_auc")
    # Each side's shares of pairs won are 1, 1 and 2/3, with the variance 1/27: DeLong's is twice a third of it.
    half = stats.t.ppf(0.975, 4) * np.sqrt(2 / 81) / (8 / 81)
    expected = stats.logistic.cdf([np.log(8) - half, np.log(8) + half])
    assert (summary.low, summary.high) == pytest.approx(tuple(expected))
    assert summary.interval == "DeLong, 6 pictures"
    assert setting.summary("test_accuracy").interval == "Wilson, 6 pictures"


def measure_as_usual(monkeypatch, name, of, **facts):
    """Registers a measure that every result has."""
    monkeypatch.setattr(measurements, "_measurements", [*measurements.measurements()])

    @measurements.measurement
    class Some(measurements.Measurement):
        pattern = name

        def read(self, name, runs):
            return measurements.Measure(measurements.Metric(name, name, "share", "higher"), of, **facts)

        def usual(self, runs):
            return [name]


def test_a_measure_of_all_runs_of_a_setting_is_taken_of_them_together(make_run, monkeypatch):
    measure_as_usual(
        monkeypatch, "worst accuracy", lambda some: min(run.test.accuracy for run in some), is_of_setting=True
    )
    values = {0.01: (0.80, 0.82, 0.81), 0.1: (0.92, 0.89, 0.90)}
    result = result_of_runs(
        [make_run(rate=rate, seed=s, accuracy=values[rate][s]) for rate in values for s in range(3)]
    )
    assert [setting.summary("worst accuracy").values for setting in result.settings] == [(0.80,), (0.89,)]
    assert not any("worst accuracy" in trial.metrics for setting in result.settings for trial in setting.trials)


def test_a_measure_whose_files_were_deleted_leaves_the_others(make_run, monkeypatch):
    def gone(run):
        raise ModelFileError("there is no file of predictions.")

    measure_as_usual(monkeypatch, "accuracy upside down", gone)
    (setting,) = result_of_runs([make_run(accuracy=0.8)]).settings
    assert setting.summary("test_accuracy").values == (0.8,) and setting.summary("accuracy upside down") is None
