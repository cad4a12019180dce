"""Fitted pipelines as files, by skops: never a pickle, and nothing but the few types that cnnlab itself writes.

skops says which types it would make of a file; which of them are made is decided here, by a list of our own that is
compared before anything is. What a file of those types could still do, such as a tree whose branches lead out of its
arrays, is looked for before it is used.
"""

import json
import math
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from cnnlab.core.errors import ModelFileError
from cnnlab.core.files import read_regular
from cnnlab.core.lazy_imports import require
from cnnlab.core.limits import check_memory
from cnnlab.core.sinks import in_short

_MOST_BYTES = 4 << 30
_SCHEMA = "schema.json"
_MOST_SCHEMA = 256 << 20
_OBJECTS = {
    ("sklearn.ensemble._forest", "RandomForestClassifier"),
    ("sklearn.ensemble._weight_boosting", "AdaBoostClassifier"),
    ("sklearn.linear_model._logistic", "LogisticRegression"),
    ("sklearn.linear_model._stochastic_gradient", "SGDClassifier"),
    ("sklearn.naive_bayes", "GaussianNB"),
    ("sklearn.neighbors._classification", "KNeighborsClassifier"),
    ("sklearn.pipeline", "Pipeline"),
    ("sklearn.preprocessing._data", "Normalizer"),
    ("sklearn.preprocessing._data", "StandardScaler"),
    ("sklearn.svm._classes", "SVC"),
    ("sklearn.tree._classes", "DecisionTreeClassifier"),
}
_ARRAYS = {"ndarray", "bool", "bool_", "float32", "float64", "int32", "int64"}
_PLAIN = {
    "DictNode": {"dict"},
    "ListNode": {"list"},
    "TupleNode": {"tuple"},
    "JsonNode": {"str", "int", "float", "bool", "NoneType"},
    "TypeNode": {"str"},
}
_TREE = ("sklearn.tree._tree", "Tree")
_LOSSES = "sklearn.linear_model._sgd_fast"
_LOSSES_ELSEWHERE = "sklearn._loss._loss"
_LEAF = -1


def pipeline_bytes(pipeline: Pipeline) -> bytes:
    """A fitted pipeline as the content of a file."""
    return bytes(_skops().dumps(pipeline, compression=zipfile.ZIP_DEFLATED))


def load_pipeline(path: Path, width: int, classes: int) -> Pipeline:
    """The pipeline of a file that :func:`pipeline_bytes` wrote.

    :param width: how many features it takes; ``classes`` how many classes there are.
    :raises ModelFileError: for anything else, before any of it is made.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    _check_types(path, content)
    try:
        pipeline = _skops().loads(content, trusted=[".".join(_TREE)])
    except Exception as error:  # whatever its constructors make of content that is none
        raise _damaged(path, str(error)) from error
    try:
        _check_pipeline(pipeline, width, classes)
    except (ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError) as error:
        raise _damaged(path, str(error)) from error
    return pipeline


def _skops() -> Any:
    return require("skops.io", "storing and opening classifiers of scikit-learn", "skops")


def _damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        f"{path} is damaged, or was not written by cnnlab ({in_short(reason)}). Put the file back from a copy, or make "
        "it anew with the same cnnlab transfer command and --again."
    )


def _check_types(path: Path, content: bytes) -> None:
    """Refuses a file that names a type which is not on the list, or holds more than its size could account for."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            total = sum(info.file_size for info in infos.values())
            check_memory(total, str(path))
            if infos[_SCHEMA].file_size > _MOST_SCHEMA:
                raise ValueError("its description is too long")
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    for loader, module, name in _types(schema):
        if not _is_known(loader, module, name):
            raise ModelFileError(
                f"{path} holds {in_short(f'{module}.{name}')}, which no classifier that cnnlab writes is made of. It "
                "was not opened: such a file can be made to run any program."
            )


def _types(node: Any) -> Iterator[tuple[str, str, str]]:
    """Every kind of node, module and name of a schema."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "__loader__" in each or "__class__" in each or "__module__" in each:
                yield tuple(str(each.get(key)) for key in ("__loader__", "__module__", "__class__"))  # type: ignore[misc]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _is_known(loader: str, module: str, name: str) -> bool:
    if loader in _PLAIN:
        return module == "builtins" and name in _PLAIN[loader]
    if loader == "NdArrayNode":
        return module == "numpy" and name in _ARRAYS
    if loader == "ObjectNode":
        return (module, name) in _OBJECTS
    if loader == "TreeNode":
        return (module, name) == _TREE
    if loader == "LossNode":
        return (module == _LOSSES and name in ("Hinge", "SquaredHinge", "ModifiedHuber")) or (
            module == _LOSSES_ELSEWHERE and name == "CyHalfBinomialLoss"
        )
    return False


def _check_pipeline(pipeline: Any, width: int, classes: int) -> None:
    """Refuses numbers that do not fit together.

    :raises ValueError: saying what does not.
    """
    _demand(type(pipeline) is Pipeline and 1 <= len(pipeline.steps) <= 2, "it is no pipeline of ours")
    *scalers, (_, model) = pipeline.steps
    for _, scaler in scalers:
        _demand(type(scaler) in (StandardScaler, Normalizer), "its first step scales nothing")
        if type(scaler) is StandardScaler:
            _numbers(scaler.mean_, (width,))
            _numbers(scaler.scale_, (width,))
    _check_model(model, width, classes)
    trial = pipeline.predict(np.zeros((1, width), np.float32))
    _demand(len(trial) == 1, "it says nothing of a picture")


def _check_model(model: Any, width: int, classes: int) -> None:
    known = np.asarray(model.classes_)
    is_sound = known.ndim == 1 and known.dtype.kind == "i" and len(known) > 1
    _demand(is_sound and bool((np.diff(known) > 0).all()), "it has no classes")
    _demand(int(known[0]) >= 0 and int(known[-1]) < classes, "its classes are others")
    _demand(int(model.n_features_in_) == width, f"it takes {in_short(str(model.n_features_in_))} features, not {width}")
    kind, count = type(model), len(known)
    if kind in (LogisticRegression, SGDClassifier):
        rows = 1 if count == 2 else count
        _numbers(model.coef_, (rows, width))
        _numbers(model.intercept_, (rows,))
    elif kind is GaussianNB:
        for table in (model.theta_, model.var_):
            _numbers(table, (count, width))
        _numbers(model.class_prior_, (count,))
    elif kind is KNeighborsClassifier:
        rows = len(model._fit_X)
        _numbers(model._fit_X, (rows, width))
        labels = np.asarray(model._y)
        _demand(labels.shape == (rows,) and labels.dtype.kind == "i", "its neighbours have no classes")
        _demand(bool((labels >= 0).all() and (labels < count).all()), "its neighbours are of no class")
        _demand(model._fit_method == "brute" and 1 <= int(model.n_neighbors) <= rows, "it has too few neighbours")
        _demand(model.effective_metric_ in ("euclidean", "manhattan", "cosine"), "its distance is none")
    elif kind is SVC:
        _check_svc(model, width, count)
    elif kind is DecisionTreeClassifier:
        _check_tree(model, width, count)
    elif kind in (RandomForestClassifier, AdaBoostClassifier):
        _demand(len(model.estimators_) > 0, "it has no trees")
        for tree in model.estimators_:
            _demand(type(tree) is DecisionTreeClassifier, "what it is made of is no tree")
            _check_tree(tree, width, len(tree.classes_))
            _demand(2 <= len(tree.classes_) <= count or kind is AdaBoostClassifier, "its trees know other classes")
        if kind is AdaBoostClassifier:
            _demand(len(model.estimator_weights_) >= len(model.estimators_), "its trees have no weights")
    else:
        raise ValueError(f"{kind.__name__} classifies nothing here")


def _check_svc(model: SVC, width: int, classes: int) -> None:
    vectors, support = np.asarray(model.support_vectors_), np.asarray(model._n_support)
    rows, pairs = len(vectors), classes * (classes - 1) // 2
    _numbers(vectors, (rows, width))
    _demand(support.shape == (classes,) and bool((support >= 0).all()) and int(support.sum()) == rows, "its vectors")
    _demand(np.asarray(model.support_).shape == (rows,), "its vectors are of no pictures")
    for coefficients in (model.dual_coef_, model._dual_coef_):
        _numbers(coefficients, (classes - 1, rows))
    for offsets in (model.intercept_, model._intercept_):
        _numbers(offsets, (pairs,))
    _demand(len(model._probA) == len(model._probB) == 0 and model._sparse is False, "it is of another kind")
    _demand(model.kernel in ("rbf", "linear", "poly", "sigmoid"), "its kernel is none")
    _demand(math.isfinite(float(model._gamma)) and int(model.degree) >= 1, "its kernel has no numbers")


def _check_tree(model: DecisionTreeClassifier, width: int, classes: int) -> None:
    """Every branch leads to a later node, every threshold is of a feature: what predicting goes by, unlooked at."""
    tree = model.tree_
    left, right, feature = (np.asarray(part) for part in (tree.children_left, tree.children_right, tree.feature))
    nodes = len(left)
    _demand(nodes > 0 and tree.n_features == width and int(tree.max_n_classes) == classes, "its trees are others")
    inner = left != _LEAF
    places = np.arange(nodes)
    for children in (left, right):
        leads_on = (children > places) & (children < nodes)
        _demand(bool((leads_on | ~inner).all()) and bool((children[~inner] == _LEAF).all()), "a tree has no end")
    _demand(bool(((feature[inner] >= 0) & (feature[inner] < width)).all()), "a tree asks for no feature")
    _demand(np.asarray(tree.value).shape == (nodes, 1, classes), "a tree has other classes")


def _numbers(array: Any, shape: tuple[int, ...]) -> None:
    values = np.asarray(array)
    is_sound = values.shape == shape and values.dtype.kind in "fi" and bool(np.isfinite(values).all())
    _demand(is_sound, f"an array of {'×'.join(map(str, shape))} numbers is not one")


def _demand(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
