"""The estimator as scikit-learn's own checks and tools use it, on the tiniest networks."""

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.sklearn import ImageClassifier
from cnnlab.training import Recipe

pytestmark = pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")

QUICK: dict[str, Any] = {"threads": 1, "precision": "float32", "kernels": "torch", "batch_size": 32}


def _quick(**keys: Any) -> ImageClassifier:
    return ImageClassifier("mlp(hidden=[16])", **{"epochs": 4, "optimizer": "adamw(lr=0.02)", **QUICK, **keys})


def _digits(count: int = 400) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    digits = load_digits()
    return (digits.images[:count] * 15.9).astype(np.uint8), digits.target[:count]


# Every check holds, of the rows of a few numbers that they take for pictures of one line too.
@parametrize_with_checks([_quick(epochs=6, optimizer="adamw(lr=0.05)")])  # type: ignore[untyped-decorator]
def test_scikit_learns_own_check(estimator: Any, check: Any) -> None:
    check(estimator)


def test_every_key_of_a_recipe_but_the_data_and_its_folds_is_a_parameter() -> None:
    parameters = set(inspect.signature(ImageClassifier).parameters)
    # Folds are scikit-learn's own affair: cross_val_predict, and StackingClassifier.
    assert set(Recipe.model_fields) - {"data", "test", "folds", "fold"} == parameters - {
        "image_shape",
        "random_state",
        "runs",
        "verbose",
    }


def test_it_learns_and_is_the_training_of_the_recipe(tmp_path: Path) -> None:
    images, labels = _digits()
    fitted = _quick(runs=tmp_path).fit(images, labels)
    assert fitted.score(images, labels) > 0.9
    assert list(fitted.history_["epoch"]) == [1, 2, 3, 4]
    run = cnnlab.train(
        data=(images, labels),
        model="mlp(hidden=[16])",
        epochs=4,
        optimizer="adamw(lr=0.02)",
        **QUICK,
        validation=0,
        test=0,
        runs=tmp_path,
    )
    assert run.digest == fitted.run_.digest
    assert fitted.predict_proba(images) == pytest.approx(
        np.array(run.predict(images).columns["label"].probabilities), abs=1e-6
    )


def test_nothing_stays_on_disk_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images, labels = _digits(100)
    assert not hasattr(_quick(epochs=1).fit(images, labels), "run_")
    assert not list(tmp_path.rglob("run.json"))


def test_rows_of_pixels_are_the_pictures_they_are_rows_of() -> None:
    images, labels = _digits()
    flat = _quick().fit(images.reshape(-1, 64), labels)
    assert flat.classifier_.shape == (1, 8, 8)
    assert (flat.predict_proba(images.reshape(-1, 64)) == _quick().fit(images, labels).predict_proba(images)).all()
    assert _quick(image_shape=(4, 16), epochs=1).fit(images.reshape(-1, 64), labels).classifier_.shape == (1, 4, 16)
    with pytest.raises(ValueError, match="image_shape=5×5 has 25 pixels, and rows have 64"):
        _quick(image_shape=(5, 5)).fit(images.reshape(-1, 64), labels)


@pytest.mark.parametrize(
    ("scale", "offset", "expected"), [(1, 0, (0, 255)), (1 / 255, 0, (0, 1)), (2 / 255, -1, (-1, 254 / 255 * 2 - 1))]
)
def test_floats_are_read_by_what_they_were_fitted_on(scale: float, offset: float, expected: Any) -> None:
    images, labels = _digits(200)
    scaled = images * scale + offset
    fitted = _quick(epochs=1).fit(scaled, labels)
    assert fitted.pixel_range_ == pytest.approx(expected)
    # What a batch by itself holds does not change how it is read.
    assert fitted.predict_proba(scaled[:1]) == pytest.approx(fitted.predict_proba(scaled)[:1], abs=1e-6)


def test_classes_keep_their_kind() -> None:
    images, labels = _digits(200)
    words = np.array(["even", "odd"])[labels % 2]
    fitted = _quick().fit(images, words)
    assert fitted.classes_.tolist() == ["even", "odd"]
    assert set(fitted.predict(images)) == {"even", "odd"}
    assert fitted.classifier_.classes["label"] == ("even", "odd")


def test_grids_reach_into_specs_and_pipelines_scale() -> None:
    images, labels = _digits(200)
    search = GridSearchCV(_quick(epochs=2), {"optimizer__lr": [1e-5, 0.02], "model__hidden": [[8]]}, cv=2)
    search.fit(images, labels)
    assert search.best_params_["optimizer__lr"] == 0.02
    assert str(search.best_estimator_.model) == "mlp(hidden=[8])"
    scores = cross_val_score(make_pipeline(StandardScaler(), _quick(epochs=12)), images.reshape(-1, 64), labels, cv=2)
    assert scores.min() > 0.7


def test_a_clone_is_fitted_alike_and_another_seed_differs() -> None:
    images, labels = _digits(100)
    first = _quick(random_state=3).fit(images, labels).predict_proba(images)
    assert (clone(_quick(random_state=3)).fit(images, labels).predict_proba(images) == first).all()
    assert (_quick(random_state=4).fit(images, labels).predict_proba(images) != first).any()


def test_a_fitted_one_can_be_pickled(tmp_path: Path) -> None:
    images, labels = _digits(100)
    fitted = ImageClassifier("conv(4)|relu|pool", epochs=1, **QUICK).fit(images, labels)
    assert (pickle.loads(pickle.dumps(fitted)).predict_proba(images) == fitted.predict_proba(images)).all()


def test_it_can_be_fitted_again_on_pictures_of_another_shape() -> None:
    images, labels = _digits(100)
    fitted = _quick(epochs=1).fit(images, labels).fit(images[:, :4], labels)
    assert fitted.classifier_.shape == (1, 4, 8)
    with pytest.raises(ValueError, match="fitted on pictures of 1×4×8, and X has pictures of 1×8×8"):
        fitted.predict(images)


def test_weights_of_single_pictures_are_refused_with_what_there_is() -> None:
    images, labels = _digits(100)
    with pytest.raises(UsageError, match="balance='weights'"):
        _quick().fit(images, labels, sample_weight=np.ones(100))


def test_what_a_recipe_refuses_is_refused_in_fit() -> None:
    images, labels = _digits(100)
    with pytest.raises(UsageError, match="no optimizer called 'adamv'"):
        _quick(optimizer="adamv(lr=0.1)").fit(images, labels)
    with pytest.raises(ValueError, match="Invalid parameter 'optimiser'"):
        _quick().set_params(optimiser__lr=0.1)


def test_a_validation_share_is_followed_and_chosen_by() -> None:
    images, labels = _digits(200)
    fitted = _quick(epochs=2, validation=0.2).fit(images, labels)
    assert "validation_accuracy" in fitted.history_


def test_tensors_that_ask_for_gradients_are_pictures_too_and_so_is_a_list_of_them() -> None:
    x, y = _digits(40)
    pixels, labels = torch.tensor(x / 255, requires_grad=True), y % 2
    whole = _quick(epochs=1, random_state=0).fit(pixels, torch.tensor(labels))
    parts = _quick(epochs=1, random_state=0).fit(list(pixels), labels)
    assert np.array_equal(whole.predict(pixels), parts.predict(list(pixels)))
