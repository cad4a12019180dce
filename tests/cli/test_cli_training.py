"""The verbs that train, on real digits with a network that takes a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from cnnlab.reports import draw_lr_range_test
from cnnlab.runs import Run, RunStore
from cnnlab.training.rate_curve import suggest_lr

Cnnlab = Callable[..., Result]
Document = Callable[..., Any]

SMALL = ["data=digits", "model=mlp(hidden=[32])", "batch_size=64", "epochs=1", "threads=1"]


def test_train_ends_with_where_the_run_lies_its_score_and_what_is_next(cnnlab: Cnnlab, tmp_path: Path) -> None:
    result = cnnlab("train", *SMALL)
    (run,) = [summary.run for summary in RunStore(tmp_path / "runs").list()]
    assert f"runs/{run.folder.name}" in result.stdout
    assert f"accuracy {run.test.accuracy:.4f}" in result.stdout
    assert f"cnnlab extend {run.folder.name} epochs=+3" in result.stdout
    # In what is computed, and one plain line an epoch, where no terminal is; a slow machine says what it is at.
    lines = [line for line in result.stderr.splitlines() if not line.endswith("…")]
    assert [line.split()[0] for line in lines] == ["computing", "epoch"]


def test_the_same_words_again_return_the_run_at_once_and_again_trains_another(cnnlab: Cnnlab, tmp_path: Path) -> None:
    cnnlab("train", *SMALL)
    assert "trained already" in cnnlab("train", *SMALL).stderr
    assert len(RunStore(tmp_path / "runs").list()) == 1
    cnnlab("train", *SMALL, "--again")
    assert len(RunStore(tmp_path / "runs").list()) == 2


def test_a_recipe_file_with_keys_put_over_it(document: Document, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        'data: digits\nmodel: "mlp(hidden=[8])"\nbatch_size: 64\nepochs: 5\nthreads: 1\n'
    )
    words = ["recipe.yaml", "epochs=1", "optimizer.lr=0.02", "--name", "mine", "--device", "cpu", "--runs", "elsewhere"]
    facts = document("train", *words)
    assert facts["folder"].startswith("elsewhere/mine-")
    assert facts["recipe"]["epochs"] == 1
    assert facts["recipe"]["model"].startswith("mlp(hidden=[8]")
    assert "lr=0.02" in facts["recipe"]["optimizer"]
    assert facts["status"] == "finished"


def test_quiet_training_says_nothing_on_the_way(cnnlab: Cnnlab) -> None:
    told = cnnlab("train", *SMALL, "--quiet")
    assert told.stderr == "" and "test " in told.stdout and "next" not in told.stdout
    assert "its steps alone" in told.stdout and "this command" in told.stdout


def test_extend_goes_on_from_the_end_of_a_run(cnnlab: Cnnlab, document: Document, trained: Run) -> None:
    facts = document("extend", "last", "epochs=+1", "threads=1")
    assert facts["epochs_done"] == 3
    assert facts["parent"].startswith(trained.folder.name)
    assert "adds none" in cnnlab("extend", trained.folder.name, "epochs=2", exit_code=2).stderr


def test_resume_of_a_finished_run_returns_it(cnnlab: Cnnlab, trained: Run) -> None:
    result = cnnlab("resume", trained.folder.name[-8:])
    assert "finished already" in result.stderr
    assert trained.folder.name in result.stdout


def test_find_lr_draws_the_curve_and_suggests_a_rate(
    cnnlab: Cnnlab, document: Document, tmp_path: Path, assert_same_image: Callable[[Path, Path], None]
) -> None:
    words = [word for word in SMALL if not word.startswith("epochs")]
    facts = document("find-lr", *words, "--steps", "40", "--out", "curve.png")
    assert facts["image"] == "curve.png"
    read = suggest_lr(facts["rates"], facts["losses"])
    assert facts["suggestion"] == read.suggestion and 1e-6 < read.suggestion < 10
    draw_lr_range_test(read, tmp_path / "expected.png")
    assert_same_image(tmp_path / "curve.png", tmp_path / "expected.png")
    shown = cnnlab("find-lr", *words, "--steps", "40").stdout
    assert "suggested learning rate" in shown
    assert "cnnlab train data=digits 'model=mlp(hidden=[32])'" in shown
    assert not (tmp_path / "runs").exists()


def test_evaluate_gives_the_recorded_score_again(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    facts = document("evaluate", "last")
    # On record stand those of every epoch; these two are reckoned from the predictions.
    recorded = trained.test.to_dict()
    assert recorded.items() <= facts["scores"].items()
    assert facts["scores"].keys() - recorded.keys() == {"calibration_error", "macro_roc_auc"}
    shown = cnnlab("evaluate", "last", "split=validation").stdout
    assert f"accuracy           {trained.validation.accuracy:.4f}" in shown
    assert "validation, 144 pictures" in shown


def test_evaluate_on_pictures_that_are_changed_first(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    facts = document("evaluate", "last", "split=validation", "perturb=invert(p=1)|shift(0.5)")
    assert facts["split"] == "validation@invert(p=1.0)+shift(x=0.5)"
    assert facts["scores"]["accuracy"] < trained.validation.accuracy
    assert trained.predictions(facts["split"]).split == facts["split"]
    assert "Did you mean rotate or contrast?" in cnnlab("evaluate", "last", "perturb=rotat(3)", exit_code=2).stderr


def test_evaluate_on_data_of_other_classes_is_refused(cnnlab: Cnnlab, trained: Run, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("L", (8, 8), number * 10 + len(name) + ord(name[0])).save(
                tmp_path / "pets" / name / f"{number}.png"
            )
    result = cnnlab("evaluate", "last", "data=pets/", exit_code=2)
    assert "it does not know cat, dog" in result.stderr


def test_predict_shows_or_writes_what_is_in_images(
    cnnlab: Cnnlab, document: Document, trained: Run, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (30, 20), "white").save(tmp_path / "pictures" / "white.png")
    lines = [line.split() for line in cnnlab("predict", "last", "pictures").stdout.splitlines()]
    assert lines[0] == ["path", "predicted", "confidence"]
    assert lines[1][0] == "pictures/white.png"
    assert cnnlab("predict", "last", "pictures", "--out", "out.csv").stdout == "1 picture predicted: out.csv\n"
    assert (tmp_path / "out.csv").read_text().startswith("path,predicted,confidence,0,1,2")
    (image,) = document("predict", "last", "pictures")["images"]
    assert image["predicted"] == lines[1][1]


def test_predict_takes_a_model_file_too(cnnlab: Cnnlab, trained: Run, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    by_run = cnnlab("predict", "last", "black.png").stdout
    assert cnnlab("predict", trained.folder / "model.safetensors", "black.png").stdout == by_run


def test_a_pickle_is_refused_unread(cnnlab: Cnnlab, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"\x80\x04K\x01.")
    assert "is a pickle" in cnnlab("predict", "model.pt", ".", exit_code=2).stderr


def test_predict_names_what_it_cannot_read_and_goes_on_when_told_to(
    cnnlab: Cnnlab, document: Document, trained: Run, tmp_path: Path
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    assert "b.png" in cnnlab("predict", "last", "a.png", "b.png", "--out", "out.csv", exit_code=2).stderr
    assert not (tmp_path / "out.csv").exists()
    result = cnnlab("predict", "last", "a.png", "b.png", "--out", "out.csv", "--skip-bad")
    assert result.stdout == "1 picture predicted, 1 left out: out.csv\n"
    assert "b.png" in result.stderr


@pytest.mark.slow(10)
def test_the_demo_compares_two_networks_and_draws_them(cnnlab: Cnnlab, document: Document, tmp_path: Path) -> None:
    shown = cnnlab("demo").stdout
    assert "test accuracy" in shown
    for name in ("learning-curves.png", "confusion-matrices.png"):
        assert f"demo-runs/{name}" in shown
        with Image.open(tmp_path / "demo-runs" / name) as image:
            assert image.size[0] > 800
    facts = document("demo")
    # Ten classes; another processor rounds otherwise.
    assert min(facts["scores"]["test.accuracy"]) > 0.85
    assert len(RunStore(tmp_path / "demo-runs").list()) == 2


def test_a_recipe_is_tried_quickly_and_says_so(cnnlab: Cnnlab, document: Callable[..., Any]) -> None:
    words = ["train", "data=digits", "model=mlp(hidden=[8])", "epochs=20", "threads=1"]
    said = cnnlab(*words, "--quick").stdout
    assert "quick trial" in said and "train 256 of 1,294, validation 64 of 144, test 64 of 359" in said
    assert "recipe.yaml quick=false" in said and "cnnlab extend" not in said
    assert document(*words, "--quick")["is_quick"] is True
    assert "finished, quick trial" in cnnlab("runs", "list").stdout
    assert "quick trial" in cnnlab("runs", "show", "last").stdout
    assert [run["is_quick"] for run in document("runs", "list")] == [True]
