"""Compositional pattern-producing networks (Stanley 2007): pictures as functions of where a pixel is.

A network of few nodes takes a pixel's place, its distance from the middle and 1, and gives the pixel's value in each
channel. It has no weights that are trained: it is changed at random, link by link and node by node.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
INPUTS = 4
"""x and y from −1 to 1, the distance from the middle, and 1."""
_KINDS: dict[str, Callable[[Values], Values]] = {
    "sine": np.sin,
    "sigmoid": np.tanh,
    "gaussian": lambda values: 2 * np.exp(-np.square(values)) - 1,
    "linear": lambda values: values.clip(-3, 3),
}
_NAMES = tuple(_KINDS)
_DEVIATION, _NUDGE = 2.0, 0.6
"""Of the weights of new links, and of the changes of those there are."""
_MOST_NODES = 40


@dataclass(frozen=True)
class Pattern:
    """A network in the order in which its nodes are worked out: the inputs, hidden nodes, the channels.

    :param kinds: what each node after the inputs makes of the sum that it gets; the last ones are the channels.
    :param links: from which node to which later one, and the weight.
    """

    channels: int
    kinds: tuple[str, ...]
    links: tuple[tuple[int, int, float], ...]

    @classmethod
    def drawn(cls, channels: int, draw: np.random.Generator) -> "Pattern":
        """A small one: every input leads to every channel."""
        kinds = tuple(draw.choice(_NAMES, channels).tolist())
        links = [(start, INPUTS + end, _weight(draw)) for start in range(INPUTS) for end in range(channels)]
        pattern = cls(channels, kinds, tuple(links))
        for _ in range(int(draw.integers(0, 4))):
            pattern = pattern._with_node(draw)
        return pattern

    def changed(self, draw: np.random.Generator) -> "Pattern":
        """A copy with some weights nudged, and perhaps a node, a link or another function more."""
        links = tuple(
            (start, end, weight + float(draw.normal(0, _NUDGE)) if draw.random() < 0.4 else weight)
            for start, end, weight in self.links
        )
        pattern = replace(self, links=links)
        chance = draw.random()
        if chance < 0.2 and len(self.kinds) < _MOST_NODES:
            return pattern._with_node(draw)
        if chance < 0.4:
            return pattern._with_link(draw)
        if chance < 0.55:
            kinds = list(pattern.kinds)
            kinds[int(draw.integers(len(kinds)))] = str(draw.choice(_NAMES))
            return replace(pattern, kinds=tuple(kinds))
        return pattern

    def picture(self, height: int, width: int) -> NDArray[np.float32]:
        """Channels×height×width in [0, 1]."""
        y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
        values: list[Values] = [x, y, np.sqrt(x * x + y * y), np.ones_like(x)]
        incoming: dict[int, list[tuple[int, float]]] = {}
        for start, end, weight in self.links:
            incoming.setdefault(end, []).append((start, weight))
        for place, kind in enumerate(self.kinds, INPUTS):
            total = np.zeros_like(x)
            for start, weight in incoming.get(place, ()):
                total += weight * values[start]
            values.append(_KINDS[kind](total))
        return np.stack([(1 + np.tanh(value)) / 2 for value in values[-self.channels :]]).astype(np.float32)

    def _with_node(self, draw: np.random.Generator) -> "Pattern":
        """With a node in the midst of a link."""
        chosen = int(draw.integers(len(self.links)))
        start, end, weight = self.links[chosen]
        # It stands right before the last hidden node that it can, and never among the channels.
        place = min(end, INPUTS + len(self.kinds) - self.channels)
        moved = [(_after(a, place), _after(b, place), w) for a, b, w in self.links]
        moved[chosen] = (_after(start, place), place, 1.0)
        moved.append((place, _after(end, place), weight))
        at = place - INPUTS
        kinds = (*self.kinds[:at], str(draw.choice(_NAMES)), *self.kinds[at:])
        return Pattern(self.channels, kinds, tuple(moved))

    def _with_link(self, draw: np.random.Generator) -> "Pattern":
        """With a link that there is not yet, where one is drawn."""
        nodes = INPUTS + len(self.kinds)
        first_channel = nodes - self.channels
        start, end = int(draw.integers(first_channel)), int(draw.integers(INPUTS, nodes))
        known = {(a, b) for a, b, _ in self.links}
        if start >= end or (start, end) in known:
            return self
        return replace(self, links=(*self.links, (start, end, _weight(draw))))


def _weight(draw: np.random.Generator) -> float:
    return float(draw.normal(0, _DEVIATION))


def _after(node: int, place: int) -> int:
    """The number of a node once another stands at this place."""
    return node + (node >= place)
