import pytest

from cnnlab.training import Recipe
from cnnlab.training.short_recipe import given, shortened


def test_what_is_given_is_what_a_person_would_have_typed() -> None:
    keys = {"data": "digits", "model": "mlp(hidden=[32])", "augment": "flip|shift(0.2)", "ema": 0.9}
    stored = Recipe.read(keys, **{"optimizer.lr": 0.01}).to_dict()
    assert given(stored) == {
        "data": "digits",
        "model": "mlp(hidden=[32])",
        "augment": "flip|shift(x=0.2)",
        "optimizer": "adamw(lr=0.01)",
        "epochs": 10,
        "ema": 0.9,
        "seed": 0,
    }
    assert Recipe.read(given(stored)).to_dict() == stored


def test_data_model_length_and_seed_are_told_at_their_defaults_too() -> None:
    stored = Recipe.read({"data": "digits"}).to_dict()
    assert given(stored) == {"data": "digits", "model": "vgg-like", "epochs": 10, "seed": 0}


def test_a_normalization_that_is_not_the_one_of_the_weights_is_told() -> None:
    keys = {"data": "digits", "model": "efficientnet-lite0(weights=imagenet)"}
    for model in (keys, {"data": "digits", "model": "conv(8)|relu", "weights": "run:first"}):
        own = Recipe.read(model, normalize="dataset").to_dict()
        assert given(own)["normalize"] == "dataset"
        assert Recipe.read(given(own)).to_dict() == own
        usual = Recipe.read(model).to_dict()
        assert usual["normalize"] == "weights" and "normalize" not in given(usual)
        assert Recipe.read(given(usual)).to_dict() == usual


@pytest.mark.parametrize("data", ["folder(path=photos, size=none)", "folder(path=photos, size=64)"])
def test_a_size_that_is_said_of_a_transfer_is_told_none_too(data: str) -> None:
    recipe = {"data": data, "backbones": "efficientnet-lite0", "classifiers": "knn"}
    assert shortened(recipe) == recipe
