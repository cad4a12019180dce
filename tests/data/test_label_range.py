"""Labels that are no classes: reported when the data is checked, refused when it is loaded to train on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab import data
from cnnlab.core.errors import DataError

Make = Callable[..., bytes]
WriteIdx = Callable[..., Path]
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 4, 4), dtype=np.uint8)
FAR = [0, 1, 77, 2, 78, 0]


def refusal(spec: Any) -> str:
    with pytest.raises(DataError) as caught:
        data.load_data(spec)
    return str(caught.value)


def test_label_beyond_those_of_train_is_refused_with_its_file_place_and_value(
    tmp_path: Path, write_idx: WriteIdx
) -> None:
    folder = write_idx(tmp_path, {"train": [0, 1, 2] * 4, "t10k": FAR})
    said = refusal(folder)
    assert str(folder / "t10k-labels-idx1-ubyte") in said
    assert "label is 77 at picture 2 (counted from 0) of test, and 1 more is out of range" in said
    assert "the labels of train go from 0 to 2" in said


def test_label_beyond_those_of_train_is_an_error_of_the_check(tmp_path: Path, write_idx: WriteIdx) -> None:
    report = data.check_data(write_idx(tmp_path, {"train": [0, 1, 2] * 4, "t10k": FAR}))
    assert not report.is_usable
    assert "label is 77 at picture 2" in report.findings[0].text


def test_label_of_a_validation_split_is_held_to_those_of_train(tmp_path: Path, write_idx: WriteIdx) -> None:
    folder = write_idx(tmp_path, {"train": [0, 1, 2] * 4, "val": [0, 3], "t10k": [0, 1]})
    assert "label is 3 at picture 1 (counted from 0) of validation:" in refusal(folder)


def test_named_classes_say_how_many_there_are_whatever_train_holds(tmp_path: Path, write_idx: WriteIdx) -> None:
    folder = write_idx(tmp_path, {"train": [0, 1] * 6, "t10k": [0, 2]})
    named = data.load_data({"name": "idx", "path": str(folder), "classes": ["a", "b", "c"]})
    assert named.classes == {"label": ("a", "b", "c")}
    assert "with 2 classes it goes from 0 to 1" in refusal({"name": "idx", "path": str(folder), "classes": ["a", "b"]})


def test_negative_label_is_refused_by_the_file_that_holds_it(tmp_path: Path, write_idx: WriteIdx) -> None:
    said = refusal(write_idx(tmp_path, {"train": [0, 1, -1, 2]}, code=0x09))
    assert "train-labels-idx1-ubyte: label is -1 at picture 2 (counted from 0), and classes are numbered from 0" in said
    assert "99999" not in said


def test_arrays_with_a_label_beyond_those_of_train_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"y of test: label is 77 at picture 2 .* go from 0 to 2"):
        data.from_arrays(PIXELS[:12], [0, 1, 2] * 4, test=(PIXELS[12:18], FAR))
    path = tmp_path / "x.npz"
    np.savez(path, x_train=PIXELS[:12], y_train=[0, 1, 2] * 4, x_test=PIXELS[12:18], y_test=FAR)
    assert "x.npz, y_test: label is 77" in refusal(path)


def test_column_of_another_name_may_be_a_number_and_is_warned_of_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    ages = {"y_train": np.array([[0], [1], [2]] * 4), "y_test": np.array([[0], [1], [5]])}
    np.savez(path, x_train=PIXELS[:12], x_test=PIXELS[12:15], **ages)
    assert len(data.load_data(f"npz({path}, targets=[age])").test) == 3
    told = str(data.check_data(f"npz({path}, targets=[age])"))
    assert "warning: age goes from 0 to 2 in train and up to 5 in test, where 1 of 3 pictures are beyond" in told


def test_table_with_a_numbered_label_beyond_those_of_train_is_refused(tmp_path: Path, image: Make) -> None:
    for seed, name in enumerate("abc"):
        (tmp_path / f"{name}.png").write_bytes(image(seed))
    path = tmp_path / "labels.csv"
    path.write_text("path,label,split\na.png,0,train\nb.png,1,train\nc.png,77,test\n")
    assert "the label of c.png in test is 77, and the highest in train is 1" in refusal(path)


def test_many_classes_without_a_image_are_counted(tmp_path: Path, write_idx: WriteIdx) -> None:
    report = data.check_data(write_idx(tmp_path, {"train": [*[0, 1, 2] * 4, 77]}))
    assert "3, 4, " in report.findings[0].text and "22, … (74 of 78)" in report.findings[0].text
