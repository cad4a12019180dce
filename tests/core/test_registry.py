"""Names, what they take, and the binding of a spec to them."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from cnnlab.core.arguments import Count, Fraction
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import Registry
from cnnlab.core.spec import Call


@pytest.fixture
def layers() -> Registry[object]:
    registry: Registry[object] = Registry("layer", given=("shape",))

    @registry.register("conv", "convolution")
    def conv(shape: int, filters: Count, kernel: Count = 3, padding: Literal["same", "valid"] = "same") -> object:
        """A convolution.

        More about it.
        """
        return ("conv", shape, filters, kernel, padding)

    @registry.register("dropout")
    def dropout(shape: int, p: Fraction = 0.5) -> object:
        return ("dropout", shape, p)

    @registry.register("flatten")
    def flatten(shape: int) -> object:
        return ("flatten", shape)

    return registry


def refusal(registry: Registry[object], spec: object) -> str:
    with pytest.raises(SpecError) as caught:
        registry.bind_all(spec)
    return str(caught.value)


def test_built_thing_gets_arguments_by_place_by_name_and_by_default(layers: Registry[object]) -> None:
    assert layers.bind("conv(32, padding=valid)").build(shape=7) == ("conv", 7, 32, 3, "valid")


def test_alias_stands_for_its_name(layers: Registry[object]) -> None:
    assert layers.canonical("convolution(8)") == layers.canonical("conv(8)")
    assert "convolution" in layers
    assert [entry.name for entry in layers] == ["conv", "dropout", "flatten"]


def test_canonical_form_fills_in_defaults_in_the_order_of_the_signature(layers: Registry[object]) -> None:
    assert layers.canonical("conv(padding=valid,filters=8)|dropout( 1/4 )|flatten") == (
        "conv(filters=8, kernel=3, padding=valid)|dropout(p=0.25)|flatten"
    )


@pytest.mark.parametrize("spec", ["conv(8)|dropout(1)", "none", "dropout(p=0.1)"])
def test_canonical_form_is_its_own_canonical_form(layers: Registry[object], spec: str) -> None:
    once = layers.canonical(spec)
    assert layers.canonical(once) == once


def test_mapping_form_equals_string_form(layers: Registry[object]) -> None:
    assert layers.bind({"name": "conv", "filters": 8, "padding": "valid"}) == layers.bind("conv(8, padding=valid)")


def test_equal_bindings_have_equal_hashes(layers: Registry[object]) -> None:
    assert layers.bind("dropout(1)") == layers.bind("dropout(p=1.0)")
    assert len({layers.bind("dropout(1)"), layers.bind("dropout(p=1.0)")}) == 1


def test_unknown_name_is_answered_with_the_closest(layers: Registry[object]) -> None:
    assert refusal(layers, "conv(8)|dropuot(0.5)") == (
        "there is no layer called 'dropuot'. Did you mean dropout? (at character 9 of «conv(8)|▸dropuot(0.5)»)"
    )


def test_name_like_no_other_is_answered_with_all(layers: Registry[object]) -> None:
    assert "Valid: conv, convolution, dropout, flatten" in refusal(layers, "zzz")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("dropout(p=2)", "p of layer dropout takes a number from 0 to 1, default 0.5; got 2 (at character 9 of "),
        ("dropout(lots)", "p of layer dropout takes a number from 0 to 1, default 0.5; got lots (at character 9 of "),
        (
            "conv(8, kernel=1.5)",
            "kernel of layer conv takes a whole number at least 1, default 3; got 1.5 (at character 9",
        ),
        ("conv(8, 3, full)", "padding of layer conv takes same or valid, default same; got full (at character 12"),
        ("conv(none)", "filters of layer conv takes a whole number at least 1; got none (at character 6"),
        ("conv", "layer conv needs filters: a whole number at least 1 (at character 1"),
        ("conv(8, kernal=5)", "layer conv has no argument 'kernal'. Did you mean kernel? (at character 9"),
        ("flatten(x=1)", "layer flatten has no argument 'x'. It takes none (at character 9"),
        ("conv(8, filters=9)", "filters is given twice, by place and by name (at character 9"),
        ("dropout(0.1, 0.2)", "layer dropout is given 2 values and takes p (at character 14"),
        ("flatten(1)", "layer flatten is given a value and takes none (at character 9"),
    ],
)
def test_wrong_argument_is_told_with_its_type_default_and_place(
    layers: Registry[object], spec: str, expected: str
) -> None:
    assert refusal(layers, spec).startswith(expected)


@pytest.mark.parametrize("spec", ["conv(8, shape=3)", {"name": "conv", "filters": 8, "shape": 3}])
def test_what_the_program_supplies_is_no_argument(layers: Registry[object], spec: object) -> None:
    assert "has no argument 'shape'" in refusal(layers, spec)


def test_wrong_argument_of_a_mapping_is_told_without_a_place(layers: Registry[object]) -> None:
    assert refusal(layers, {"name": "dropout", "p": -1}) == (
        "p of layer dropout takes a number from 0 to 1, default 0.5; got -1"
    )
    assert refusal(layers, {"name": "dropout", "p": object}).endswith(f"got {object!r}")


@pytest.mark.parametrize("names", [("conv",), ("new", "dropout"), ("convolution",)])
def test_name_taken_already_cannot_be_registered(layers: Registry[object], names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="is registered already"):
        layers.register(*names)(lambda: None)


def test_removed_name_is_free_again(layers: Registry[object]) -> None:
    layers.remove("conv")
    assert "conv" not in layers
    assert "convolution" not in layers
    layers.register("convolution")(lambda shape: shape)
    assert layers.bind("convolution").build(shape=4) == 4


def test_class_is_registered_by_its_constructor_also_an_inherited_one() -> None:
    registry: Registry[object] = Registry("thing")

    class Base:
        def __init__(self, size: Count = 2) -> None:
            self.size = size

    class Derived(Base):
        """A derived one."""

    registry.register("derived")(Derived)
    assert registry.canonical("derived") == "derived(size=2)"
    assert "size of thing derived takes a whole number at least 1" in refusal(registry, "derived(0)")
    registry.register("plain")(object)
    assert registry.canonical("plain") == "plain"


def test_default_that_its_own_annotation_refuses_is_a_programming_error() -> None:
    registry: Registry[object] = Registry("thing")

    def make(p: Fraction = 3) -> None: ...

    register: Callable[[Callable[..., object]], object] = registry.register("x")
    with pytest.raises(ValueError, match="3"):
        register(make)


def test_summary_is_the_first_line_of_the_docstring(layers: Registry[object]) -> None:
    assert layers.entry(Call("conv")).summary == "A convolution."
    assert layers.entry(Call("flatten")).summary == ""


def test_nothing_or_several_cannot_be_bound_as_one(layers: Registry[object]) -> None:
    with pytest.raises(SpecError, match=r"Layer takes exactly one name\(…\), and got nothing"):
        layers.bind("none")


@pytest.fixture
def changes() -> Registry[object]:
    registry: Registry[object] = Registry("change")
    spread = float | tuple[float, float]

    @registry.register("zoom")
    def zoom(amount: spread = 0.3, *, p: Fraction = 1.0, fill: str = "edge") -> object:
        return (amount, p, fill)

    @registry.register("turn")
    def turn(degrees: float = 30, *, p: Fraction = 1.0) -> object:
        return (degrees, p)

    @registry.register("grey")
    @dataclass(frozen=True)
    class Grey:
        p: Fraction = field(default=0.2, kw_only=True)

    return registry


def test_keyword_only_argument_is_given_by_name(changes: Registry[object]) -> None:
    assert changes.bind("zoom([0.5, 2], p=0.1, fill=wrap)").build() == ((0.5, 2.0), 0.1, "wrap")
    assert changes.canonical("zoom(fill=wrap, p=1)") == "zoom(amount=0.3, p=1.0, fill=wrap)"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            "zoom(0.8, 1.0)",
            "change zoom is given 2 values and takes amount; by name only: p=, fill=. Several values for amount, "
            "such as a range, are one list: zoom([0.8, 1.0]) (at character 11",
        ),
        ("zoom(1, 2, 3)", "change zoom is given 3 values and takes amount; by name only: p=, fill= (at character 9"),
        ("turn(10, 0.5)", "change turn is given 2 values and takes degrees; by name only: p= (at character 10"),
        ("grey(0.5)", "change grey is given a value and takes none; by name only: p= (at character 6"),
    ],
)
def test_keyword_only_argument_is_refused_by_place(changes: Registry[object], spec: str, expected: str) -> None:
    assert refusal(changes, spec).startswith(expected)


def test_arguments_that_a_signature_made_by_hand_describes_may_be_given_by_place() -> None:
    registry: Registry[object] = Registry("thing")

    def make(*, p: float = 1.0, **arguments: object) -> object:
        return (p, arguments)

    kind = inspect.Parameter.KEYWORD_ONLY
    described = [inspect.Parameter(name, kind, default=default) for name, default in (("size", 3), ("p", 1.0))]
    make.__signature__ = inspect.Signature(described)  # type: ignore[attr-defined]
    registry.register("made")(make)
    assert registry.bind("made(5)").build() == (1.0, {"size": 5})
    assert "by name only: p=" in refusal(registry, "made(5, 0.5)")


def test_further_arguments_of_any_name_are_taken_where_the_function_has_some() -> None:
    registry: Registry[object] = Registry("objective", given=("columns",))

    @registry.register("several")
    def several(columns: int, weight: float = 1.0, **heads: Call) -> object:
        return (columns, weight, {name: str(call) for name, call in heads.items()})

    bound = registry.bind("several(b=classes(3), weight=2, a=scalar)")
    assert bound.build(columns=0) == (0, 2.0, {"b": "classes(3)", "a": "scalar"})
    assert str(bound) == "several(weight=2.0, b=classes(3), a=scalar())"
    assert registry.canonical(str(bound)) == str(bound)
    assert "a of objective several takes a spec" in refusal(registry, "several(a=3)")
    assert "has no argument 'columns'" in refusal(registry, "several(columns=x)")


ROOM = """
from room_of_names import registry

@registry.register("far")
def far(by: float = 0.5):
    return by
"""


def test_a_name_is_found_in_a_room_that_nobody_has_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[float] = Registry("thing", homes={"far": "a_room_not_yet_imported", "lost": "a_room_of_nothing"})
    monkeypatch.setitem(sys.modules, "room_of_names", SimpleNamespace(registry=registry))
    (tmp_path / "a_room_not_yet_imported.py").write_text(ROOM)
    (tmp_path / "a_room_of_nothing.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "Did you mean far" in refusal(registry, "farr")
    assert "a_room_not_yet_imported" not in sys.modules
    assert registry.bind("far(0.25)").build() == 0.25
    assert registry.canonical("far") == "far(by=0.5)"
    # A home that does not register what it is said to is told of as any unknown name.
    assert "no thing called 'lost'" in refusal(registry, "lost")
    for name in ("a_room_not_yet_imported", "a_room_of_nothing"):
        del sys.modules[name]


def test_completing_a_registry_imports_every_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[float] = Registry("thing", homes={"far": "another_room"})
    monkeypatch.setitem(sys.modules, "room_of_names", SimpleNamespace(registry=registry))
    (tmp_path / "another_room.py").write_text(ROOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(registry) == []
    registry.complete()
    assert [entry.name for entry in registry] == ["far"]
    del sys.modules["another_room"]


def test_a_bound_call_is_bound_as_it_is_and_has_a_short_form(layers: Registry[object]) -> None:
    bound = layers.bind("conv(8, padding=same, kernel=5)")
    assert layers.bind(bound) is bound
    assert str(bound.short) == "conv(filters=8, kernel=5)"
    assert str(layers.bind("dropout(0.5)").short) == "dropout"
    assert layers.bind(bound.short) == bound
