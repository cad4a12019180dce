"""Augmented draws of training pictures: what they depend on, where they are kept, and what never sees them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnlab
from cnnlab.augment import pipeline
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.feature_cache import cached_features
from cnnlab.data import ImageSet, TensorImages
from cnnlab.objectives import Classes
from cnnlab.transfer import comparison
from cnnlab.transfer.augmented_draws import AugmentedDraw
from cnnlab.transfer.classifiers import classifiers
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.result import TransferResult
from cnnlab.transfer.search import CrossValidation
from cnnlab.transfer.training_part import TrainingPart

DATA = "digits(size=16)"
SPEC = "shift(0.3)|contrast(0.5)"


def _images(count: int) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    return TensorImages(torch.randint(0, 256, (count, 3, 12, 12), dtype=torch.uint8, generator=generator))


def _drawn(images: ImageSet, places: list[int], seed: int = 0, number: int = 0) -> torch.Tensor:
    draw = AugmentedDraw(pipeline(SPEC), seed, number)
    return draw.of(images.batch(torch.tensor(places))[0], images.image_digests[places])


def _made(backbone: str, folder: Path, **keys: Any) -> TransferResult:
    asked = {"classifiers": "gaussian-nb", "subset": 60, **keys}
    return cnnlab.transfer(DATA, backbones=backbone, runs=folder / "runs", **asked)


def test_a_draw_is_a_function_of_the_seed_its_number_and_the_picture() -> None:
    images = _images(5)
    whole = _drawn(images, [0, 1, 2, 3, 4])
    assert whole.dtype == torch.float32 and whole.min() >= 0 and whole.max() <= 1
    assert torch.equal(_drawn(images, [3, 1]), whole[[3, 1]])
    assert torch.equal(_drawn(images.select([4, 2]), [1]), whole[[2]])
    for other in (_drawn(images, [3], seed=1), _drawn(images, [3], number=1)):
        assert not torch.equal(other, whole[[3]])
    # Two pictures are not changed alike.
    shown = torch.full((1, 3, 12, 12), 100, dtype=torch.uint8)
    digests = images.image_digests[:2]
    draw = AugmentedDraw(pipeline("brightness(0.9)"), 0, 0)
    assert not torch.equal(draw.of(shown, digests[:1]), draw.of(shown, digests[1:]))


def test_what_only_moves_pixels_is_what_the_pipeline_says() -> None:
    images = _images(2)
    (pixels, _), digests = images.batch(torch.arange(2)), images.image_digests
    assert torch.equal(AugmentedDraw(pipeline("flip(p=1)"), 0, 0).of(pixels, digests), pixels.flip(3) / 255)


def test_draws_are_kept_and_more_views_compute_only_what_is_new(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int | None, int]] = []
    fill = FeatureSource.fill

    def noted(self: FeatureSource, features: Any, rows: Any, images: ImageSet, draw: AugmentedDraw | None) -> None:
        before = self.computed
        fill(self, features, rows, images, draw)
        seen.append((None if draw is None else draw.number, self.computed - before))

    monkeypatch.setattr(FeatureSource, "fill", noted)
    first = _made(backbone, tmp_path, augment=SPEC)
    train = first.record.rows[0].repeats[0].trained
    plain = [computed for number, computed in seen if number is None]
    # Validation and test are not drawn.
    assert (sum(plain) > train) and [pair for pair in seen if pair[0] is not None] == [(0, train)]
    seen.clear()
    second = _made(backbone, tmp_path, augment=SPEC, views=2)
    assert [pair for pair in seen if pair[1]] == [(1, train)]
    assert (first.record.views, second.record.views) == (1, 2) and first.run.digest != second.run.digest
    assert second.record.augment == pipeline(SPEC).spec and second.run.recipe["views"] == 2
    assert "2 draws of each training picture besides itself" in dict(second.facts)["augmented"]
    shown = [str(each.about.get("draw", "")) for each in cached_features()]
    assert sorted(text[:6] for text in shown) == ["", "draw 1", "draw 2"]
    assert _made(backbone, tmp_path, augment="none").run.digest == _made(backbone, tmp_path).run.digest


def test_classifiers_are_fitted_to_all_draws_and_scored_on_pictures_as_they_are(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[int, int]] = []
    fit = comparison.fit

    def noted(call: Any, features: Any, labels: Any, seed: int) -> Any:
        fitted.append((len(features), len(labels)))
        return fit(call, features, labels, seed)

    monkeypatch.setattr(comparison, "fit", noted)
    made = _made(backbone, tmp_path, augment=SPEC, views=3, repeats=2)
    first = made.record.rows[0].repeats[0]
    assert fitted == [(4 * first.trained, 4 * first.trained)] * 2
    # What is stored says the same of the pictures themselves.
    stored = made.run.predictions("test")
    dataset = cnnlab.load_data(made.run.recipe["data"], subset=60)
    found = made.classifier()(dataset.test.batch(torch.arange(len(dataset.test)))[0])
    assert torch.allclose(found, torch.from_numpy(np.asarray(stored.outputs["label"])), atol=1e-3)


def test_draws_of_a_picture_stay_in_its_fold() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 8)).astype(np.float32)
    classes = np.arange(200) % 2
    objective, candidates = Classes("label", ("no", "yes")), [classifiers.bind("knn(n_neighbors=1, scaling=none)")]
    judge = CrossValidation("accuracy", 5)
    alone = judge.search(candidates, TrainingPart(features, classes), objective, 0, "x")
    # The nearest neighbour of a picture would be its own draw, which knows its class.
    twins = TrainingPart(features, classes, [features + 1e-4])
    assert judge.search(candidates, twins, objective, 0, "x").judged[0].mean == alone.judged[0].mean < 0.7


@pytest.mark.parametrize(
    ("keys", "told", "error"),
    [
        ({"augment": "mixup"}, "augment=mixup mixes pictures and their classes", UsageError),
        ({"augment": "flip|rotat(10)"}, "there is no augmentation called 'rotat'", SpecError),
        ({"views": 3}, "views=3 is of how many augmented draws .* augment= names nothing", UsageError),
        ({"augment": "none", "views": 3}, "augment= names nothing", UsageError),
        ({"augment": "flip", "views": 0}, "views takes a whole number at least 1", UsageError),
        ({"augment": "flip", "classifiers": "knn(n_neighbors=121)"}, "asks for 121 neighbours", UsageError),
        ({"augment": 3}, "3 is not a spec", SpecError),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    keys: dict[str, Any], told: str, error: type[Exception], backbone: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=told):
        _made(backbone, tmp_path, **keys)
    assert not list(tmp_path.iterdir())
