"""The canonical form of a model, and that any layer string either runs or is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab import models
from cnnlab.core.errors import CnnlabError, SpecError
from cnnlab.models.networks import is_built_in

EVERY = [entry.name for entry in models.architectures if "weights" not in entry.arguments]


@pytest.mark.parametrize("name", EVERY)
def test_canonical_form_is_its_own_canonical_form(name):
    text = models.canonical_model(name)
    assert models.canonical_model(text) == text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("vgg-like(dropout=0.4)", "vgg-like( dropout = 4/10 )"),
        ("vgg-like(dropout=0.4)", {"name": "vgg-like", "dropout": 0.4}),
        ("vgg-like(dropout=0)", "vgg-like"),
        ("conv(32)|relu", "conv(filters=32, kernel=3)|relu()"),
        ("conv(32)|batch_norm|maxpool", "conv(32)|bn|pool(2)"),
        ("conv(32)|relu", "conv(32)|relu|head"),
        ("conv(32, init=normal)", "conv(32, init=random-normal(std=0.05))"),
        ("conv(32)|relu", ["conv(32)", {"name": "relu"}]),
    ],
)
def test_same_meaning_has_one_canonical_form(first, second):
    assert models.canonical_model(first) == models.canonical_model(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("vgg-like", "convnet"),
        ("conv(32, init=normal)", "conv(32, init=normal(0.1))"),
        ("conv(32)", "conv(32)|head(bias=false)"),
        ("conv(32)|relu", "relu|conv(32)"),
        ("cnn(filters=[8, 16])", "cnn(filters=[16, 8])"),
    ],
)
def test_different_meaning_has_different_canonical_forms(first, second):
    assert models.canonical_model(first) != models.canonical_model(second)


def test_canonical_form_builds_the_same_network():
    for spec in ("conv(4, init=ones)|bn(0.2)|relu|dense(3)", "cnn(filters=[4], init=constant(0.1), dropout=0.2)"):
        first, second = (models.build_network(text, (1, 8, 8), 2) for text in (spec, models.canonical_model(spec)))
        assert str(first) == str(second)


def test_unknown_initialiser_is_refused_before_anything_is_built():
    with pytest.raises(SpecError, match="initialiser"):
        models.canonical_model("conv(3, init=he-norml)")


def test_networks_of_ones_own_are_told_from_built_in_ones():
    assert is_built_in("vgg-like") and is_built_in("conv(3)|relu")
    assert not is_built_in("module(my.net)") and not is_built_in("module(<lambda>)") and not is_built_in("none")


NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 0.5, 1e-3, 10**12])
VALUES = st.one_of(
    NUMBERS.map(str),
    st.sampled_from(["true", "false", "none", "same", "valid", "add", "concat", "avg", "max", "element", "channel"]),
    st.sampled_from([entry.name for entry in models.initialisers]),
    st.sampled_from(["normal(0.1)", "constant(2)", "[1, 2]", "relu", "elu", "bottleneck", "googlenet"]),
)


@st.composite
def layer_calls(draw):
    entry = draw(st.sampled_from(list(models.layers)))
    names = list(entry.arguments)
    needed = [name for name in names if entry.arguments[name].is_required]
    chosen = [name for name in names if name in needed or draw(st.integers(0, 4)) == 0]
    likely = {name: NUMBERS.map(str) for name in needed}
    return f"{entry.name}({', '.join(f'{name}={draw(likely.get(name, VALUES))}' for name in chosen)})"


@settings(max_examples=200, deadline=None)
@given(st.lists(layer_calls(), min_size=1, max_size=6), st.sampled_from([(1, 1, 1), (1, 8, 8), (3, 9, 5), (4, 16, 16)]))
def test_any_layer_string_runs_or_is_refused(calls, shape):
    spec = "|".join(calls)
    try:
        network = models.build_network(spec, shape, 3).eval()
        models.canonical_model(spec)
    except CnnlabError:
        return
    with torch.no_grad():
        assert network(torch.rand(2, *shape)).shape == (2, 3)


@st.composite
def knobs(draw):
    entry = draw(st.sampled_from(list(models.architectures)))
    chosen = [name for name in entry.arguments if name not in {"width", "depth"} and draw(st.integers(0, 5)) == 0]
    values = st.one_of(VALUES, st.sampled_from(["[3]", "[4, 8]", "[]", "CPNC", "relu", "0.1", "[kernel, activity]"]))
    width = ["width=0.05"] if "width" in entry.arguments else []
    return f"{entry.name}({', '.join([*width, *(f'{name}={draw(values)}' for name in chosen)])})"


@settings(max_examples=100, deadline=None)
@given(knobs(), st.sampled_from([(1, 8, 8), (3, 16, 20)]))
def test_any_knobs_of_an_architecture_run_or_are_refused(spec, shape):
    # The networks of other libraries hold hundreds of megabytes, so they are followed without memory.
    is_large = "weights" in next(entry for entry in models.architectures if spec.startswith(f"{entry.name}(")).arguments
    device = torch.device("meta" if is_large else "cpu")
    try:
        with device:
            network = models.build_network(spec, shape, 3).eval()
        assert models.canonical_model(models.canonical_model(spec)) == models.canonical_model(spec)
    except CnnlabError:
        return
    with torch.no_grad(), device:
        assert network(torch.rand(2, *shape)).shape == (2, 3)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="convdensepl|()=,.0123456789[]\"' -", max_size=40))
def test_any_text_is_a_model_or_refused(text):
    try:
        assert models.canonical_model(models.canonical_model(text)) == models.canonical_model(text)
    except CnnlabError:
        return


@pytest.mark.parametrize("spec", ["mlp(hidden=[])", "cnn(filters=[])", "cnn(dense=[])", "feed-forward(hidden=[])"])
def test_a_list_may_be_empty(spec):
    network = models.build_network(spec, (1, 8, 8), 3)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(
    "name", ["[model efficientnet_b0]", "[/model]", "model efficientnet_b0", "[]", "[red]vgg-like"]
)
def test_odd_names_are_refused_with_their_place(name):
    with pytest.raises(SpecError, match="at character"):
        models.canonical_model(name)
