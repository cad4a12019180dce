"""Every registered operation against the conformance suite, and what cnnlab asks of its own besides."""

import inspect
import itertools

import pytest
import torch

from cnnlab.augment import Info, augmentations, noise, pipeline, sampling
from cnnlab.testing import operation_checks
from cnnlab.testing.operations import random_images, random_targets

NAMES = [entry.name for entry in augmentations]
CHECKS = [(name, check) for name in NAMES for check in operation_checks(name)]


@pytest.mark.parametrize(
    "check", [check for _, check in CHECKS], ids=[f"{name}-{check.__name__}" for name, check in CHECKS]
)
def test_operation_keeps_what_operations_promise(check):
    check()


def test_all_fit_colour_and_all_but_those_of_colour_fit_grey():
    def fits(name, shape):
        return pipeline(name).steps[0].refusal(shape, True) is None

    assert all(fits(name, (3, 16, 16)) for name in NAMES)
    assert {name for name in NAMES if not fits(name, (1, 28, 28))} == {"saturation", "grayscale", "hue"}


def test_mixup_and_cutmix_alone_mix():
    assert {name for name in NAMES if pipeline(name).mixes} == {"mixup", "cutmix"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "alternating_flip"])
def test_all_but_the_alternating_flip_are_a_matter_of_chance(name):
    images, ids = random_images(32, (3, 16, 16)), torch.arange(32)
    first, second = (pipeline(name)(images, {}, seed=seed, epoch=2, step=3, ids=ids)[0] for seed in (1, 7))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_applying_works_where_the_images_are_and_never_waits_for_them(name, monkeypatch):
    """The meta device has no values: whatever reads one, or mixes in a tensor from elsewhere, fails there."""
    monkeypatch.setattr(sampling, "noise_generator", lambda seed, device: None)
    monkeypatch.setattr(noise, "noise_generator", lambda seed, device: None)
    augment, images = pipeline(f"{name}|{name}(p=0.6)"), random_images(9, (3, 16, 16))
    info = Info(9, (3, 16, 16), 0, torch.arange(9))
    drawn = augment.draw(torch.Generator().manual_seed(0), info)
    given = {column: rows.to("meta") for column, rows in random_targets(9).items()}
    result, mixed = augment.apply(images.to("meta"), given, drawn)
    assert result.device.type == "meta" and all(rows.device.type == "meta" for rows in mixed.values())
    here, _ = augment.apply(images, random_targets(9), drawn)
    assert result.shape == here.shape and result.dtype == here.dtype


@pytest.mark.parametrize("name", NAMES)
def test_it_is_documented_with_its_source(name):
    (entry,) = [entry for entry in augmentations if entry.name == name]
    assert entry.summary
    assert "Source:" in inspect.getdoc(entry.make)


@pytest.mark.parametrize("name", NAMES)
def test_p_above_one_is_refused_with_its_range_and_place(name):
    with pytest.raises(Exception, match=r"from 0 to 1.*at character") as caught:
        pipeline(f"{name}(p=1.5)")
    assert caught.value.position == len(name) + 1


def test_every_operation_may_stand_beside_every_other():
    """All ordered pairs; whatever is fused with what, pictures stay as many, of their shape and in range."""
    images, given = random_images(4, (3, 8, 8)), random_targets(4)
    for pair in itertools.product(NAMES, repeat=2):
        result, _ = pipeline("|".join(pair))(images, given, seed=1, epoch=0, step=0, ids=torch.arange(4))
        pixels = result / 255 if result.dtype == torch.uint8 else result
        assert result.shape == images.shape, pair
        assert pixels.isfinite().all() and pixels.min() >= 0 and pixels.max() <= 1, pair
