"""What may come next within a spec, such as ``optimizer=sgd(lr=0.1,`` or ``augment=flip|ro``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cnnlab.cli.completion.words import Argument, Candidate, arguments, names

KINDS = {
    "data": ("data set",),
    "model": ("architecture", "layer"),
    "objective": ("objective",),
    "augment": ("augmentation",),
    "adversary": ("perturbation",),
    "perturb": ("perturbation",),
    "optimizer": ("optimizer",),
    "schedule": ("schedule",),
    "normalize": ("normalization",),
    "mirror": ("mirror",),
    "method": ("method",),
    "design": ("design",),
    "backbones": ("backbone", "architecture"),
    "classifiers": ("classifier",),
    "search": ("classifier",),
}
"""Of what kind the names are that a key takes."""
_PIPELINES = {"layer", "augmentation", "perturbation", "mirror"}
_NESTED = {"init": ("initialiser",), "bias_init": ("initialiser",), "fill": ("fill",), "pipeline": ("augmentation",)}
"""Of what kind the names are that an argument takes."""
_PATHS = {"path"}
_OPENING, _CLOSING = "([{", ")]}"


@dataclass
class _Open:
    """A bracket that is not closed yet.

    :param name: of the call that it belongs to; empty of a list.
    :param kinds: of its name.
    :param given: the arguments that have their name there already.
    """

    bracket: str
    name: str
    kinds: tuple[str, ...]
    given: set[str] = field(default_factory=set)
    by_place: int = 0


@dataclass
class _Place:
    """Where in a spec its end stands.

    :param start: of the part that is being typed.
    :param is_done: whether that is a call or a list which is closed, after which only a sign can come.
    :param kinds: of a name that could begin here.
    """

    text: str
    kinds: tuple[str, ...]
    open: list[_Open]
    start: int = 0
    key: str | None = None
    is_done: bool = False
    is_quoted: bool = False
    parts: int = 0

    @property
    def part(self) -> str:
        return self.text[self.start :].lstrip()

    @property
    def before(self) -> str:
        return self.text[: len(self.text) - len(self.part)]


def within(kinds: tuple[str, ...], text: str, files: Callable[[str], Iterator[Candidate]]) -> Iterator[Candidate]:
    """Ways to go on with a spec: each the whole of it.

    :param kinds: of the names that it may begin with.
    :param files: the files and folders that a path may go on with.
    """
    place = _read(kinds, text)
    if place.is_quoted:
        return
    if not place.open:
        yield from _top(place)
        return
    top = place.open[-1]
    if top.bracket != "(":
        yield from _in_list(place)
    elif place.is_done:
        yield from _next(place)
    else:
        takes = {argument.name: argument for argument in arguments(top.kinds, top.name)}
        if place.key is None:
            yield from _argument_names(place, takes)
        elif place.key in _PATHS:
            yield from (found.after(place.before) for found in files(place.part))
        elif place.key in takes:
            yield from _values(place, takes[place.key])


def _read(kinds: tuple[str, ...], text: str) -> _Place:
    """Walks through the spec to its end."""
    place, quote = _Place(text, kinds, []), ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in _OPENING:
            word = text[place.start : at].strip()
            inner = _NESTED.get(place.key or "", place.kinds) if place.open else place.kinds
            place.open.append(_Open(sign, word, inner))
            place.start, place.key, place.is_done = at + 1, None, False
        elif sign in _CLOSING and place.open:
            place.open.pop()
            place.start, place.is_done = at + 1, True
        elif sign == "=" and place.open and place.open[-1].bracket == "(":
            place.key, place.start = text[place.start : at].strip(), at + 1
            place.open[-1].given.add(place.key)
        elif sign in ",|":
            if sign == "," and place.open:
                place.open[-1].by_place += place.key is None
            place.parts += sign == "|"
            place.start, place.key, place.is_done = at + 1, None, False
    place.is_quoted = bool(quote)
    return place


def _top(place: _Place) -> Iterator[Candidate]:
    """Names, and what may follow a call that is closed."""
    is_pipeline = bool(_PIPELINES & set(place.kinds))
    if place.is_done:
        yield Candidate(place.text)
        if is_pipeline:
            yield Candidate(f"{place.text}|", "and then", is_final=False)
        return
    # An architecture stands alone.
    kinds = tuple(kind for kind in place.kinds if kind != "architecture" or not place.parts)
    yield from _names(kinds, place.part, place.before)


def _names(kinds: tuple[str, ...], part: str, before: str) -> Iterator[Candidate]:
    for kind in kinds:
        for name, about, takes_arguments in names(kind):
            if name.startswith(part):
                yield Candidate(before + name, about)
            if name == part and takes_arguments:
                yield Candidate(f"{before}{name}(", "with arguments", is_final=False)


def _argument_names(place: _Place, takes: dict[str, Argument]) -> Iterator[Candidate]:
    """Arguments that were not given yet, and words to choose from for the one whose place this is."""
    top, part = place.open[-1], place.part
    by_place = list(takes)[: top.by_place]
    for name, argument in takes.items():
        if name not in top.given and name not in by_place and name.startswith(part):
            yield Candidate(f"{place.before}{name}=", argument.about, is_final=False)
    here = list(takes.values())[top.by_place : top.by_place + 1] if not top.given else []
    for argument in here:
        yield from _choices(place, argument)
        is_begun = any(word.startswith(part) and word != part for word in argument.choices)
        if part and not is_begun and not any(name.startswith(part) for name in takes):
            yield from _next(place)


def _values(place: _Place, argument: Argument) -> Iterator[Candidate]:
    """Words to choose from, names of a spec within, the default; after a value what may follow."""
    if argument.name in _NESTED:
        yield from (
            Candidate(found.text, found.about, is_final=False)
            for found in _names(_NESTED[argument.name], place.part, place.before)
        )
        is_word = any(name == place.part for kind in _NESTED[argument.name] for name, _, _ in names(kind))
    else:
        yield from _choices(place, argument)
        is_word = place.part in argument.choices
    default = argument.default
    if default is not None and default not in argument.choices and default.startswith(place.part) and not is_word:
        yield Candidate(place.before + default, f"the default; {argument.what}", is_final=False)
    is_free = not argument.choices and argument.name not in _NESTED
    if place.part and (is_word or is_free or _is_number(place.part)):
        yield from _next(place)


def _choices(place: _Place, argument: Argument) -> Iterator[Candidate]:
    for word in argument.choices:
        if word.startswith(place.part) and word != place.part:
            yield Candidate(place.before + word, "the default" if word == argument.default else "", is_final=False)


def _in_list(place: _Place) -> Iterator[Candidate]:
    if place.part or place.is_done:
        yield Candidate(f"{place.text},", "another", is_final=False)
        yield Candidate(f"{place.text}]", "no more", is_final=False)


def _next(place: _Place) -> Iterator[Candidate]:
    """After an argument: another, or the end of the call, which may be the end of the spec."""
    yield Candidate(f"{place.text})", "no more", is_final=len(place.open) == 1)
    yield Candidate(f"{place.text},", "another argument", is_final=False)


def _is_number(text: str) -> bool:
    return text[:1].isdigit()
