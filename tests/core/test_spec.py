"""The grammar of spec strings."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import SpecError
from cnnlab.core.spec import Call, format_calls, format_value, parse, read, read_one, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("--3", 3),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e-3", 0.001),
        ("2E3", 2000.0),
        ("8/255", 8 / 255),
        ("2*3", 6),
        ("1+2*3", 7),
        ("6/2/3", 1.0),
        ("1 - 1/4", 0.75),
        ("2*-3", -6),
        ("true", True),
        ("False", False),
        ("none", None),
        ("null", None),
        ("NONE", None),
        ("[]", []),
        ("[1, 2,]", [1, 2]),
        ("[1, [a, none]]", [1, ["a", None]]),
        ("{}", {}),
        ("{train: a/b, held-out : [1, none],}", {"train": "a/b", "held-out": [1, None]}),
        ("he-normal", "he-normal"),
        ("photos/cats.zip", "photos/cats.zip"),
        ("~/x.npz", "~/x.npz"),
        ("./a", "./a"),
        ("/data/x=1", "/data/x=1"),
        ("trueish", "trueish"),
        ('"dense(254)|relu"', "dense(254)|relu"),
        ("'it\\'s'", "it's"),
        ("'say \"so\"'", 'say "so"'),
        ('"a\\n\\u00e9\\\\"', "a\né\\"),
        ('""', ""),
        ("classes()", Call("classes")),
        ("none()", Call("none")),
    ],
)
def test_value_is_read_as_the_grammar_says(text: str, value: object) -> None:
    value_read = read_value(text)
    assert value_read == value
    assert type(value_read) is type(value)


def test_call_holds_positions_keys_and_nested_calls() -> None:
    (call,) = parse("multi-head(256, hour=classes(12), minute=scalar, path=a/b.zip)")
    assert call.name == "multi-head"
    assert call.args == (256,)
    assert call.kwargs == {"hour": Call("classes", (12,)), "minute": "scalar", "path": "a/b.zip"}


def test_pipeline_is_read_in_order() -> None:
    assert parse(" flip | shift(0.1)|rotate( 10 , ) ") == (
        Call("flip"),
        Call("shift", (0.1,)),
        Call("rotate", (10,)),
    )


@pytest.mark.parametrize("text", ["", "  ", "none", "None", "null", " NULL "])
def test_nothing_is_the_empty_pipeline(text: str) -> None:
    assert parse(text) == ()
    assert read(text) == ()
    assert format_calls(parse(text)) == "none"


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("a(1", 1, "never closed by ')'"),
        ("a(b=[1, 2)", 9, "',' or ']'"),
        ("a(b=[1", 4, "never closed by ']'"),
        ("a)", 1, "quote a value"),
        ("a(b=c d)", 6, "',' or ')'"),
        ("a(b=1, 2)", 7, "without a name cannot follow"),
        ("a(b=1, b=2)", 7, "b is given twice"),
        ("a(2nd)", 2, "cannot start with a digit"),
        ("a(1 + b)", 6, "between numbers only"),
        ("a(-true)", 3, "between numbers only"),
        ("a(x=1/0)", 5, "division by zero"),
        ("a(x=1e400)", 9, "too large"),
        ("a(x=1e200*1e200)", 15, "too large"),
        ("a('b)", 2, "never closed"),
        ('a("\\q")', 2, "backslash"),
        ("a(,)", 2, "a value is expected"),
        ("a(b=)", 4, "a value is expected"),
        ("a(1,,2)", 4, "a value is expected"),
        ("a||b", 2, "a name is expected"),
        ("|a", 0, "a name is expected"),
        ("3(x)", 0, "a name is expected"),
        ("a(b={c: 1)", 9, "',' or '}'"),
        ("a(b={c})", 5, "a name that is not there yet and a colon"),
        ("a(b={c: 1, c: 2})", 11, "a name that is not there yet and a colon"),
        ("a (1)", 2, "not expected here"),
    ],
)
def test_fault_is_named_where_it_is(text: str, position: int, reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert caught.value.position == position
    assert reason in caught.value.reason
    assert f"at character {position + 1}" in str(caught.value)
    assert f"{text[:position]}▸{text[position:]}" in str(caught.value)


def test_long_spec_is_quoted_only_around_the_fault() -> None:
    with pytest.raises(SpecError) as caught:
        parse("x(" + "1," * 500 + "?" + ",1" * 500 + ")")
    assert len(str(caught.value)) < 400
    assert "…" in str(caught.value)
    assert "▸?" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a(" * 51 + ")" * 51, "a(" + "[" * 51 + "]" * 51 + ")", "a(" + "{b:" * 51 + "}" * 51 + ")"]
)
def test_nesting_beyond_any_use_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="nested deeper than 50"):
        parse(text)


def test_more_letters_than_any_use_has_are_refused() -> None:
    assert len(parse("|".join(["conv(8)"] * 10_000))) == 10_000
    with pytest.raises(SpecError, match="200,003 letters, and 100,000 are read at most") as caught:
        parse("mlp(hidden=[" + "8," * 99_994 + "8])")
    assert len(str(caught.value)) < 400


def test_fifty_levels_are_read() -> None:
    assert format_value(parse("a(" * 49 + "a()" + ")" * 49)[0]) == "a(" * 49 + "a()" + ")" * 49


@pytest.mark.parametrize("text", ["9" * 30, "9" * 5000 + "e-4999", "999999999999999999*999999999999999999"])
def test_whole_number_beyond_eighteen_digits_becomes_a_float(text: str) -> None:
    assert isinstance(read_value(text), float)


def test_equal_calls_have_equal_hashes() -> None:
    by_place, by_name = Call("a", (1,), {"x": 1, "y": 2}), Call("a", (1.0,), {"y": 2, "x": 1})
    assert by_place == by_name
    assert hash(by_place) == hash(by_name)


def test_text_and_places_do_not_count_in_comparison() -> None:
    assert parse("a( b=1 )") == parse("a(b=1)") == (Call("a", (), {"b": 1}),)


def test_call_points_at_its_argument() -> None:
    (call,) = parse("flip|shift(0.1, fill=black)")[1:]
    assert str(call.error("no", "fill")) == "no (at character 17 of «flip|shift(0.1, ▸fill=black)»)"
    assert str(call.error("no", 0)) == "no (at character 12 of «flip|shift(▸0.1, fill=black)»)"
    assert str(call.error("no")) == "no (at character 6 of «flip|▸shift(0.1, fill=black)»)"


def test_call_without_a_text_points_nowhere() -> None:
    assert str(Call("a").error("no such thing.")) == "no such thing."


class TestMappings:
    def test_mapping_says_the_same_as_the_string(self) -> None:
        mapping = {"name": "vgg16", "weights": "imagenet", "freeze": True, "sizes": [1, 2]}
        assert read(mapping) == parse("vgg16(weights=imagenet, freeze=true, sizes=[1, 2])")

    def test_nested_mapping_is_a_nested_call(self) -> None:
        mapping = {"name": "multi-head", "hour": {"name": "classes", "count": 12}}
        assert read(mapping) == parse("multi-head(hour=classes(count=12))")

    @pytest.mark.parametrize("nothing", [None, "none", "null", ""])
    def test_nothing_in_a_mapping_is_nothing(self, nothing: str | None) -> None:
        assert read({"name": "x", "p": nothing}) == parse("x(p=none)")

    @pytest.mark.parametrize("mapping", [{}, {"p": 1}, {"name": 3}])
    def test_mapping_without_a_name_is_refused(self, mapping: dict[str, object]) -> None:
        with pytest.raises(SpecError, match="needs a name"):
            read(mapping)

    def test_mapping_without_a_name_is_a_value(self) -> None:
        assert read({"name": "x", "p": {"q": 1, "r": ""}}) == parse("x(p={q: 1, r: none})")

    def test_list_is_a_pipeline(self) -> None:
        assert read(["flip|shift(0.1)", {"name": "rotate", "degrees": 10}, Call("blur")]) == parse(
            "flip|shift(0.1)|rotate(degrees=10)|blur"
        )

    @pytest.mark.parametrize("value", [3, 1.5, object(), b"flip"])
    def test_anything_else_is_refused(self, value: object) -> None:
        with pytest.raises(SpecError, match="is not a spec"):
            read(value)


@pytest.mark.parametrize(("value", "told"), [("none", "nothing"), ("a|b", "2 joined by |")])
def test_exactly_one_call_is_asked_for(value: str, told: str) -> None:
    with pytest.raises(SpecError, match="exactly one") as caught:
        read_one(value, "Schedule")
    assert str(caught.value).startswith("Schedule takes")
    assert told in str(caught.value)


def test_value_without_a_text_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="no spec string can hold"):
        format_value(object())


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda n: n.lower() not in {"none", "null"}
)
keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
numbers = st.integers(-(10**18) + 1, 10**18 - 1) | st.floats(-1e299, 1e299)
leaves = st.none() | st.booleans() | numbers | st.text() | st.text("ab1-.=e/~ ", max_size=6)


def calls(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.builds(Call, names, st.lists(values, max_size=3).map(tuple), st.dictionaries(keys, values, max_size=3))


def mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(keys, values, max_size=3)


any_value = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | mappings(inner) | calls(inner), max_leaves=8
)


@given(any_value)
def test_formatted_value_reads_back_equal(value: object) -> None:
    assert _typed(read_value(format_value(value))) == _typed(value)


@given(st.lists(calls(any_value), max_size=4))
def test_formatted_pipeline_reads_back_equal(pipeline: list[Call]) -> None:
    assert _typed(parse(format_calls(pipeline))) == _typed(tuple(pipeline))


def _typed(value: object) -> object:
    """The value with the type of each leaf, so that 1, 1.0 and true differ, and so do 0.0 and -0.0."""
    if isinstance(value, Call):
        return ("call", value.name, _typed(value.args), {k: _typed(v) for k, v in value.kwargs.items()})
    if isinstance(value, dict):
        return {k: _typed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_typed(v) for v in value]
    sign = math.copysign(1, value) if isinstance(value, float) else 0
    return (type(value).__name__, sign, value)


@given(st.text())
def test_any_text_is_read_or_refused_as_a_spec(text: str) -> None:
    _read_or_refuse(text)


@given(st.text("ab.1e+-*/()[]{}:|,=\"'\\ ~n²", max_size=40))
def test_any_mix_of_the_grammars_signs_is_read_or_refused_as_a_spec(text: str) -> None:
    _read_or_refuse(text)


def _read_or_refuse(text: str) -> None:
    places = []
    for reader in (parse, read_value):
        try:
            reader(text)
        except SpecError as error:
            places.append(error.position)
    assert all(place is not None and 0 <= place <= len(text) for place in places)
