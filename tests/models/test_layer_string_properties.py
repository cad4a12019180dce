"""Any well-typed layer string builds and is summed up right, or is refused by the layer that cannot be."""

import re

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from cnnlab import models
from cnnlab.core.errors import SpecError
from cnnlab.core.spec import parse
from cnnlab.models.layer_strings import stack
from cnnlab.models.shapes import format_shape

SHAPES = st.sampled_from([(1, 1, 1), (1, 8, 8), (3, 9, 5), (4, 16, 16), (2, 23, 31)])


def call(name, **arguments):
    """Texts of a layer with some of its arguments."""
    chosen = st.fixed_dictionaries({}, optional=arguments)
    return chosen.map(lambda values: f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})")


def sized(name, key, most, **arguments):
    """The same, with a number that is always given."""
    count = st.integers(1, most)
    return st.tuples(count, call("", **arguments)).map(
        lambda pair: f"{name}({key}={pair[0]}{', ' * (pair[1] != '()')}{pair[1][1:-1]})"
    )


SMALL, FLAG = st.integers(1, 3), st.sampled_from(["true", "false"])
PADDING = st.sampled_from(["same", "valid", "0", "1", "2", "[0, 2]", "[1, 0]"])


def sides(most):
    """A number for both axes, or a list of one for each."""
    number = st.integers(1, most)
    return st.one_of(number, st.tuples(number, number).map(list))


POOLS = {"size": sides(5), "stride": sides(3), "padding": PADDING, "ceil": FLAG}
RESIDUALS = {
    "stride": SMALL,
    "kernel": st.integers(1, 4),
    "kind": st.sampled_from(["basic", "bottleneck"]),
    "preactivation": FLAG,
    "join": st.sampled_from(["add", "concat"]),
    "batch_norm": FLAG,
}
LAYERS = st.one_of(
    sized("conv", "filters", 6, kernel=sides(5), stride=sides(3), padding=PADDING, dilation=sides(3), groups=SMALL),
    *(call("pool", **POOLS), call("avgpool", **POOLS), call("se", ratio=SMALL)),
    *(sized("dense", "units", 9, bias=FLAG), sized("residual", "filters", 5, **RESIDUALS)),
    sized("inception", "filters", 5, kind=st.sampled_from(["simple", "googlenet"]), batch_norm=FLAG),
    st.sampled_from(
        ["bn", "relu", "selu", "dropout(0.2)", "alpha_dropout", "flatten", "global_pool", "activity(l2=1)"]
    ),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(LAYERS, min_size=1, max_size=7), SHAPES)
def test_any_layer_string_is_summed_up_right_or_refused_by_name_and_shape(calls, shape):
    try:
        network = models.build_network("|".join(calls), shape, 3)
    except SpecError as error:
        assert_blames_the_right_layer(str(error), calls, shape)
        return
    counted = models.summary(network, shape)
    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert counted.biases == sum(p.numel() for name, p in network.named_parameters() if name.endswith("bias"))
    assert counted.buffers == sum(b.numel() for b in network.buffers() if b.is_floating_point())
    assert counted.multiply_adds == multiply_adds(network, shape)
    assert counted.rows[-1].output == (3,)


def multiply_adds(network: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """By torch's own counter, which counts a multiplication and an addition as two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def assert_blames_the_right_layer(message: str, calls: list[str], shape: tuple[int, ...]) -> None:
    """What comes before the layer that is named builds, and what leaves it is the shape that is told."""
    blamed = re.match(r"([a-z_]+)(\d*)(\.\S+)? gets ([\d×]+): ", message)
    assert blamed, message
    kind, number, inside, told = blamed.groups()
    places = [place for place, text in enumerate(calls) if re.match(rf"{kind}(\(|$)", text)]
    place = len(calls) if kind == "head" else places[int(number) - 1]
    reached = stack(parse("|".join(calls[:place])), shape).shape if place else shape
    if not inside:
        assert told == format_shape(reached), message
    with torch.random.fork_rng():
        models.build_network("|".join([*calls[:place], "flatten"]), shape, 3)
