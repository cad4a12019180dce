"""The named parts of a network, from the picture to the head: what is trained, frozen and unfrozen by name.

Blocks are counted as papers count them: the stages of residual networks and their kin, the blocks of a transformer,
and of a plain chain of convolutions what lies between two pools.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, takewhile

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from cnnlab.models.chain import ModuleCall, links_within, trace
from cnnlab.models.joined import JoinedNetwork
from cnnlab.models.shapes import Shape, pair

STEM, TOP, HEAD = "stem", "top", "head"
_HEADS = {"head", "heads"}
_LISTS_OF_STAGES = {"stages", "blocks", "layers"}
_STAGE = re.compile(r"(?:.*_)?(?:stage|layer|block|denseblock)_?\d+")
_NARROWER = 4
"""What makes a picture this much narrower is a network, and no block of one."""


@dataclass(frozen=True)
class Part:
    """A stretch of a network under a name of its own.

    :param name: ``stem``, ``block1``, ``block2`` …, ``top`` or ``head``.
    :param layers: names of its modules, none of them inside another, in the order in which a picture passes them, those
        without weights too; and of weights that the network holds outside of all these.
    """

    name: str
    layers: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether the module or weight of this name is one of its layers, or inside one."""
        return any(is_within(name, layer) for layer in self.layers)


def is_within(name: str, layer: str) -> bool:
    """Whether what has this name is the layer itself or inside it; all is inside the network, whose name is empty."""
    return not layer or name == layer or name.startswith(f"{layer}.")


def parts_of(network: nn.Module, shape: Shape) -> tuple[Part, ...]:
    """The parts of a network in order; every weight and every module belongs to exactly one, or is around several.

    They do not depend on the size of the pictures. The last is ``head``: what is called so, or else the last layer with
    weights. What lies between the blocks and the head is ``top``, and layers before the blocks are ``stem``. Dropout
    right before ``top`` or ``head`` belongs to that, whose input it thins out; a pool belongs to what it follows.

    Of networks side by side each member is one.

    :param shape: of a picture: channels, height, width.
    """
    if isinstance(network, JoinedNetwork):
        return tuple(Part(name, (name,)) for name in network.names)
    units = _whole_blocks(network, _units(network, "", trace(network, shape)))
    before, head = _without_head(units)
    groups = [*(_by_name(before) or _by_pools(before)), (HEAD, head)]
    for (_, earlier), (name, later) in pairwise(groups):
        if name in (TOP, HEAD):
            dropouts = list(takewhile(lambda unit: isinstance(unit.module, _DropoutNd), reversed(earlier)))
            del earlier[len(earlier) - len(dropouts) :]
            later[:0] = reversed(dropouts)
        if not any(unit.has_weights for unit in earlier):
            later[:0] = earlier
            earlier.clear()
    return _complete(network, {name: [unit.name for unit in units] for name, units in groups if units})


@dataclass(frozen=True)
class _Unit:
    """A module that lies in one part as a whole, and how a picture passes it."""

    name: str
    module: nn.Module
    calls: tuple[ModuleCall, ...]

    @cached_property
    def has_weights(self) -> bool:
        return next(self.module.parameters(), None) is not None

    @cached_property
    def kernels(self) -> list[Tensor]:
        return [weight for weight in self.module.parameters() if weight.ndim > 1]

    @property
    def is_block(self) -> bool:
        """Whether it is several layers, convolutions among them."""
        return self.convolves and _is_composite(self.module)

    @property
    def convolves(self) -> bool:
        """Whether there are convolutions in it."""
        return any(kernel.ndim > 2 for kernel in self.kernels)

    @property
    def is_dense(self) -> bool:
        """Whether it works on vectors."""
        return bool(self.kernels) and not self.convolves

    @property
    def looks_around(self) -> bool:
        """Whether it sees more of a map than one point at a time."""
        return self.is_block or any(kernel.ndim > 2 and kernel[0, 0].numel() > 1 for kernel in self.kernels)

    @property
    def strides(self) -> bool:
        """Whether a map leaves it smaller, whatever its size."""
        return any(_stride(module) > 1 for module in self.module.modules())

    def is_pooled_after(self, earlier: "_Unit | None") -> bool:
        """Whether a map was made smaller between two units, by no module."""
        if earlier is None or not earlier.calls or not self.calls:
            return False
        left, entered = earlier.calls[-1].left, self.calls[0].entered
        return left.ndim == 4 and entered.ndim == 4 and entered.shape[-1] < left.shape[-1]


def _is_composite(module: nn.Module) -> bool:
    """Whether a module is several layers with weights."""
    is_leaf = next(module.children(), None) is None
    return not is_leaf and sum(weight.ndim > 1 for weight in module.parameters()) > 1


def _stride(module: nn.Module) -> int:
    stride = getattr(module, "stride", 1)
    return max(pair(stride)) if isinstance(stride, int) or (isinstance(stride, tuple) and len(stride) == 2) else 1


def _units(module: nn.Module, name: str, calls: dict[nn.Module, list[ModuleCall]]) -> list[_Unit]:
    """The units of a module in order: its links, of which those that are networks by themselves are opened."""
    links = links_within(module, name, calls)
    inner = [(link.name, link.module) for link in links if link.module is not module]
    if not inner and (not name or _is_network(module, calls.get(module, []))):
        inner = _children_in_order(module, name, calls)
    if not inner:
        is_passed = not calls or any(within in calls for within in module.modules())
        return [_Unit(name, module, tuple(calls.get(module, ())))] if is_passed else []
    return [unit for key, child in inner for unit in _units(child, key, calls)]


def _is_network(module: nn.Module, calls: Sequence[ModuleCall]) -> bool:
    """Whether a module that is no chain is a network by itself or a list of layers, and no block of a network."""
    if not calls:
        return isinstance(module, nn.ModuleList | nn.ModuleDict | nn.Sequential)
    inner = module.named_modules()
    if len({stage for name, within in inner if _is_composite(within) and (stage := _stage_around(name))}) > 1:
        return True
    entered, left = calls[0].entered, calls[0].left
    return entered.ndim == 4 and (left.ndim != 4 or entered.shape[-1] >= _NARROWER * left.shape[-1])


def _children_in_order(
    module: nn.Module, name: str, calls: dict[nn.Module, list[ModuleCall]]
) -> list[tuple[str, nn.Module]]:
    """The children as a picture passes them; one that is not seen to be passed stays behind its neighbour."""
    order = {called: place for place, called in enumerate(calls)}
    placed, place = [], -1
    for key, child in module.named_children():
        place = min((order[inner] for inner in child.modules() if inner in order), default=place)
        placed.append((place, f"{name}.{key}" if name else key, child))
    return [(key, child) for _, key, child in sorted(placed, key=lambda found: found[0])]


def _whole_blocks(network: nn.Module, units: list[_Unit]) -> list[_Unit]:
    """The units with those of a block that repeats, as a chain of the same layers, put together."""
    whole: dict[str, _Unit] = {}
    for unit in units:
        around = unit.name.split(".")
        outer = (".".join(around[:depth]) for depth in range(1, len(around)))
        block = next((name for name in outer if _is_repeated(network, name)), None)
        if block is None:
            whole[unit.name] = unit
        else:
            earlier = whole[block].calls if block in whole else ()
            whole[block] = _Unit(block, network.get_submodule(block), (*earlier, *unit.calls))
    return list(whole.values())


def _is_repeated(network: nn.Module, name: str) -> bool:
    """Whether a module with convolutions inside has a sibling that is made of layers of the same names."""
    around, _, key = name.rpartition(".")
    module, siblings = network.get_submodule(name), network.get_submodule(around)
    if not any(weight.ndim > 2 for weight in module.parameters()) or isinstance(siblings, nn.ModuleDict):
        return False
    made_of = [child for child, _ in module.named_children()]
    return any(
        other != key
        and type(sibling) is type(module)
        and [child for child, _ in sibling.named_children()] == made_of
        and any(weight.ndim > 2 for weight in sibling.parameters())
        for other, sibling in siblings.named_children()
    )


def _without_head(units: list[_Unit]) -> tuple[list[_Unit], list[_Unit]]:
    """What comes before the head, and the head."""
    named = [place for place, unit in enumerate(units) if unit.name.partition(".")[0] in _HEADS]
    weighted = [place for place, unit in enumerate(units) if unit.has_weights]
    start = min(named, default=max(weighted, default=0))
    stage = None if named else _stage_of(units[start])
    while start and stage is not None and is_within(units[start - 1].name, stage):
        start -= 1
    return units[:start], units[start:]


def _stage_of(unit: _Unit) -> str | None:
    """The stage that a unit is in, or that it is."""
    stage = _stage_around(unit.name)
    is_layer = next(unit.module.children(), None) is None
    return None if stage == unit.name and is_layer else stage


def _stage_around(name: str) -> str | None:
    """The outermost module around what has this name, or itself, that is called as stages are; None without any."""
    names = name.split(".")
    for place, own in enumerate(names):
        if _STAGE.fullmatch(own) or (own.isdigit() and place > 0 and names[place - 1] in _LISTS_OF_STAGES):
            return ".".join(names[: place + 1])
    return None


def _by_name(units: list[_Unit]) -> list[tuple[str, list[_Unit]]]:
    """Units grouped by the stages that their modules are called after; none where there are fewer than two."""
    stages = list(dict.fromkeys(stage for unit in units if (stage := _stage_of(unit))))
    if len(stages) < 2:
        return []
    places = [place for place, unit in enumerate(units) if _stage_of(unit)]
    blocks: list[list[_Unit]] = [[] for _ in stages]
    number = 0
    for unit in units[places[0] : places[-1] + 1]:
        stage = _stage_of(unit)
        number = number if stage is None else stages.index(stage)
        blocks[number].append(unit)
    own = [stage.rpartition(".")[2] for stage in stages]
    names = own if all(re.fullmatch(r"block\d+", name) for name in own) else None
    return _named(units[: places[0]], blocks, units[places[-1] + 1 :], names)


def _by_pools(units: list[_Unit]) -> list[tuple[str, list[_Unit]]]:
    """The units of a chain grouped by where maps get smaller; dense layers, where there are no others, one by one."""
    body = [place for place, unit in enumerate(units) if unit.looks_around]
    if not body:
        return _named([], _led_by(units, [bool(unit.kernels) for unit in units]), [])
    end = body[-1] + 1
    # What normalises a last convolution is of its block; behind blocks that normalise by themselves it is apart.
    is_plain = not units[body[-1]].is_block
    while end < len(units) and (not units[end].has_weights or (is_plain and not units[end].is_dense)):
        end += 1
    blocks = _led_by(units[:end], _block_starts(units[:end]))
    first = next((place for place, unit in enumerate(units) if unit.is_block), 0)
    # Layers before the first of several blocks of layers are the stem, unless they are blocks of a chain themselves.
    if body[0] < first <= len(blocks[0]):
        blocks = _led_by(units[first:end], _block_starts(units[first:end]))
        return _named(units[:first], blocks, units[end:])
    return _named([], blocks, units[end:])


def _block_starts(units: list[_Unit]) -> list[bool]:
    """Whether each unit begins a block: a convolution that is the first of all or after a pool, or that strides."""
    starts: list[bool] = []
    is_pooled, last = True, None
    for unit in units:
        is_pooled = is_pooled or unit.strides or unit.is_pooled_after(last)
        starts.append(unit.convolves and is_pooled)
        is_pooled = is_pooled and not starts[-1]
        last = unit if unit.calls else last
    return starts


def _led_by(units: list[_Unit], starts: list[bool]) -> list[list[_Unit]]:
    """Units in stretches that begin where that is said; what comes before the first belongs to it."""
    stretches: list[list[_Unit]] = [[]]
    has_begun = False
    for unit, is_start in zip(units, starts, strict=True):
        if is_start and has_begun:
            stretches.append([])
        has_begun = has_begun or is_start
        stretches[-1].append(unit)
    return stretches


def _named(
    stem: list[_Unit], blocks: list[list[_Unit]], top: list[_Unit], names: Sequence[str] | None = None
) -> list[tuple[str, list[_Unit]]]:
    """Stretches under their names; what has no weights joins what it follows, or else what follows it."""
    named = list(zip(names or [f"block{number}" for number in range(1, len(blocks) + 1)], blocks, strict=True))
    if named and not any(unit.has_weights for unit in stem):
        named[0][1][:0] = stem
    else:
        named.insert(0, (STEM, stem))
    if not any(unit.has_weights for unit in top):
        named[-1][1].extend(top)
    else:
        named.append((TOP, top))
    return named


def _complete(network: nn.Module, grouped: dict[str, list[str]]) -> tuple[Part, ...]:
    """The parts by their outermost layers, with what no picture passed beside the layer that it is declared after."""
    units = [(name, part) for part, names in grouped.items() for name in names]
    places = {name: place for place, (name, _) in enumerate(units)}
    found: dict[str, int] = {}
    last = 0
    for name in leaves_of(network):
        last = next((places[outer] for outer in outwards(name) if outer in places), last)
        found[name] = last
    parts_inside: dict[str, set[str]] = {}
    for name, place in found.items():
        for outer in outwards(name):
            parts_inside.setdefault(outer, set()).add(units[place][1])
    layers: dict[str, dict[str, None]] = {part: {} for part in grouped}
    for name, place in sorted(found.items(), key=lambda entry: entry[1]):
        layers[units[place][1]][next(outer for outer in outwards(name) if len(parts_inside[outer]) == 1)] = None
    return tuple(Part(part, tuple(names)) for part, names in layers.items())


def outwards(name: str) -> list[str]:
    """The names of the modules around what has this name, the outermost first, and its own."""
    return [*(name[:end] for end, letter in enumerate(name) if letter == "."), name]


def leaves_of(network: nn.Module) -> Iterator[str]:
    """Modules without others inside, and weights that are held beside others, as they are declared."""
    for name, module in network.named_modules():
        if name and next(module.children(), None) is None:
            yield name
        else:
            yield from (f"{name}.{own}" if name else own for own, _ in module.named_parameters(recurse=False))
