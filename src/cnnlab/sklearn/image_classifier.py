"""A classifier of pictures as scikit-learn has them: for grids, pipelines and cross-validation.

>>> from cnnlab.sklearn import ImageClassifier
>>> clf = ImageClassifier(model="mlp(hidden=[64])", epochs=5).fit(images, labels)
>>> clf.predict_proba(images)
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import quietly
from cnnlab.data import from_arrays
from cnnlab.data.arrays import channels_first, channels_layout
from cnnlab.data.white import MOST_WHITE, white_above
from cnnlab.evaluation import predictor_of
from cnnlab.training import Recipe, train
from cnnlab.training.overrides import override

_BATCH = 256
_OWN = ("image_shape", "random_state", "runs", "verbose")
"""The parameters that are no keys of a recipe."""
_MOST_SEED = 2**31 - 1


class RefusedInputError(UsageError, ValueError):
    """Input that scikit-learn expects to be refused with a ``ValueError``."""


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network that is trained by :func:`cnnlab.train` on arrays of pictures.

    ``X`` is N×H×W, N×H×W×C or N×C×H×W; or N×F, each row a picture of ``image_shape``, such as 784 pixels of 28×28.
    uint8 goes from 0 to 255; floats from 0 to 1 or to 255, or where what is trained on goes beyond these, from its
    lowest value to its highest, so that scaled features can be given too. Pixels are rounded to 8 bits. ``y`` holds
    classes of any kind.

    Every other parameter is a key of a recipe, at the recipe's own default where it is None (``folds`` is none of them:
    scikit-learn divides by itself, as in ``cross_val_predict``); an argument of a spec is
    reached as ``optimizer__lr`` in :meth:`set_params` and in grids. Nothing is kept on disk unless ``runs`` names a
    folder.

    :param image_shape: height and width, or height, width and channels, of the rows of an ``X`` of two axes; None takes
        the square where their number is one, and else a picture of one line.
    :param random_state: a number or generator that the seed is drawn from, in place of ``seed``.
    :param runs: a folder to keep the trainings in; the same training is not done twice then, and ``run_`` is its run.
    :param verbose: whether progress and notes are shown.

    Fitted, it has ``classes_``, ``classifier_`` (a :class:`cnnlab.Classifier`), ``history_`` (a frame with a row an
    epoch), ``n_features_in_`` and ``pixel_range_``, the values that black and white stand for.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        random_state: Any = None,
        runs: str | Path | None = None,
        verbose: bool = False,
        objective: Any = None,
        augment: Any = None,
        adversary: Any = None,
        optimizer: Any = None,
        schedule: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        steps: int | None = None,
        label_smoothing: float | None = None,
        weight_decay: float | None = None,
        clip_gradient: float | None = None,
        clip_weights: float | None = None,
        train: Any = None,
        rates: Any = None,
        layer_decay: float | None = None,
        unfreeze: float | None = None,
        norms: str | None = None,
        views: int | None = None,
        weights: str | None = None,
        permute: int | None = None,
        normalize: Any = None,
        subset: int | float | str | None = None,
        quick: bool = False,
        balance: str | None = None,
        validation: int | float | None = 0,
        phases: Any = None,
        ema: float | None = None,
        select: str | None = None,
        patience: int | None = None,
        snapshots: Any = None,
        seed: int | None = None,
        parent: str | None = None,
        name: str | None = None,
        checkpoint_seconds: float | None = None,
        keep_checkpoint: bool | None = None,
        device: str | None = None,
        precision: str | None = None,
        compile: bool | None = None,
        threads: int | None = None,
        workers: int | None = None,
        kernels: str | None = None,
        mirror: str | None = None,
        devices: int | None = None,
        sync_batchnorm: bool | None = None,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        for key, value in given.items():
            setattr(self, key, value)

    def fit(self, X: Any, y: Any, **others: Any) -> "ImageClassifier":  # noqa: N803
        """Trains on pictures and their classes; nothing of an earlier fit is used.

        :raises UsageError: for a recipe that cannot be meant, for a ``sample_weight``, which trainings do not know,
            and, as a ``ValueError`` too, for arrays that are no pictures or hold a single class.
        """
        _refuse_weights(others)
        X, y = _plain(X), _plain(y)  # noqa: N806
        X, y = validate_data(self, X, y, ensure_2d=_axes(X) < 3, allow_nd=True)  # noqa: N806
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise RefusedInputError("a classifier needs several classes, and y holds one class alone.")
        self.pixel_range_ = _pixel_range(X)
        # As a tensor, whose channels are taken to come first.
        pixels = torch.from_numpy(self._pixels(X))
        names = [str(name) for name in self.classes_]
        data = from_arrays(pixels, labels.reshape(-1), validation=0, test=0, class_names=_told_apart(names))
        with TemporaryDirectory() as unkept, quietly(not self.verbose):
            run = train({**self._recipe(), "data": data, "test": 0}, runs=self.runs or unkept)
            self.history_, predictor = run.history, predictor_of(run)
        self.classifier_ = predictor.classifier
        if self.runs is not None:
            self.run_ = run
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The probability of each of ``classes_`` for each picture, N×K.

        :raises UsageError: where the objective gives no probabilities of classes.
        """
        check_is_fitted(self)
        X = _plain(X)  # noqa: N806
        X = validate_data(self, X, reset=False, ensure_2d=_axes(X) < 3, allow_nd=True)  # noqa: N806
        pixels = self._pixels(X)
        if pixels.shape[1:] != tuple(self.classifier_.shape):
            given, wanted = ("×".join(map(str, shape)) for shape in (pixels.shape[1:], self.classifier_.shape))
            raise RefusedInputError(
                f"the classifier was fitted on pictures of {wanted}, and X has pictures of {given}."
            )
        outputs, objective = self._outputs(pixels), self._predictor().objective
        head = objective.class_heads.get("label")
        if head is None:
            raise UsageError(f"objective={self.objective} gives no probabilities of classes.")
        likely: NDArray[np.float64] = objective.probabilities(outputs)[head].double().numpy()
        likely /= likely.sum(axis=1, keepdims=True)
        return likely

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The class of each picture, one of ``classes_``: the most probable."""
        best = self.predict_proba(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def set_params(self, **params: Any) -> "ImageClassifier":
        """Sets parameters, and by ``optimizer__lr`` an argument of a spec."""
        inside = {key: value for key, value in params.items() if "__" in key}
        super().set_params(**{key: value for key, value in params.items() if key not in inside})
        for path, value in inside.items():
            key, _, argument = path.partition("__")
            if key not in self.get_params(deep=False) or key in _OWN:
                raise RefusedInputError(
                    f"Invalid parameter {key!r} for estimator {self}: no key of a recipe is called so."
                )
            content = {} if getattr(self, key) is None else {key: getattr(self, key)}
            setattr(self, key, override(content, {f"{key}.{argument.replace('__', '.')}": value}, _defaults())[key])
        return self

    def _recipe(self) -> dict[str, Any]:
        """The keys of the recipe that are set."""
        keys = {
            key: value for key, value in self.get_params(deep=False).items() if key not in _OWN and value is not None
        }
        if self.random_state is not None:
            keys["seed"] = int(check_random_state(self.random_state).randint(_MOST_SEED))
        return keys

    def _pixels(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Pictures as uint8 N×C×H×W."""
        images = array.reshape(len(array), *self._shape_of_rows(array.shape[1])) if array.ndim == 2 else array
        try:
            layout = channels_layout(images.shape, "X")
        except Exception as error:
            raise RefusedInputError(str(error)) from error
        low, high = self.pixel_range_
        if images.dtype != np.uint8 or (low, high) != (0.0, 255.0):
            shares = (images.astype(np.float64) - low) / ((high - low) or 1.0)
            images = np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
        return np.ascontiguousarray(channels_first(images, layout))

    def _shape_of_rows(self, count: int) -> tuple[int, ...]:
        if self.image_shape is None:
            side = math.isqrt(count)
            return (side, side) if side * side == count else (1, count)
        if math.prod(self.image_shape) != count:
            shape = "×".join(map(str, self.image_shape))
            raise RefusedInputError(
                f"image_shape={shape} has {math.prod(self.image_shape)} pixels, and rows have {count}."
            )
        return tuple(self.image_shape)

    def _predictor(self) -> Any:
        return predictor_of(self.classifier_)

    def _outputs(self, pixels: NDArray[np.uint8]) -> Any:
        """Raw outputs, in batches of one size, so that a picture's do not depend on which others come with it."""
        spare = -len(pixels) % _BATCH
        whole = np.concatenate([pixels, np.zeros((spare, *pixels.shape[1:]), np.uint8)])
        batches = (torch.from_numpy(whole[start : start + _BATCH]) for start in range(0, len(whole), _BATCH))
        outputs = self._predictor().outputs(batches)
        return outputs[: len(pixels)]


def _axes(array: Any) -> int:
    """How many axes an array or whatever becomes one has."""
    shape = getattr(array, "shape", None)
    return np.asarray(array).ndim if shape is None else len(shape)


def _plain(values: Any) -> Any:
    """Tensors, in a list too, without what hangs on them, as arrays are made of them; anything else as it is."""
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values] if any(isinstance(v, torch.Tensor) for v in values) else values
    return values.detach().cpu() if isinstance(values, torch.Tensor) else values


def _refuse_weights(others: dict[str, Any]) -> None:
    if others.pop("sample_weight", None) is not None:
        raise RefusedInputError(
            "a training knows no weight of single pictures. Leave sample_weight out; balance='weights' has each class "
            "count alike, and balance='sampler' draws each as often."
        )
    if others:
        raise TypeError(f"fit() got an unexpected keyword argument {next(iter(others))!r}")


def _pixel_range(array: NDArray[Any]) -> tuple[float, float]:
    """What black and white stand for, by the kind of the numbers and the lowest and highest of them."""
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > MOST_WHITE:
        # Features, which are no pictures, go from black to white.
        return low, high
    if array.dtype == np.uint8:
        return 0.0, 255.0
    return 0.0, 1.0 if high <= 1 else float(white_above(high))


def _told_apart(names: list[str]) -> list[str]:
    """Names of classes; numbers and words that read alike get their places."""
    return names if len(set(names)) == len(names) else [f"{name} ({place})" for place, name in enumerate(names)]


def _defaults() -> dict[str, str]:
    return {key: str(f.default) for key, f in Recipe.model_fields.items() if not f.is_required()}
