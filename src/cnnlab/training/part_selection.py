"""Which parts of a network a phase trains: ``head``, ``head+block5``, ``block3..head``, ``all-stem``.

Names are those of parts (:func:`cnnlab.models.parts.parts_of`), or of layers where they are no part.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.errors import UsageError, close_words, either
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import ParsedSpec
from cnnlab.models.parts import Part, is_within

ALL = "all"
_RANGE = ".."
_EXAMPLES = "train=head, train=head+block5, train=block3..head or train=all-stem"


@dataclass(frozen=True)
class PartSelection:
    """Parts and layers by name, ranges of parts as ``first..last``, and ``all``.

    :param taken: what is trained.
    :param spared: what of that is not.
    """

    taken: tuple[str, ...]
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "+".join(self.taken) + "".join(f"-{term}" for term in self.spared)

    def within(self, parts: Sequence[Part], layers: Iterable[str]) -> dict[str, bool]:
        """Whether each layer that the names come to is trained; of layers inside each other the inner one counts.

        :param parts: of the network, in order.
        :param layers: the names of its modules.
        :raises UsageError: for a name that there is not, and a range that runs backwards.
        """
        known = list(layers)
        taken = {layer: True for term in self.taken for layer in layers_of(term, parts, known, "train")}
        return taken | {layer: False for term in self.spared for layer in layers_of(term, parts, known, "train")}


TrainedSelection = ParsedSpec[PartSelection]


def parse_train(value: Any) -> TrainedSelection | None:
    """The parts that ``train=`` names; None where the whole network is trained.

    :raises UsageError: for a text that cannot be meant.
    """
    if value in (None, "") or isinstance(value, ParsedSpec):
        return value or None
    text = "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    signs = re.split(r"([+-])", re.sub(r"\s+", "", text))
    terms, after = signs[::2], ["+", *signs[1::2]]
    if not all(terms) or re.search(r"[|(),\[\]{}]", text):
        raise UsageError(
            f"train={in_short(text)} is no choice of parts, which are joined by + and -, as in {_EXAMPLES}. "
            "Learning rates of their own are written rates={head: 1e-3}."
        )
    if text.strip().lower() == "none":
        raise UsageError("train=none would train nothing. Leave train out, or write train=all, to train everything.")
    found = {sign: tuple(sorted({t for t, s in zip(terms, after, strict=True) if s == sign})) for sign in "+-"}
    if found["+"] == (ALL,) and not found["-"]:
        return None
    selection = PartSelection(found["+"], found["-"])
    return ParsedSpec(str(selection), selection)


def parse_rates(value: Any) -> dict[str, float] | None:
    """The learning rates that ``rates=`` gives to parts, by name; None where all have the optimiser's.

    :raises UsageError: for anything but a rate above 0 for each name.
    """
    if value in (None, "", "none") or (isinstance(value, Mapping) and not value):
        return None
    is_number = isinstance(value, Mapping) and all(
        isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate < math.inf for rate in value.values()
    )
    if not is_number:
        raise UsageError(
            f"rates={in_short(str(value))} is no learning rate above 0 for each of some parts, as in "
            "rates='{head: 1e-3, block5: 1e-4}'. What is not to be trained is left out of train."
        )
    return {str(name): float(rate) for name, rate in sorted(value.items())}


def layers_of(term: str, parts: Sequence[Part], layers: Sequence[str], key: str) -> tuple[str, ...]:
    """The layers that a name, a range or ``all`` comes to.

    :param key: the key of the recipe that has it, for messages.
    :raises UsageError: for a name that there is not, and a range that runs backwards.
    """
    names = [part.name for part in parts]
    if _RANGE in term:
        first, _, last = term.partition(_RANGE)
        places = [names.index(end) if end in names else _refuse(end, names, names, key) for end in (first, last)]
        if places[0] > places[1]:
            raise UsageError(
                f"{key}={term} runs backwards: {last} comes before {first} on the way from the picture to the head. "
                f"Write {last}{_RANGE}{first}."
            )
        return tuple(layer for part in parts[places[0] : places[1] + 1] for layer in part.layers)
    if term == ALL:
        return tuple(layer for part in parts for layer in part.layers)
    if term in names:
        return parts[names.index(term)].layers
    return (term,) if term in layers and term else _refuse(term, names, layers, key)


def _refuse(name: str, parts: Sequence[str], known: Sequence[str], key: str) -> Any:
    what = "part" if known is parts else "part or layer"
    close = close_words(name, sorted({*parts, *filter(None, known)}))
    meant = f" Did you mean {either(close)}?" if close else ""
    raise UsageError(
        f"{key} names {name}, and the network has no {what} of that name.{meant} "
        f"Its parts are {', '.join(parts)}; what they are made of is listed by cnnlab models parts MODEL."
    )


def innermost(name: str, layers: Mapping[str, Any], default: Any) -> Any:
    """What is said of the innermost layer around what has this name."""
    around = [layer for layer in layers if is_within(name, layer)]
    return layers[max(around, key=len)] if around else default
