"""What every registered operation promises, whatever it does."""

import inspect
import itertools

import pytest
import torch

from cnnlab.augment import Info, augmentations, noise, pipeline, sampling
from cnnlab.augment.operation import Geometric

NAMES = [entry.name for entry in augmentations]
SHAPES = [(1, 28, 28), (3, 16, 16), (3, 20, 20)]


def batch(count, shape, kind="uint8"):
    images = torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)
    return images if kind == "uint8" else images.float() / 255


def targets(count):
    return {"label": torch.eye(5)[torch.arange(count) % 5], "height": torch.arange(count).float()[:, None]}


def run(name, images, *, seed=1, epoch=2, step=3, p=None, given=None):
    augment = pipeline(name if p is None else f"{name}(p={p})")
    given = targets(len(images)) if given is None else given
    return augment(images, given, seed=seed, epoch=epoch, step=step, ids=torch.arange(len(images)))


def fits(name, shape):
    try:
        pipeline(name).check(shape, True)
    except Exception:
        return False
    return True


CASES = [(name, shape) for name in NAMES for shape in SHAPES if fits(name, shape)]


def test_every_operation_fits_colour_and_all_but_those_of_colour_fit_grey():
    assert {name for name, shape in CASES if shape == (3, 16, 16)} == set(NAMES)
    grey = {name for name, shape in CASES if shape[0] == 1}
    assert set(NAMES) - grey == {"saturation", "grayscale", "hue"}


@pytest.mark.parametrize("kind", ["uint8", "float"])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_images_stay_a_batch_of_bytes_or_of_floats_in_range(name, shape, kind):
    images = batch(9, shape, kind)
    result, _ = run(name, images)
    assert result.shape == images.shape
    assert result.dtype in ((torch.uint8, torch.float32) if kind == "uint8" else (torch.float32,))
    if result.dtype == torch.float32:
        assert result.isfinite().all() and result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("kind", ["uint8", "float"])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_what_is_given_is_not_written_to(name, shape, kind):
    images, given = batch(9, shape, kind), targets(9)
    before = images.clone(), {column: rows.clone() for column, rows in given.items()}
    run(name, images, given=given)
    assert torch.equal(images, before[0])
    assert all(torch.equal(rows, before[1][column]) for column, rows in given.items())


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_same_step_gives_the_same_batch_and_leaves_global_randomness_alone(name, shape):
    images = batch(9, shape)
    state = torch.random.get_rng_state()
    first, first_targets = run(name, images)
    torch.rand(3)
    second, second_targets = run(name, images)
    assert torch.equal(first, second)
    assert all(torch.equal(rows, second_targets[column]) for column, rows in first_targets.items())
    torch.random.set_rng_state(state)
    run(name, images)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("place", ["seed", "epoch", "step"])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("alternating_flip", "grayscale")])
def test_another_step_epoch_or_seed_gives_another_batch(name, place):
    images = batch(32, (3, 16, 16))
    assert not torch.equal(run(name, images)[0], run(name, images, **{place: 7})[0])


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_batch_of_one_and_an_empty_one_work(name, shape):
    one, one_target = run(name, batch(1, shape))
    assert one.shape == (1, *shape) and one_target["label"].shape == (1, 5)
    none, none_target = run(name, batch(0, shape))
    assert none.shape == (0, *shape) and none_target["label"].shape == (0, 5)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_p_of_zero_changes_nothing(name, shape):
    images = batch(9, shape)
    result, result_targets = run(name, images, p=0)
    result = result if result.dtype == torch.float32 else result.float() / 255
    torch.testing.assert_close(result, images.float() / 255, atol=1e-5, rtol=0)
    assert all(torch.equal(rows, targets(9)[column]) for column, rows in result_targets.items())


@pytest.mark.parametrize("name", NAMES)
def test_targets_change_only_where_an_operation_says_that_it_mixes(name):
    _, result = run(name, batch(9, (3, 16, 16)))
    is_same = all(torch.equal(rows, targets(9)[column]) for column, rows in result.items())
    assert is_same != pipeline(name).mixes
    assert pipeline(name).mixes == (name in ("mixup", "cutmix"))


@pytest.mark.parametrize("name", NAMES)
def test_images_without_targets_are_welcome(name):
    assert run(name, batch(9, (3, 16, 16)), given={})[1] == {}


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_floats_are_changed_alike(name):
    images = batch(16, (3, 16, 16))
    result, floats = run(name, images)[0], run(name, images.float() / 255)[0]
    if result.dtype == torch.uint8:
        result = result.float() / 255
    torch.testing.assert_close(result, floats, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_all_randomness_is_in_the_parameters(name):
    augment, images = pipeline(name), batch(9, (3, 16, 16))
    info = Info(9, (3, 16, 16), 0, torch.arange(9))
    drawn = augment.draw(torch.Generator().manual_seed(0), info)
    first, second = augment.apply(images, {}, drawn)[0], augment.apply(images, {}, drawn)[0]
    assert torch.equal(first, second)
    for value in (value for group in drawn for value in group.values()):
        assert isinstance(value, int) or (isinstance(value, torch.Tensor) and value.device.type == "cpu")


@pytest.mark.parametrize("name", NAMES)
def test_applying_works_where_the_images_are_and_never_waits_for_them(name, monkeypatch):
    """The meta device has no values: whatever reads one, or mixes in a tensor from elsewhere, fails there."""
    monkeypatch.setattr(sampling, "noise_generator", lambda seed, device: None)
    monkeypatch.setattr(noise, "noise_generator", lambda seed, device: None)
    augment, images = pipeline(f"{name}|{name}(p=0.6)"), batch(9, (3, 16, 16))
    info = Info(9, (3, 16, 16), 0, torch.arange(9))
    drawn = augment.draw(torch.Generator().manual_seed(0), info)
    given = {column: rows.to("meta") for column, rows in targets(9).items()}
    result, mixed = augment.apply(images.to("meta"), given, drawn)
    assert result.device.type == "meta" and all(rows.device.type == "meta" for rows in mixed.values())
    here, _ = augment.apply(images, targets(9), drawn)
    assert result.shape == here.shape and result.dtype == here.dtype


@pytest.mark.parametrize("name", NAMES)
def test_the_result_does_not_depend_on_the_number_of_threads(name):
    images, threads = batch(64, (3, 16, 16)), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(run(name, images)[0])
    finally:
        torch.set_num_threads(threads)
    if results[0].dtype == torch.uint8:
        assert torch.equal(*results)
    else:
        # What computes with floats may add in another order on some processors: convolutions, products of matrices.
        torch.testing.assert_close(*results, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_its_canonical_text_means_itself(name):
    text = pipeline(name).spec
    assert pipeline(text).spec == text
    assert pipeline(text).operations == pipeline(name).operations


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


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(pipeline(n).operations[0], Geometric)])
def test_matrices_are_finite_and_can_be_undone(name):
    (operation,) = pipeline(name).operations
    info = Info(200, (3, 16, 16), 0, torch.arange(200))
    matrix = operation.matrices(torch.Generator().manual_seed(0), info)
    assert matrix.shape == (200, 3, 3) and matrix.dtype == torch.float64
    assert matrix.isfinite().all() and (torch.linalg.det(matrix).abs() > 1e-3).all()


def test_every_operation_may_stand_beside_every_other():
    """All ordered pairs; whatever is fused with what, pictures stay as many, of their shape and in range."""
    images, given = batch(4, (3, 8, 8)), targets(4)
    for pair in itertools.product(NAMES, repeat=2):
        result, _ = pipeline("|".join(pair))(images, given, seed=1, epoch=0, step=0, ids=torch.arange(4))
        pixels = result / 255 if result.dtype == torch.uint8 else result
        assert result.shape == images.shape, pair
        assert pixels.isfinite().all() and pixels.min() >= 0 and pixels.max() <= 1, pair
