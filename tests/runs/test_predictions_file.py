import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from cnnlab.core.errors import ModelFileError, StorageError, UsageError
from cnnlab.runs import Predictions


def make(**changes: object) -> Predictions:
    facts: dict[str, object] = {
        "outputs": {
            "minute": np.array([[0.5], [-2.0]], np.float32),
            "hour": np.array([[1, 2, 3], [4, 5, 6]], np.float32),
        },
        "targets": {"minute": np.array([12.5, 59.0], np.float32), "hour": np.array([2, 0])},
        "ids": ["a/1.png", "b/2.png"],
        "objective": "multi-head(hour=classes(3), minute=scalar())",
        "classes": {"hour": ("one", "two", "three")},
        "data": "ab" * 32,
        "split": "test",
    }
    return Predictions(**(facts | changes))  # type: ignore[arg-type]


def header_of(path: Path) -> dict[str, object]:
    """The header of a safetensors file, by the format's own description: eight bytes of length, then JSON."""
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "test.safetensors"
    make().save(path)
    loaded = Predictions.load(path)
    assert loaded == make()
    assert list(loaded.outputs) == ["minute", "hour"]
    assert loaded.outputs["hour"].dtype == np.float32 and loaded.targets["hour"].dtype == np.int64
    assert loaded.targets["minute"].tolist() == [12.5, 59.0]
    assert loaded.ids == ("a/1.png", "b/2.png") and loaded.classes == {"hour": ("one", "two", "three")}


def test_equal_predictions_give_files_equal_to_the_bit(tmp_path: Path) -> None:
    make().save(tmp_path / "one")
    # Other ways to hold the same numbers: another order of storage, of keys, another type of sequence.
    columns_first = np.asfortranarray(np.array([[1, 2, 3], [4, 5, 6]], np.float64))
    make(outputs={"minute": torch.tensor([[0.5], [-2.0]]), "hour": columns_first}, ids=("a/1.png", "b/2.png")).save(
        tmp_path / "two"
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_file_has_one_metadata_key_of_sorted_json(tmp_path: Path) -> None:
    make().save(tmp_path / "file")
    metadata = header_of(tmp_path / "file")["__metadata__"]
    assert isinstance(metadata, dict) and list(metadata) == ["cnnlab"]
    facts = json.loads(metadata["cnnlab"])
    assert list(facts) == sorted(facts)
    assert facts["objective"] == "multi-head(hour=classes(3), minute=scalar())"


def test_predictions_without_targets_are_kept(tmp_path: Path) -> None:
    make(targets={}).save(tmp_path / "file")
    assert Predictions.load(tmp_path / "file").targets == {}


def test_a_nan_equals_itself_and_a_changed_number_does_not() -> None:
    nan = np.array([[np.nan], [0]], np.float32)
    assert make(outputs={"a": nan}) == make(outputs={"a": nan.copy()})
    assert make() != make(outputs={**make().outputs, "minute": np.array([[0.5], [-1.0]], np.float32)})
    assert make() != make(split="validation")


def test_a_file_name_that_is_not_utf8_can_be_an_id(tmp_path: Path) -> None:
    make(ids=["caf\udce9.png", "b"]).save(tmp_path / "file")
    assert Predictions.load(tmp_path / "file").ids == ("caf\\udce9.png", "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": ["a"]}, "2 rows for 1 ids"),
        ({"targets": {"hour": np.array([1])}}, "target hour has 1 rows"),
        ({"targets": {"hour": np.array([[1], [2]])}}, "target column hour must have one dimension"),
        ({"outputs": {"hour": np.array([1.0, 2.0])}}, "head hour must be N×K"),
        ({"outputs": {}}, "at least one head"),
        ({"split": "../test"}, "cannot name a split"),
        ({"split": ""}, "cannot name a split"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**changes)


@pytest.mark.parametrize("split", ["validation@epoch-7", "test@tta"])
def test_variants_of_a_split_are_kept(tmp_path: Path, split: str) -> None:
    make(split=split).save(tmp_path / "file")
    assert Predictions.load(tmp_path / "file").split == split


def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {
        "a pickle": pickle.dumps({"outputs": 1}),
        "text": b"hello",
        "nothing": b"",
    }
    for content in contents.values():
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="does not hold predictions that cnnlab wrote"):
            Predictions.load(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="cnnlab did not write"):
        Predictions.load(path)
    save_file({"a": np.zeros(3)}, path, {"cnnlab": json.dumps({"kind": "classifier", "format": 1})})
    with pytest.raises(ModelFileError, match="holds 'classifier', not 'predictions'"):
        Predictions.load(path)
    save_file({"a": np.zeros(3)}, path, {"cnnlab": json.dumps({"kind": "predictions", "format": 99})})
    with pytest.raises(ModelFileError, match="later version"):
        Predictions.load(path)
    save_file({"a": np.zeros(3)}, path, {"cnnlab": json.dumps({"kind": "predictions", "format": 1})})
    with pytest.raises(ModelFileError, match="damaged"):
        Predictions.load(path)
    with pytest.raises(ModelFileError, match="no file of predictions"):
        Predictions.load(tmp_path / "missing")


@pytest.mark.parametrize(
    "change",
    [
        {"ids": 5},
        {"ids": [1, 2]},
        {"classes": ["one"]},
        {"classes": {"hour": "one"}},
        {"heads": "minute"},
        {"heads": ["second"]},
        {"split": "../x"},
        {"format": -1},
        {"data": None},
    ],
)
def test_a_header_of_other_kinds_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    make().save(tmp_path / "file")
    with safe_open(tmp_path / "file", "numpy") as file:
        arrays, header = {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["cnnlab"])  # noqa: SIM118
    save_file(arrays, tmp_path / "file", {"cnnlab": json.dumps({**header, **change})})
    with pytest.raises(ModelFileError, match=r"damaged|did not write"):
        Predictions.load(tmp_path / "file")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"kind": "predictions", "format": Infinity}', "[]", "5"])
def test_a_header_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    save_file({"a": np.zeros(3)}, tmp_path / "file", {"cnnlab": text})
    with pytest.raises(ModelFileError, match="did not write"):
        Predictions.load(tmp_path / "file")


@pytest.mark.parametrize("label", [3, -1, 2**40])
def test_targets_that_are_no_class_are_refused(label: int, tmp_path: Path) -> None:
    make(targets={"hour": np.array([label, 0])}).save(tmp_path / "file")
    with pytest.raises(ModelFileError, match="the targets hour are not all among its 3 classes"):
        Predictions.load(tmp_path / "file")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make().save(path)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            Predictions.load(path)


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "predictions").write_text("")
    with pytest.raises(StorageError, match="predictions"):
        make().save(tmp_path / "predictions" / "test.safetensors")
