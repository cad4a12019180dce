"""The errors a person can cause."""

import pytest

from cnnlab.core import errors
from cnnlab.core.errors import CnnlabError, SpecError, suggestion

USAGE = {"UsageError", "SpecError", "DataError", "ModelFileError", "RunNotFoundError"}
KINDS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, CnnlabError)]


@pytest.mark.parametrize("kind", KINDS)
def test_exit_code_is_2_for_what_was_asked_and_1_for_what_failed(kind: type[CnnlabError]) -> None:
    assert kind.exit_code == (2 if kind.__name__ in USAGE else 1)


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


def test_suggestion_stops_at_two_dozen() -> None:
    sentence = suggestion("zzz", [f"name{i:02}" for i in range(30)])
    assert sentence.endswith("name23, ….")
