"""What a report says, before anything is drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cnnlab.evaluation import class_predictions
from cnnlab.reports.colours import BACKGROUND
from cnnlab.reports.contents.answer import answer
from cnnlab.reports.contents.classes import class_details
from cnnlab.reports.contents.curves import curves_table, followed, setting_curves
from cnnlab.reports.contents.factors import effects, heat_maps
from cnnlab.reports.contents.mistakes import gallery
from cnnlab.reports.contents.provenance import provenance
from cnnlab.reports.contents.report_subject import MOST_SHOWN, ReportSubject
from cnnlab.reports.contents.search import search_steps, search_table
from cnnlab.reports.contents.settings import missing_table, settings_table
from cnnlab.reports.contents.short_specs import telling
from cnnlab.reports.contents.tables import listed, text_of
from cnnlab.reports.contents.trade_off import pareto, trade_off
from cnnlab.reports.figures.trade_off import PanelBox, room_for
from cnnlab.reports.sections import sections_of
from cnnlab.studies.result import Axis, AxisValue, Claim, RepeatsNeeded
from cnnlab.studies.search_record import Search, SearchStep
from cnnlab.training.short_recipe import short_spec


def test_answer_names_the_best_with_its_interval_and_its_test(study):
    first, second = answer(ReportSubject(*study))
    # 0.94, 0.95, 0.96: SD 0.01, and Student's t for two degrees of freedom is 4.3027; 4.3027 * 0.01 / sqrt(3) = 0.0248.
    assert first == (
        "Of 4 settings, augment=flip, optimizer.lr=0.01 has the highest test accuracy: 95.00% (mean of 3 repeats, 95% "
        "interval 92.52 to 97.48%, not corrected for its being the highest of 4)."
    )
    assert second == (
        "It is better than the baseline, augment=none, optimizer.lr=0.01, by more than chance (+5.00 points, 95% "
        "interval +3.00 to +7.00, p\u00a0<\u00a00.001)."
    )


def test_answer_is_no_surer_than_its_test(study):
    result, runs = study
    family = result.families[0]
    needed = (RepeatsNeeded(0.05, "seen", 12), RepeatsNeeded(0.01, "smallest", 40))
    unsure = replace(family.comparisons[1], verdict="undecided", p=0.3, needed=needed)
    result = replace(result, families=(replace(family, comparisons=(unsure,)),))
    _, second = answer(ReportSubject(result, runs))
    assert second.startswith("There are not enough repeats to tell it from the baseline")
    assert second.endswith(
        "; a difference of 5.00 points, the one seen, takes about 12 more repeats of each, and a difference of "
        "1.00 points, the smallest that matters, takes about 40 more repeats of each."
    )
    assert "better" not in second
    result = replace(result, families=())
    assert "may be chance" in answer(ReportSubject(result, runs))[1]


def test_nothing_finished_is_no_answer(study):
    result, _ = study
    empty = tuple(replace(s, trials=(), summaries=()) for s in result.settings)
    assert answer(ReportSubject(replace(result, settings=empty)))[0] == "There is no answer yet."


def test_baseline_that_is_best_is_told_as_such(study):
    result, runs = study
    family = result.families[0]
    down = tuple(
        replace(comparison, reference="s2", setting=key)
        for comparison, key in zip(family.comparisons, ("s0", "s1", "s3"), strict=True)
    )
    worse = tuple(replace(comparison, verdict="worse") for comparison in down)
    result = replace(result, baseline="s2", families=(replace(family, comparisons=worse),))
    assert (
        answer(ReportSubject(result, runs))[1]
        == "That is the baseline itself: all 3 others are worse by more than chance."
    )


def test_settings_table_holds_the_numbers_of_the_result(study):
    table = settings_table(ReportSubject(*study))
    rows = [dict(zip([column.key for column in table.columns], row, strict=True)) for row in table.rows]
    assert [row["test_accuracy"] for row in rows] == [s.summary("test_accuracy").mean for s in study[0].settings]
    assert [row["verdict"] for row in rows] == [
        "reference",
        "not enough repeats to tell",
        "better",
        "not enough repeats to tell",
    ]
    assert [row["published"] for row in rows] == [None, None, 0.94, None]
    assert "parameters" not in rows[0] and "Every network has 1,234 parameters." in table.note
    assert table.keys == ("s0", "s1", "s2", "s3")


def test_missing_trials_are_told_with_their_reasons(unfinished):
    rows = missing_table(ReportSubject(*unfinished)).rows
    assert [row[1:] for row in rows] == [
        (0, "failed", "the loss became <nan> at step 7"),
        (2, "missing", "not trained yet"),
    ]


def test_effects_are_means_over_the_other_factor_seed_by_seed(study):
    by_axis = {effect.axis: effect for effect in effects(ReportSubject(*study))}
    augment = {level.label: level for level in by_axis["augment"].levels}
    assert augment["none"].mean == pytest.approx((0.90 + 0.92) / 2)
    assert augment["flip"].mean == pytest.approx((0.95 + 0.89) / 2)
    assert augment["none"].values == pytest.approx({0: 0.90, 1: 0.91, 2: 0.92})
    assert all(effect.is_fair for effect in by_axis.values())
    assert by_axis["optimizer.lr"].span == pytest.approx(0.02)


def test_effect_counts_only_what_all_values_share(study):
    # One at a time: the setting with both changed is not there, so each factor is looked at with the other as it was.
    result, runs = study
    result = replace(result, settings=result.settings[:3])
    by_axis = {effect.axis: effect for effect in effects(ReportSubject(result, runs))}
    assert [level.mean for level in by_axis["augment"].levels] == pytest.approx([0.90, 0.95])
    assert by_axis["augment"].how == "With optimizer.lr = 0.01."


def test_effect_says_so_when_another_factor_may_be_behind_it(study):
    result, runs = study
    result = replace(result, settings=(result.settings[0], result.settings[3]))
    assert [effect.is_fair for effect in effects(ReportSubject(result, runs))] == [False, False]


def test_three_rates_from_small_to_large_are_on_a_logarithmic_axis(study):
    result, runs = study
    extra = replace(result.settings[0], key="s4", label="x", values={"augment": "none", "optimizer.lr": "1"})
    axis = result.axes[1]
    axes = (result.axes[0], replace(axis, values=(*axis.values, AxisValue("1", 1.0))))
    subject = ReportSubject(replace(result, axes=axes, settings=(*result.settings, extra)), runs)
    assert {effect.axis: effect.scale for effect in effects(subject)} == {
        "augment": "words",
        "optimizer.lr": "logarithmic",
    }


def test_heat_map_has_a_row_a_value_of_the_first_factor(study):
    (heat_map,) = heat_maps(ReportSubject(*study))
    assert (heat_map.row_labels, heat_map.column_labels) == (("none", "flip"), ("0.01", "0.1"))
    np.testing.assert_allclose(heat_map.cells, [[0.90, 0.92], [0.95, 0.89]])


def test_pareto_front_holds_what_nothing_beats_in_both():
    assert pareto([1, 2, 3, 2], [0.5, 0.7, 0.6, 0.7]) == [True, True, False, True]
    assert pareto([], []) == []


def test_trade_off_is_over_mean_times_and_knows_the_front(study):
    points = {point.key: point for point in trade_off(ReportSubject(*study))}
    assert points["s0"].seconds == pytest.approx(11.0) and points["s2"].seconds == pytest.approx(16.0)
    assert (points["s0"].shortest, points["s0"].longest) == (10.0, 12.0)
    assert [key for key, point in points.items() if point.is_front] == ["s1", "s2"]


def test_for_a_loss_the_lowest_is_best_and_on_the_front(study):
    result, runs = study
    lower = replace(result.metrics[0], better="lower")
    subject = ReportSubject(replace(result, metrics=(lower, *result.metrics[1:])), runs)
    assert subject.best is not None and subject.best.key == "s3"
    assert [point.key for point in trade_off(subject) if point.is_front] == ["s0", "s3"]


def test_band_spans_the_repeats_and_the_gap_is_at_the_epoch_kept(study):
    subject = ReportSubject(*study)
    first = setting_curves(subject)[0]
    band = first.bands["accuracy"]["validation"]
    np.testing.assert_allclose(band.mean, [0.225, 0.45, 0.675, 0.90, 0.90])
    np.testing.assert_allclose(band.low[-1], 0.89)
    np.testing.assert_allclose(band.high[-1], 0.91)
    gap = first.gaps["accuracy"]
    assert (gap.epoch, gap.size) == (4, pytest.approx(0.02))
    # A loss is worse on validation when it is higher: 2.2 / 4 - 2.0 / 4.
    assert first.gaps["loss"].size == pytest.approx(0.05)
    table = curves_table(setting_curves(subject), followed(subject))
    assert len(table.rows) == 4


def test_the_gap_is_the_mean_of_the_repeats_each_at_its_own_epoch(own_study):
    result, runs = own_study
    trials = result.settings[0].trials
    last = runs[trials[2].run]
    info = json.loads((last.folder / "run.json").read_text())
    (last.folder / "run.json").write_text(json.dumps({**info, "selected": {**info["selected"], "epoch": 1}}))
    curve = setting_curves(ReportSubject(result, runs))[0]
    gap, histories = curve.gaps["accuracy"], [runs[trial.run].history for trial in trials]
    own = [
        float(history["train_accuracy"][epoch - 1] - history["validation_accuracy"][epoch - 1])
        for history, epoch in zip(histories, (4, 4, 1), strict=True)
    ]
    assert gap.size == pytest.approx(sum(own) / 3)
    assert (gap.first, gap.epoch, gap.last, gap.where) == (1, 4, 4, "at epochs 1 to 4")
    assert gap.train - gap.validation == pytest.approx(gap.size)


def test_repeats_that_stopped_early_leave_the_mean_to_the_others(own_study):
    result, runs = own_study
    first = runs[result.settings[0].trials[0].run]
    text = (first.folder / "history.csv").read_text().splitlines()
    (first.folder / "history.csv").write_text("\n".join(text[:3]) + "\n")
    band = setting_curves(ReportSubject(result, runs))[0].bands["accuracy"]["validation"]
    assert band.n.tolist() == [3, 3, 2, 2, 2]
    assert band.mean[-1] == pytest.approx((0.90 + 0.91) / 2)


def test_many_settings_share_grey_but_for_the_best_and_the_baseline(study):
    result, runs = study
    many = tuple(replace(result.settings[i % 4], key=f"s{i}", label=f"setting {i}") for i in range(20))
    subject = ReportSubject(replace(result, settings=many), runs)
    assert len(subject.shown) == MOST_SHOWN
    assert {"s0", subject.best.key} <= {setting.key for setting in subject.shown}
    assert len({subject.looks[setting.key] for setting in subject.shown}) == MOST_SHOWN
    assert list(subject.looks.values()).count(BACKGROUND) == 20 - MOST_SHOWN


def test_what_the_question_names_is_shown_and_told_apart(study):
    result, runs = study
    many = tuple(replace(result.settings[i % 4], key=f"s{i}", label=f"setting {i}") for i in range(12))
    alone = Axis("augment", ("augment",), tuple(AxisValue(setting.label, setting.label) for setting in many))
    for axes, design in (((alone,), "grid()"), (result.axes, "one-at-a-time()"), ((alone,), "leave-one-out()")):
        subject = ReportSubject(replace(result, settings=many, axes=axes, design=design, claims=()), runs)
        assert subject.shown == many
        assert len(set(subject.looks.values())) == len(many) and BACKGROUND not in subject.looks.values()
    claim = Claim("a claim", "undecided", "", settings=("s10", "s11"))
    grid = ReportSubject(replace(result, settings=many, claims=(claim,)), runs)
    assert {"s0", "s10", "s11"} <= {setting.key for setting in grid.shown}
    assert len(grid.shown) == MOST_SHOWN


def test_classes_of_the_best_are_counted_over_its_repeats(study):
    subject = ReportSubject(*study)
    repeats = subject.best_repeats
    (details,) = class_details(repeats)
    assert details.split == "test" and details.seeds == (0, 1, 2)
    assert details.confusion.counts.sum() == 3 * 359
    right = sum(round((0.95 + shift) * 359) for shift in (-0.01, 0, 0.01))
    assert details.confusion.counts.trace() == right
    assert details.calibration.accuracy == pytest.approx(right / 1077)
    low, mean, high = (getattr(details.measures, name)["recall"] for name in ("low", "mean", "high"))
    assert (low <= mean + 1e-12).all() and (mean <= high + 1e-12).all() and (low < high).any()
    parts = [class_predictions(repeat.predictions) for repeat in repeats]
    areas = [[roc_auc_score(p.labels == k, p.probabilities[:, k]) for p in parts] for k in range(10)]
    assert [area.value for area in details.areas.by_class.values()] == pytest.approx(np.mean(areas, axis=1))
    assert details.areas.mean.value == pytest.approx(np.mean(areas))
    assert all(area.value in area.interval for area in (*details.areas.by_class.values(), details.areas.mean))
    assert details.calibration_error.ece == details.calibration.ece
    assert details.calibration_error.interval.method.startswith("bootstrap over 359 pictures")


def test_areas_and_calibration_are_told_with_what_their_intervals_are_over(study):
    subject = ReportSubject(*study)
    (details,) = class_details(subject.best_repeats)
    section = next(part for part in sections_of(subject) if part.key == "classes label")
    shown_by_key = {figure.key: figure for figure in section.figures}
    measures, reliability = shown_by_key["classes label"], shown_by_key["calibration label"]
    found = details.areas.mean
    low, high = (f"{100 * end:.2f}%" for end in (found.interval.low, found.interval.high))
    shown = (
        f"Mean area under the ROC curves: {100 * found.value:.2f}% (95% interval {low} to {high} over test pictures)."
    )
    assert shown in measures.caption
    error = details.calibration_error
    low, high = (f"{100 * end:.2f}%" for end in (error.interval.low, error.interval.high))
    shown = f"calibration error in 15 bins: {100 * error.ece:.2f}% (95% interval {low} to {high} over test pictures)"
    assert shown in reliability.caption and f"would show {100 * error.by_chance:.2f}% by chance" in reliability.caption
    columns = [column.key for column in measures.table.columns]
    first = dict(zip(columns, measures.table.rows[0], strict=True))
    zero = details.areas.by_class["0"]
    assert first["roc_auc"] == zero.value and first["roc_auc interval"] == (zero.interval.low, zero.interval.high)


def test_test_images_are_left_alone_while_trials_are_missing(unfinished):
    subject = ReportSubject(*unfinished)
    assert not subject.is_settled
    assert {repeat.predictions.split for repeat in subject.best_repeats} == {"validation"}


def test_gallery_holds_the_surest_mistakes_with_their_own_images(study, digits):
    repeats = ReportSubject(*study).best_repeats
    worst = gallery(repeats, "label")
    assert worst is not None and worst.trouble == ""
    assert worst.n == 359 and worst.wrong == 359 - round(0.94 * 359)
    sure = [mistake.size for mistake in worst.mistakes]
    assert sure == sorted(sure, reverse=True)
    for mistake in worst.mistakes:
        split, _, place = mistake.called.partition(":")
        place = int(place)
        assert split == "test" and mistake.id == f"id {digits.test.ids[place]}"
        label = int(digits.test.targets["label"][place])
        assert (mistake.true, mistake.predicted) == (str(label), str((label + 1) % 10))
        np.testing.assert_array_equal(mistake.pixels, digits.test.batch([place])[0][0].numpy())
    # The last pictures are wrong in every repeat, those between the accuracies in some.
    assert {mistake.wrong for mistake in worst.mistakes} <= {1, 2, 3}


def test_gallery_says_so_when_the_data_has_changed(study):
    result, runs = study
    repeats = ReportSubject(result, runs).best_repeats
    changed = [replace(repeat, predictions=replace(repeat.predictions, data="0" * 64)) for repeat in repeats]
    worst = gallery(changed, "label")
    assert "no longer what the run was trained on" in worst.trouble
    assert all(mistake.pixels is None for mistake in worst.mistakes) and worst.mistakes


def test_gallery_says_so_when_the_data_is_gone(own_study):
    result, runs = own_study
    repeats = ReportSubject(result, runs).best_repeats
    path = repeats[0].run.folder / "recipe.yaml"
    path.write_text(path.read_text().replace("data: digits", "data: gone.zip"))
    assert "could not be read where this was written" in gallery(repeats, "label").trouble
    path.write_text(path.read_text().replace("data: gone.zip", "data: arrays(digest=abc)"))
    assert "given in Python" in gallery(repeats, "label").trouble


def test_methods_state_data_seeds_test_and_machine(study):
    text = provenance(ReportSubject(*study)).methods
    for part in (
        "4 settings",
        "every combination of augment (none and flip) and optimizer.lr (0.01 and 0.1)",
        "digits (1,294 training, 143 validation and 359 test pictures)",
        "3 times, with seeds 0, 1 and 2",
        "the network mlp(hidden=[8])",
        "best validation accuracy",
        "Dunnett",
        "A processor, 2 cores, device cpu, float32, 1 thread, 2 trainings at a time",
        "cnnlab 0.1.0, torch 2.10 and python 3.11",
    ):
        assert part in text, part


def test_methods_own_up_to_failures(unfinished):
    text = provenance(ReportSubject(*unfinished)).methods
    assert "1 trial failed. 1 trial was not finished. Means leave them out." in text
    assert "Where a training diverged (1), it comes last in comparisons." in text


def test_recipes_can_be_trained_again_as_they_are(study):
    from cnnlab.core import yaml
    from cnnlab.training import Recipe

    result, runs = study
    for recipe, setting in zip(provenance(ReportSubject(result, runs)).recipes, result.settings, strict=True):
        again = Recipe.read(yaml.load(recipe.text, "recipe"))
        assert again == Recipe.read(setting.recipe)
        assert recipe.commands[0] == f"cnnlab train recipes/{setting.key}.yaml seed=0"


def test_axis_of_one_value_has_no_effect(study):
    result, runs = study
    epochs = Axis("epochs", ("epochs",), (AxisValue("5", 5),))
    settings = tuple(replace(s, values={**s.values, "epochs": "5"}) for s in result.settings)
    shown = effects(ReportSubject(replace(result, axes=(*result.axes, epochs), settings=settings), runs))
    assert {effect.axis for effect in shown} == {"augment", "optimizer.lr"}


def test_search_keeps_the_best_of_whole_trainings(study):
    result, runs = study
    steps = (
        SearchStep(1, "s1", 0.99, "pruned", 2),
        SearchStep(0, "s0", 0.80, "complete"),
        SearchStep(2, "s2", None, "failed"),
        SearchStep(3, "s3", 0.85, "complete"),
    )
    subject = ReportSubject(replace(result, search=Search("validation_accuracy", steps)), runs)
    assert [(step.number, step.best) for step in search_steps(subject)] == [(0, 0.8), (1, 0.8), (2, 0.8), (3, 0.85)]
    assert [row[0] for row in search_table(subject).rows] == [1, 2, 3, 4]
    assert search_steps(ReportSubject(result, runs)) == ()


def test_names_in_figures_are_what_tells_settings_apart(study):
    assert ReportSubject(*study).names == {
        "s0": "none · 0.01",
        "s1": "none · 0.1",
        "s2": "flip · 0.01",
        "s3": "flip · 0.1",
    }
    assert telling(["adamw(lr=0.1, eps=1)", "adamw(lr=0.2, eps=1)"]) == {
        "adamw(lr=0.1, eps=1)": "lr=0.1",
        "adamw(lr=0.2, eps=1)": "lr=0.2",
    }
    assert telling(["shift(0.1)", "shift(0.2)"]) == {"shift(0.1)": "0.1", "shift(0.2)": "0.2"}
    assert telling(["none", "shift(0.1)"]) == {"none": "none", "shift(0.1)": "shift(0.1)"}
    assert telling(["a b c", "?("]) == {"a b c": "a b c", "?(": "?("}


def test_names_too_long_for_figures_bear_their_keys_which_the_table_explains(study):
    result, runs = study
    settings = tuple(replace(s, label="the same long beginning of a name " + s.key, values={}) for s in result.settings)
    subject = ReportSubject(replace(result, settings=settings, axes=()), runs)
    assert len(set(subject.names.values())) == 4 and subject.names["s2"].startswith("s2 the same")
    table = settings_table(subject)
    assert table.columns[0].key == "key" and [row[0] for row in table.rows] == ["s0", "s1", "s2", "s3"]
    assert settings_table(ReportSubject(result, runs)).columns[0].key == "augment"


def test_bare_value_is_named_with_what_it_is_the_value_of(study):
    result, runs = study
    plain = replace(result.settings[0], label="0.01", values={"optimizer.lr": "0.01"})
    call = replace(result.settings[1], label="adam(lr=1)", values={"optimizer.lr": "adam(lr=1)"})
    subject = ReportSubject(replace(result, settings=(plain, call), axes=result.axes[1:]), runs)
    assert (subject.label("s0"), subject.label("s1")) == ("optimizer.lr=0.01", "adam(lr=1)")
    assert settings_table(subject).columns[0].label == "optimizer.lr"


def test_setting_without_numbers_is_not_told_to_lack_repeats(study):
    result, runs = study
    family = result.families[0]
    worse, failed = (replace(family.comparisons[i], reference="s2", setting=key) for i, key in ((0, "s0"), (1, "s1")))
    worse = replace(worse, verdict="worse")
    failed = replace(failed, verdict="untested", difference=None, low=None, high=None, p=None)
    for kind, text in {
        "baseline": "That is the baseline itself: 1 of 2 others is worse by more than chance; 1 has too few numbers to "
        "be compared.",
        "pairs": "It is better than 1 of the 2 others by more than chance (Dunnett, 95% level); 1 has too few numbers "
        "to be compared.",
    }.items():
        own = replace(family, kind=kind, comparisons=(worse, failed))
        assert answer(ReportSubject(replace(result, baseline="s2", families=(own,)), runs))[1] == text


def test_names_that_hold_commas_are_listed_with_semicolons():
    assert listed(["a=1, b=2", "a=1, b=3", "5 more"]) == "a=1, b=2; a=1, b=3; and 5 more"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_numbers_under_one_another_have_as_many_digits():
    assert [text_of(value, "number") for value in (183.0, 186.64, 0.8278, 12345.6, 0.0)] == [
        *("183.0", "186.6", "0.8278", "12,346", "0"),
    ]
    assert text_of(3, "number") == "3" and text_of(0.042, "seconds") == "0.04" and text_of(12.0, "seconds") == "12.0"


def test_name_stands_beside_its_dot_and_over_nothing_else():
    first = room_for(0.2, 0.5, 0.3, [], steps=(0, 1, -1))
    assert first is not None and first.left > 0.2 and first.bottom < 0.5 < first.top
    second = room_for(0.21, 0.5, 0.3, [first], steps=(0, 1, -1))
    assert second is not None and not second.meets(first) and second.bottom >= first.top - 1e-9
    assert room_for(0.2, 0.5, 0.3, [PanelBox(0, 1, 0, 1)], steps=(0, 1, -1)) is None
    # At the right edge it stands to the left.
    assert room_for(0.9, 0.5, 0.3, [], steps=(0,)).right < 0.9


def test_specs_within_specs_are_shown_without_their_defaults():
    text = "multi-head(hour=classes(column=hour), minute=scalar(column=none, range=none, units=none, loss=mse))"
    assert "loss=mse" not in short_spec("objective", text) and "column=hour" in short_spec("objective", text)


def test_specs_are_shown_without_their_defaults():
    assert (
        short_spec("optimizer", "adamw(lr=0.01, betas=[0.9, 0.999], eps=1e-08, weight_decay=0.01, amsgrad=false)")
        == "adamw(lr=0.01)"
    )
    assert short_spec("model", "conv(filters=8, kernel=3)|relu|pool(size=2)") == "conv(filters=8)|relu|pool"
    assert short_spec("epochs", 10) == 10 and short_spec("augment", "gone(now=1)") == "gone(now=1)"
