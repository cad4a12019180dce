"""What is given in Python: pictures to predict, arrays to train on, and what an estimator is fitted on."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES
from ..samples import SIZE

Make = Callable[[np.random.Generator], Any]
_KINDS = (
    "uint8",
    "uint16",
    "int8",
    "int32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bool",
    "complex64",
    "S3",
    "U3",
    "O",
    "M8[s]",
    "V4",
)
_SHAPES = (
    (),
    (0,),
    (3,),
    (SIZE, SIZE),
    (SIZE, SIZE, 3),
    (4, SIZE, SIZE),
    (4, SIZE, SIZE, 3),
    (4, 3, SIZE, SIZE),
    (4, SIZE, SIZE, 5),
    (0, SIZE, SIZE, 3),
    (4, 0, SIZE, 3),
    (1, 1, 1, 1),
    (4, 2, 3, 3, 3),
    (2, 1, 70000),
)
_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "I;16")
_NUMBERS = (0.0, -1.0, 1.0, 255.0, 256.0, 70000.0, 1e20, 1e300, float("nan"), float("inf"), -float("inf"))


def _array(rng: np.random.Generator) -> np.ndarray:
    shape, kind = _SHAPES[rng.integers(len(_SHAPES))], _KINDS[rng.integers(len(_KINDS))]
    with np.errstate(all="ignore"):
        values = rng.random(shape) * _NUMBERS[rng.integers(len(_NUMBERS))]
        if rng.random() < 0.2 and values.size:
            values.flat[0] = _NUMBERS[rng.integers(len(_NUMBERS))]
        # Not every kind of number can be made of another.
        try:
            return np.nan_to_num(values).astype(kind) if np.dtype(kind).kind in "iubM" else values.astype(kind)
        except (TypeError, ValueError):
            return np.zeros(shape, kind)


def _view(rng: np.random.Generator) -> np.ndarray:
    """An array that declares far more than it holds."""
    return np.broadcast_to(np.uint8(7), (int(rng.choice([10**5, 10**9])), SIZE, SIZE, 3))


def _tensor(rng: np.random.Generator) -> torch.Tensor:
    values = torch.from_numpy(rng.random((4, 3, SIZE, SIZE)).astype(np.float32))
    odd: tuple[Callable[[], torch.Tensor], ...] = (
        values.to_sparse,
        values.bfloat16,
        values.requires_grad_,
        lambda: values.to("meta"),
        lambda: values[:, :, ::2],
        lambda: torch.quantize_per_tensor(values, 0.1, 0, torch.quint8),
        lambda: values.to(torch.complex64),
        lambda: torch.nested.nested_tensor([values[0], values[1, :, :4]]),
        lambda: values[..., None],
        lambda: values * 1e30,
        lambda: values.to(torch.float8_e4m3fn),
        lambda: values.conj(),
    )
    return odd[rng.integers(len(odd))]()


def _picture(rng: np.random.Generator) -> Image.Image:
    size = [(SIZE, SIZE), (1, 1), (1, 9000), (0, 0)][rng.integers(4)]
    return Image.new(_MODES[rng.integers(len(_MODES))], size)


def _table(rng: np.random.Generator) -> Any:
    column = ["path", "image", "x", "", "\x1b[31m", 5][rng.integers(6)]
    cells = [["photos/cat/0.png"], [None], [5], [float("nan")], ["x" * 5000], ["\0"], []][rng.integers(7)]
    frame = pd.DataFrame({column: cells})
    return frame if rng.random() < 0.6 else frame[column]


def _few(rng: np.random.Generator) -> Any:
    makers = (_array, _tensor, _picture, lambda _: "photos", lambda _: None, lambda _: 5, lambda _: object())
    return [makers[rng.integers(len(makers))](rng) for _ in range(rng.integers(0, 4))]


def _odd(rng: np.random.Generator) -> Any:
    odd: tuple[Any, ...] = (
        *ODD_VALUES,
        b"bytes",
        {"a": 1},
        {1, 2},
        range(3),
        object(),
        np.ma.masked_array([1], [1]),
        len,
    )
    return odd[rng.integers(len(odd))]


_GIVEN: tuple[Make, ...] = (_array, _array, _array, _view, _tensor, _picture, _table, _few, _few, _odd)


def _given(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return _GIVEN[rng.integers(len(_GIVEN))](rng)


@kind("pictures for cnnlab.predict")
def predicted(case: Case) -> list[Step]:
    case.runs("base", "other", "pair")
    case.photos()
    name, seed = case.random.choice(("base", "pair")), case.random.randrange(1 << 30)
    return [Step((f"cnnlab.predict({name}, {seed})",), python=lambda _: _predict(name, seed))]


def _predict(name: str, seed: int) -> None:
    import cnnlab

    found = cnnlab.predict(f"runs/{name}", _given(seed))
    print(len(found), found.frame().to_string()[:500])


@kind("arrays for cnnlab.load_data")
def loaded(case: Case) -> list[Step]:
    """Pictures and targets, splits of them, and objects that only look like a data set."""
    case.photos()
    seed = case.random.randrange(1 << 30)
    return [Step((f"cnnlab.load_data({seed})",), python=partial(_load, seed))]


def _load(seed: int, case: Case) -> None:
    import cnnlab

    rng = np.random.default_rng(seed)
    x, y = _given(seed), _given(seed + 1) if rng.random() < 0.4 else np.arange(int(rng.integers(0, 6))) % 2
    data = (x, (x, y), {"train": (x, y)}, {"train": (x, y), "test": (_given(seed + 2), y)}, [(x, y)] * 2, _Items(x, y))
    dataset = cnnlab.load_data(data[rng.integers(len(data))])
    print(dataset.train.shape, len(dataset.train))


class _Items(torch.utils.data.Dataset):
    """Some pictures and targets as a torch data set, whatever they are."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return 5

    def __getitem__(self, place: int) -> Any:
        return self.x, self.y


@kind("fits of an estimator")
def fitted(case: Case) -> list[Step]:
    seed = case.random.randrange(1 << 30)
    return [Step((f"ImageClassifier.fit({seed})",), python=partial(_fit, seed))]


def _fit(seed: int, case: Case) -> None:
    from cnnlab.core.errors import UsageError
    from cnnlab.sklearn import ImageClassifier

    rng = np.random.default_rng(seed)
    options: tuple[dict[str, Any], ...] = (
        {},
        {},
        {},
        {"image_shape": (5, 20)},
        {"image_shape": (0, -1)},
        {"epochs": 0},
        {"optimizer": "adamw(lr=nan)"},
        {"batch_size": "x"},
        {"random_state": "x"},
        {"model": _odd(rng)},
        {"validation": 2.5},
        {"objective": "quantity"},
    )
    x = _given(seed) if rng.random() < 0.6 else rng.random((12, SIZE, SIZE))
    y = _given(seed + 1) if rng.random() < 0.4 else np.arange(12) % 2
    keys = {"model": "mlp(hidden=[4])", "epochs": 1, "threads": 1, **options[rng.integers(len(options))]}
    try:
        print(ImageClassifier(**keys).fit(x, y).predict(x)[:5])
    except (ValueError, TypeError) as error:
        # These are the words of scikit-learn for what is refused.
        raise UsageError(str(error) or "refused") from error
