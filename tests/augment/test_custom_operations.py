"""Augmentations of one's own."""

from collections.abc import Iterator
from typing import Annotated

import pytest
import torch
from torch import Tensor, nn

from cnnlab.augment import augmentations, pipeline, register
from cnnlab.core.arguments import Range
from cnnlab.core.errors import SpecError, UsageError


@pytest.fixture
def own() -> Iterator[list[str]]:
    """Names to forget after the test."""
    before = {entry.name for entry in augmentations}
    yield
    for name in {entry.name for entry in augmentations} - before:
        augmentations.remove(name)


def images(count=16):
    return torch.randint(0, 256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def run(spec, batch=None):
    batch = images() if batch is None else batch
    return pipeline(spec)(batch, {}, seed=0, epoch=0, step=0, ids=torch.arange(len(batch)))[0]


@pytest.mark.usefixtures("own")
def test_a_function_of_a_batch_takes_arguments_and_p():
    @register("darken")
    def darken(batch: Tensor, by: Annotated[float, Range(0, 1)] = 0.5) -> Tensor:
        return batch * (1 - by)

    torch.testing.assert_close(run("darken(0.25)"), images().float() / 255 * 0.75)
    assert pipeline("darken").spec == "darken(by=0.5, p=1.0)"
    with pytest.raises(SpecError, match="takes by; by name only: p="):
        pipeline("darken(0.1, 0.5)")
    halves = run("darken(1, p=0.5)").flatten(1).sum(1) == 0
    assert 0 < halves.sum() < 16
    with pytest.raises(SpecError, match="from 0 to 1"):
        pipeline("darken(3)")


@pytest.mark.usefixtures("own")
def test_a_function_that_takes_a_generator_draws_from_it():
    @register("speckle")
    def speckle(batch, generator, amount: float = 0.1):
        return batch + amount * torch.randn(batch.shape, generator=generator)

    assert torch.equal(run("speckle"), run("speckle"))
    assert not torch.equal(run("speckle"), run("speckle(0)"))
    assert run("speckle(5)").max() == 1


@pytest.mark.usefixtures("own")
def test_torchs_global_randomness_is_seeded_for_a_module_and_put_back():
    register("drop")(nn.Dropout(0.5))
    state = torch.random.get_rng_state()
    first = run("drop")
    torch.rand(5)
    assert torch.equal(first, run("drop"))
    torch.random.set_rng_state(state)
    run("drop")
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.usefixtures("own")
def test_a_class_is_made_with_the_arguments_of_the_spec():
    @register("scaled")
    class Scaled(nn.Module):
        """Multiplies."""

        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, batch: Tensor) -> Tensor:
            return batch * self.factor

    torch.testing.assert_close(run("scaled(0.5)"), images().float() / 255 * 0.5)
    with pytest.raises(SpecError, match="needs factor"):
        pipeline("scaled")


@pytest.mark.usefixtures("own")
def test_a_function_may_write_to_what_it_is_given():
    register("blacken")(lambda batch: batch.zero_())
    batch = images().float() / 255
    assert run("blacken", batch).max() == 0
    assert batch.max() > 0


@pytest.mark.usefixtures("own")
def test_bytes_and_infinities_are_brought_in_order():
    register("bytes")(lambda batch: (batch * 255).round().to(torch.uint8))
    register("endless")(lambda batch: (batch - 0.5).sign() / 0)
    torch.testing.assert_close(run("bytes"), images().float() / 255)
    assert torch.equal(run("endless"), (images() > 127).float())


@pytest.mark.usefixtures("own")
def test_what_is_not_a_number_is_refused():
    @register("broken")
    def broken(batch: Tensor) -> Tensor:
        batch[0, 0, 0, 0] = float("nan")
        return batch

    with pytest.raises(UsageError, match="augmentation broken gave values that are not numbers"):
        run("broken")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("give", [lambda batch: batch[:1], lambda batch: None])
def test_what_is_not_a_batch_of_the_same_shape_is_refused(give):
    register("wrong")(give)
    with pytest.raises(UsageError, match=r"wrong must give pictures of \(16, 3, 8, 8\)"):
        run("wrong")


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="flip"):
        register("flip")(lambda batch: batch)
