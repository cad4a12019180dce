"""YAML by the 1.2 rules."""

import math
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100.0),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("-.inf", -math.inf),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("<<", "<<"),
        ("sgd(lr=0.1)", "sgd(lr=0.1)"),
        ("'1e-3'", "1e-3"),
    ],
)
def test_scalar_is_read_by_the_rules_of_1_2(text: str, value: object) -> None:
    found = yaml.load(f"key: {text}", "the recipe")["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(yaml.load(".nan", "it"))


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 2",
        "a: b: c",
        "\tdata: x",
        "a: !!python/object/apply:os.system [ls]",
        "a: 1\na: 2",
        "? [1]\n: 2",
        "a: \x00",
        "a: &x [*x]",
        "a: *nowhere",
        "9" * 5000,
        "[" * 3000,
    ],
)
def test_what_is_not_yaml_is_refused_by_its_name_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^recipe\.yaml is not valid YAML: ") as caught:
        yaml.load(text, "recipe.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data: digits\n  model: cnn\n", ["in line 2, column 8 (model: cnn)", "all keys in one column"]),
        ("model: cnn\nname: a: b", ["in line 2", "(name: a: b)", "quotes around a value that holds a colon"]),
        ("a: 1\nb: [1, 2", ["in line 2", "Close every bracket"]),
        ("a: 'x", ["in line 1", "Close the quote"]),
        ("a:\n\tb: 1", ["in line 2", "not tabs"]),
        ("a: 1\nb: \x07", ["special characters are not allowed (U+0007), in line 2"]),
        ("a: @x", ["Put quotes around the value"]),
        ("epochs: 1\nseed: 2\nepochs: 2", ["'epochs' is given twice; leave one, in line 3, column 1 (epochs: 2)"]),
    ],
)
def test_what_is_not_yaml_is_shown_with_its_line_and_what_to_do(text: str, told: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        yaml.load(text, "recipe.yaml")
    assert all(part in str(caught.value) for part in told), str(caught.value)
    assert "unicode string" not in str(caught.value) and "^" not in str(caught.value)


def test_repeated_key_is_named() -> None:
    with pytest.raises(UsageError, match="the key 'epochs' is given twice"):
        yaml.load("phases:\n- epochs: 1\n  epochs: 2\n", "it")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(["1e-3", "no", "0o17", "true", "~", "017", "1.", "null", "-", "a, b", "x: y", "sgd(lr=1)"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(plain)
def test_dumped_value_loads_equal(value: object) -> None:
    assert _typed(yaml.load(yaml.dump(value), "it")) == _typed(value)


def test_dumped_keys_keep_their_order() -> None:
    assert yaml.dump({"b": 1, "a": [True, None]}) == "b: 1\na:\n- true\n- null\n"


def test_value_used_twice_is_written_twice() -> None:
    shared = [1]
    assert "*" not in yaml.dump({"a": shared, "b": shared})


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UsageError):
        yaml.load(text, "it")


def _typed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _typed(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_typed(v) for v in value]
    return (type(value).__name__, value)


@pytest.mark.parametrize(
    "value", ["!!timestamp x", "!!bool x", "!!float ''", "!!map [1]", "!!int x", "!!set [1]", "!!omap x"]
)
def test_a_tag_that_does_not_fit_its_value_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(UsageError, match="the recipe is not valid YAML"):
        yaml.load(f"epochs: {value}", "the recipe")


@pytest.mark.parametrize("text", ["9" * 500, "0x" + "f" * 500, "? [a]\n: 1", "? {a: 1}\n: 1"])
def test_numbers_beyond_use_and_keys_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not valid YAML"):
        yaml.load(text, "the recipe")


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 100_000, "- " * 100_000, "[" * 101 + "]" * 101])
def test_nesting_beyond_use_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(UsageError):
        yaml.load(text, "the recipe")
    assert time.process_time() - began < 5


def test_many_keys_take_linear_time() -> None:
    began = time.process_time()
    assert len(yaml.load("".join(f"key{number}: 1\n" for number in range(20_000)), "the recipe")) == 20_000
    assert time.process_time() - began < 10


def test_a_file_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("a: 1")
    assert yaml.read_file(tmp_path / "good.yaml", "a recipe") == {"a": 1}
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, told in {
        "bytes": "not a text file, so it cannot be a recipe",
        "pipe": "a pipe",
        "none": "No such",
    }.items():
        with pytest.raises(UsageError, match=told):
            yaml.read_file(tmp_path / f"{name}.yaml", "a recipe")
