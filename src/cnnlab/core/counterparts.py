"""What a person means who types a word of another library: look-ups in the tables of what they say."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property

from cnnlab.core import other_commands, other_libraries
from cnnlab.core.errors import either, letters, suggestion


class Counterparts:
    """One of the tables, from their words to ours.

    :param table: what is written here, and the words of others for it, apart by spaces.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table

    @cached_property
    def _ours(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for ours, theirs in self.table.items():
            for word in theirs.split():
                found.setdefault(letters(word), {})[ours] = None
        return {word: tuple(ours) for word, ours in found.items()}

    def of(self, word: object) -> tuple[str, ...]:
        """What is written here for it, best first; empty where nothing is known."""
        return self._ours.get(letters(str(word)), ())

    def best(self, word: object) -> str | None:
        """The first of these."""
        return next(iter(self.of(word)), None)


def _explanations(table: Mapping[str, str]) -> Counterparts:
    """Those of a table that has the words first."""
    return Counterparts({why: words for words, why in table.items()})


_names = {kind: Counterparts(table) for kind, table in other_libraries.NAMES.items()}
_names["perturbation"] = _names["augmentation"]
_explained_names = {kind: _explanations(table) for kind, table in other_libraries.EXPLAINED_NAMES.items()}
arguments = Counterparts(other_libraries.ARGUMENTS)
values = Counterparts(other_libraries.VALUES)
keys = Counterparts(other_libraries.KEYS)
explained_keys = _explanations(other_libraries.EXPLAINED)
study_lines = Counterparts(other_libraries.STUDY_LINES)
flags = Counterparts(other_commands.FLAGS)
commands = Counterparts(other_commands.COMMANDS)
subcommands = Counterparts(other_commands.SUBCOMMANDS)
explained_commands = _explanations(other_commands.EXPLAINED_COMMANDS)
figures = Counterparts(other_commands.FIGURES)
listed = Counterparts(other_commands.LISTED)
python_names = Counterparts(other_commands.PYTHON)
_metrics = Counterparts(other_libraries.METRICS)
_SPLITS = {"val": "validation", "valid": "validation", "dev": "validation", "eval": "test"}


def names(kind: str, word: str, valid: Iterable[str] = ()) -> tuple[str, ...]:
    """What is written here for a name of another library, such as ``nn.Conv2d``, best first.

    :param kind: of name, as a registry calls it.
    :param valid: the names that there are here: of these one that is merely spelt otherwise is meant first.
    """
    plain = letters(word.rpartition(".")[2])
    spellings = [plain]
    if kind in ("augmentation", "perturbation") and plain.startswith("random"):
        spellings.append(plain.removeprefix("random"))
    ours = [name for name in sorted(valid) if letters(name) in spellings]
    table = _names.get(kind)
    ours += [name for spelling in spellings for name in (table.of(spelling) if table else ())]
    return tuple(dict.fromkeys(ours))


def explained_name(kind: str, word: str) -> str | None:
    """Where what a name of another library does is done, if not by a name here; None where nothing is known.

    :param kind: of name, as a registry calls it.
    """
    table = _explained_names.get(kind)
    return None if table is None else table.best(word.rpartition(".")[2])


def hint(word: str, valid: Iterable[str], meant: Iterable[str] = ()) -> str:
    """A sentence that names what is meant, where that is known, and else what is spelt alike."""
    known = list(meant)
    return f"Did you mean {either(known)}?" if known else suggestion(word, valid)


def metrics(word: str, valid: Iterable[str]) -> list[str]:
    """Which of the metrics that there are is meant by a name of another library, such as ``val_acc``."""
    plain = re.sub(r"[ /.-]+", "_", word.lower())
    split, _, rest = plain.partition("_")
    split = _SPLITS.get(split, split)
    whole, rest = _metrics.best(plain) or plain, _metrics.best(rest) or rest
    meant = [f"{split}_{rest}", rest, whole, f"test_{whole}", f"validation_{whole}"]
    known = set(valid)
    return [name for name in meant if name in known][:1]
