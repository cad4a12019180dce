"""Operations that only move pixels do it exactly: against torch's own flips, turns, rolls and slices."""

import pytest
import torch
import torch.nn.functional as F

from cnnlab.augment import Info, matrices, pipeline
from cnnlab.augment.padding import WRAP, Fill
from cnnlab.augment.resampling import move_pixels

MOVERS = [
    "flip",
    "flip(vertical)",
    "flip(both)",
    "quarter_turn",
    "alternating_flip",
    "crop(3)",
    "crop(3, fill=edge)",
    "crop(3, fill=constant(0))",
    "circular_shift(4)",
    "flip(both)|quarter_turn|crop(5)|flip|quarter_turn|crop(2)",
    "flip(both)|circular_shift(7)|quarter_turn",
]


def batch(count=64, channels=3, size=12):
    """Every pixel has a value of its own within its picture, so that it can be told where it came from."""
    values = torch.arange(size * size, dtype=torch.uint8).view(1, 1, size, size)
    return (values + torch.arange(channels).view(1, -1, 1, 1) * 7).to(torch.uint8).repeat(count, 1, 1, 1)


def run(spec, images, epoch=0):
    return pipeline(spec)(images, {}, seed=3, epoch=epoch, step=0, ids=torch.arange(len(images)))[0]


@pytest.mark.parametrize("spec", MOVERS)
@pytest.mark.parametrize("kind", ["uint8", "float"])
def test_every_pixel_of_the_result_is_a_pixel_of_the_source(spec, kind):
    images = batch()
    images = images if kind == "uint8" else images.float() / 255
    moved = run(spec, images)
    assert moved.dtype == images.dtype
    allowed = set(images.unique().tolist()) | {0}
    assert set(moved.unique().tolist()) <= allowed
    assert not torch.equal(moved, images)


def test_float_and_byte_images_move_alike():
    images = batch()
    for spec in MOVERS:
        assert torch.equal(run(spec, images).float() / 255, run(spec, images.float() / 255))


@pytest.mark.parametrize("spec", ["flip|flip(vertical)|quarter_turn", "circular_shift(5)|flip(both)|quarter_turn"])
def test_a_permutation_of_pixels_loses_none(spec):
    images = batch()
    assert torch.equal(run(spec, images).flatten(2).sort(-1).values, images.flatten(2).sort(-1).values)


def moved(images, backward, fill=WRAP):
    return move_pixels(images, backward[:, :2].float(), fill)


def numbers(value):
    return torch.tensor([float(value)])


@pytest.mark.parametrize("size", [(12, 12), (11, 11)])
def test_quarter_turns_are_those_of_torch(size):
    images = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    for turns in range(4):
        expected = torch.rot90(images, turns, (-2, -1))  # counter-clockwise as seen
        assert torch.equal(moved(images, matrices.quarter_turns(torch.tensor([turns]))), expected)


@pytest.mark.parametrize("size", [(12, 9), (7, 10)])
def test_mirrorings_and_cyclic_shifts_are_those_of_torch(size):
    images = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    assert torch.equal(moved(images, matrices.scaling(numbers(-1), numbers(1))), images.flip(-1))
    assert torch.equal(moved(images, matrices.scaling(numbers(1), numbers(-1))), images.flip(-2))
    assert torch.equal(moved(images, matrices.translation(numbers(3), numbers(-2))), images.roll((-2, 3), (-2, -1)))


@pytest.mark.parametrize(("fill", "mode"), [(Fill("edge"), "replicate"), (Fill("constant"), "constant")])
def test_crop_is_padding_and_slicing(fill, mode):
    images = torch.randint(0, 256, (1, 3, 10, 14), dtype=torch.uint8)
    padded = F.pad(images.float(), (4, 4, 4, 4), mode=mode)
    for x, y in [(-4, 3), (0, 0), (4, 4), (2, -1)]:
        ours = moved(images, matrices.translation(numbers(x), numbers(y)), fill)
        expected = padded[..., 4 - y : 14 - y, 4 - x : 18 - x]
        assert torch.equal(ours.float(), expected)


def test_reflection_shows_the_border_pixel_twice():
    row = torch.tensor([10, 20, 30, 40], dtype=torch.uint8).view(1, 1, 1, 4)
    shifted = moved(row, matrices.translation(numbers(2), numbers(0)), Fill("reflect"))
    assert shifted.flatten().tolist() == [20, 10, 10, 20]


def test_constant_fill_has_its_value_to_the_nearest_byte():
    black = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    shifted = moved(black, matrices.translation(numbers(1), numbers(0)), Fill("constant", 0.5))
    assert shifted[0, 0].tolist() == [[128, 0, 0, 0]] * 4


def test_alternating_flip_shows_both_sides_in_any_two_epochs_in_a_row():
    images = batch(count=500)
    epochs = [run("alternating_flip", images, epoch) for epoch in range(3)]
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[0], epochs[1].flip(-1))
    share = (epochs[0] == images).flatten(1).all(1).float().mean()
    assert 0.4 < share < 0.6


def test_alternating_flip_goes_by_the_ids_and_not_by_the_place_in_the_batch():
    images = batch(count=50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    flip = pipeline("alternating_flip")
    whole = flip(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(50))[0]
    other = flip(images, {}, seed=9, epoch=0, step=4, ids=order)[0]
    assert torch.equal(whole[order], other)


def test_circular_shift_goes_by_whole_parts_along_one_axis():
    images = batch(count=200)
    shifts = {(dx, dy): images[0].roll((dy, dx), (-2, -1)) for dx in range(12) for dy in range(12)}
    seen = set()
    for image in run("circular_shift(4)", images):
        seen.add(next(shift for shift, expected in shifts.items() if torch.equal(image, expected)))
    assert seen == {(0, 0), (3, 0), (6, 0), (9, 0), (0, 3), (0, 6), (0, 9)}


def test_quarter_turn_refuses_images_that_are_not_square():
    operation = pipeline("quarter_turn").operations[0]
    assert operation.refusal((1, 28, 28)) is None
    assert "28×32" in operation.refusal((1, 28, 32))


def test_moving_pixels_of_a_float_run_is_exact_to_rounding():
    """A run with an interpolating operation that happens to draw nothing gives the pixels back."""
    images = batch()
    result = pipeline("flip(p=1)|rotate(0)|shift(0)|zoom(0)")(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(64))
    torch.testing.assert_close(result[0], images.flip(-1).float() / 255, atol=1e-5, rtol=0)


def test_drawn_matrices_of_movers_are_whole():
    info = Info(100, (1, 12, 12), 0, torch.arange(100))
    (drawn,) = pipeline("flip(both)|quarter_turn|crop(5)").draw(torch.Generator().manual_seed(0), info)
    assert torch.equal(drawn["matrix"], drawn["matrix"].round())
