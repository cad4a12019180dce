"""Randomness as a pure function of a seed and a purpose."""

import hashlib
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnlab.core.seeds import SampleDraws, derive, generator, scope

places = st.tuples(
    st.integers(0, 2**40), st.sampled_from(["init", "order", "augment"]), st.lists(st.integers(0, 10**6))
)


def test_number_is_the_first_63_bits_of_a_sha256() -> None:
    expected = int(hashlib.sha256(b"7/augment/3/12").hexdigest()[:16], 16) // 2
    assert derive(7, "augment", 3, 12) == expected


@given(places, places)
def test_number_depends_on_every_argument_and_on_nothing_else(key: tuple, other_key: tuple) -> None:  # type: ignore[type-arg]
    first, second = derive(key[0], key[1], *key[2]), derive(other_key[0], other_key[1], *other_key[2])
    assert (first == second) == (key == other_key)
    assert 0 <= first < 2**63


def test_index_is_not_run_together() -> None:
    assert derive(1, "order", 1, 23) != derive(1, "order", 12, 3)
    assert derive(1, "order", 1) != derive(11, "order")


def test_generator_draws_the_same_wherever_it_is_made() -> None:
    here = torch.rand(5, generator=generator(3, "order", 2))
    torch.manual_seed(99)
    assert torch.equal(torch.rand(5, generator=generator(3, "order", 2)), here)
    code = "import torch; from cnnlab.core.seeds import generator\n"
    code += "print(torch.rand(5, generator=generator(3, 'order', 2)).tolist())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == str(here.tolist())


def test_generator_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(3, "order", 2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "other", [(4, "augment", 1, 2), (3, "order", 1, 2), (3, "augment", 2, 2), (3, "augment", 1, 3)]
)
def test_draws_for_different_purposes_are_uncorrelated(other: tuple[int, str, int, int]) -> None:
    first = torch.rand(2000, generator=generator(3, "augment", 1, 2))
    second = torch.rand(2000, generator=generator(*other))
    assert stats.pearsonr(first, second).pvalue > 1e-4
    assert stats.kstest(second.numpy(), "uniform").pvalue > 1e-4


def test_first_draws_of_successive_steps_are_independent() -> None:
    firsts = torch.stack([torch.rand((), generator=generator(0, "augment", 0, step)) for step in range(2000)])
    assert stats.kstest(firsts.numpy(), "uniform").pvalue > 1e-4
    assert stats.pearsonr(firsts[:-1], firsts[1:]).pvalue > 1e-4


def test_scope_gives_dropout_and_layers_the_same_draws_each_time() -> None:
    def draws() -> torch.Tensor:
        with scope(5, "init"):
            return torch.cat(
                [torch.nn.Linear(3, 3).weight.detach().flatten(), torch.dropout(torch.ones(20), 0.5, True)]
            )

    first = draws()
    torch.rand(17)
    assert torch.equal(draws(), first)
    with scope(6, "init"):
        assert not torch.equal(torch.nn.Linear(3, 3).weight.detach().flatten(), first[:9])


@pytest.mark.parametrize("fails", [False, True])
def test_scope_puts_the_global_generator_back(fails: bool) -> None:
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)

    def draw() -> None:
        with scope(5, "init"):
            torch.rand(100)
            if fails:
                raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            draw()
    else:
        draw()
    assert torch.equal(torch.rand(4), expected)


def test_scopes_nest() -> None:
    with scope(1, "a"):
        expected = torch.rand(2)
    with scope(1, "a"):
        first = torch.rand(1)
        with scope(2, "b"):
            torch.rand(7)
        assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


def test_scope_seeds_the_generator_of_apples_devices_and_puts_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = torch.Generator().manual_seed(1)
    monkeypatch.setattr(torch.mps, "manual_seed", theirs.manual_seed)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda device: theirs.get_state())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state, device: theirs.set_state(state))

    def draws(step: int) -> list[float]:
        with scope(5, "step", step, device="mps"):
            return torch.rand(3, generator=theirs).tolist()

    before = theirs.get_state()
    assert draws(1) == draws(1) != draws(2)
    assert torch.equal(theirs.get_state(), before)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_samples_draw_the_same_however_their_batch_is_split(size: int) -> None:
    def drawn(part: slice) -> list[torch.Tensor]:
        draws = SampleDraws(generator(3, "perturb", 1, 2), 7, part)
        return [draws.uniform(2, 3), draws.normal(), draws.integers(5, 4)]

    whole = drawn(slice(None))
    parts = [drawn(slice(start, start + size)) for start in range(0, 7, size)]
    assert all(
        torch.equal(torch.cat(pieces), rows) for pieces, rows in zip(zip(*parts, strict=True), whole, strict=True)
    )


def test_samples_draw_from_the_distributions_named() -> None:
    draws = SampleDraws(generator(0, "perturb"), 4000)
    assert stats.kstest(draws.uniform().numpy(), "uniform").pvalue > 1e-4
    assert stats.kstest(draws.normal(2)[:, 1].numpy(), "norm").pvalue > 1e-4
    counts = torch.bincount(draws.integers(3))
    assert len(counts) == 3
    assert stats.chisquare(counts).pvalue > 1e-4
