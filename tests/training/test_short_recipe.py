from cnnlab.training import Recipe
from cnnlab.training.short_recipe import given


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
