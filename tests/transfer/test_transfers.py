"""Transfers from start to end: stored like runs, asked like classifiers, made once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab import evaluation
from cnnlab.core.errors import CnnlabError, DataError, ModelFileError, SpecError, UsageError
from cnnlab.evaluation import metrics_of
from cnnlab.models import Predictable, require_gradient
from cnnlab.runs import Run, RunStore
from cnnlab.transfer.backbones import read_backbones
from cnnlab.transfer.classifier import TransferClassifier
from cnnlab.transfer.divisions import divisions
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.pictures import read_pictures
from cnnlab.transfer.record import read_record
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.result import TransferResult

DATA = "digits(size=16)"


def _made(backbone: str, runs: Path, **keys: Any) -> TransferResult:
    usual = {"classifiers": "gaussian-nb", "subset": 60, "runs": runs}
    result: TransferResult = cnnlab.transfer(DATA, backbones=backbone, **{**usual, **keys})
    return result


def test_the_best_is_chosen_on_validation_and_it_alone_is_scored_on_test(result: TransferResult) -> None:
    record = result.record
    first = [row.repeats[0].scores["macro_f1"] for row in record.rows]
    assert first[record.choices[0].row] == max(first) and len(record.choices) == 2
    stored = result.run.predictions("test")
    assert metrics_of(stored)["macro_f1"] == pytest.approx(result.run.test.macro_f1)
    assert record.choices[0].test is not None and record.choices[0].test["n"] == len(stored)
    assert result.best.test == record.choices[0].test and set(result.run.splits) == {"validation", "test"}


def test_it_predicts_what_is_stored_of_it(result: TransferResult) -> None:
    found = evaluation.evaluate(result.run)
    stored = result.run.predictions("test")
    assert np.allclose(found.predictions.outputs["label"], stored.outputs["label"], atol=1e-3)
    assert found.scores["accuracy"] == result.run.test.accuracy
    assert evaluation.evaluate(result.run, DATA, "validation").scores["n"] == len(result.run.predictions("validation"))


def test_pictures_are_predicted_by_its_name(result: TransferResult) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    said = cnnlab.predict(result.run, images)
    assert len(said) == 2 and set(said.columns["label"].names) == set("0123456789")
    assert np.allclose(np.sum(said.columns["label"].probabilities, axis=1), 1)


def test_its_model_has_no_gradient_and_says_so(result: TransferResult) -> None:
    model = result.classifier()
    assert isinstance(model, Predictable) and not model.has_gradient
    pixels = torch.rand(2, *model.shape, requires_grad=True)
    with pytest.raises(UsageError, match="no gradient"):
        model(pixels)
    with pytest.raises(UsageError, match="no gradient"):
        require_gradient(model, "saliency is one")
    assert torch.equal(model(pixels.detach()), model(pixels.detach())) and model(pixels[:0].detach()).shape == (0, 10)
    with pytest.raises(UsageError, match="takes pictures as N×1×16×16"):
        model(torch.zeros(1, 3, 16, 16))


def test_the_same_request_is_the_same_transfer(backbone: str, tmp_path: Path) -> None:
    first = _made(backbone, tmp_path)
    assert _made(backbone, tmp_path).run == first.run
    assert _made(backbone, tmp_path, again=True).run.repeat == 2
    assert _made(backbone, tmp_path, classifiers="svc").run.digest != first.run.digest
    assert _made(backbone, tmp_path, name="other").run.name.startswith("other-")


def test_nothing_is_left_where_it_fails(backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*unused: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnlab.transfer.storing.write_record", fails)
    with pytest.raises((OSError, CnnlabError)):
        _made(backbone, tmp_path)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".cnnlab")]


def test_it_is_found_listed_and_shown_like_a_run(result: TransferResult) -> None:
    store = RunStore(result.run.folder.parent)
    run = store.find("digits")
    assert run == result.run and run.is_transfer and not run.is_trained and not run.is_ensemble
    assert str(run).count("svc on squeezenet1_1") + str(run).count("logistic-regression on squeezenet1_1") >= 1
    assert "epochs" not in str(run) and run._repr_html_()
    with pytest.raises(UsageError, match="was made by cnnlab transfer"):
        cnnlab.extend(run, "+1")
    assert isinstance(run.classifier(), TransferClassifier)
    assert isinstance(evaluation.open_model(f"transfer:{run.folder}"), TransferClassifier)


def test_it_is_a_member_of_ensembles(result: TransferResult, backbone: str) -> None:
    runs = result.run.folder.parent
    other = _made(backbone, runs, subset=150, classifiers="knn", name="other")
    both = cnnlab.ensemble([result.run, other.run])
    assert both.test.n == result.run.test.n
    assert evaluation.evaluate(both).scores["accuracy"] == both.test.accuracy


def test_a_table_has_a_row_for_each_classifier_and_a_column_for_each_layer(backbone: str, tmp_path: Path) -> None:
    made = _made(backbone, tmp_path, layer="pooled, fire2", classifiers="gaussian-nb, knn(n_neighbors=3)")
    assert list(made.table.index) == ["gaussian-nb", "knn(n_neighbors=3)"]
    assert list(made.table.columns) == ["squeezenet1_1 pooled", "squeezenet1_1 fire2"]
    assert made.table.notna().all(axis=None) and len(made.details) == 4
    assert "no verdict" not in made.caution and "repeats=5" in made.caution
    assert json.loads(json.dumps(made.to_dict()))["best"]["backbone"] == "squeezenet1_1"
    assert str(made.best).count("fire2") <= 1 and str(made.run).count("fire2") <= 1
    assert "<table" in made._repr_html_() and str(made) and repr(made)
    assert made.record.best_column.features in (512, 128)
    assert made.searched.empty and {"search", "classifier", "mean"} <= set(made.searched)


def test_a_search_stands_beside_the_others_with_what_it_found(backbone: str, tmp_path: Path) -> None:
    made = _made(backbone, tmp_path, search="knn(n_neighbors=[1, 5])", cv=3, subsample=0.5)
    searched = made.details.set_index("classifier").loc["search(knn(n_neighbors=[1, 5]))"]
    assert searched.fitted in ("knn(n_neighbors=5)", "knn(n_neighbors=1)")
    assert [row.repeats[0].tried for row in made.record.rows] == [1, 2]
    plain, search = (row.repeats[0] for row in made.record.rows)
    # Both on half of the 60 training pictures, and on all of them.
    assert not plain.searched and [each.pictures for each in search.searched] == [30, 30, 60, 60]
    table = made.searched
    assert list(table.pictures) == [60, 60, 30, 30] and set(table.metric) == {"macro_f1"}
    assert table["mean"].between(0, 1).all() and (table.deviation >= 0).all() and (table.seconds > 0).all()
    assert list(table.found) == [1, 0, 0, 0] and table.classifier[0] == searched.fitted
    alone = _made(backbone, tmp_path, classifiers=None, search="knn(n_neighbors=[1, 5])")
    assert len(alone.record.rows) == 1


def test_repeats_divide_the_pictures_anew(result: TransferResult) -> None:
    dataset = cnnlab.load_data(DATA, subset=150)
    labels = np.concatenate([part.targets["label"].numpy() for _, part in dataset.parts()])
    first, second = divisions(dataset, labels, 2, "split", 0)
    for name, places in first.parts.items():
        assert len(places) == len(second.parts[name]) and not np.array_equal(np.sort(places), second.parts[name])
        counts = [np.bincount(labels[each.parts[name]], minlength=10) for each in (first, second)]
        assert abs(counts[0] - counts[1]).max() <= 1
    everything = np.concatenate(list(second.parts.values()))
    assert np.array_equal(np.sort(everything), np.arange(len(labels)))
    same, _ = divisions(dataset, labels, 2, "seed", 0)
    assert np.array_equal(same.parts["train"], divisions(dataset, labels, 2, "seed", 0)[1].parts["train"])


def test_data_with_its_own_splits_cannot_be_divided_anew() -> None:
    x = np.zeros((20, 8, 8), np.uint8)
    y = np.arange(20) % 2
    dataset = cnnlab.load_data({"train": (x, y), "validation": (x + 1, y), "test": (x + 2, y)})
    with pytest.raises(UsageError, match="comes with its own splits"):
        divisions(dataset, np.tile(y, 3), 2, "split", 0)
    assert len(divisions(dataset, np.tile(y, 3), 2, "seed", 0)) == 2


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"classifiers": "knn(n_neighbors=61)"}, "asks for 61 neighbours"),
        ({"search": "knn(n_neighbors=[1, 50])"}, "asks for 50 neighbours, and it is fitted to 48"),
        ({"search": "knn(n_neighbors=[1, 2])", "cv": 70}, "60 training pictures cannot be divided into 70 folds"),
        ({"classifiers": "linear-probe", "cv": 70}, "60 training pictures cannot be divided into 70 folds"),
        ({"search": "knn(n_neighbors=[1, 2])", "subsample": 9}, "subsample=9 is 9 of the 60 .* too few for 5 folds"),
        ({"layer": "fire99"}, "has no layer 'fire99'"),
        ({"layer": "head"}, "is drawn anew for the classes of the data, so features at head would be those of chance"),
        ({"layer": "head"}, "features at head would be those of chance. Take pooled, or a layer before the head"),
        ({"layer": "nothing"}, "It has pooled, conv1, .* and .* more. All are listed by cnnlab models show squeeze"),
        ({"layer": ""}, "layer= names none"),
        ({"objective": "scalar"}, "objective=scalar is not one class"),
        ({"sead": 1}, "has no key 'sead'. Did you mean seed"),
        ({"repeats": 0}, "repeats takes a whole number from 1"),
        ({"subsample": 0.5}, "search= names none"),
        ({"validation": 0}, "chosen on validation pictures"),
        ({"name": "a/b"}, "cannot name a run"),
        ({"device": "nowhere"}, "there is no device"),
        ({"backbones": None}, "needs backbones="),
        ({"precision": "float8"}, "precision takes auto or float32 or bfloat16"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    keys: dict[str, Any], told: str, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before features are computed, which may take long.
    monkeypatch.setattr(FeatureSource, "fill", None)
    with pytest.raises(UsageError, match=told):
        _made(keys.pop("backbones", backbone), tmp_path, **keys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"layer": "flat(pooled"}, r"layer: this '\(' is never closed by '\)' \(at character 5 of «flat▸\(pooled»\)"),
        ({"classifiers": "knn|svc"}, r"classifiers: '\|' is not expected here; several are separated by commas"),
        ({"backbones": "conv(8)|relu"}, r"at character 8 of «conv\(8\)▸\|relu»"),
        ({"search": "svc(C=[1, 10)"}, r"never closed by '\]' .* of «svc\(C=▸\[1, 10\)»|expected here .*10▸\)»"),
    ],
)
def test_messages_hold_what_was_typed_and_no_more(
    keys: dict[str, Any], told: str, backbone: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=told):
        _made(keys.pop("backbones", backbone), tmp_path, **keys)


@pytest.mark.parametrize("empty", ["", "none", "[]", []])
def test_an_empty_search_is_none(empty: Any, backbone: str, tmp_path: Path) -> None:
    request = TransferRequest.read({"data": DATA, "backbones": backbone, "classifiers": "knn", "search": empty})
    assert request.content == {"classifiers": "knn"}


def test_weights_of_a_transfer_are_none_and_it_is_said_what_to_train(result: TransferResult) -> None:
    keys = {"data": "digits", "model": "conv(8)|relu", "weights": f"run:{result.run.name}", "epochs": 1}
    with pytest.raises(
        ModelFileError, match=r"was made by cnnlab transfer: .* Train the network itself, in phases: cnn"
    ):
        cnnlab.train(keys, runs=result.run.folder.parent)


def test_numbers_to_predict_are_refused(backbone: str) -> None:
    x = np.arange(20, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    with pytest.raises(UsageError, match=r"the targets of .* are numbers"):
        cnnlab.transfer((x, np.linspace(0, 1, 20, dtype=np.float32)), backbones=backbone, validation=2, test=2)


@pytest.mark.parametrize(("given", "side"), [("digits", 224), ("digits(size=none)", 8), ("digits(size=12)", 12)])
def test_a_size_that_is_said_stays_none_too(given: str, side: int, backbone: str) -> None:
    pictures = read_pictures(
        TransferRequest.read({"data": given, "backbones": backbone}), read_backbones([backbone])[0], None, True
    )
    assert pictures.dataset.shape[1:] == (side, side)
    # What is on record means the same again.
    again = TransferRequest.read({"data": pictures.spec, "backbones": backbone})
    assert read_pictures(again, read_backbones([backbone])[0], None, True).dataset.digest == pictures.dataset.digest


def test_arrays_are_taken_as_they_are(backbone: str) -> None:
    generator = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = generator.integers(0, 100, (60, 32, 32, 3), dtype=np.uint8) + 100 * y[:, None, None, None].astype(np.uint8)
    made = cnnlab.transfer((x, y), backbones=backbone, classifiers="gaussian-nb", validation=10, test=10)
    assert made.run.recipe["data"] == "arrays" and made.run.test.accuracy > 0.9


@pytest.mark.parametrize("file", ["backbone.safetensors", "pipeline.skops"])
def test_a_file_that_is_another_than_it_was_is_refused(file: str, result: TransferResult) -> None:
    path = result.run.folder / file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelFileError, match="is not the file that this transfer was made with"):
        result.classifier()
    path.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        result.classifier()


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}'])
def test_a_damaged_record_is_refused(content: str, result: TransferResult) -> None:
    (result.run.folder / "transfer.json").write_text(content)
    with pytest.raises(DataError, match=r"transfer\.json is damaged"):
        read_record(result.run)


def test_a_row_that_is_not_there_is_refused(result: TransferResult) -> None:
    path = result.run.folder / "transfer.json"
    content = json.loads(path.read_text())
    content["choices"][0]["row"] = 99
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="rows or columns that it does not hold"):
        read_record(result.run)


def test_a_training_is_no_transfer(tmp_path: Path) -> None:
    run = cnnlab.train(data="digits", model="mlp(hidden=[4])", epochs=1, subset=50, runs=tmp_path, threads=1)
    with pytest.raises(UsageError, match="was not made by cnnlab transfer"):
        TransferResult(Run(run.folder)).record  # noqa: B018
