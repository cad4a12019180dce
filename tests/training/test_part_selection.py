import pytest

from cnnlab.core.errors import UsageError
from cnnlab.training import Recipe
from cnnlab.training.part_selection import PartSelection, parse_train


@pytest.mark.parametrize(
    ("text", "canonical", "selection"),
    [
        ("head", "head", PartSelection(("head",))),
        ("head+block5", "block5+head", PartSelection(("block5", "head"))),
        (" block5 + head ", "block5+head", PartSelection(("block5", "head"))),
        ("all-stem-top", "all-stem-top", PartSelection(("all",), ("stem", "top"))),
        ("block3..head", "block3..head", PartSelection(("block3..head",))),
        ("body.blocks.6", "body.blocks.6", PartSelection(("body.blocks.6",))),
    ],
)
def test_a_choice_has_one_text_in_whatever_order_it_is_written(
    text: str, canonical: str, selection: PartSelection
) -> None:
    parsed = parse_train(text)
    assert parsed is not None
    assert (parsed, parsed.parsed) == (canonical, selection)
    assert parse_train(parsed) is parsed and parse_train(str(parsed)) == parsed


def test_all_is_the_default_and_a_list_is_a_sum() -> None:
    assert [parse_train(whole) for whole in (None, "all", " all ", "")] == [None] * 4
    assert parse_train(["head", "block5"]) == "block5+head"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none", "train=none would train nothing"),
        ("None", "would train nothing"),
        ("head+", "is no choice of parts, which are joined by"),
        ("-stem", "as in train=head"),
        ("head|block5", "joined by \\+ and -"),
        ("block4(0.1)|head", "rates of their own are written rates="),
        ("head, block5", "is no choice of parts"),
    ],
)
def test_a_text_that_is_no_choice_is_refused_with_examples(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe.read(data="digits", train=text)


def test_a_phase_may_train_all_where_the_recipe_trains_the_head() -> None:
    recipe = Recipe.read(data="digits", train="head", phases=[{"epochs": 1}, {"epochs": 1, "train": "all"}])
    assert [phase.train for phase in recipe.normal()] == ["head", None]
