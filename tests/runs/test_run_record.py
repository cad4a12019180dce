import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core import hooks, yaml
from cnnlab.core.errors import DataError, ModelFileError, RunNotFoundError, UsageError
from cnnlab.runs import Predictions, Run, RunWriter, Scores
from cnnlab.runs.history import read_history, write_history
from cnnlab.runs.record import flattened, json_value, merged, read_recipe, write_recipe

MakeRun = Callable[..., Path]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


def predictions(split: str = "test") -> Predictions:
    return Predictions({"label": np.eye(2)}, {"label": np.array([0, 1])}, ["0", "1"], "classes()", {}, "d", split)


def test_finished_run_tells_what_was_written(make_run: MakeRun) -> None:
    run = Run(make_run(info={"data": {"name": "digits", "digest": "d", "sizes": {"train": 1}}}))
    assert run.status == run.state == "finished" and not run.is_running
    assert run.test.accuracy == 0.875 and run.test["loss"] == 0.4 and run.test.n == 100
    assert run.validation.to_dict() == {"accuracy": 0.9, "loss": 0.31, "n": 50}
    assert run.recipe["model"] == "convnet(width=32)" and list(run.recipe)[:2] == ["data", "model"]
    assert run.info["data"]["sizes"] == {"train": 1}
    assert (run.seconds, run.epochs, run.epochs_done, run.repeat) == (12.5, 3, 3, 1)
    assert run.name == f"digits-{run.digest[:8]}" == run.folder.name


def test_fresh_run_is_readable_before_anything_came_out(root: Path) -> None:
    with RunWriter.create(root, digest="ab" * 32, recipe={"data": "digits"}, name="new") as writer:
        run = Run(writer.folder)
        assert run.state == "running" and run.status == "unfinished"
        assert run.history.empty and run.live == [] and run.splits == [] and run.epochs_done == 0
        assert not run.test and run.test == {} and repr(run.test) == "Scores()"
        with pytest.raises(AttributeError, match="nothing was scored yet"):
            _ = run.test.accuracy
        with pytest.raises(UsageError, match=r"new-abababab \(running\) has no predictions on 'test'"):
            run.predictions()
        with pytest.raises(ModelFileError, match=r"no classifier stored yet.*cnnlab resume new-abababab"):
            run.classifier()
        assert "running" in repr(run) and "running" in run._repr_html_()


def test_view_follows_the_run_while_it_trains(root: Path) -> None:
    with RunWriter.create(root, digest="ab" * 32, recipe={}, name="new") as writer:
        run = Run(writer.folder)
        writer.update(epochs_done=1)
        writer.history([{"epoch": 1, "loss": 0.5}])
        writer.live({"step": 1, "loss": 0.7})
        assert run.epochs_done == 1 and len(run.history) == 1 and run.live == [{"step": 1, "loss": 0.7}]
    assert not run.is_running


def test_shown_in_a_notebook_with_its_texts_escaped(make_run: MakeRun) -> None:
    html = Run(make_run(model="<script>", info={"warnings": ["a < b"]}))._repr_html_()
    assert "&lt;script&gt;" in html and "<script>" not in html and "a &lt; b" in html
    assert "accuracy 0.8750" in html and "3 epochs" in html


def test_a_notebook_shows_what_was_set_and_folds_the_rest(make_run: MakeRun) -> None:
    run = Run(make_run(info={"given": {"model": "tiny"}}))
    html = run._repr_html_()
    own, rest = html.split("at their default")
    assert "model: tiny" in own and "epochs: 3" in rest and "model: tiny" not in rest
    assert run.given == {"model": "tiny"} and Run(make_run(name="old")).given["epochs"] == 3


def test_shown_on_a_line_and_on_several(make_run: MakeRun) -> None:
    run = Run(make_run())
    assert repr(run) == f"Run({run.name}: finished, 3 epochs, test accuracy 0.8750, loss 0.4000)"
    lines = str(run).splitlines()
    assert lines[0] == f"run            {run.name}"
    assert "               test accuracy 0.8750, loss 0.4000" in lines
    assert "selected       epoch 2, by loss 0.3100" in lines and "training time  12.5 s" in lines


def test_dictionary_of_a_run_is_plain_json(make_run: MakeRun) -> None:
    folder = make_run()
    facts = json.loads(json.dumps(Run(folder).to_dict(), allow_nan=False))
    assert facts["folder"] == str(folder) and facts["name"] == folder.name
    assert facts["recipe"]["epochs"] == 3 and facts["is_running"] is False
    assert facts["scores"]["test"]["accuracy"] == 0.875


def test_predictions_are_found_by_split_and_the_closest_named(make_run: MakeRun) -> None:
    folder = make_run()
    with RunWriter.open(folder) as writer:
        for split in ("test", "validation@epoch-7"):
            assert writer.predictions(predictions(split)) == folder / "predictions" / f"{split}.safetensors"
    run = Run(folder)
    assert run.splits == ["test", "validation@epoch-7"]
    assert run.predictions("validation@epoch-7") == predictions("validation@epoch-7")
    with pytest.raises(UsageError, match="Did you mean test"):
        run.predictions("tset")
    with pytest.raises(UsageError, match="cannot name a split"):
        run.predictions("../run")


def test_classifier_is_opened_by_whoever_knows_how(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setitem(hooks._openers, "classifier", lambda path, network, model: calls.append((path, network, model)))
    folder = make_run()
    (folder / "model.safetensors").write_bytes(b"weights")
    Run(folder).classifier(network="mine")
    assert calls == [(folder / "model.safetensors", "mine", Run(folder).recipe.get("model"))]


def test_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunNotFoundError, match="is not a run"):
            Run(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "x"}', "null"])
def test_damaged_record_is_named(make_run: MakeRun, content: str) -> None:
    folder = make_run()
    (folder / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json is damaged"):
        Run(folder)


def test_record_of_a_later_version_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "run.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(DataError, match="Update cnnlab"):
        Run(folder)


def test_scores_answer_by_attribute_and_name_what_there_is() -> None:
    scores = Scores({"accuracy": 0.5, "top-5": 0.9, "loss": None, "n": 10}, "test scores of run r")
    assert scores.accuracy == 0.5 and scores.top_5 == 0.9 and math.isnan(scores.loss)
    assert repr(scores) == "Scores(accuracy=0.5, top-5=0.9, loss=nan, n=10)"
    assert not hasattr(scores, "precision") and "top_5" in dir(scores)
    with pytest.raises(
        AttributeError, match="test scores of run r: there is no 'acuracy'; it has accuracy, top-5, loss"
    ):
        _ = scores.acuracy


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
@settings(max_examples=60, deadline=None)
def test_recipe_reads_back_equal_in_the_same_order(recipe: dict[str, Any]) -> None:
    text = yaml.dump(recipe)
    assert yaml.load(text, "recipe") == recipe and list(yaml.load(text, "recipe")) == list(recipe)


def test_words_and_numbers_that_older_yaml_confuses_read_back_equal(tmp_path: Path) -> None:
    recipe = {
        "a": "no",
        "b": "1e-3",
        "c": 1e-05,
        "d": "017",
        "e": "1:30",
        "f": "0o17",
        "g": None,
        "h": "null",
        "i": "~",
    }
    write_recipe(tmp_path, recipe)
    assert read_recipe(tmp_path) == recipe


@given(st.lists(st.floats(), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_history_keeps_every_float_to_the_bit(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = tmp_path_factory.mktemp("history") / "history.csv"
    write_history(path, [{"epoch": place, "loss": number} for place, number in enumerate(numbers)])
    table = read_history(path)
    assert table["epoch"].tolist() == list(range(len(numbers)))
    assert np.array_equal(np.array(table["loss"].tolist(), float), np.array(numbers), equal_nan=True)


def test_history_is_a_plain_table(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write_history(
        path, [{"epoch": 1, "loss": np.float32(0.1)}, {"epoch": 2, "loss": 0.25, "note": "a,b", "rate": None}]
    )
    assert path.read_text() == 'epoch,loss,note,rate\n1,0.10000000149011612,,\n2,0.25,"a,b",\n'
    table = read_history(path)
    assert list(table) == ["epoch", "loss", "note", "rate"] and table["note"].tolist() == ["", "a,b"]
    assert table["rate"].isna().all() and table["epoch"].dtype == np.int64


def test_history_cut_short_by_hand_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n1,0.5\n2\n")
    with pytest.raises(DataError, match=r"history\.csv is damaged"):
        read_history(path)


def test_history_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write_history(path, [])
    assert read_history(path).empty
    path.write_text("epoch,loss\n")
    assert list(read_history(path)) == ["epoch", "loss"]


def test_plain_takes_numpys_values_and_refuses_what_has_no_form() -> None:
    value = {"a": np.float32(0.5), "b": np.array([1, 2]), "c": (1, Path("x")), "d": {3}, "e": math.inf, 4: True}
    assert json_value(value) == {"a": 0.5, "b": [1, 2], "c": [1, "x"], "d": [3], "e": None, "4": True}
    with pytest.raises(TypeError, match="cannot be recorded"):
        json_value({"a": object()})


def test_merging_goes_into_mappings_and_leaves_its_arguments() -> None:
    old = {"scores": {"train": {"n": 1}}, "x": [1]}
    assert merged(old, {"scores": {"test": {"n": 2}}, "x": [2]}) == {
        "scores": {"train": {"n": 1}, "test": {"n": 2}},
        "x": [2],
    }
    assert old == {"scores": {"train": {"n": 1}}, "x": [1]}


def test_flattening_enters_mappings_and_lists_of_them() -> None:
    tree = {"a": 1, "b": {"c": {"d": 2}}, "phases": [{"epochs": 1}, {"epochs": 2}], "mean": [0.1, 0.2], "e": {}}
    assert flattened(tree) == {
        "a": 1,
        "b.c.d": 2,
        "phases[0].epochs": 1,
        "phases[1].epochs": 2,
        "mean": [0.1, 0.2],
        "e": {},
    }
