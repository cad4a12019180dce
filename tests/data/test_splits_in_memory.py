"""Train, validation and test given in Python together."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError, UsageError

X = np.random.default_rng(0).integers(0, 256, (30, 4, 5), dtype=np.uint8)
Y = np.arange(30) % 3
WHOLE: dict[str, Any] = {"validation": 0, "test": 0}
TRAIN, TEST = (X[:20], Y[:20]), (X[20:], Y[20:])


class Items(torch.utils.data.Dataset):
    """The items given, as a torch data set gives them; an exception among them is raised."""

    classes = ["a", "b", "c"]

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        if isinstance(self.items[place], Exception):
            raise self.items[place]
        return self.items[place]


def items(x: np.ndarray, y: np.ndarray) -> Items:
    return Items(list(zip(torch.tensor(x), y.tolist(), strict=True)))


@pytest.mark.parametrize(
    "given",
    [
        (TRAIN, TEST),
        [list(TRAIN), list(TEST)],
        (tuple(map(torch.tensor, TRAIN)), tuple(map(torch.tensor, TEST))),
        {"train": TRAIN, "test": TEST},
        {"training": list(TRAIN), "test": TEST},
    ],
    ids=["pairs", "lists", "tensors", "mapping", "mapping by other words"],
)
def test_train_and_test_in_one(given: Any) -> None:
    dataset = data.load_data(given, validation=0)
    assert torch.equal(dataset.train.pixels()[:, 0], torch.from_numpy(X[:20]))
    assert dataset.test.targets["label"].tolist() == Y[20:].tolist()
    assert dataset.digest == data.from_arrays(*TRAIN, validation=0, test=TEST).digest


def test_two_images_with_two_labels_are_one_split() -> None:
    assert len(data.load_data(([X[0], X[1]], [0, 1]), **WHOLE).train) == 2
    assert len(data.load_data(([X[0], X[1]], [[1, 0], [0, 1]]), **WHOLE).train) == 2


def test_torch_data_sets_by_split() -> None:
    dataset = data.load_data({"train": items(*TRAIN), "val": items(*TEST)}, test=0)
    assert [name for name, _ in dataset.parts()] == ["train", "validation"]
    assert dataset.classes == {"label": ("a", "b", "c")}


def test_image_sets_by_split() -> None:
    made = data.from_arrays(*TRAIN, validation=0, test=TEST)
    assert data.load_data({"train": made.train, "test": made.test}, validation=0).digest == made.digest


def test_split_without_targets_and_one_carved() -> None:
    dataset = data.load_data({"train": TRAIN, "test": X[20:]})
    assert dataset.test.targets == {} and len(dataset.validation) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": X, "y": Y}, "the keys 'x', 'y'.*'train': \\(x, y\\)"),
        ({"test": TEST}, "the keys 'test'"),
        ({"train": TRAIN, "val": TEST, "valid": TEST}, "one split by each name"),
        ({"train": 3}, "train takes arrays.*got int"),
        ({"train": (X, Y, Y)}, "pair"),
        ((TRAIN, TEST, TEST), "3 pairs.*'validation': "),
    ],
)
def test_splits_that_cannot_be_told_are_refused_with_the_form_that_can(given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        data.load_data(given)


def test_training_takes_train_and_test_together(tmp_path: Any) -> None:
    keys: dict[str, Any] = {"model": "mlp(hidden=[4])", "epochs": 1, "threads": 1}
    run = cnnlab.train(data=(TRAIN, TEST), runs=tmp_path, **keys)
    assert run.test.n == 10
    assert cnnlab.train(data={"train": TRAIN, "test": TEST}, runs=tmp_path, **keys).folder == run.folder


def test_duplicates_across_given_splits_are_warned_of_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.load_data((TRAIN, (X[19:], Y[19:])), validation=0)
    assert len(caught) == 1 and issubclass(caught[0].category, CnnlabWarning)


def test_item_that_raises_is_named() -> None:
    broken = Items([(torch.tensor(X[0]), 0), OSError("truncated file")])
    with pytest.raises(DataError, match=r"item 1 \(counted from 0\) of train .* OSError: truncated file"):
        data.load_data(broken)
    with pytest.raises(DataError, match=r"item 0 .* of test .* KeyError"):
        data.load_data({"train": items(*TRAIN), "test": Items([KeyError("x")])})


def test_targets_with_other_columns_are_named() -> None:
    image = torch.tensor(X[0])
    with pytest.raises(DataError, match=r"item 1 .* other columns"):
        data.load_data(Items([(image, {"a": 1}), (image, {"b": 1})]))


def test_targets_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="different lengths"):
        data.load_data((X[:2], [[1, 0], [1]]))
