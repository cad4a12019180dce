"""Registries: the names that a spec string may use, what each takes, and the binding of one to the other."""

import importlib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cnnlab.core.arguments import convert, describe_type
from cnnlab.core.errors import suggestion
from cnnlab.core.spec import Call, format_calls, format_value, read, read_one

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
        entries = self.entry.arguments
        own = {k: v for k, v in self.arguments.items() if k not in entries or entries[k].default != v}
        return Call(self.name, (), own)

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
    """

    def __init__(
        self,
        kind: str,
        given: tuple[str, ...] = (),
        late: Callable[[], None] | None = None,
        homes: Mapping[str, str] | None = None,
    ) -> None:
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
            hint = suggestion(call.name, {*self._entries, *self._aliases, *self._homes} - {call.name})
            raise call.error(f"there is no {self.kind} called {call.name!r}. {hint}")
        return self._entries[name]

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
        names = list(entry.arguments)
        placed = [name for name in names if not entry.arguments[name].by_name]
        if len(call.args) > len(placed):
            raise call.error(f"{self.kind} {call.name} {_surplus(call, entry, placed)}", len(placed))
        named: dict[str, tuple[Any, int | str]] = {
            name: (value, place) for place, (name, value) in enumerate(zip(placed, call.args, strict=False))
        }
        for name, value in call.kwargs.items():
            if name not in entry.arguments and (entry.others is None or name in self.given):
                hint = suggestion(name, names) if names else "It takes none."
                raise call.error(f"{self.kind} {call.name} has no argument {name!r}. {hint}", name)
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


def _shown(value: Any) -> str:
    try:
        return format_value(value)
    except TypeError:
        return repr(value)


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
