"""YAML by the 1.2 rules: ``1e-3`` is a number, ``no`` and ``on`` are words, ``0o17`` is octal and ``017`` is 17."""

import re
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from cnnlab.core.errors import UsageError
from cnnlab.core.files import read_regular
from cnnlab.core.lookups import note_file
from cnnlab.core.messages import first_few

try:
    from yaml import CSafeLoader as _Fast
except ImportError:
    from yaml import SafeLoader as _Fast  # type: ignore[assignment]

_MOST_SHOWN = 60
_TAG = re.compile(r"!!?[^\s!,\[\]{}]+")
_MOST_DIGITS = 400
_MOST_BYTES = 16 << 20
_DEEPEST = 100
_MOST_VALUES = 1_000_000
_REMEDIES = {
    "mapping values are not allowed": "Write key: value, each on a line of its own with all keys in one column, and "
    "put quotes around a value that holds a colon and a space.",
    "could not find expected ':'": "Write key: value, with a colon and a space.",
    "cannot start any token": "Put quotes around the value; indent by spaces, not tabs.",
    "expected <block end>": "Start the keys of one level in the same column, and write key: value.",
    "expected ',' or": "Close every bracket, and put quotes around a value that holds a comma or a bracket.",
    "while scanning a quoted": "Close the quote.",
    "unexpected end of stream": "Close the quote or the bracket.",
}
_FIRSTS = list("-+.0123456789")
_BREAKS = frozenset("\x85\u2028\u2029")


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}


class _FastLoader(_Fast):
    yaml_implicit_resolvers: dict[str, Any] = {}


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _style in (_Loader, _FastLoader, _Dumper):
    _style.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|Null|NULL|~|)$"), ["n", "N", "~", ""])
    _style.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
    )
    _style.add_implicit_resolver(
        "tag:yaml.org,2002:int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), _FIRSTS
    )
    _style.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        _FIRSTS,
    )


def _integer(loader: _Loader | _FastLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > _MOST_DIGITS:
        raise yaml.MarkedYAMLError(problem=f"a number of {len(text):,} digits", problem_mark=node.start_mark)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _mapping(loader: _Loader | _FastLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        # Of a key that is a list or a mapping the construction below says that it cannot be one.
        if isinstance(key, Hashable) and key in seen:
            shown = repr(key)[:_MOST_SHOWN]
            problem = f"the key {shown} is given twice; leave one"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        seen |= {key} if isinstance(key, Hashable) else set()
    return dict(loader.construct_mapping(node, deep=True))


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Unquoted, the line breaks of Unicode would be folded into spaces.
    style = '"' if _BREAKS.intersection(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
for _reader in (_Loader, _FastLoader):
    _reader.add_constructor("tag:yaml.org,2002:int", _integer)
    _reader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(text: str, what: str) -> Any:
    """The content of a YAML text; ``what`` names it in messages.

    :raises UsageError: with the line, when it is not YAML.
    """
    _check_nesting(text, what)
    # What a tag such as !!timestamp makes of a value that is none can fail in any way.
    with suppress(Exception):
        return yaml.load(text, Loader=_FastLoader)
    try:
        # Slower, and says more of what is wrong.
        return yaml.load(text, Loader=_Loader)
    except Exception as error:
        raise UsageError(f"{what} is not valid YAML: {_reason(error, text)}") from error


def read_file(path: Path, what: str) -> Any:
    """The content of a YAML file; ``what`` it was to be, for messages.

    :raises UsageError: when it cannot be read, is no text, or is not YAML.
    """
    try:
        note_file(path)
        return load(read_regular(path, _MOST_BYTES).decode(), str(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not a text file, so it cannot be {what} in YAML.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _check_nesting(text: str, what: str) -> None:
    """Refuses nesting beyond any use, which takes more than linear time, or more stack than the process has.

    So is a little text of which much becomes, since each ``*name`` stands for all that its ``&name`` holds.
    """
    sizes, anchored = [0], dict[str | None, int]()
    open_anchors: list[str | None] = []
    # Events come one by one; what is wrong with the rest of the text is said when it is loaded.
    with suppress(yaml.YAMLError, ValueError):
        for event in yaml.parse(text, Loader=_FastLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                sizes.append(1)
                open_anchors.append(event.anchor)
            elif isinstance(event, yaml.CollectionEndEvent):
                size, anchor = sizes.pop(), open_anchors.pop()
                sizes[-1] += size
                anchored |= {anchor: size} if anchor else {}
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor in open_anchors:
                    raise UsageError(f"{what} is not valid YAML: *{event.anchor} stands within itself.")
                sizes[-1] += anchored.get(event.anchor, 1)
            elif isinstance(event, yaml.ScalarEvent):
                sizes[-1] += 1
            if len(sizes) > _DEEPEST + 1:
                raise UsageError(f"{what} is not valid YAML: it is nested deeper than {_DEEPEST}.")
            if sizes[-1] > _MOST_VALUES:
                raise UsageError(f"{what} is not read: it stands for over {_MOST_VALUES:,} values.")


def _reason(error: Exception, text: str) -> str:
    """What is wrong, with its line as it stands in the text, and what may mend it."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{error.reason} (U+{error.character:04X}), in line {line}."
    tags = list(dict.fromkeys(tag[:_MOST_SHOWN] for tag in _TAG.findall(text)))
    if tags and not isinstance(error, yaml.YAMLError | RecursionError):
        return f"a value in it is not what its tag says ({first_few(tags)}). Leave tags out."
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"{' '.join(str(error).split()).rstrip('.')}."
    lines = text.splitlines()
    content = " ".join(lines[mark.line].split()) if mark.line < len(lines) else ""
    shown = f" ({content[:_MOST_SHOWN]})" if content else ""
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"{problem}, in line {mark.line + 1}, column {mark.column + 1}{shown}.{_remedy(problem)}"


def _remedy(problem: str) -> str:
    return next((f" {remedy}" for part, remedy in _REMEDIES.items() if part in problem), "")


def dump(value: Any) -> str:
    """Block-style YAML that :func:`load` reads back equal; keys keep their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
