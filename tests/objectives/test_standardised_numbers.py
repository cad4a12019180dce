"""Numbers are standardised by the training targets, and whatever reads the record undoes that."""

import math

import pytest
import torch

from cnnlab.objectives import build_objective, restore_objective, without_scales

SIZES = {"size": torch.tensor([2.0, 4, 4, 4, 5, 5, 7, 9])}
"""Their mean is 5 and their standard deviation 2."""


def test_numbers_are_standardised_by_the_targets_of_training() -> None:
    objective = build_objective("scalar", {"size": None}, SIZES)
    encoded = objective.encode({"size": torch.tensor([5.0, 9.0, 1.0])})["size"]
    assert encoded.tolist() == [[0], [2], [-2]]
    assert objective.decode(encoded)["size"].tolist() == [5, 9, 1]
    # Of a constant guess the squared error is the variance, 1.
    assert objective.metrics(torch.zeros(8, 1), SIZES)["loss"] == pytest.approx(1)
    assert objective.metrics(torch.zeros(8, 1), SIZES)["root_mean_square_error"] == pytest.approx(2)


def test_the_record_alone_says_how_they_were_standardised() -> None:
    objective = build_objective("scalar", {"size": None}, {"size": torch.tensor([-1e-7, -3e-7])})
    assert "mean=-2" in objective.spec and "std=1" in objective.spec
    again = restore_objective(objective.spec, {})
    assert again.spec == objective.spec
    assert dict(again.scales) == dict(objective.scales)


@pytest.mark.parametrize(
    ("spec", "scale"),
    [
        ("scalar(mean=1, std=3)", (1, 3)),
        ("scalar(range=[0, 10])", (5, 5)),
        # As records held it before numbers were standardised.
        ("scalar(column=size, range=[-20.0, 10.0], units=[1.0], loss=mse, delta=0.1)", (-5, 15)),
    ],
)
def test_what_the_spec_gives_is_taken_whatever_the_targets(spec: str, scale: tuple[float, float]) -> None:
    assert build_objective(spec, {"size": None}, SIZES).scales == {"size": scale}
    assert restore_objective(spec.replace("scalar(m", "scalar(column=size, m"), {"size": ("0", "1")}).scales == {
        "size": scale
    }


def test_a_number_that_never_varies_is_only_centred() -> None:
    objective = build_objective("scalar", {"size": None}, {"size": torch.full((5,), 7.0)})
    assert objective.scales == {"size": (7, 1)}


def test_each_head_is_standardised_by_its_own_column() -> None:
    columns = {"hour": tuple(map(str, range(12))), "size": None}
    targets = {"hour": torch.tensor([0, 0, 6, 6]), "size": torch.tensor([1.0, 1, 3, 3])}
    objective = build_objective("multi-head(a=scalar(column=hour), size=scalar, hour=classes)", columns, targets)
    assert objective.scales == {"a": (3, 3), "size": (2, 1)}
    assert restore_objective(objective.spec, {"hour": columns["hour"]}).scales == objective.scales
    assert without_scales(objective.spec) == without_scales(
        build_objective("multi-head(a=scalar(column=hour), size=scalar, hour=classes)", columns).spec
    )


def test_sums_are_exact_whatever_the_order() -> None:
    values = [1e16, 1.0, -1e16, 3.0]
    forwards, backwards = (
        build_objective("scalar(column=size)", {"size": None}, {"size": torch.tensor(each, dtype=torch.float64)})
        for each in (values, values[::-1])
    )
    assert forwards.spec == backwards.spec
    assert forwards.scales["size"][0] == math.fsum(values) / 4 == 1
