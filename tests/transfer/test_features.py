"""Features are computed once, kept within bounds, and lost by no interruption."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnlab.augment import pipeline
from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.core.feature_cache import FeatureCache, cached_features, clear_features
from cnnlab.data import ImageSet, TensorImages
from cnnlab.objectives import Classes
from cnnlab.transfer import extraction, feature_memory, number_format
from cnnlab.transfer.augmented_draws import AugmentedDraw
from cnnlab.transfer.backbones import read_backbones
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.extractor import FeatureLayer
from cnnlab.transfer.feature_memory import check_memory
from cnnlab.transfer.number_format import NumberFormat


def _images(count: int, seed: int = 0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    return TensorImages(torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=generator))


def _source(backbone: str, layer: str = "pooled") -> FeatureSource:
    facts = {"classes": {"label": ("one", "other")}}
    extractor = read_backbones([backbone])[0].up_to(
        FeatureLayer.read(layer), (3, 64, 64), Classes("label", ("one", "other")), facts
    )
    return FeatureSource("squeezenet", extractor, chosen=NumberFormat())


def _digests(numbers: range) -> Any:
    return np.stack([np.full(32, number, np.uint8) for number in numbers])


def _found(cache: FeatureCache, numbers: range, width: int = 1000) -> tuple[Any, list[bool]]:
    found = np.zeros((len(numbers), width), np.float32)
    return found, cache.fill(_digests(numbers), found, np.arange(len(numbers))).tolist()


def test_features_are_computed_once_whatever_set_a_picture_is_in(backbone: str) -> None:
    images = _images(10)
    first = _source(backbone)
    whole = first.of(images)
    again = _source(backbone)
    some = again.of(images.select([7, 2, 2]))
    assert (first.computed, again.computed) == (10, 0)
    assert np.array_equal(some, whole[[7, 2, 2]])


def test_pictures_that_are_alike_are_computed_once(backbone: str) -> None:
    source = _source(backbone)
    found = source.of(_images(4).select([1, 1, 3, 1]))
    assert source.computed == 2 and np.array_equal(found[0], found[3]) and not np.array_equal(found[0], found[2])


def test_another_layer_or_format_has_features_of_its_own(backbone: str) -> None:
    images = _images(3)
    _source(backbone).of(images)
    other = _source(backbone, "fire2")
    other.of(images)
    shorter = _source(backbone)
    shorter.chosen = NumberFormat("bfloat16")
    shorter.of(images)
    assert other.computed == shorter.computed == 3 and len(cached_features()) == 3


def test_what_was_computed_before_an_interruption_is_kept(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_BATCH", 2)
    source, images = _source(backbone), _images(8)
    compute, calls = source._features, list[int]()

    def interrupted(pixels: torch.Tensor) -> Any:
        calls.append(len(pixels))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return compute(pixels)

    monkeypatch.setattr(source, "_features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.of(images)
    again = _source(backbone)
    again.of(images)
    assert again.computed == 2


def test_few_pictures_are_not_worth_a_trial_of_formats(backbone: str) -> None:
    source = _source(backbone)
    source.chosen = None
    source.of(_images(3))
    assert source.chosen == NumberFormat()


def test_the_format_chosen_agrees_with_float32_and_is_remembered(backbone: str) -> None:
    images = _images(256).select(torch.arange(256) % 16)
    first, again = _source(backbone), _source(backbone)
    first.chosen = again.chosen = None
    found = first.of(images)
    again.of(images)
    assert first.chosen == again.chosen and first.chosen is not None and first.chosen.deviation <= 0.02
    exact = _source(backbone).of(images)
    lengths = np.linalg.norm(exact, axis=1)
    assert (np.linalg.norm(found - exact, axis=1) <= 0.02 * lengths).all()


def test_the_cache_gives_back_what_it_was_given_and_says_what_it_has_not() -> None:
    cache = FeatureCache({"model": "a"}, {"network": "a"})
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    cache.keep(_digests(range(4)), features)
    found, known = _found(cache, range(2, 6), width=3)
    assert known == [True, True, False, False] and np.array_equal(found[:2], features[2:])
    assert not any(_found(FeatureCache({"model": "b"}, {}), range(2), width=3)[1])
    # Of as many numbers as are asked for.
    assert not any(_found(cache, range(2), width=4)[1])


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.zeros((4, 1000), np.float32)
    for age, model in enumerate("abc"):
        cache = FeatureCache({"model": model}, {"network": model})
        cache.keep(_digests(range(4)), features)
        for path in cache.folder.glob("*.safetensors"):
            os.utime(path, (1000 - age, 1000 - age))
    _found(FeatureCache({"model": "c"}, {}), range(4))
    # Room for three of some 16 kB.
    monkeypatch.setenv("CNNLAB_FEATURES", "50K")
    FeatureCache({"model": "d"}, {"network": "d"}).keep(_digests(range(4)), features)
    assert [each.about["network"] for each in cached_features()] == ["a", "c", "d"]


def test_more_than_there_is_room_for_is_not_kept_and_removes_nothing_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNNLAB_FEATURES", "20K")
    cache = FeatureCache({"model": "a"}, {"network": "a"})
    cache.keep(_digests(range(4)), np.zeros((4, 1000), np.float32))
    with pytest.warns(CnnlabWarning, match="not kept in the cache any further"):
        cache.keep(_digests(range(4, 8)), np.ones((4, 1000), np.float32))
    assert _found(cache, range(8))[1] == [True] * 4 + [False] * 4
    monkeypatch.setenv("CNNLAB_FEATURES", "much")
    with pytest.raises(UsageError, match="CNNLAB_FEATURES=much is no size"):
        FeatureCache({"model": "b"}, {}).keep(_digests(range(1)), np.zeros((1, 1), np.float32))


def test_what_is_larger_than_all_may_be_is_not_kept_and_nothing_goes_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    monkeypatch.setenv("CNNLAB_FEATURES", "100K")
    FeatureCache({"model": "a"}, {"network": "a"}).keep(_digests(range(4)), np.zeros((4, 1000), np.float32))
    large = FeatureCache({"model": "b"}, {"network": "b"})
    large.expect(120_000)
    assert "take 117 kB, and all that is kept may take 100 kB. CNNLAB_FEATURES=1GB allows them" in caplog.text
    large.keep(_digests(range(2)), np.zeros((2, 1000), np.float32))
    # Nor does a file by itself that is larger than there is room for.
    with pytest.warns(CnnlabWarning, match="of c are not kept .* more than the 100 kB that all features may"):
        FeatureCache({"model": "c"}, {"network": "c"}).keep(_digests(range(30)), np.zeros((30, 1000), np.float32))
    assert [each.about["network"] for each in cached_features()] == ["a"]


def test_features_larger_than_the_cache_are_made_and_not_kept_which_is_said_once(
    backbone: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    monkeypatch.setenv("CNNLAB_FEATURES", "10K")
    source = _source(backbone)
    found = source.of(_images(6))
    assert found.shape == (6, 512) and found.any() and cached_features() == []
    # As another split of the same data has them, and draws of its pictures.
    source.of(_images(7, seed=1))
    source.of(_images(7), AugmentedDraw(pipeline("flip"), seed=0, number=0))
    assert source.computed == 20 and caplog.text.count("features of squeezenet (pooled) are not kept") == 1


def test_features_that_memory_has_no_room_for_are_refused_before_any_is_computed(
    backbone: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    flat, pooled = (_source(backbone, layer).exact for layer in ("flat(fire2)", "pooled"))
    numbers = 128 * 15 * 15
    held, fitted = 4 * 100 * 2 * (numbers + 512), 3 * 4 * 60 * 2 * numbers
    monkeypatch.setattr(feature_memory, "free_memory", lambda: held + fitted - 1)
    with pytest.raises(
        UsageError, match=r"28,800 numbers a picture at flat\(fire2\), 112 kB: .* Take layer=fire2, the"
    ):
        check_memory([pooled, flat], 100, 60, draws=1)
    monkeypatch.setattr(feature_memory, "free_memory", lambda: held + fitted)
    check_memory([pooled, flat], 100, 60, draws=1)
    assert "those of 100 pictures and their draws take" in caplog.text
    caplog.clear()
    monkeypatch.setattr(feature_memory, "free_memory", lambda: 1 << 40)
    check_memory([pooled, flat], 100, 60, draws=1)
    assert not caplog.text


def test_a_format_that_does_not_agree_is_refused_where_it_is_asked_for(
    backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, images = _source(backbone), _images(3)
    source.choose("bfloat16", images)
    assert source.chosen is not None and 0 < source.chosen.deviation <= 0.02
    monkeypatch.setattr(number_format, "BOUND", source.chosen.deviation / 2)
    with pytest.raises(
        UsageError, match=r"features in bfloat16 differ from those in float32 by .* Take precision=auto"
    ):
        _source(backbone).choose("bfloat16", images)


@pytest.mark.parametrize("content", [b"", b"\x80\x05nothing", b"\x00" * 100])
def test_a_damaged_file_is_as_if_it_were_not_there(content: bytes) -> None:
    cache = FeatureCache({"model": "a"}, {})
    cache.keep(_digests(range(4)), np.zeros((4, 3), np.float32))
    (path,) = cache.folder.glob("*.safetensors")
    path.write_bytes(content)
    assert not any(_found(cache, range(4), width=3)[1]) and not path.exists()


def test_clearing_removes_all_features(tmp_path: Path) -> None:
    FeatureCache({"model": "a"}, {}).keep(_digests(range(4)), np.zeros((4, 3), np.float32))
    assert [each.pictures for each in cached_features()] == [4]
    clear_features()
    assert cached_features() == []
