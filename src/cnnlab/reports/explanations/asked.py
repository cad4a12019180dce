"""What is asked for by ``--what``: kinds of explanations and attributions, by spec."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnnlab.core.counterparts import hint
from cnnlab.core.counterparts import names as names_here
from cnnlab.core.errors import UsageError, close_words, letters
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, read
from cnnlab.explain import ATTRIBUTIONS
from cnnlab.explain.attribution import Method
from cnnlab.explain.guided import RULES
from cnnlab.reports.explanations.base import EXPLANATIONS, Kind

ALL = "all"
_SHORT = {"guided": "guided-backpropagation"}
_RULES = {method: rule for rule, method in RULES.items()}
"""Attributions that are of channels, too, by the rule for ReLU that both go by."""
_ALL_ATTRIBUTIONS = (
    *("grad-cam", "saliency", "smoothgrad", "integrated-gradients", "guided-backpropagation", "occlusion"),
)
_ALL_KINDS = ("honesty", "filters", "activations", "maximize", "dead-units", "embedding", "mistakes")


@dataclass(frozen=True)
class Asked:
    """What is to be explained by.

    :param attributions: methods that are shown side by side; ``kinds`` the others, in their order.
    :param is_all: whether all was asked for.
    """

    attributions: tuple[BoundCall[Method], ...]
    kinds: tuple[BoundCall[Kind], ...]
    is_all: bool = False

    def with_options(self, *, layer: bool, channels: bool, beside: bool) -> "Asked":
        """The same, where these options are given.

        Guided backpropagation and deconvnet are of channels, where these are named or a layer is that nothing beside
        them is of; of all that there is, what is set beside another training is a part where one is named.
        """
        if self.is_all:
            seeds = (EXPLANATIONS.bind("seeds"),) if beside and "seeds" not in self.names else ()
            return replace(self, kinds=(*self.kinds, *seeds))
        is_of_maps = any(getattr(method.entry.make, "has_layer", False) for method in self.attributions)
        return self._of_channels() if channels or (layer and not is_of_maps) else self

    def _of_channels(self) -> "Asked":
        rules = {method: _RULES.get(method.name) for method in self.attributions}
        channels = [EXPLANATIONS.bind(Call("guided-channels", (), {"rule": rule})) for rule in rules.values() if rule]
        methods = tuple(method for method, rule in rules.items() if rule is None)
        # Of both rules the first: a kind is shown once.
        kinds = {kind.name: kind for kind in (*reversed(channels), *self.kinds)}
        return replace(self, attributions=methods, kinds=tuple(kinds.values()))

    @property
    def takes(self) -> frozenset[str]:
        """Which options, such as ``images``, ``layer`` and ``target``, anything that is asked for goes by."""
        found: set[str] = set()
        for kind in self.kinds:
            found |= getattr(kind.entry.make, "takes", frozenset())
        for method in self.attributions:
            found |= {"images", "target"}
            found |= {"layer"} if getattr(method.entry.make, "has_layer", False) else set()
        return frozenset(found)

    @property
    def names(self) -> tuple[str, ...]:
        """What is asked for, by its names."""
        return (*(method.name for method in self.attributions), *(kind.name for kind in self.kinds))


def what_there_is() -> tuple[str, ...]:
    """Everything that can be asked for, by name."""
    for registry in (EXPLANATIONS, ATTRIBUTIONS):
        registry.complete()
    names = [*(entry.name for entry in EXPLANATIONS), *(entry.name for entry in ATTRIBUTIONS)]
    return (*names, ALL)


def read_what(words: Sequence[str]) -> Asked:
    """Specs such as ``grad-cam``, ``smoothgrad(n=20)|saliency`` and ``all``, each once and in their order.

    Hyphens in names may be left out.

    :raises UsageError: for a name or an argument that there is not, listing what there is.
    """
    calls = [_meant(call) for word in words for call in read(word)]
    if not calls:
        raise UsageError(f"say what is to be explained by: {', '.join(what_there_is())}.")
    is_all = any(call.name == ALL for call in calls)
    for call in calls:
        if call.name == ALL and (call.args or call.kwargs):
            raise UsageError("all takes no arguments; name a kind of explanation to give it some.")
    given = [call for call in calls if call.name != ALL]
    if is_all:
        named = {call.name for call in given}
        given += [Call(name) for name in (*_ALL_ATTRIBUTIONS, *_ALL_KINDS) if name not in named]
    methods = [ATTRIBUTIONS.bind(call) for call in given if call.name in ATTRIBUTIONS]
    kinds = [EXPLANATIONS.bind(call) for call in given if call.name not in ATTRIBUTIONS]
    ordered = sorted(kinds, key=lambda kind: _place(kind.name)) if is_all else kinds
    return Asked(tuple(dict.fromkeys(methods)), tuple({kind.name: kind for kind in ordered}.values()), is_all)


def _meant(call: Call) -> Call:
    """The call by its name in full.

    :raises UsageError: when there is nothing of that name.
    """
    there = what_there_is()
    name = _SHORT.get(call.name, call.name)
    alike = {letters(known): known for known in there}
    if name not in there and letters(name) in alike:
        name = alike[letters(name)]
    if name not in there:
        meant = names_here("attribution", call.name, there)
        said = hint(call.name, there, meant)
        all_of_them = f" There are {', '.join(there)}." if meant or close_words(call.name, there) else ""
        raise UsageError(f"there is nothing called {in_short(call.name)} to explain by. {said}{all_of_them}")
    return call if name == call.name else replace(call, name=name)


def _place(name: str) -> int:
    return _ALL_KINDS.index(name) if name in _ALL_KINDS else len(_ALL_KINDS)
