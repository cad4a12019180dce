from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cnnlab.runs import RunStore, RunWriter

Cnnlab = Callable[..., Result]
MakeRun = Callable[..., Path]

Document = Callable[..., Any]


def test_runs_are_listed_with_the_one_started_last_first(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    first, second = make_run("early"), make_run("late", seed=1)
    lines = cnnlab("runs", "list").stdout.splitlines()
    titles = "run state test accuracy what differs validation accuracy epochs started training time"
    assert lines[0].split() == titles.split()
    assert [line.split()[0] for line in lines[1:]] == [second.name, first.name]
    assert lines[1].split()[1:6] == ["finished", "0.8750", "seed=1", "0.9000", "3"]


def test_the_limit_keeps_the_last(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    make_run("early")
    late = make_run("late", seed=1)
    lines = cnnlab("runs", "list", "-n", "1").stdout.splitlines()
    assert len(lines) == 2 and lines[1].startswith(late.name)


def test_runs_judged_by_different_metrics_name_them(cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path) -> None:
    make_run("classes")
    with RunWriter.create(tmp_path / "runs", digest="c" * 64, recipe={}, name="minutes") as writer:
        chosen = {"epoch": 1, "metric": "validation_minutes", "value": 4.0}
        writer.finish({"test": {"minutes": 5.25, "n": 9}}, selected=chosen)
    shown = cnnlab("runs", "list").stdout
    assert "minutes 5.2500" in shown
    assert "accuracy 0.8750" in shown


def test_a_damaged_run_is_listed_as_such(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    (make_run() / "run.json").write_text("{")
    listed = cnnlab("runs", "list").stdout
    assert "damaged" in listed and "is damaged: it is not the JSON object that cnnlab writes" in listed


def test_no_runs_is_said_with_what_to_do(cnnlab: Cnnlab, document: Document) -> None:
    assert cnnlab("runs", "list").stdout.startswith("There are no runs under runs. Train one:")
    assert document("runs", "list") == []


def test_the_folder_of_runs_is_a_flag_or_an_environment_variable(
    cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run()
    (tmp_path / "runs").rename(tmp_path / "other")
    assert folder.name in cnnlab("runs", "list", "--runs", tmp_path / "other").stdout
    monkeypatch.setenv("CNNLAB_RUNS", str(tmp_path / "other"))
    assert folder.name in cnnlab("runs", "list").stdout


def test_runs_as_json(document: Document, make_run: MakeRun) -> None:
    folder = make_run()
    (facts,) = document("runs", "list")
    assert facts["run"] == folder.name
    assert facts["scores"]["test"]["accuracy"] == 0.875
    assert facts["recipe"]["model"] == "mlp(hidden=[32], dropout=0.0)"


def test_runs_of_a_study_are_told_apart_by_what_it_varies(
    cnnlab: Cnnlab, make_run: MakeRun, document: Document, tmp_path: Path
) -> None:
    for seed, model in ((0, "mlp(hidden=[32], dropout=0.0)"), (1, "mlp(hidden=[64], dropout=0.0)")):
        make_run("widths", seed=seed, model=model)
    make_run("alone", augment="flip(p=0.5)")
    (tmp_path / "runs" / "studies" / "widths").mkdir(parents=True)
    facts = {run["run"].partition("-")[0]: run for run in document("runs", "list", "study=widths", "seed=1")}
    assert facts["widths"]["differs"] == {"model": "mlp(hidden=[64])", "seed": "1"}
    assert facts["widths"]["study"] == "widths"
    grouped = cnnlab("runs", "list", "--by", "study").stdout
    assert "no study: 1 run\n" in grouped and "study widths: 2 runs\n" in grouped
    assert "model=mlp(hidden=[32]), seed=0" in grouped
    assert len(document("runs", "list", "study=none")) == 1


def test_what_runs_are_held_to_or_ordered_by_has_a_column(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    make_run("short")
    make_run("long", epochs=30)
    lines = cnnlab("runs", "list", "epochs>2", "--sort", "test_loss", "--reverse").stdout.splitlines()
    assert "test_loss" in lines[0] and "0.4000" in lines[1]
    ordered = cnnlab("runs", "list", "model~mlp", "--sort", "epochs").stdout.splitlines()
    assert [line.partition("-")[0] for line in ordered[1:]] == ["short", "long"]
    (only,) = cnnlab("runs", "list", "epochs>=30").stdout.splitlines()[1:]
    assert only.startswith("long")


def test_no_run_that_fits_is_said_with_the_conditions(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    make_run()
    said = cnnlab("runs", "list", "epochs>9", "seed=0").stdout
    assert said == "No run under runs fits epochs>9 and seed=0; without conditions there is 1 run.\n"
    assert "Did you mean epochs" in cnnlab("runs", "list", "epoch=9", exit_code=2).stderr


def test_runs_that_fit_are_shown_and_deleted_after_asking(cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path) -> None:
    kept, *gone = make_run("kept"), make_run("gone", epochs=9), make_run("gone", epochs=10)
    refused = cnnlab("runs", "delete", "epochs>8", input="n\n", exit_code=1)
    assert all(folder.is_dir() for folder in gone)
    assert "Delete 2 runs (" in refused.stderr and "epochs=9" in refused.stderr and kept.name not in refused.stderr
    told = cnnlab("runs", "delete", "epochs>8", "run~gone", input="y\n")
    assert not any(folder.exists() for folder in gone) and kept.is_dir()
    assert told.stdout.count("deleted runs/gone") == 2
    assert "fits epochs>8" in cnnlab("runs", "delete", "epochs>8", exit_code=2).stderr
    mixed = cnnlab("runs", "delete", kept.name, "epochs=3", "--yes", exit_code=2).stderr
    assert "by names or by conditions" in mixed and kept.is_dir()
    cnnlab("runs", "restore", gone[0].name)
    assert gone[0].is_dir()


def test_a_run_that_is_trained_keeps_the_others_that_fit(cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path) -> None:
    finished = make_run()
    with RunWriter.create(tmp_path / "runs", digest="d" * 64, recipe={"epochs": 3}, name="busy"):
        said = cnnlab("runs", "delete", "epochs=3", "--yes", exit_code=1).stderr
        assert "busy-dddddddd is being trained" in said and "state!=running" in said
        assert finished.is_dir()
        cnnlab("runs", "delete", "epochs=3", "state!=running", "--yes")
    assert not finished.exists()


def test_what_was_set_is_shown_before_what_is_at_its_default(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    make_run(info={"given": {"data": "digits", "model": "mlp(hidden=[32])", "epochs": 3}})
    shown = cnnlab("runs", "show", "last").stdout
    assert "model   mlp(hidden=[32])\n" in shown and "and 2 keys at the default" in shown
    assert "augment" not in shown
    whole = cnnlab("runs", "show", "last", "--all").stdout
    assert "augment  none" in whole and "mlp(hidden=[32], dropout=0.0)" in whole


@pytest.mark.parametrize("by", ["folder", "name", "digest", "path", "last"])
def test_a_run_answers_to_each_of_its_names(cnnlab: Cnnlab, make_run: MakeRun, by: str) -> None:
    make_run("other", seed=1)
    folder = make_run("mine")
    digest = RunStore(folder.parent).find(folder.name).digest
    names = {"folder": folder.name, "name": "mine", "digest": digest[:10], "path": str(folder), "last": "last"}
    assert cnnlab("runs", "show", names[by]).stdout.splitlines()[0].split() == ["run", folder.name]


def test_show_tells_recipe_scores_history_execution_and_warnings(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    make_run(info={"warnings": ["something was odd"]})
    shown = cnnlab("runs", "show", "last").stdout
    assert "epoch 2, by validation accuracy" in shown
    assert "mlp(hidden=[32], dropout=0.0)" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("test ")] == [
        ["test", "359", "0.4000", "0.8750", "(0.8364", "to", "0.9050)"]
    ]
    assert "    3" in shown and "0.3333" in shown
    assert "float32" in shown
    assert "- something was odd" in shown


@pytest.mark.parametrize(("took", "told"), [({"seconds": 1.432}, "in 1.4 s"), ({}, "found in the cache")])
def test_show_tells_who_compiled_the_kernels_and_how_long_that_took(
    took: dict[str, float], told: str, cnnlab: Cnnlab, make_run: MakeRun
) -> None:
    make_run(info={"kernels_build": {"compiler": "/usr/bin/cc", "version": "gcc 12.2.0", **took}})
    (line,) = (line for line in cnnlab("runs", "show", "last").stdout.splitlines() if "kernels compiled by" in line)
    assert line.endswith(f" gcc 12.2.0, {told}")


def test_show_of_a_failed_run_says_why(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run(finish=False)
    with RunWriter.open(folder) as writer:
        writer.fail("the loss became nan at step 7")
    assert "failed: the loss became nan at step 7" in cnnlab("runs", "show", "last").stdout


def test_show_of_a_history_that_other_hands_filled_with_words(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "history.csv").write_text("epoch,learning_rate_end,train_loss,seconds\n1,fast,low,long\n")
    assert "fast" in cnnlab("runs", "show", folder.name).stdout


def test_show_as_json_holds_the_history(document: Document, make_run: MakeRun) -> None:
    make_run()
    facts = document("runs", "show", "last")
    assert [row["epoch"] for row in facts["history"]] == [1, 2, 3]
    assert facts["history"][2]["train_loss"] == 1 / 3


def test_compare_shows_what_differs_inside_specs_and_the_scores(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    first = make_run("a")
    second = make_run("b", model="mlp(hidden=[32], dropout=0.5)", seed=1)
    lines = [line.split() for line in cnnlab("runs", "compare", first.name, second.name).stdout.splitlines()]
    assert [first.name, second.name] in lines
    assert ["test", "accuracy", "0.8750", "0.8750"] in lines
    assert ["model", "mlp(dropout=0.0)", "mlp(dropout=0.5)"] in lines
    assert ["seed", "0", "1"] in lines
    assert not any(line[:1] == ["epochs:"] for line in lines)


def test_compare_shows_specs_of_different_names_as_they_were_written(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    from cnnlab.models import canonical_model

    make_run("a", model=canonical_model("cnn(filters=[8])"), augment="flip(axis=horizontal, p=0.5)|blur")
    make_run("b", model=canonical_model("mlp(hidden=[32])"), augment="flip(axis=horizontal, p=0.5)")
    shown = cnnlab("runs", "compare", "a", "b").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["model", "cnn(filters=[8])", "mlp(hidden=[32])"] in lines
    assert ["augment", "flip|blur", "flip"] in lines


def test_compare_of_equal_recipes_says_so(cnnlab: Cnnlab, make_run: MakeRun, tmp_path: Path) -> None:
    first = make_run("a")
    second = make_run("b")
    assert "Their recipes are the same." in cnnlab("runs", "compare", first.name, second.name).stdout


def test_compare_as_json(document: Document, make_run: MakeRun) -> None:
    first, second = make_run("a"), make_run("b", seed=1)
    facts = document("runs", "compare", first.name, second.name)
    assert facts["runs"] == [first.name, second.name]
    assert facts["recipe"]["seed"] == [0, 1]


def test_delete_asks_and_deletes(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run()
    result = cnnlab("runs", "delete", "last", input="y\n")
    assert f"Delete {folder.name}" in result.stderr
    assert not folder.exists()
    told, remedy = result.stdout.splitlines()[-2:]
    assert told == f"deleted runs/{folder.name}"
    assert remedy == f"cnnlab runs restore {folder.name} has it back; cnnlab runs purge frees the disk."
    assert cnnlab("runs", "restore", folder.name).stdout == f"restored runs/{folder.name}\n"
    assert folder.exists()


def test_purge_asks_and_purges(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run()
    assert cnnlab("runs", "purge").stdout == "There are no deleted runs under runs.\n"
    cnnlab("runs", "delete", "last", "--yes")
    assert "nothing was done" in cnnlab("runs", "purge", input="n\n", exit_code=1).stderr
    assert cnnlab("runs", "purge", input="y\n").stdout.endswith(f"purged {folder.name}\n")
    assert "there is no deleted run" in cnnlab("runs", "restore", folder.name, exit_code=2).stderr


def test_the_store_itself_is_not_deleted(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run()
    for place in (folder.parent, folder.parent.parent):
        (place / "run.json").write_text('{"format":1}')
    for name in (".", "..", "runs"):
        assert "does not lie directly in runs" in cnnlab("runs", "delete", name, "--yes", exit_code=2).stderr
    assert folder.exists()


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_delete_without_a_yes_deletes_nothing(cnnlab: Cnnlab, make_run: MakeRun, answer: str) -> None:
    folder = make_run()
    result = cnnlab("runs", "delete", "last", input=answer, exit_code=1)
    assert "nothing was done" in result.stderr
    assert folder.exists()


def test_delete_takes_names_as_they_stood_at_the_start(document: Document, make_run: MakeRun) -> None:
    early, late = make_run("early"), make_run("late", seed=1)
    deleted = document("runs", "delete", "last", late.name, "--yes")["deleted"]
    assert [Path(path).name for path in deleted] == [late.name]
    assert early.exists() and not late.exists()


def test_a_damaged_run_can_be_deleted(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "run.json").write_text("{")
    cnnlab("runs", "delete", folder.name, "--yes")
    assert not folder.exists()


def test_a_run_at_work_is_not_deleted(cnnlab: Cnnlab, make_run: MakeRun) -> None:
    folder = make_run(finish=False)
    with RunWriter.open(folder):
        assert "cannot be deleted while" in cnnlab("runs", "delete", folder.name, "--yes", exit_code=1).stderr
        assert "running" in cnnlab("runs", "list").stdout
    assert folder.exists()


def test_the_names_of_runs_complete_in_the_shell(make_run: MakeRun, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from cnnlab.cli.options import runs_so_far

    folder = make_run()
    context = SimpleNamespace(params={"runs": tmp_path / "runs"})
    assert runs_so_far(context, "") == ["last", folder.name]  # type: ignore[arg-type]
