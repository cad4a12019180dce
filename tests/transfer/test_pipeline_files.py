"""Fitted pipelines in files: read back the same, and nothing else is ever made of a file."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from cnnlab.core.errors import ModelFileError
from cnnlab.transfer.classifiers import EIGHT, PROBE, classifiers
from cnnlab.transfer.fitting import fit, raw_outputs
from cnnlab.transfer.pipeline_files import load_pipeline, pipeline_bytes

X, Y = load_digits(return_X_y=True)
OTHER = X[120:240].astype(np.float32)
X = X[:120].astype(np.float32)
Y = Y[:120]
OTHERS = [
    "sgd(loss=log_loss)",
    "sgd(loss=modified_huber, penalty=none)",
    "sgd(loss=squared_hinge)",
    "knn(weights=distance, metric=cosine, scaling=none)",
    "svc(kernel=poly, scaling=unit)",
    "adaboost(max_depth=2, n_estimators=5)",
    "random-forest(max_features=none, n_estimators=5)",
]


@pytest.mark.parametrize("spec", [*EIGHT, PROBE, *OTHERS])
@pytest.mark.parametrize("classes", [2, 10])
def test_every_classifier_is_read_back_and_says_the_same(spec: str, classes: int, tmp_path: Path) -> None:
    labels = Y if classes == 10 else (Y > 4).astype(np.int64)
    fitted = fit(classifiers.bind(spec), X, labels, 0).pipeline
    (tmp_path / "p").write_bytes(pipeline_bytes(fitted))
    read = load_pipeline(tmp_path / "p", 64, classes)
    said = raw_outputs(read, OTHER, classes)
    # Arrays that lie otherwise in memory are summed in another order.
    assert np.allclose(said, raw_outputs(fitted, OTHER, classes), atol=1e-4)
    assert np.array_equal(said.argmax(1), fitted.predict(OTHER))


def _stored(tmp_path: Path, spec: str = "decision-tree", change: Callable[[Any], None] | None = None) -> Path:
    fitted = fit(classifiers.bind(spec), X, Y, 0).pipeline
    if change is not None:
        change(fitted[-1])
    (tmp_path / "p").write_bytes(pipeline_bytes(fitted))
    return tmp_path / "p"


class Evil:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("touched"),))


def test_a_pickle_is_refused_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelFileError, match="damaged, or was not written by cnnlab"):
        load_pipeline(tmp_path / "p", 64, 10)
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    ("thing", "named"),
    [
        (Ridge(), "Ridge"),
        (Pipeline([("f", FunctionTransformer(np.exp))]), "FunctionTransformer"),
        ({"f": np.exp}, "exp"),
        (b"bytes", "bytes"),
    ],
)
def test_types_that_are_not_on_the_list_are_refused_though_skops_trusts_them(
    thing: object, named: str, tmp_path: Path
) -> None:
    (tmp_path / "p").write_bytes(skops.io.dumps(thing))
    with pytest.raises(ModelFileError, match=f"{named}.*It was not opened"):
        load_pipeline(tmp_path / "p", 64, 10)


def test_a_type_smuggled_into_the_description_is_refused(tmp_path: Path) -> None:
    path = _stored(tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    schema["content"]["extra"] = {"__loader__": "FunctionNode", "__module__": "os", "__class__": "system"}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in {**files, "schema.json": json.dumps(schema).encode()}.items():
            archive.writestr(name, data)
    path.write_bytes(content.getvalue())
    with pytest.raises(ModelFileError, match=r"os\.system"):
        load_pipeline(path, 64, 10)


def _with_nodes(field: str, value: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        tree = model.tree_
        state = tree.__getstate__()
        state["nodes"][field][0] = value
        tree.__setstate__(state)

    return change


@pytest.mark.parametrize(("field", "value"), [("left_child", 0), ("right_child", 10**6), ("feature", 10**6)])
def test_a_tree_that_leads_out_of_its_arrays_is_refused(field: str, value: int, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        load_pipeline(_stored(tmp_path, change=_with_nodes(field, value)), 64, 10)


def _set(name: str, make: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda model: setattr(model, name, make(getattr(model, name)))


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ("svc", _set("_n_support", lambda found: found + np.int32(1000))),
        ("svc", _set("support_vectors_", lambda found: found[:-1])),
        ("knn", _set("_y", lambda found: found + 100)),
        ("knn", _set("n_neighbors", lambda found: 10_000)),
        ("logistic-regression", _set("coef_", lambda found: found[:, :-1])),
        ("logistic-regression", _set("coef_", lambda found: found * np.nan)),
        ("gaussian-nb", _set("classes_", lambda found: found[::-1])),
        ("gaussian-nb", _set("classes_", lambda found: found + 5)),
        ("random-forest", _set("estimators_", lambda found: [])),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(spec: str, change: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        load_pipeline(_stored(tmp_path, spec, change), 64, 10)


def test_another_number_of_features_or_classes_is_refused(tmp_path: Path) -> None:
    path = _stored(tmp_path)
    for width, classes in ((65, 10), (64, 9)):
        with pytest.raises(ModelFileError, match="damaged"):
            load_pipeline(path, width, classes)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_file_that_was_cut_short_is_refused(keep: int, tmp_path: Path) -> None:
    path = _stored(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="damaged"):
        load_pipeline(path, 64, 10)
