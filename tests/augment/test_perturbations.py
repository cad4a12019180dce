"""Operations of augmentation as perturbations: done to pictures before they are judged."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cnnlab.augment import augmentations, register
from cnnlab.core.errors import SpecError
from cnnlab.core.hooks import perturbations
from cnnlab.core.seeds import SampleDraws, generator


def pixels(count: int = 6, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, 8, 8, generator=torch.Generator().manual_seed(1))


def changed(spec: str, given: Tensor, *, count: int | None = None, part: slice = slice(None)) -> Tensor:
    perturbation = perturbations.bind(spec).build()
    draws = SampleDraws(generator(0, "perturb", 3), count or len(given), part)
    result: Tensor = perturbation(None, given, {}, None, draws)
    return result


def test_every_operation_is_a_perturbation_but_those_that_blend_targets() -> None:
    perturbations.complete()
    names = {entry.name for entry in perturbations}
    operations = {entry.name for entry in augmentations}
    assert operations - names == {"mixup", "cutmix"}


def test_pictures_are_those_that_the_operation_makes() -> None:
    given = pixels()
    torch.testing.assert_close(changed("flip(p=1)", given), given.flip(3))
    torch.testing.assert_close(changed("invert(p=1)", given), 1 - given)
    noise = changed("gaussian_noise(0.01)", given) - given
    assert 0.005 < float(noise.std()) < 0.015


@pytest.mark.parametrize("spec", ["rotate(30)", "gaussian_noise(0.1)", "erase(p=0.5)", "trivial", "flip"])
def test_what_is_drawn_for_a_picture_is_the_same_however_the_batch_is_split(spec: str) -> None:
    given = pixels()
    whole = changed(spec, given)
    parts = [changed(spec, given[part], count=6, part=part) for part in (slice(0, 4), slice(4, 6))]
    torch.testing.assert_close(torch.cat(parts), whole, atol=0, rtol=0)
    assert not torch.equal(whole, given)


def test_the_precision_of_the_classifier_does_not_reach_the_pictures() -> None:
    given = pixels()
    with torch.autocast("cpu", torch.bfloat16):
        inside = changed("rotate(30)", given)
    torch.testing.assert_close(inside, changed("rotate(30)", given), atol=0, rtol=0)


def test_pictures_that_an_operation_does_not_take_are_refused() -> None:
    with pytest.raises(SpecError, match="hue needs colour pictures"):
        changed("hue", pixels(channels=1))
    with pytest.raises(SpecError, match="takes the lower factor first"):
        perturbations.bind("zoom([2, 0.5])").build()


def test_an_operation_of_ones_own_is_one_too() -> None:
    @register("tenth")
    def tenth(images: Any, by: float = 0.1) -> Any:
        return images * by

    try:
        given = pixels()
        torch.testing.assert_close(changed("tenth", given), given * 0.1)
    finally:
        augmentations.remove("tenth")
        perturbations.remove("tenth")
