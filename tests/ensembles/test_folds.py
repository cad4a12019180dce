"""A recipe with folds: a network for each, what they say of pictures they had not seen, and the ensemble of them."""

import json
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from typer.testing import CliRunner

import cnnlab
from cnnlab import training
from cnnlab.cli.app import app
from cnnlab.core.errors import CnnlabWarning, DataError, UsageError
from cnnlab.core.messages import quietly
from cnnlab.data import fold_numbers
from cnnlab.ensembles import read_record
from cnnlab.evaluation import FoldScore, corrected_interval, evaluate
from cnnlab.reports import write_runs_report
from cnnlab.runs import Run, RunStore
from cnnlab.studies.execution.thread_executor import ThreadExecutor
from cnnlab.training import EpochEnd, Interrupted

OUT_OF_FOLD = "train@out-of-fold"
RECIPE: dict[str, Any] = {
    "data": "digits",
    "model": "mlp(hidden=[16])",
    "optimizer": "adam(lr=0.01)",
    "batch_size": 64,
    "epochs": 2,
    "folds": 3,
    "precision": "float32",
    "threads": 1,
}


@pytest.fixture(scope="session")
def trained_folds(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with quietly():
        return training.train(RECIPE, runs=tmp_path_factory.mktemp("folds") / "runs")


@pytest.fixture
def folded(trained_folds: Run, tmp_path: Path) -> Run:
    """The same in a folder of the test's own."""
    shutil.copytree(trained_folds.folder.parent, tmp_path / "runs")
    return Run(tmp_path / "runs" / trained_folds.name)


def members(run: Run) -> list[Run]:
    return [Run(run.folder.parent / name) for name in run.info["ensemble"]["members"]]


def test_each_picture_is_told_by_the_network_that_had_not_seen_it(folded: Run) -> None:
    said = folded.predictions(OUT_OF_FOLD)
    whole = cnnlab.load_data("digits").train
    numbers = fold_numbers(whole, 3, 0)
    assert list(said.ids) == list(whole.ids)
    for number, member in enumerate(members(folded), start=1):
        places = np.flatnonzero(numbers == number)
        assert member.recipe["fold"] == number and member.recipe["folds"] == 3
        pixels, targets = whole.batch(torch.from_numpy(places))
        with torch.inference_mode():
            alone = member.classifier()(pixels).numpy()
        assert said.outputs["label"][places] == pytest.approx(alone, abs=1e-5)
        assert (said.targets["label"][places] == targets["label"].numpy()).all()


def test_scores_are_those_of_scikit_learn_on_what_is_out_of_fold(folded: Run) -> None:
    said = folded.predictions(OUT_OF_FOLD)
    likely = torch.softmax(torch.from_numpy(said.outputs["label"]).double(), dim=1).numpy()
    scores = folded.scores(OUT_OF_FOLD)
    assert scores.n == 1294
    assert scores.accuracy == pytest.approx(accuracy_score(said.targets["label"], likely.argmax(1)))
    assert scores.loss == pytest.approx(log_loss(said.targets["label"], likely), rel=1e-5)


def test_the_cross_validated_score_is_the_mean_of_the_folds_with_its_interval(folded: Run) -> None:
    found = read_record(folded).cross_validation
    assert found is not None and found.judged is not None
    each = [member.scores(OUT_OF_FOLD) for member in members(folded)]
    assert found.judged.folds == tuple(scores.accuracy for scores in each)
    assert found.judged.value == pytest.approx(folded.scores(OUT_OF_FOLD).accuracy)
    folds = [FoldScore(s.accuracy, s.n, 1294 - s.n) for s in each]
    interval = corrected_interval(folds, within=(0, 1), step=3 / 1294)
    assert interval is not None and (found.judged.low, found.judged.high) == (interval.low, interval.high)
    assert f"{found.judged.value:.2%}" in found.sentence and "had not seen" in found.sentence
    assert found.chosen_on == "validation" and "in no fold" in found.how_chosen


def test_the_ensemble_is_the_mean_of_the_networks(folded: Run) -> None:
    each = [torch.from_numpy(member.predictions("test").outputs["label"]).double() for member in members(folded)]
    mean = torch.stack([torch.softmax(rows, dim=1) for rows in each]).mean(0)
    said = torch.softmax(torch.from_numpy(folded.predictions("test").outputs["label"]).double(), dim=1)
    assert said.numpy() == pytest.approx(mean.numpy(), abs=1e-6)


def test_validation_and_test_are_in_no_fold(folded: Run) -> None:
    dataset = cnnlab.load_data("digits")
    told = set(folded.predictions(OUT_OF_FOLD).ids)
    assert told == set(dataset.train.ids)
    for split in ("validation", "test"):
        assert folded.predictions(split).images == dict(dataset.parts())[split].digest


def test_asked_again_it_is_the_same_and_nothing_is_trained(folded: Run) -> None:
    before = sorted(path.name for path in folded.folder.parent.glob("[!.]*"))
    assert training.train(RECIPE, runs=folded.folder.parent) == folded
    assert sorted(path.name for path in folded.folder.parent.glob("[!.]*")) == before


def test_without_its_record_the_networks_that_are_there_make_it_anew_bit_by_bit(folded: Run) -> None:
    before = {split: folded.predictions(split) for split in folded.splits}
    shutil.rmtree(folded.folder)
    again = training.train(RECIPE, runs=folded.folder.parent)
    assert again == folded and {split: again.predictions(split) for split in again.splits} == before


def test_its_own_recipe_makes_it(folded: Run, tmp_path: Path) -> None:
    assert training.train(folded.folder / "recipe.yaml", runs=folded.folder.parent) == folded
    assert folded.recipe["folds"] == 3 and "fold" not in folded.recipe and folded.given["folds"] == 3


def test_again_trains_every_fold_once_more(folded: Run) -> None:
    again = training.train(RECIPE, runs=folded.folder.parent, again=True)
    assert (again.digest, again.repeat) == (folded.digest, 2)
    assert not set(again.info["ensemble"]["members"]) & set(folded.info["ensemble"]["members"])
    assert again.predictions(OUT_OF_FOLD) == folded.predictions(OUT_OF_FOLD)


def test_another_seed_has_other_folds(folded: Run) -> None:
    other = training.train({**RECIPE, "seed": 1}, runs=folded.folder.parent)
    assert other != folded
    ids = [set(members(run)[0].predictions(OUT_OF_FOLD).ids) for run in (folded, other)]
    assert ids[0] != ids[1]


def test_one_fold_alone_is_a_training_like_any(folded: Run) -> None:
    second = members(folded)[1]
    assert training.train({**RECIPE, "fold": 2}, runs=folded.folder.parent) == second
    assert second.info["data"]["sizes"] == {"train": 863, "validation": 144, "test": 359, "out-of-fold": 431}


def test_interrupted_in_the_middle_the_same_words_go_on_to_the_same_bits(trained_folds: Run, tmp_path: Path) -> None:
    def stop(end: EpochEnd) -> None:
        if "-fold-2-" in end.folder.name and end.row["epoch"] == 1:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match="the same command goes on in fold 2 of 3") as caught:
        training.train(RECIPE, runs=tmp_path / "runs", callbacks=[stop])
    assert caught.value.exit_code == 128 + signal.SIGTERM
    begun = RunStore(tmp_path / "runs").list()
    assert {(run.recipe["fold"], run.status) for run in begun} == {(1, "finished"), (2, "unfinished")}
    resumed = training.train(RECIPE, runs=tmp_path / "runs")
    assert resumed.name == trained_folds.name
    for split in trained_folds.splits:
        assert resumed.predictions(split) == trained_folds.predictions(split)


def test_killed_while_the_ensemble_is_written_there_is_none_of_it(folded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folded.folder)
    monkeypatch.setattr("cnnlab.ensembles.api.write_record", _killed)
    with pytest.raises(KeyboardInterrupt):
        training.train(RECIPE, runs=folded.folder.parent)
    assert not folded.folder.exists()
    monkeypatch.undo()
    assert training.train(RECIPE, runs=folded.folder.parent) == folded


def _killed(*unused: object) -> None:
    raise KeyboardInterrupt


def test_evaluated_it_tells_what_is_on_record(folded: Run) -> None:
    found = evaluate(folded, split="out-of-fold")
    assert (found.split, found.scores["n"]) == (OUT_OF_FOLD, 1294)
    assert found.scores["accuracy"] == folded.scores(OUT_OF_FOLD).accuracy
    assert evaluate(members(folded)[0], split=OUT_OF_FOLD).scores["n"] == 432
    with pytest.raises(UsageError, match=r"on record for the pictures as they are\. Leave perturb= out"):
        evaluate(folded, split="out-of-fold", perturb="blur")


def test_what_a_bootstrap_did_not_draw_can_be_evaluated(tmp_path: Path) -> None:
    keys = {key: value for key, value in RECIPE.items() if key != "folds"}
    run = training.train({**keys, "subset": "bootstrap", "seed": 3}, runs=tmp_path)
    drawn = cnnlab.load_data("digits", subset="bootstrap", seed=3)
    found = evaluate(run, split="out-of-bag")
    assert drawn.held_out is not None
    assert list(found.predictions.ids) == list(drawn.held_out.images.ids)
    assert run.info["data"]["sizes"]["out-of-bag"] == len(drawn.held_out.images)
    with pytest.raises(UsageError, match="It has train, validation, test, out-of-bag"):
        evaluate(run, split="oob")


@pytest.mark.parametrize("subset", ["bootstrap", 0.5])
def test_members_that_drew_their_pictures_are_combined_and_repeats_share_a_recipe(
    subset: object, tmp_path: Path
) -> None:
    keys = {key: value for key, value in RECIPE.items() if key != "folds"} | {"subset": subset}
    runs = [training.train({**keys, "seed": seed}, runs=tmp_path) for seed in (0, 1)]
    assert len({run.info["data"]["digest"] for run in runs}) == 2
    assert len({run.digest for run in runs}) == 2
    made = cnnlab.ensemble(runs, "weights")
    assert made.test.n == 359 and "subset" not in made.recipe
    # What is left to train on is the whole train split, which no one member saw.
    assert evaluate(made, split="train").scores["n"] == 1294


def test_a_draw_is_the_same_when_a_run_goes_on(tmp_path: Path) -> None:
    def stop(end: EpochEnd) -> None:
        if end.row["epoch"] == 1:
            signal.raise_signal(signal.SIGTERM)

    keys = {key: value for key, value in RECIPE.items() if key != "folds"} | {"subset": "bootstrap", "seed": 4}
    whole = training.train(keys, runs=tmp_path / "whole")
    with pytest.raises(Interrupted):
        training.train(keys, runs=tmp_path / "halves", callbacks=[stop])
    resumed = training.resume("last", runs=tmp_path / "halves")
    assert resumed.predictions("test") == whole.predictions("test")


def test_stacking_on_what_is_out_of_fold_is_fitted_on_it_and_on_nothing_else(folded: Run) -> None:
    store = folded.folder.parent
    other = training.train({**RECIPE, "model": "cnn(filters=[4])"}, runs=store)
    made = cnnlab.ensemble([folded, other], "stacking(on=out-of-fold)")
    # With every other label another one, what is fitted stays: only the training labels count.
    for run in (folded, other):
        for split in ("validation", "test"):
            _permute_targets(run, split)
    again = cnnlab.ensemble([folded, other], "stacking(on=out-of-fold)", again=True)
    first, second = (read_record(run).combination for run in (made, again))
    assert first == second
    assert made.scores("test").accuracy != again.scores("test").accuracy


def _permute_targets(run: Run, split: str) -> None:
    path = run.folder / "predictions" / f"{split}.safetensors"
    said = run.predictions(split)
    targets = {name: (column + 1) % 10 for name, column in said.targets.items()}
    cnnlab.Predictions(
        said.outputs, targets, said.ids, said.objective, said.classes, said.data, said.split, said.images
    ).save(path)


@pytest.mark.parametrize("method", ["weights", "greedy", "swarm(iterations=3)", "stacking"])
def test_fitted_methods_take_what_is_out_of_fold(method: str, folded: Run) -> None:
    other = training.train({**RECIPE, "seed": 5}, runs=folded.folder.parent)
    bracket = method[:-1] + ", " if method.endswith(")") else f"{method}("
    made = cnnlab.ensemble([folded, other], f"{bracket}on=out-of-fold)")
    assert made.scores(OUT_OF_FOLD).n == 1294
    # What is on record of stacking is cross-fitted; of the others it is told by what was fitted to it.
    flatters = (
        nullcontext() if method == "stacking" else pytest.warns(CnnlabWarning, match="fitted on its train@out-of")
    )
    with flatters:
        evaluate(made, split="out-of-fold")
    evaluate(made, split="validation")
    record = read_record(made)
    assert any("on nothing of validation or test" in note for note in record.notes)
    assert record.analysis is not None
    by_split = {gain.split: gain for gain in reversed(record.analysis.gains)}
    if by_split:
        assert by_split["test"].is_held_out and by_split["validation"].is_held_out
        assert not by_split[OUT_OF_FOLD].is_held_out


def test_numbers_are_cross_validated_too(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (60, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ages = images.float().mean(dim=(1, 2, 3))
    data = cnnlab.data.from_arrays(images, ages, validation=0, test=0)
    keys = {**RECIPE, "data": data, "objective": "scalar(range=[0, 255])", "validation": 0, "test": 0, "batch_size": 10}
    run = training.train(keys, runs=tmp_path)
    found = read_record(run).cross_validation
    assert found is not None and found.chosen_on is None and run.splits == [OUT_OF_FOLD]
    for name, score in found.scores.items():
        if name.endswith("loss") or "mean_error" in name or "mae" in name:
            assert run.scores(OUT_OF_FOLD)[name] == pytest.approx(score.value, rel=1e-5)


def test_classes_that_lack_a_validation_split_are_chosen_on_nothing(tmp_path: Path) -> None:
    run = training.train({**RECIPE, "validation": 0}, runs=tmp_path)
    found = read_record(run).cross_validation
    assert found is not None and "nothing was chosen" in found.how_chosen
    assert run.splits == ["test", OUT_OF_FOLD]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"folds": 1}, "folds=1 leaves nothing to train on.* as in folds=5"),
        ({"folds": 0}, "folds cannot be 0: it takes a whole number of folds, at least 2"),
        ({"folds": "many"}, "folds cannot be 'many': it takes a whole number of folds, at least 2"),
        ({"folds": 500}, "folds=500 puts pictures of every class in every fold.* Take folds="),
        ({"folds": 3, "fold": 4}, "fold=4 is none of the folds 1 to 3"),
        ({"folds": None, "fold": 1}, "fold=1 says which fold is held out, and folds= into how many"),
        ({"subset": "bootstrap"}, "folds and subset=bootstrap do not go together.* a share"),
        ({"parent": "earlier"}, "folds are trained from the start, and earlier was trained on"),
        ({"folds": None, "subset": "bootstrp"}, "subset cannot be 'bootstrp'.* bootstrap, or"),
    ],
)
def test_what_cannot_be_meant_is_refused(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        training.train({**RECIPE, **keys}, runs=tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("[!.]*"))


def test_a_run_is_not_extended_in_folds(folded: Run) -> None:
    with pytest.raises(UsageError, match="folds are trained from the start"):
        training.extend(members(folded)[0], "+1", folds=3)
    with pytest.raises(UsageError, match="is an ensemble"):
        training.extend(folded, "+1")


def test_a_run_without_folds_is_no_member_of_what_goes_by_them(folded: Run) -> None:
    first, second = members(folded)[:2]
    with pytest.raises(UsageError, match=r"-fold-1-.* is of one fold alone\. Name what folds=5 made of each recipe"):
        cnnlab.ensemble([first, second], "weights(on=out-of-fold)")
    plain = training.train({**RECIPE, "folds": None}, runs=folded.folder.parent)
    with pytest.raises(UsageError, match="was not trained with folds"):
        cnnlab.ensemble([folded, plain], "stacking(on=out-of-fold)")


def test_a_fold_whose_predictions_are_gone_is_named(folded: Run) -> None:
    shutil.rmtree(folded.folder)
    second = next(run for run in folded.folder.parent.glob("*-fold-2-*"))
    (second / "predictions" / f"{OUT_OF_FOLD}.safetensors").unlink()
    with pytest.raises(DataError, match=f"Train that fold anew: cnnlab runs delete {second.name}"):
        training.train(RECIPE, runs=folded.folder.parent)


def test_a_study_of_recipes_with_folds_is_judged_by_what_is_out_of_fold(tmp_path: Path) -> None:
    base = {key: value for key, value in RECIPE.items() if key != "model"} | {"folds": 2, "epochs": 1}
    content: dict[str, Any] = {
        "question": "Which of two?",
        "name": "cv",
        "base": base,
        "vary": {"model": ["mlp(hidden=[8])", "mlp(hidden=[16])"]},
        "repeats": 2,
    }
    study = cnnlab.Study(content, runs=tmp_path)
    assert [trial.epochs for trial in study.plan().trials] == [2] * 4
    result = study.run(executor=ThreadExecutor(runs=tmp_path), progress=False)
    assert result.metric.name == "out_of_fold_accuracy"
    for setting in result.settings:
        for trial in setting.finished:
            run = Run(tmp_path / str(trial.run))
            assert trial.metrics["out_of_fold_accuracy"] == run.scores(OUT_OF_FOLD).accuracy
            assert trial.metrics["seconds"] == run.seconds > 0 and trial.metrics["epochs"] is None
    assert all(trial.state == "finished" for trial in cnnlab.Study(content, runs=tmp_path).plan().trials)


def test_repeats_of_a_study_draw_their_own_pictures(tmp_path: Path) -> None:
    base = {key: value for key, value in RECIPE.items() if key not in ("model", "folds")}
    content: dict[str, Any] = {
        "question": "Which of two?",
        "name": "bags",
        "base": {**base, "epochs": 1},
        "vary": {"model": ["mlp(hidden=[8])"], "subset": ["bootstrap", 0.5]},
        "repeats": 2,
    }
    study = cnnlab.Study(content, runs=tmp_path)
    study.run(executor=ThreadExecutor(runs=tmp_path), progress=False)
    runs = [Run(tmp_path / name) for name in study.runs()]
    assert len(runs) == 4 and len({run.info["data"]["digest"] for run in runs}) == 4
    assert all(trial.state == "finished" for trial in cnnlab.Study(content, runs=tmp_path).plan().trials)


def test_a_search_that_stops_trials_early_does_not_go_with_folds(tmp_path: Path) -> None:
    content = {
        "question": "Which rate?",
        "base": {**RECIPE, "epochs": 2},
        "vary": {"optimizer.lr": "log(1e-3, 1e-1)"},
        "design": "random(trials=3, pruner=median)",
    }
    with pytest.raises(UsageError, match=r"with folds a trial is several trainings\. Leave pruner= out"):
        cnnlab.Study(content, runs=tmp_path).run(executor=ThreadExecutor(runs=tmp_path), progress=False)


def test_a_report_says_what_the_recipe_came_to(folded: Run, tmp_path: Path) -> None:
    page = write_runs_report([folded], tmp_path / "report").read_text()
    found = read_record(folded).cross_validation
    assert found is not None and found.sentence in page and found.how_chosen in page
    assert "how they are divided into folds" in page and "the splits of the data stay the same" not in page
    tables = tmp_path / "report" / "report-files" / "tables"
    rows = (tables / f"folds-{folded.name}.csv").read_text().splitlines()
    assert rows[0] == "fold,trained,held_out,accuracy,loss" and len(rows) == 4


def test_shown_and_listed_it_has_its_scores_out_of_fold(folded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    store = str(folded.folder.parent)
    shown = CliRunner().invoke(app, ["runs", "show", folded.name, "--runs", store]).output
    found = read_record(folded).cross_validation
    assert found is not None and found.sentence in " ".join(shown.split()) and "train@out-of-fold" in shown
    document = json.loads(CliRunner().invoke(app, ["runs", "show", folded.name, "--runs", store, "--json"]).output)
    assert document["ensemble"]["cross_validation"]["scores"]["accuracy"]["value"] == found.scores["accuracy"].value
    chosen = RunStore(store).filter("out_of_fold_accuracy>=0")
    assert len(chosen) == 4 and not RunStore(store).filter("out_of_fold_accuracy>1")


def test_its_mistakes_are_shown_with_their_pictures(folded: Run) -> None:
    from cnnlab.reports import figure_of_runs

    assert figure_of_runs("mistakes", [folded], split=OUT_OF_FOLD)
    assert figure_of_runs("mistakes", [members(folded)[1]], split=OUT_OF_FOLD)


def test_a_record_whose_folds_do_not_fit_together_is_refused(folded: Run) -> None:
    path = folded.folder / "ensemble.json"
    record = json.loads(path.read_text())
    record["cross_validation"]["held_out"].pop()
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"is damaged.*of different numbers of folds"):
        read_record(folded)
