"""An optimiser that does not fit the loop says why, whatever is written beside its name."""

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.training import Recipe
from cnnlab.training.pytorch_optimizer import _UNFIT


@pytest.mark.parametrize("arguments", ["", "(lr=0.1)", "(0.1)", "(lr=0.1, weight_decay=1e-4, of_its_own=[1, 2])"])
@pytest.mark.parametrize("name", _UNFIT)
def test_a_recipe_is_refused_for_the_optimizer_itself(name: str, arguments: str) -> None:
    with pytest.raises(UsageError) as caught:
        Recipe.read(data="digits", optimizer=f"{name}{arguments}")
    assert str(caught.value) == f"optimizer {name} {_UNFIT[name]}. Take another, such as adamw, sgd or ftrl."


@pytest.mark.parametrize("name", ["lbfgs", "muon", "sparseadam"])
def test_the_reason_comes_before_that_of_other_keys(name: str) -> None:
    with pytest.raises(UsageError, match=f"optimizer {name} (needs|updates|takes sparse)"):
        Recipe.read(data="digits", optimizer=name, weight_decay=1e-4)
    with pytest.raises(UsageError, match=f"optimizer {name} (needs|updates|takes sparse)"):
        Recipe.read(data="digits", **{"optimizer.lr": 0.1}, optimizer=name)
