"""Reading, refusing, fusing and running whole pipelines."""

import itertools
import re

import pytest
import torch

import cnnlab
from cnnlab.augment import Info, Pipeline, canonical_pipeline, fusion, matrices, pipeline, resampling
from cnnlab.augment.device_transfer import _bytes, _views
from cnnlab.augment.operation import GeometricOperation
from cnnlab.core.errors import SpecError

TEN = "flip|shift(0.1)|rotate(10)|shear(5)|zoom(0.1)|brightness|contrast|gamma|salt_and_pepper|erase"


def families(spec):
    return [type(stage).__name__ for stage in pipeline(spec).stages]


def batch(count=8, shape=(3, 16, 16)):
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("spec", [None, "", "none", []])
def test_the_empty_pipeline_gives_its_input_back(spec):
    images, targets = batch(), {"label": torch.eye(8)}
    empty = pipeline(spec)
    result = empty(images, targets, seed=0, epoch=0, step=0, ids=torch.arange(8))
    assert result[0] is images and result[1] is targets
    assert len(empty) == 0 and empty.spec == "none"


def test_a_pipeline_is_read_from_text_mappings_and_itself():
    text = pipeline("flip|rotate(10)")
    assert isinstance(text, Pipeline)
    assert pipeline(text) is text
    assert pipeline(["flip", {"name": "rotate", "degrees": 10}]).spec == text.spec
    assert canonical_pipeline("flip()|rotate(degrees=10.0)") == text.spec


def test_canonical_text_fills_in_defaults_and_nested_fills():
    assert canonical_pipeline("rotate(10)") == "rotate(degrees=10.0, p=1.0, fill=reflect)"
    assert canonical_pipeline("rotate(10, fill=constant(0.5))") == canonical_pipeline(
        "rotate(10, fill=constant(value=0.5))"
    )
    assert canonical_pipeline("rotate(10, fill=constant)") == canonical_pipeline("rotate(10, fill=constant(0))")


@pytest.mark.parametrize(
    ("spec", "position", "words"),
    [
        ("shift(3)", 6, ["from 0 to 1", "3"]),
        ("flip|rotate(-30)", 12, ["from 0 to 180", "-30"]),
        ("flip(p=1.1)", 5, ["from 0 to 1", "1.1"]),
        ("flip(sideways)", 5, ["horizontal or vertical or both"]),
        ("flip|rotat(3)", 5, ["rotate"]),
        ("zoom(1.5)", 5, ["below 1"]),
        ("zoom([0, 2])", 5, ["above 0"]),
        ("zoom([2, 0.5])", 5, ["lower", "2", "0.5"]),
        ("zoom(0.8, 1.0)", 10, ["takes amount", "p=", "zoom([0.8, 1.0])"]),
        ("grayscale(0.5)", 10, ["takes none", "p="]),
        ("flip|gamma(amount=[3, 1])", 11, ["lower"]),
        ("crop(0)", 5, ["from 1 to 8,192"]),
        ("crop(2.5)", 5, ["whole number"]),
        ("perspective(0.9)", 12, ["0.6"]),
        ("resized_crop(0.9, 0.5)", 13, ["0.5", "0.9"]),
        ("rotate(10, fill=mirror)", 11, ["Did you mean reflect"]),
        ("rotate(10, fill=constant(7))", 11, ["from 0 to 1"]),
        ("trivial(fill=sky)", 8, ["constant, edge, reflect"]),
        ("flip|erase(low=0.5)", 11, ["low", "0.33"]),
        ("erase(value=purple)", 6, ["noise"]),
        ("randaugment(2, 31)", 15, ["30"]),
        ("mixup(0)", 6, ["above 0"]),
        ("posterize(9)", 10, ["from 1 to 8"]),
        ("rotate(amount=3)", 7, ["degrees"]),
    ],
)
def test_wrong_arguments_are_refused_with_range_and_place(spec, position, words):
    with pytest.raises(SpecError) as caught:
        pipeline(spec)
    assert caught.value.position == position
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "meant"),
    [
        ("RandomRotation", "rotate"),
        ("random_rotation", "rotate"),
        ("RandomHorizontalFlip(0.5)", "flip"),
        ("RandomVerticalFlip", "flip(vertical)"),
        ("ColorJitter(0.2)", "brightness, contrast, saturation or hue"),
        ("GaussianBlur", "blur"),
        ("RandomErasing", "erase"),
        ("RandomResizedCrop", "resized_crop"),
        ("RandomZoom", "zoom"),
        ("random_translation", "shift"),
        ("RandAugment", "randaugment"),
        ("GaussianNoise", "gaussian_noise"),
    ],
)
def test_names_of_other_libraries_are_answered_with_the_operation_meant(theirs, meant):
    with pytest.raises(SpecError, match=re.escape(f"Did you mean {meant}? (at character 6")):
        pipeline(f"flip|{theirs}")


@pytest.mark.parametrize(
    ("spec", "shape", "soft", "position", "words"),
    [
        ("flip|hue", (1, 28, 28), True, 5, ["hue", "colour", "grey"]),
        ("saturation", (4, 28, 28), True, 0, ["4 channels"]),
        ("flip|mixup", (3, 28, 28), False, 5, ["mixup", "targets"]),
        ("flip|quarter_turn", (3, 28, 32), True, 5, ["square", "28×32"]),
        ("crop(40)", (3, 28, 32), True, 0, ["28"]),
        ("circular_shift(30)", (3, 28, 32), True, 0, ["28"]),
        ("blur(9)", (1, 8, 8), True, 0, ["2.33"]),
    ],
)
def test_what_the_data_or_the_objective_do_not_allow_is_refused(spec, shape, soft, position, words):
    with pytest.raises(SpecError) as caught:
        pipeline(spec).check(shape, soft)
    assert caught.value.position == position
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("augment", "reason"),
    [
        ("flip|grayscale", "grayscale needs colour pictures (three channels), and these are grey"),
        ("blur(9)", "blur takes a sigma of at most 2.33 on pictures of 8×8; got 9"),
    ],
)
def test_a_training_names_the_operation_that_does_not_fit_by_its_place(augment, reason):
    place = augment.find("grayscale") + 1 or 1
    with pytest.raises(SpecError) as caught:
        cnnlab.train(data="digits", model="mlp", augment=augment, epochs=1)
    assert str(caught.value) == f"{reason} (at character {place} of «{augment[: place - 1]}▸{augment[place - 1 :]}»)"
    # Nobody wrote the canonical text, so no place in it is named.
    with pytest.raises(SpecError) as caught:
        cnnlab.train(data="digits", model="mlp", augment=canonical_pipeline(augment), epochs=1)
    assert str(caught.value) == f"{'operation 2 of the pipeline: ' if '|' in augment else ''}{reason}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("flip|crop(4)|rotate|zoom|perspective|quarter_turn", ["GeometricRun"]),
        ("rotate|brightness|shift|invert|zoom", ["GeometricRun", "ColourRun"]),
        ("rotate|brightness|shift|contrast", ["GeometricRun", "ColourRun"]),
        ("rotate|brightness|contrast|zoom", ["GeometricRun", "ColourRun", "GeometricRun"]),
        ("brightness|rotate", ["ColourRun", "GeometricRun"]),
        ("rotate|gamma|brightness|zoom", ["GeometricRun", "PixelStage", "ColourRun", "GeometricRun"]),
        ("rotate(fill=constant(0))|brightness|zoom(fill=constant(0))", ["GeometricRun", "ColourRun", "GeometricRun"]),
        ("circular_shift|flip|resized_crop", ["GeometricRun", "GeometricRun"]),
        ("resized_crop|flip|circular_shift", ["GeometricRun", "GeometricRun"]),
        ("circular_shift|brightness|resized_crop", ["GeometricRun", "ColourRun", "GeometricRun"]),
        ("flip|circular_shift|quarter_turn", ["GeometricRun"]),
        ("rotate|zoom(fill=edge)", ["GeometricRun", "GeometricRun"]),
        ("rotate|flip|zoom(fill=reflect)", ["GeometricRun"]),
        ("flip|rotate|mixup|zoom|shift", ["GeometricRun", "MixingStage", "GeometricRun"]),
        ("rotate|gamma|zoom", ["GeometricRun", "PixelStage", "GeometricRun"]),
        ("brightness|contrast|saturation|grayscale|invert", ["ColourRun"]),
        ("brightness|erase|contrast", ["ColourRun", "PixelStage", "ColourRun"]),
    ],
)
def test_neighbours_are_fused(spec, expected):
    assert families(spec) == expected


@pytest.mark.parametrize("length", [1, 5, 10])
def test_a_geometric_run_is_resampled_once_whatever_its_length(monkeypatch, length):
    calls = []
    monkeypatch.setattr(fusion, "resample", lambda *given: calls.append(1) or resampling.resample(*given))
    spec = "|".join(["rotate(10)", "flip", "brightness", "shear(5)", "zoom(0.1)"] * 2 + ["crop(2)"])
    augment = pipeline("|".join(spec.split("|")[:length]))
    augment(batch(), {}, seed=0, epoch=0, step=0, ids=torch.arange(8))
    assert len(calls) == 1


def test_commuting_with_colour_leaves_the_result_as_written():
    """Brightness that clips nothing, between two geometric operations, is the same done after both."""
    images = batch() // 2
    parts = ["rotate(30)", "brightness(0.5)", "shift(0.2)"]
    whole = pipeline("|".join(parts))
    info = Info(8, (3, 16, 16), 0, torch.arange(8))
    drawn = whole.draw(torch.Generator().manual_seed(0), info)
    factor = drawn[1]["matrix"][:, 0, 0, None, None, None]
    brightened_first = resampling.resample(images.float() / 255 * factor, drawn[0]["matrix"], fusion.REFLECT)
    torch.testing.assert_close(whole.apply(images, {}, drawn)[0], brightened_first, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "spec",
    [
        "contrast([0.5, 0.5])|resized_crop(0.05, 0.1)",
        "rotate(30)|contrast([0.5, 0.5])|resized_crop(0.05, 0.1)",
        "rotate(30)|brightness([0.5, 0.5])|contrast([0.5, 0.5])|resized_crop(0.05, 0.1)",
        "brightness([2, 2])|rotate(30)",
        "brightness([2, 2])|rotate(30)|shift(0.2)|brightness([2, 2])",
    ],
)
def test_colour_before_geometry_is_done_in_the_order_written(spec):
    """Also where it needs the mean of the picture, or clips values."""
    images = batch().float() / 255
    whole, info = pipeline(spec), Info(8, (3, 16, 16), 0, torch.arange(8))
    drawn = whole.draw(torch.Generator().manual_seed(0), info)
    expected, generator = images, torch.Generator().manual_seed(0)
    for run in _runs_as_written(whole):
        expected = run.apply(expected.clone(), {}, run.draw(generator, info))[0]
    torch.testing.assert_close(whole.apply(images, {}, drawn)[0], expected, atol=1e-6, rtol=0)


def _runs_as_written(whole):
    """Neighbours of one family as a stage, nothing moved past another family."""
    groups = itertools.groupby(whole.operations, lambda operation: type(fusion.stages([operation])[0]))
    return [kind(tuple(operations)) for kind, operations in groups]


def test_a_geometric_operation_of_ones_own_that_interpolates_does_not_wrap():
    class Halved(GeometricOperation):
        def matrix(self, generator, info):
            return matrices.scaling(torch.full((info.count,), 0.5), torch.full((info.count,), 0.5))

    (shift,) = pipeline("circular_shift").operations
    for operations in ([shift, Halved()], [Halved(), shift]):
        made = fusion.stages(operations)
        assert [stage.operations for stage in made] == [(operation,) for operation in operations]


def test_a_colour_run_is_its_operations_one_after_the_other():
    """Where nothing is clipped in between."""
    images = (batch().float() / 255) * 0.2 + 0.4
    info = Info(8, (3, 16, 16), 0, torch.arange(8))
    names = ["contrast(0.3)", "brightness(0.1)", "saturation(0.5)", "invert(p=1)", "contrast(0.2)"]
    whole, generator = pipeline("|".join(names)), torch.Generator().manual_seed(0)
    fused = whole.apply(images, {}, whole.draw(torch.Generator().manual_seed(0), info))[0]
    for name in names:
        single = pipeline(name)
        images = single.apply(images, {}, single.draw(generator, info))[0]
    torch.testing.assert_close(fused, images, atol=1e-5, rtol=0)


def test_each_image_is_changed_on_its_own():
    """The first pictures of a batch do not depend on what the others show."""
    images, others = batch(16), batch(16)
    others[8:] = 255 - others[8:]
    for spec in [TEN, "trivial", "randaugment", "hue|blur|equalize|autocontrast|lighting"]:
        first, second = (
            pipeline(spec)(x, {}, seed=0, epoch=0, step=0, ids=torch.arange(16))[0] for x in (images, others)
        )
        assert torch.equal(first[:8], second[:8])
        assert not torch.equal(first[8:], second[8:])


def test_parameters_travel_as_one_block_and_arrive_as_they_were():
    drawn = pipeline("erase|shift|cutmix|posterize|trivial").draw(
        torch.Generator().manual_seed(0), Info(7, (3, 16, 16), 0, torch.arange(7))
    )
    tensors = [value for group in drawn for value in group.values() if isinstance(value, torch.Tensor)]
    assert len({tensor.dtype for tensor in tensors}) >= 3
    block = torch.cat([_bytes(tensor) for tensor in tensors])
    for before, after in zip(tensors, _views(block, tensors), strict=True):
        assert before.dtype == after.dtype and torch.equal(before, after)


def test_a_pipeline_of_ten_gives_the_same_step_again():
    augment = pipeline(TEN)
    augment.check((1, 16, 16), False)
    images, ids = batch(32, (1, 16, 16)), torch.arange(32)
    steps = [augment(images, {}, seed=5, epoch=e, step=s, ids=ids)[0] for e in range(2) for s in range(3)]
    again = pipeline(TEN)(images, {}, seed=5, epoch=1, step=1, ids=ids)[0]
    assert torch.equal(steps[4], again)
    assert not torch.equal(steps[1], again)
