"""Data made of arrays, tensors and torch data sets."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnlab import data
from cnnlab.core.errors import CnnlabWarning, DataError, UsageError
from cnnlab.data.arrays import to_pixels

X = np.random.default_rng(0).integers(0, 256, (20, 4, 5), dtype=np.uint8)
Y = np.arange(20) % 2
WHOLE: dict[str, Any] = {"validation": 0, "test": 0}


def test_shapes_that_images_have() -> None:
    assert to_pixels(np.zeros((2, 4, 5), np.uint8)).shape == (2, 1, 4, 5)
    assert to_pixels(np.zeros((2, 4, 5, 3), np.uint8)).shape == (2, 3, 4, 5)
    assert to_pixels(np.zeros((2, 3, 4, 5), np.uint8)).shape == (2, 3, 4, 5)
    assert to_pixels(np.zeros((2, 3, 4, 3), np.uint8)).shape == (2, 3, 3, 4)
    assert to_pixels(torch.zeros((2, 3, 4, 3), dtype=torch.uint8)).shape == (2, 3, 4, 3)
    for shape in ((4, 5), (2, 5, 5, 5), (2, 3, 4, 5, 6)):
        with pytest.raises(DataError, match="pictures are N×H×W"):
            to_pixels(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("values", "pixels"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 100.4, 255.0]), [0, 100, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
        (np.array([0, 7, 255], np.int64), [0, 7, 255]),
        (np.array([0, 257, 65535], np.uint16), [0, 1, 255]),
        (np.array([0, 16, 4080], np.uint16), [0, 1, 254]),
        (np.array([0, 100, 200], np.uint16), [0, 100, 200]),
        (np.array([0, 257, 65535], np.int64), [0, 1, 255]),
        (np.array([0.0, 256.0, 1023.0]), [0, 64, 255]),
    ],
)
def test_ranges_that_pixels_have(values: np.ndarray, pixels: list[int]) -> None:
    assert to_pixels(values.reshape(1, 1, 3))[0, 0, 0].tolist() == pixels


@pytest.mark.parametrize("values", [[-0.1, 1.0], [0.0, 2.0**33], [0.0, np.nan], [0.0, np.inf]])
def test_values_that_are_no_pixels_are_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match="pixels go from"):
        to_pixels(np.array(values).reshape(1, 1, 2))


@given(st.integers(0, 255))
def test_eight_bit_floats_come_back_exactly(level: int) -> None:
    levels = np.array([level, 255], np.uint8).reshape(1, 1, 2)
    assert np.array_equal(to_pixels((levels / 255).astype(np.float32))[0], levels)


def test_splits_are_carved_or_given() -> None:
    assert {name: len(part) for name, part in data.from_arrays(X, Y).parts()} == {
        "train": 14,
        "validation": 2,
        "test": 4,
    }
    dataset = data.from_arrays(X[:10], Y[:10], validation=2, test=(X[10:], Y[10:]))
    assert [len(part) for _, part in dataset.parts()] == [8, 2, 10]
    assert torch.equal(dataset.test.pixels()[:, 0], torch.from_numpy(X[10:]))


@pytest.mark.parametrize(
    "y",
    [Y, Y.tolist(), torch.tensor(Y), Y[:, None], np.eye(2)[Y], Y.astype(bool), Y.astype(np.uint8)],
    ids=["array", "list", "tensor", "column", "one-hot", "bool", "uint8"],
)
def test_forms_that_labels_have(y: Any) -> None:
    train = data.from_arrays(X, y, class_names=["even", "odd"], **WHOLE).train
    assert train.targets["label"].tolist() == Y.tolist()
    assert train.targets["label"].dtype == torch.int64
    assert train.classes == {"label": ("even", "odd")}


def test_names_numbers_and_columns_as_targets() -> None:
    words = np.array(["b", "a"])[Y]
    assert data.from_arrays(X, words, **WHOLE).classes == {"label": ("a", "b")}
    numbers = data.from_arrays(X, Y + 0.5, **WHOLE)
    assert numbers.classes == {} and numbers.train.targets["label"].dtype == torch.float32
    columns = data.from_arrays(X, {"hour": Y, "minute": Y * 30.0}, **WHOLE).train
    assert set(columns.targets) == {"hour", "minute"} and columns.classes == {"hour": ("0", "1")}


def test_names_are_gathered_over_all_splits() -> None:
    dataset = data.from_arrays(X[:2], ["a", "c"], validation=0, test=(X[2:4], ["b", "c"]))
    assert dataset.classes == {"label": ("a", "b", "c")}
    assert dataset.test.targets["label"].tolist() == [1, 2]


def test_split_may_lack_targets() -> None:
    assert data.from_arrays(X[:10], Y[:10], validation=0, test=(X[10:], None)).test.targets == {}
    assert data.from_arrays(X, **WHOLE).train.targets == {}


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (Y[:5], {}, "20 pictures and 5 values"),
        (Y - 1, {}, "label is -1"),
        (Y, {"class_names": ["only"]}, "label is 1 at picture 1"),
        (np.array([None] * 20), {}, "holds object"),
        (Y + np.nan, {}, "finite"),
        (np.zeros((20, 3)), {}, "one-hot"),
    ],
)
def test_targets_that_do_not_fit_are_refused(y: Any, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.from_arrays(X, y, **WHOLE, **options)


def test_arguments_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(UsageError, match="list of names"):
        data.from_arrays(X, Y, class_names="ab")
    with pytest.raises(UsageError, match="pair"):
        data.from_arrays(X, Y, test=(X, Y, X))


def test_duplicates_across_splits_are_warned_of() -> None:
    with pytest.warns(CnnlabWarning, match="3 of train are also in test"):
        data.from_arrays(X[:10], Y[:10], validation=0, test=(X[7:12], Y[7:12]))


def test_arrays_are_not_shared_with_the_data() -> None:
    pixels = X.copy()
    dataset = data.from_arrays(pixels, Y)
    before = dataset.train.pixels().clone()
    pixels[:] = 0
    assert torch.equal(dataset.train.pixels(), before)


class Torch(torch.utils.data.Dataset):
    """Pictures and targets as a torch data set gives them."""

    classes = ["even", "odd"]

    def __init__(self, make: Any, target: Any = int, count: int = 20) -> None:
        self.make, self.target, self.count = make, target, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        return self.make(X[place]), self.target(Y[place])


@pytest.mark.parametrize(
    "make",
    [Image.fromarray, torch.tensor, lambda p: torch.tensor(p)[None] / 255, lambda p: p[:, :, None]],
    ids=["PIL", "tensor", "scaled tensor", "array"],
)
def test_torch_data_set_is_data(make: Any) -> None:
    dataset = data.from_torch(Torch(make), **WHOLE)
    assert torch.equal(dataset.train.pixels()[:, 0], torch.from_numpy(X))
    assert dataset.train.targets["label"].tolist() == Y.tolist()
    assert dataset.classes == {"label": ("even", "odd")}


def test_torch_data_set_with_columns_and_splits() -> None:
    dataset = data.from_torch(
        Torch(torch.tensor, lambda y: {"a": int(y), "b": float(y)}, 5),
        validation=0,
        test=Torch(lambda p: torch.tensor(255 - p), lambda y: {"a": int(y), "b": float(y)}),
    )
    assert len(dataset.test) == 20
    assert dataset.train.targets["b"].dtype == torch.float32 and dataset.train.targets["a"].dtype == torch.int64


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_of_every_kind_are_read_or_refused_in_a_sentence() -> None:
    pixels = torch.from_numpy(X)[:, None].float() / 255
    expected = data.from_arrays(pixels, Y, **WHOLE).digest
    assert data.from_arrays(pixels.to_sparse(), Y, **WHOLE).digest == expected
    quantised = torch.quantize_per_tensor(pixels, 1 / 255, 0, torch.quint8)
    assert data.from_arrays(quantised, torch.from_numpy(Y).to_sparse(), **WHOLE).digest == expected
    assert data.from_arrays(pixels.bfloat16(), Y, **WHOLE).shape == (1, *X.shape[1:])
    for x, y in ((pixels.to("meta"), Y), (pixels, torch.from_numpy(Y).to("meta"))):
        with pytest.raises(DataError, match="a tensor on the device meta"):
            data.from_arrays(x, y)


@pytest.mark.parametrize("shape", [(3, 0, 8), (3, 8, 0), (3, 1, 0, 8)])
def test_pictures_of_nothing_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="there is nothing in such pictures"):
        data.from_arrays(np.zeros(shape, np.uint8), np.arange(3))


def test_labels_that_do_not_begin_at_zero_are_warned_of() -> None:
    with pytest.warns(CnnlabWarning, match="the labels go from 1 to 2, and classes are counted from 0"):
        assert data.load_data((X, Y + 1)).classes == {"label": ("0", "1", "2")}
    with pytest.warns(CnnlabWarning, match=r"from 0 to 4, .* classes without pictures: 1, 2, 3\. Number them"):
        data.load_data((X, 4 * (Y > 0)))
    data.load_data((X, Y + 1), for_training=False)


def test_random_transforms_in_a_torch_data_set_are_warned_of_with_the_remedy() -> None:
    coin = np.random.default_rng(0)
    flipped = Torch(lambda p: 255 - (p[:, ::-1] if coin.random() < 0.5 else p))
    told = r"of test is another picture each time .* one draw of each would stay.*augment=flip\|shift"
    with pytest.warns(CnnlabWarning, match=told) as caught:
        data.from_torch(Torch(torch.tensor), test=flipped, validation=0)
    assert len(caught) == 1


def test_white_of_deep_arrays_is_told_by_the_largest_of_all_splits() -> None:
    dark, bright = np.full((4, 2, 2), 1000, np.uint16), np.full((4, 2, 2), 4000, np.uint16)
    labels = np.arange(4) % 2
    dataset = data.load_data({"train": (dark, labels), "test": (bright, labels)}, validation=0)
    # 1000 / 4095 × 255 = 62.3 and 4000 / 4095 × 255 = 249.1
    assert dataset.train.pixels().unique().tolist() == [62] and dataset.test.pixels().unique().tolist() == [249]
    assert dataset.source["white"] == 4095 and "4,095 is taken for white" in dataset.source["notes"][0]


@pytest.mark.parametrize("make", [lambda p: torch.tensor(p)[None], lambda p: p[:, :, None]], ids=["tensor", "array"])
def test_white_of_deep_pictures_of_a_torch_data_set_is_told_by_the_largest_of_all(make: Any) -> None:
    dataset = data.from_torch(Torch(lambda p: make(p.astype(np.uint16) * 16)), **WHOLE)
    assert torch.equal(dataset.train.pixels()[:, 0], torch.from_numpy((X.astype(int) * 16 * 255 + 2047) // 4095).byte())


def test_torch_data_set_of_images_of_different_shapes_is_refused() -> None:
    sizes = iter(range(2, 100))
    with pytest.raises(DataError, match="differ in shape"):
        data.from_torch(Torch(lambda p: np.zeros((next(sizes), 3), np.uint8)))
    with pytest.raises(DataError, match="not a pair"):
        data.from_torch([X[0]])


def test_load_takes_the_data_itself() -> None:
    expected = data.from_arrays(X, Y).digest
    for given_ in [(X, Y), data.from_arrays(X, Y, **WHOLE), data.from_arrays(X, Y, **WHOLE).train]:
        assert data.load_data(given_).digest == expected
    assert data.load_data(Torch(Image.fromarray)).train.classes == {"label": ("even", "odd")}
    assert data.load_data(X, **WHOLE).train.targets == {}


def test_tensors_of_kinds_that_numpy_lacks_are_read() -> None:
    shades = torch.tensor([0.0, 0.5, 1.0, 0.25]).repeat(20, 4, 1)
    wanted = to_pixels(shades)
    assert (to_pixels(shades.to(torch.float8_e4m3fn)) == wanted).all() and (
        to_pixels(shades.bfloat16()) == wanted
    ).all()
    assert (to_pixels(torch.complex(shades, -shades).conj().imag) == wanted).all()
    with pytest.raises(DataError, match="pixels are numbers"):
        to_pixels(torch.complex(shades, shades).conj())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor_is_refused() -> None:
    with pytest.raises(DataError, match="nested tensor"):
        data.load_data((torch.nested.nested_tensor([torch.zeros(1, 8, 8)] * 20), Y))


def test_a_view_that_declares_more_than_memory_holds_is_refused() -> None:
    view = np.broadcast_to(np.uint8(1), (10**7, 1000, 1000))
    with pytest.raises(DataError, match=r"takes 9,313\.2 GB of memory"):
        data.load_data((view, np.zeros(10**7, np.int64)))


def test_labels_in_bytes_are_text_and_stay_apart_where_they_are_none() -> None:
    labels = np.array([b"a\xff", b"a\xfe", "é".encode(), b"b"] * 5)
    assert data.from_arrays(X, labels, **WHOLE).train.classes == {"label": (r"a\xfe", r"a\xff", "b", "é")}


@pytest.mark.parametrize(
    "x",
    [[[[1, 2], [3]]], [torch.zeros(2, 2, requires_grad=True)] * 2, [torch.zeros(2, 2), torch.zeros(3, 3)]],
    ids=["ragged", "with a gradient", "of two shapes"],
)
def test_lists_that_are_no_array_are_refused(x: Any) -> None:
    with pytest.raises(DataError, match="cannot be made one array of numbers"):
        data.from_arrays(x, [0, 1], **WHOLE)


def test_targets_of_a_torch_data_set_that_are_no_array_are_refused() -> None:
    items = [(X[0], [0]), (X[1], [0, 1])]
    with pytest.raises(DataError, match="the targets of train cannot be made one array"):
        data.from_torch(items, **WHOLE)
