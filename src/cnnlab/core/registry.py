"""Registries: the names that a spec string may use, what each takes, and the binding of one to the other."""

import importlib
import inspect
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cnnlab.core.arguments import convert, describe_type
from cnnlab.core.counterparts import arguments, explained_name, hint, names, values
from cnnlab.core.errors import SpecError, letters
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, format_calls, format_value, parse, read, read_one

T = TypeVar("T")


@dataclass(frozen=True)
class Argument:
    """One argument that a registered name takes."""

    name: str
    annotation: Any
    default: Any
    by_name: bool = False
    """Whether it is given by its name only, never by its place."""

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    def __str__(self) -> str:
        default = "" if self.is_required else f", default {format_value(self.default)}"
        return f"{describe_type(self.annotation)}{default}"


@dataclass(frozen=True)
class RegistryEntry(Generic[T]):
    """A registered name: how it is made and what it takes."""

    name: str
    make: Callable[..., T]
    arguments: Mapping[str, Argument]
    others: Argument | None = None
    """What any further argument takes, whatever its name, where there may be some."""

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.make) or "").partition("\n")[0]


@dataclass(frozen=True)
class BoundCall(Generic[T]):
    """A call whose name is known and whose arguments are complete and of the right types."""

    entry: RegistryEntry[T]
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The registered name."""
        return self.entry.name

    @property
    def call(self) -> Call:
        """The canonical form: every argument by name, defaults filled in, in the order of the signature."""
        return Call(self.name, (), dict(self.arguments))

    @property
    def short(self) -> Call:
        """The call as a person would write it: without the arguments that stand at their defaults."""
        return self.showing(())

    def showing(self, names: Collection[str]) -> Call:
        """The same, and the arguments of these names whatever they stand at."""
        entries = self.entry.arguments
        is_told = {k: k in names or k not in entries or entries[k].default != v for k, v in self.arguments.items()}
        return Call(self.name, (), {k: v for k, v in self.arguments.items() if is_told[k]})

    def __str__(self) -> str:
        return str(self.call)

    def __hash__(self) -> int:
        return hash(str(self))

    def build(self, **given: Any) -> T:
        """The thing itself; ``given`` are the parameters that the program and not the person supplies."""
        return self.entry.make(**given, **self.arguments)


class Registry(Generic[T]):
    """Names of one kind of thing.

    :param kind: what they are, for messages, in the singular, such as ``architecture``.
    :param given: parameters of the registered functions that the program supplies, not the spec.
    :param late: registers what takes long to import or is not known beforehand; called for every name that is not
        known without it.
    :param homes: the modules that register further names when they are imported, by name; each is imported for the
        first of its names that is looked up.
    :param or_else: what besides a name would have been taken, for the message that there is none, such as ``, file``.
    """

    def __init__(
        self,
        kind: str,
        given: tuple[str, ...] = (),
        late: Callable[[], None] | None = None,
        homes: Mapping[str, str] | None = None,
        or_else: str = "",
    ) -> None:
        self.or_else = or_else
        self.kind, self.given, self._late, self._homes = kind, given, late, dict(homes or {})
        self._entries: dict[str, RegistryEntry[T]] = {}
        self._aliases: dict[str, str] = {}

    def register(self, name: str, *aliases: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """A decorator that makes a function or class known under ``name``.

        :raises ValueError: when a name is taken already.
        """

        def decorate(make: Callable[..., T]) -> Callable[..., T]:
            arguments, others = _arguments(make, self.given)
            self.add(RegistryEntry(name, make, arguments, others), *aliases)
            return make

        return decorate

    def add(self, entry: RegistryEntry[T], *aliases: str) -> None:
        """Makes an entry known whose arguments were worked out by the caller."""
        for word in (entry.name, *aliases):
            if word in self:
                raise ValueError(f"{self.kind} {word!r} is registered already")
        self._entries[entry.name] = entry
        self._aliases.update(dict.fromkeys(aliases, entry.name))

    def remove(self, name: str) -> None:
        """Forgets a name and its aliases, for those who register something for a while."""
        del self._entries[name]
        self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}

    def aliases(self, name: str) -> tuple[str, ...]:
        """The other names of an entry."""
        return tuple(alias for alias, target in self._aliases.items() if target == name)

    def complete(self) -> None:
        """Makes the names known, too, that take long to import."""
        for home in dict.fromkeys(self._homes.values()):
            importlib.import_module(home)
        if self._late is not None:
            self._late()

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._aliases

    def __iter__(self) -> Iterator[RegistryEntry[T]]:
        return iter(self._entries[name] for name in sorted(self._entries))

    def entry(self, call: Call) -> RegistryEntry[T]:
        """The entry that a call names.

        :raises SpecError: naming the closest valid names.
        """
        if call.name not in self:
            self._fetch(call.name)
        name = self._aliases.get(call.name, call.name)
        if name not in self._entries:
            why = explained_name(self.kind, call.name)
            remedy = f": {why}" if why else f". {self._meant(call.name)}"
            raise call.error(f"there is no {self.kind}{self.or_else} called {call.name!r}{remedy}")
        return self._entries[name]

    def _meant(self, name: str) -> str:
        """A sentence on what is meant by a name that there is not."""
        known = {*self._entries, *self._aliases, *self._homes} - {name}
        return hint(name, known, names(self.kind, name, known))

    def _fetch(self, name: str) -> None:
        """Makes a name known that is not, where something can."""
        if name in self._homes:
            importlib.import_module(self._homes[name])
        elif self._late is not None:
            self._late()

    def bind(self, spec: object) -> BoundCall[T]:
        """One call, checked against what its name takes and completed with the defaults; one that is, as it is."""
        if isinstance(spec, BoundCall):
            return spec
        call = read_one(spec, f"{self.kind[:1].upper()}{self.kind[1:]}")
        try:
            return self._bound(call)
        except SpecError as error:
            with suppress(TypeError):  # of an object that no text can hold
                error = error.corrected_as(self.corrected(call))
            raise error from error.__cause__

    def corrected(self, call: Call) -> str | None:
        """The whole text of a call as it is said here, where it is said as in another library; else None.

        What is given back can be bound.
        """
        beside = list(parse(call.text)) if call.text else [call]
        if call.start not in [each.start for each in beside]:
            # It stands within another call, of which this registry need not know.
            beside = [call]
        text = str(call) if call.text is None else call.text
        # From the end, so that the places of those before stay as they are.
        for each in reversed(beside):
            said = self._said_here(each)
            if said is None:
                return None
            text = replace(each, text=text).exchanged(said)
        return text

    def _said_here(self, call: Call) -> str | None:
        for name in [call.name] if call.name in self else names(self.kind, call.name, self._entries):
            for candidate in self._candidates(call, read(name)):
                try:
                    for each in candidate:
                        self._bound(each)
                except SpecError:
                    continue
                return str(call) if candidate == [call] else format_calls(candidate)
        return None

    def _candidates(self, call: Call, ours: Sequence[Call]) -> Iterator[Sequence[Call]]:
        """What a call may be here: with the arguments that were given, and, of another name, without."""
        if len(ours) == 1 and ours[0].name in self:
            entry, is_spelt_alike = self.entry(ours[0]), letters(ours[0].name) == letters(call.name)
            # Several numbers by place seldom stand in the same order elsewhere: a convolution's begin with its inputs.
            placed = call.args if is_spelt_alike or len(call.args) == 1 else ()
            named = dict(_renamed(key, value, entry) for key, value in call.kwargs.items())
            yield [Call(ours[0].name, ours[0].args or placed, {**ours[0].kwargs, **named})]
        if call.name not in self:
            yield ours

    def _bound(self, call: Call) -> BoundCall[T]:
        entry = self.entry(call)
        given = self._named(call, entry)
        complete = {}
        for argument in entry.arguments.values():
            if argument.name in given:
                complete[argument.name] = self._converted(call, argument, *given[argument.name])
            elif argument.is_required:
                raise call.error(f"{self.kind} {call.name} needs {argument.name}: {argument}")
            else:
                complete[argument.name] = argument.default
        for name in given:
            if name not in entry.arguments and entry.others is not None:
                complete[name] = self._converted(call, replace(entry.others, name=name), *given[name])
        return BoundCall(entry, complete)

    def bind_all(self, spec: object) -> tuple[BoundCall[T], ...]:
        """Every call of a pipeline, bound."""
        return tuple(self.bind(call) for call in read(spec))

    def canonical(self, spec: object) -> str:
        """The canonical text of a pipeline: what digests, comparisons and claims use."""
        return format_calls([bound.call for bound in self.bind_all(spec)])

    def _named(self, call: Call, entry: RegistryEntry[T]) -> dict[str, tuple[Any, int | str]]:
        """Each argument given, by its name, with the key under which the call knows its place in the text."""
        known = list(entry.arguments)
        placed = [name for name in known if not entry.arguments[name].by_name]
        if len(call.args) > len(placed):
            raise call.error(f"{self.kind} {call.name} {_surplus(call, entry, placed)}", len(placed))
        named: dict[str, tuple[Any, int | str]] = {
            name: (value, place) for place, (name, value) in enumerate(zip(placed, call.args, strict=False))
        }
        for name, value in call.kwargs.items():
            if name not in entry.arguments and (entry.others is None or name in self.given):
                meant = [ours for ours in arguments.of(name) if ours in known][:1]
                remedy = hint(name, known, meant) if known else "It takes none."
                raise call.error(f"{self.kind} {call.name} has no argument {name!r}. {remedy}", name)
            if name in named:
                raise call.error(f"{name} is given twice, by place and by name", name)
            named[name] = (value, name)
        return named

    def _converted(self, call: Call, argument: Argument, value: Any, place: int | str) -> Any:
        try:
            return convert(value, argument.annotation)
        except ValueError:
            what = f"{argument.name} of {self.kind} {call.name}"
            raise call.error(f"{what} takes {argument}; got {_shown(value)}", place) from None


def _surplus(call: Call, entry: RegistryEntry[Any], placed: Sequence[str]) -> str:
    """What to say of more values than there are places: what is taken, and how several values for one are written."""
    count = f"{len(call.args)} values" if len(call.args) > 1 else "a value"
    by_name = [f"{name}=" for name in entry.arguments if name not in placed]
    told = f"is given {count} and takes {', '.join(placed) or 'none'}"
    told += f"; by name only: {', '.join(by_name)}" if by_name else ""
    if not placed:
        return told
    last = entry.arguments[placed[-1]]
    values = list(call.args[len(placed) - 1 :])
    if last.annotation is Any or not _fits(values, last.annotation):
        return told
    whole = Call(call.name, (*call.args[: len(placed) - 1], values))
    return f"{told}. Several values for {last.name}, such as a range, are one list: {whole}"


def _fits(value: Any, annotation: Any) -> bool:
    try:
        convert(value, annotation)
    except ValueError:
        return False
    return True


def _renamed(name: str, value: Any, entry: RegistryEntry[Any]) -> tuple[str, Any]:
    """An argument by the name, and its value by the word, that it has in an entry; as they are where they have none."""
    known = entry.arguments
    ours = name if name in known else next((meant for meant in arguments.of(name) if meant in known), name)
    return ours, _translated(value, known[ours].annotation) if ours in known else value


def _translated(value: Any, annotation: Any) -> Any:
    if _fits(value, annotation):
        return value
    return next((word for word in values.of(value) if _fits(word, annotation)), value)


def _shown(value: Any) -> str:
    try:
        return in_short(format_value(value))
    except TypeError:
        return in_short(repr(value))


def _arguments(make: Callable[..., Any], given: tuple[str, ...]) -> tuple[dict[str, Argument], Argument | None]:
    """The arguments by name, and what ``**others`` take where the function has these and says of which type."""
    target = make.__init__ if inspect.isclass(make) else make  # type: ignore[misc]
    hints = typing.get_type_hints(target, include_extras=True)
    by_name = _by_name(target)
    named, others = {}, None
    for name, parameter in inspect.signature(make).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            others = Argument(name, hints[name], parameter.empty) if hints.get(name, Any) is not Any else None
        elif name not in given:
            default = _default(parameter, hints.get(name, Any))
            named[name] = Argument(name, hints.get(name, Any), default, name in by_name)
    return named, others


def _by_name(target: Callable[..., Any]) -> set[str]:
    """The parameters that are keyword-only.

    Of a function that takes ``**arguments`` and describes them by a signature put together by hand, only its own are:
    those described may be given by place, in the order described.
    """
    code = getattr(inspect.unwrap(target), "__code__", None)
    return set() if code is None else set(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount])


def _default(parameter: inspect.Parameter, annotation: Any) -> Any:
    is_required = parameter.default is inspect.Parameter.empty
    return parameter.default if is_required else convert(parameter.default, annotation)
