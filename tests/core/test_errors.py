"""The errors a person can cause."""

import pytest

from cnnlab.core import errors
from cnnlab.core.errors import CnnlabError, SpecError, one_line, suggestion

USAGE = {"UsageError", "SpecError", "DataError", "ModelFileError", "RunNotFoundError", "RunExistsError"}
KINDS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, CnnlabError)]


@pytest.mark.parametrize("kind", KINDS)
def test_exit_code_is_2_for_what_was_asked_and_1_for_what_failed(kind: type[CnnlabError]) -> None:
    assert kind.exit_code == (2 if kind.__name__ in USAGE else 1)


def test_one_line_of_an_error_is_its_first_or_last_that_says_something_or_else_its_type() -> None:
    error = RuntimeError("\n  no connection.\n\nTraceback\n  disk is full.\n")
    assert (one_line(error), one_line(error, -1)) == ("no connection", "disk is full")
    assert one_line(ConnectionError(" \n")) == "ConnectionError"


def test_spec_error_marks_the_place() -> None:
    error = SpecError("this is wrong.", "a(b=1)", 2)
    assert str(error) == "this is wrong (at character 3 of «a(▸b=1)»)"
    assert (error.reason, error.text, error.position) == ("this is wrong.", "a(b=1)", 2)


def test_spec_error_without_a_place_is_its_message() -> None:
    assert str(SpecError("this is wrong.")) == "this is wrong."
    assert str(SpecError("this is wrong.", "text")) == "this is wrong."


@pytest.mark.parametrize(
    ("word", "valid", "sentence"),
    [
        ("epoch", ["epochs", "data"], "Did you mean epochs?"),
        ("EPOCHS", ["epochs", "data"], "Did you mean epochs?"),
        ("batchsize", ["batch_size", "size"], "Did you mean batch_size or size?"),
        ("aaaa", ["aaa1", "aaa2", "aaa3", "aaa4"], "Did you mean aaa4, aaa3 or aaa2?"),
        ("zzz", ["data", "model"], "Valid: data, model."),
        ("zzz", [], "There is none to choose from."),
    ],
)
def test_suggestion_names_the_closest_or_all(word: str, valid: list[str], sentence: str) -> None:
    assert suggestion(word, valid) == sentence


def test_a_long_list_is_shown_whole_for_the_answer_may_stand_at_its_end() -> None:
    names = [f"name{i:02}" for i in range(60)]
    assert suggestion("zzz", names) == f"Valid: {', '.join(names)}."


def test_of_more_than_a_hundred_some_are_shown_and_the_rest_counted() -> None:
    sentence = suggestion("zzz", [f"name{i:04}" for i in range(1030)])
    assert sentence.endswith("name0023 and 1,006 more.")


def test_the_nearest_is_found_in_a_list_of_any_length() -> None:
    assert suggestion("nmae0999", [f"name{i:04}" for i in range(1000)]).startswith("Did you mean name0999")


@pytest.mark.parametrize("word", ["vgg", "VGG", "vgg-"])
def test_names_that_begin_with_the_word_are_near(word: str) -> None:
    assert suggestion(word, ["resnet", "vgg-like", "vgg16", "vgg19"]) == "Did you mean vgg16, vgg19 or vgg-like?"


def test_what_to_write_stands_at_the_end() -> None:
    error = SpecError("this is wrong", "a(b=1)", 2, corrected="a(c=1)")
    assert str(error) == "this is wrong (at character 3 of «a(▸b=1)»). Write a(c=1)"
    assert str(error.under("key", "a(b=1)")).endswith(". Write key='a(c=1)'")


def test_what_is_wrong_within_a_spec_is_told_with_the_whole_of_it() -> None:
    error = SpecError("there is no b", "b", 0, corrected="c")
    assert str(error.under("key", "a(x=b)")).endswith("Write key='a(x=c)'")
    # Where it cannot be told which is meant.
    assert str(error.under("key", "a(x=b, y=b)")).endswith("Write c")
