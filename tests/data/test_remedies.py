"""What a message on data says to do."""

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab import data, objectives
from cnnlab.core.errors import DataError, SpecError, UsageError
from cnnlab.data import Dataset, TensorImages

Write = Callable[..., Path]
Make = Callable[..., bytes]


def test_missing_file_of_labels_is_named(tmp_path: Path, write_idx: Write) -> None:
    folder = write_idx(tmp_path, {"train": [0, 1], "t10k": [0, 1]})
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"labels of train are missing: there is no train-labels-idx1-ubyte\[.gz\]"):
        data.load_data(folder)
    assert "labels of train are missing" in str(data.check_data(folder))


def test_images_in_idx_files_without_any_labels_are_read(tmp_path: Path, write_idx: Write) -> None:
    folder = write_idx(tmp_path, {"train": [0, 1, 1], "t10k": [0]})
    for file in folder.glob("*labels*"):
        file.unlink()
    assert data.load_data(folder, validation=0).train.targets == {}


def test_splits_with_other_columns_or_classes_are_told_in_what() -> None:
    pixels = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    train = TensorImages(pixels, {"label": torch.tensor([0, 1])}, {"label": ("a", "b")})
    other = TensorImages(pixels, {"label": torch.tensor([0, 1])}, {"label": ("b", "a")})
    with pytest.raises(DataError, match="the classes of label in test differ"):
        Dataset("x", train, None, other)
    with pytest.raises(DataError, match="the targets of test are label and those of train none"):
        Dataset("x", TensorImages(pixels), None, train)


def test_table_whose_images_are_elsewhere_is_told_a_spec_that_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("id,label\n19,cat\n20,dog\n")
    with pytest.raises(DataError, match=r"such as 19, and none of them is beside it.*as in '(.+)'") as refused:
        data.load_data("train.csv")
    (tmp_path / "photos").mkdir()
    for name in (19, 20):
        Image.new("L", (4, 4)).save(tmp_path / "photos" / f"{name}.png")
    (advised,) = re.findall(r"as in '(.+)'", str(refused.value))
    assert len(data.load_data(advised, validation=0, test=0).train) == 2


def test_pickle_is_not_read_and_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(DataError, match=r"pickles are not read.*numpy\.savez"):
        data.load_data(path)


def test_columns_that_a_message_suggests_are_there() -> None:
    two = data.from_arrays(
        np.zeros((6, 2, 2), np.uint8), {"hour": [0, 1] * 3, "minute": [0, 1] * 3}, validation=0, test=0
    )
    with pytest.raises(UsageError) as caught:
        objectives.build_objective("classes", two.classes)
    assert "'objective=classes(column=hour)'" in str(caught.value) and "label" not in str(caught.value)
    with pytest.raises(
        UsageError, match=r"Take an objective for numbers, as in 'objective=scalar\(column=age"
    ) as caught:
        objectives.build_objective("classes", {"age": None})
    assert "label" not in str(caught.value)


def test_a_name_that_is_neither_data_set_nor_path_is_said_to_be_neither() -> None:
    with pytest.raises(SpecError, match="there is no data set, file or folder called 'holiday-photos'"):
        data.load_data("holiday-photos")


def test_a_table_that_names_a_pipe_or_a_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.png,cat\nb.png,dog\n")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DataError, match=r"names a\.png, which is a folder"):
        data.load_data(f"csv(path={tmp_path / 'labels.csv'})")
    (tmp_path / "a.png").rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a.png")
        with pytest.raises(DataError, match=r"names a\.png, which is no ordinary file"):
            data.load_data(f"csv(path={tmp_path / 'labels.csv'})")
