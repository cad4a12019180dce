"""What a study file may say, and what is refused before anything trains."""

import pytest
from small_studies import BASE, study_of

from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.studies import Study
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.study_file import read_study


def labels(**keys):
    return [setting.label for setting in StudySettings(read_study(study_of(**keys))).settings]


def test_grid_has_every_combination_the_last_axis_fastest():
    found = labels(vary={"augment": ["none", "flip"], "epochs": [1, 2]})
    assert found == [
        "augment=none, epochs=1",
        "augment=none, epochs=2",
        "augment=flip, epochs=1",
        "augment=flip, epochs=2",
    ]


def test_one_at_a_time_starts_from_the_baseline():
    vary = {"augment": ["none", "flip"], "epochs": [1, 2, 3]}
    found = labels(vary=vary, design="one-at-a-time", baseline={"epochs": 2, "augment": "none"})
    assert found == [
        "augment=none, epochs=2",
        "augment=flip, epochs=2",
        "augment=none, epochs=1",
        "augment=none, epochs=3",
    ]


def test_zip_pairs_values_and_refuses_axes_of_different_length():
    assert labels(vary={"augment": ["none", "flip"], "epochs": [1, 2]}, design="zip") == [
        "augment=none, epochs=1",
        "augment=flip, epochs=2",
    ]
    with pytest.raises(UsageError, match="needs as many; they have 1, 2"):
        labels(vary={"augment": ["none"], "epochs": [1, 2]}, design="zip")


def test_leave_one_out_takes_a_pipeline_apart():
    found = labels(vary={"augment": "flip|rotate(10)|erase"}, design="leave-one-out")
    assert found == [
        "none",
        "only flip",
        "only rotate",
        "only erase",
        "all",
        "all but flip",
        "all but rotate",
        "all but erase",
    ]


def test_an_axis_of_several_keys_names_its_values():
    study_settings = StudySettings(
        read_study(
            study_of(vary={"network": {"s": {"model": "mlp(hidden=[4])", "batch_size": 20}, "m": {"model": "mlp"}}})
        )
    )
    small, medium = study_settings.settings
    assert (small.label, small.recipe.batch_size, medium.recipe.batch_size) == ("s", 20, 50)
    assert study_settings.axes()[0].values[0].value == {"model": small.recipe.model, "batch_size": 20}


def test_a_dotted_axis_reaches_inside_a_spec():
    study_settings = StudySettings(read_study(study_of()))
    assert [s.recipe.optimizer.split(",")[0] for s in study_settings.settings] == ["sgd(lr=0.01", "sgd(lr=0.5"]
    assert [value.value for value in study_settings.axes()[0].values] == [0.01, 0.5]


def test_values_with_names_are_called_by_them():
    assert labels(vary={"augment": {"plain": "none", "mirrored": "flip"}}) == ["plain", "mirrored"]


def test_settings_are_the_same_when_they_mean_the_same():
    with pytest.raises(UsageError, match="mean the same setting"):
        labels(vary={"augment": ["flip", "flip(p=0.5)"]})


def published(*rows):
    return {"published": {"source": "a book", "rows": list(rows)}}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"reapeats": 3}, "no key 'reapeats'. Did you mean repeats"),
        ({"vary": {"augmnet": ["flip"]}}, "Did you mean augment"),
        ({"vary": {"augment": "flip"}}, r"takes a list of values: augment: \[flip\]"),
        ({"vary": {"optimizer.lr": "log(0.01, 1)"}}, "is a space to search"),
        ({"vary": {"seed": [1, 2]}}, "repeats vary the seed"),
        ({"vary": {"precision": ["float32", "bfloat16"]}}, "precision cannot vary: it says how trials are carried out"),
        ({"vary": {"how": {"few": {"threads": 1}, "two": {"threads": 2}}}}, "threads cannot vary: it says how"),
        ({"design": "tpe(trials=3)", "vary": {"workers": "int(1, 3)"}}, "workers cannot vary: it says how"),
        ({"design": "tpe(trials=3)", "vary": {"how": [{"device": "cpu"}]}}, "device cannot vary: it says how"),
        ({"vary": {"keep_checkpoint": [True, False]}}, "keep_checkpoint cannot vary: it says what is kept"),
        ({"vary": {"devices": [1, 2]}}, "devices cannot vary: trials are trained side by side, on a device each"),
        ({"base": {"data": "digits", "devices": 2}}, "base: devices=2 divides .* Leave devices out"),
        ({"vary": {"augment": ["flip|erase"]}, "design": "leave-one-out"}, "no axis here is one: write vary"),
        ({"vary": {"augment": ["flip", "flop"]}}, "no augmentation called 'flop'"),
        ({"design": "gird"}, "no design called 'gird'"),
        ({"repeats": [1, 1]}, "twice"),
        ({"repeats": 0}, "repeats cannot be 0. It takes how many, at least 1"),
        ({"repeats": "three"}, "or a list of seeds"),
        ({"vary": ["augment"]}, "It takes each axis with its values, as in vary"),
        ({"base": [1]}, "It takes a recipe, as in base"),
        ({"claims": {"a": "b"}}, "It takes a list of claims in words"),
        ({"baseline": "first"}, "It takes a value for each axis"),
        ({"question": 3}, "It takes a sentence"),
        ({"metrics": ["test_loss", "test_loss"]}, "names one twice"),
        ({"smallest": 5}, "write 0.05 for 5 points"),
        ({"smallest": 0}, "a difference above 0"),
        ({"design": "tpe(trials=3)", "vary": {"optimizer.lr": 0.3}}, "the axis optimizer.lr: 0.3 is no space"),
        ({"baseline": {"optimizer.lr": 0.3}}, "has no value 0.3"),
        ({"baseline": {"lr": 0.3}}, "no axis of this study"),
        ({"base": {**BASE, "seed": 3}}, "seed is what repeats vary"),
        ({"question": ""}, "needs question"),
        ({"name": "a/b"}, "cannot name a run"),
        ({"metrics": "test_acuracy"}, "Did you mean test_accuracy"),
        ({"published": {"source": "x", "rows": [{"optimizer.lr": 0.5, "value": 72}]}}, "share from 0 to 1; write 72%"),
        ({"published": {"source": "x", "rows": [{"lr": 0.5, "value": 0.5}]}}, "no axis of this study"),
        ({"published": {"source": "x", "rowz": []}}, "no key 'rowz'"),
        (published(), r"published: rows cannot be \[\]. It takes the numbers of the table, one at least"),
        (published({"optimizer.lr": 0.5}), "published: row 1 needs a value. It takes a number, such as 0.72"),
        (published({"optimizer.lr": 0.5, "value": 0.3, "note": 4}), "row 1: note cannot be 4. It takes a remark in"),
        (published({"optimizer.lr": 0.5, "value": 0.3, "label": 4}), "row 1: label cannot be 4. It takes a name"),
        (
            published({"optimizer.lr": 0.5, "value": 0.3, "std": -1}),
            "row 1: std cannot be -1. It takes the standard dev",
        ),
        (published({"optimizer.lr": 0.5, "value": 0.3, "n": 2.5}), "row 1: n cannot be 2.5. It takes how many repeats"),
        (published({"optimizer.lr": 0.5, "value": "175%"}), "value cannot be '175%'. It takes .* up to 100%"),
        (published({"optimizer.lr": 0.5, "value": "nan%"}), "value cannot be 'nan%'"),
        (published({"optimizer.lr": 0.5, "value": "x%"}), "value cannot be 'x%'"),
        (published({"optimizer.lr": 0.5, "value": float("nan")}), "value cannot be nan"),
        (published({"optimizer.lr": 0.5, "value": 175}), "share from 0 to 1, which 175 is not"),
        (published("0.3"), "row 1 cannot be '0.3'. It takes an axis and a value"),
        (
            published({"optimizer.lr": 0.5, "value": 0.3}, {"optimizer.lr": "5e-1", "value": 0.4}),
            "two rows of one table are of the setting 0.5. Leave one of them out",
        ),
        ({"design": "tpe(trials=3)", "vary": {"optimizer.lr": "log(1, 0.1)"}}, "first number must be below"),
        ({"design": "tpe(trials=3, pruner=median)", "vary": {"epochs": "int(1, 3)"}, "repeats": 2}, "repeats: 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(keys, message, runs):
    with pytest.raises(UsageError, match=message):
        Study(study_of(**keys), runs=runs).check()
    assert not runs.exists()


def test_keys_are_put_over_the_study_its_base_and_its_axes():
    file = read_study(study_of(), {"repeats": 2, "epochs": 4, "base.batch_size": 20, "vary.optimizer.lr": [0.1]})
    assert file.repeats == (0, 1)
    assert (file.base["epochs"], file.base["batch_size"], file.vary) == (4, 20, {"optimizer.lr": [0.1]})
    with pytest.raises(UsageError, match="varies in this study"):
        read_study(study_of(), {"optimizer.lr": 0.3})


def test_none_takes_claims_and_published_numbers_away():
    content = study_of(claims=["optimizer.lr=0.5 is the best"], metrics="test_loss")
    file = read_study(content, {"claims": None, "published": "none", "metrics": ""})
    assert (file.claims, file.published, file.metrics) == ((), (), ())


def test_published_rows_are_the_same_when_the_study_is_read_from_its_folder(runs):
    rows = [{"augment": None, "value": "72%", "std": "1%", "n": 5}, {"augment": "flip", "value": 1, "note": "sic"}]
    file = read_study(study_of(vary={"augment": ["none", "flip"]}, **published(*rows)))
    record = StudyRecord(runs / "studies" / "small")
    record.write_study(file)
    assert read_study(record.folder / "study.yaml").published == file.published
    first, second = file.published[0].rows
    assert (first.axes, first.value, first.std, first.n) == ({"augment": "none"}, 0.72, 0.01, 5)
    assert (second.axes, second.value, second.note) == ({"augment": "flip"}, 1.0, "sic")


@pytest.mark.parametrize(
    ("vary", "wrong", "meant"),
    [
        ({"augment": ["none", "flip"]}, {"augment": "flipp"}, r"augment=flipp \(did you mean flip\?\)"),
        ({"optimizer.lr": [0.5, 0.333]}, {"optimizer.lr": 0.33}, r"optimizer.lr=0.33 \(did you mean 0.333\?\)"),
        (
            {"size": {"small": {"epochs": 1}, "large": {"epochs": 2, "batch_size": 10}}},
            {"size": "smal"},
            r"size=smal \(did you mean small\?\)",
        ),
    ],
)
def test_published_rows_that_are_almost_of_a_setting_are_pointed_out_at_once(vary, wrong, meant, runs):
    keys = published({**wrong, "value": 0.5, "label": "theirs"})
    with pytest.warns(CnnlabWarning, match=f"no setting of this study is compared with the rows of {meant}") as told:
        Study(study_of(vary=vary, **keys), runs=runs).check()
    assert len(told) == 1


@pytest.mark.parametrize("other", ["rotate(20)", "none|flip|erase", "flip(0.9)"])
def test_published_rows_of_further_settings_are_nothing_to_warn_of(other, runs):
    vary = {"augment": ["none", "flip", "rotate(30)"]}
    study = Study(study_of(vary=vary, **published({"augment": other, "value": 0.5})), runs=runs)
    assert study.analysis.published[0].rows[0].setting is None


def test_a_published_gap_may_be_below_nothing(runs):
    table = {"source": "a book", "metric": "gap", "rows": [{"optimizer.lr": 0.5, "value": -0.02}]}
    assert Study(study_of(published=table), runs=runs).analysis.published[0].rows[0].value == -0.02


def test_base_may_be_a_recipe_beside_the_file(tmp_path):
    (tmp_path / "base.yaml").write_text("data: digits\nepochs: 7\n")
    (tmp_path / "mine.yaml").write_text("question: q\nbase: base.yaml\nvary: {augment: [none, flip]}\n")
    file = read_study(tmp_path / "mine.yaml")
    assert (file.name, file.base["epochs"]) == ("mine", 7)
