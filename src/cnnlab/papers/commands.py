"""Entries that are a row of commands: trainings, what cnnlab is then asked of them, numbers and pictures of that."""

import json
import os
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.core.files import make_folder, write_text
from cnnlab.core.hooks import command_refusal
from cnnlab.core.messages import track
from cnnlab.core.packaged import read_recipe_file
from cnnlab.papers.claims import NOTHING_AT_SMOKE, RuleVerdict, put_together, rules_of
from cnnlab.papers.command_calls import IN_BRACES, CommandCall, filled, split_words
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.expectations import Comparison
from cnnlab.papers.format import Texts, explained
from cnnlab.papers.numbers import NumberFile, NumberOrPath, PublishedNumber, beside, judge, measured, read_rule
from cnnlab.papers.result import ComparedNumber, EntryResult
from cnnlab.papers.studies import carried_out, planned

if TYPE_CHECKING:
    from cnnlab.runs import Run
    from cnnlab.studies import Study, StudyPlan

_OUT, _HERE, _DATA, _REPEAT, _SET = _PLACES_OF_ALL = ("out", "here", "data", "repeat", "set")
"""What may stand in braces besides the names of trainings."""
_RUNS = "runs.json"
_TRAINING = "training"
"""The axis of a study of trainings."""
_PICTURES = (".png", ".svg")


class CommandWords(BaseModel):
    """A command.

    :param killed_after_epoch: kill it, without warning, once its run has so many epochs behind it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    command: str
    killed_after_epoch: Annotated[int | None, Field(ge=1)] = None


WordsOrText = Annotated[
    CommandWords, BeforeValidator(lambda value: {"command": value} if isinstance(value, str) else value)
]


def _recipe(value: Any) -> Any:
    if not isinstance(value, Mapping | str):
        raise UsageError(
            f"a training cannot be {value!r}. Write its recipe, as in net: {{data: digits, model: cnn}}, or the name "
            "of a file with it."
        )
    return value


class CommandsFile(BaseModel):
    """What such an entry says beside the keys of all.

    :param trainings: recipes by name; a string is the file of one beside the entry.
    :param data: the data set of the trainings that name none, and ``{set}`` in commands; another may take its place.
    :param commands: words as on a command line, without ``cnnlab``; ``{net}`` is the run of the training ``net``,
        ``{out}`` a folder of the command's own, ``{here}`` the folder of the paper, ``{data}`` that of data sets and
        ``{repeat}`` the number of the repeat from 0 on. One that names neither a training nor the repeat is done once.
    :param pictures: patterns of those that the report shows; all that there are unless it is given.
    :param private: patterns of those among them that are not to be shown to others, as the licence of the data has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    trainings: Mapping[str, Annotated[Any, BeforeValidator(_recipe)]] = {}
    data: Annotated[str | None, Field(min_length=1)] = None
    repeats: Annotated[int, Field(ge=1)] = 1
    commands: Annotated[Mapping[str, WordsOrText], Field(min_length=1)]
    pictures: Texts = ()
    private: Texts = ()
    numbers: Mapping[str, NumberOrPath] = {}


class CommandEntry:
    """An entry that is a row of commands, at one scale."""

    def __init__(self, at: EntryAt) -> None:
        self.at = at
        try:
            content = at.entry.file.content
            CommandsFile.model_validate(content)
            self.file = CommandsFile.model_validate(_put_over(self._whole(content), at.keys))
            self.published = tuple(PublishedNumber.model_validate(row) for row in at.entry.file.published)
            self._refuse_slips()
        except ValidationError as error:
            inner: dict[str, type[BaseModel]] = {"commands": CommandWords, "numbers": NumberFile}
            kind = PublishedNumber if error.title == PublishedNumber.__name__ else CommandsFile
            told = f"{'published: ' if kind is PublishedNumber else ''}{explained(error, kind, inner)}"
            raise UsageError(f"{at.entry.path}, {at.scale}: {told}") from error
        except UsageError as error:
            raise UsageError(f"{at.entry.path}, {at.scale}: {error}") from error

    def _whole(self, content: dict[str, Any]) -> dict[str, Any]:
        """With recipes in the place of their files, so that keys can be put over them."""
        folder = self.at.entry.path.parent
        trainings = {
            name: read_recipe_file(recipe, folder) if isinstance(recipe, str) else dict(recipe)
            for name, recipe in (content.get("trainings") or {}).items()
        }
        return {**content, **({"trainings": trainings} if trainings else {})}

    def _refuse_slips(self) -> None:
        """Finds before anything is trained what would end the entry after that."""
        known = [*self.file.trainings, *_PLACES_OF_ALL]
        for name, words in self.file.commands.items():
            for place in IN_BRACES.findall(words.command):
                if place not in known:
                    raise UsageError(f"{name}: there is no training {place!r}. {suggestion(place, known)}")
                if place == _SET and self.file.data is None:
                    raise UsageError(f"{name}: {{{_SET}}} is the data set of the entry, which has none: data: digits.")
            if refusal := command_refusal(split_words(filled(words.command, {_REPEAT: "0", **self._set}))):
                raise UsageError(f"commands: {name}: {refusal}")
        commands, numbers = self.file.commands, self.file.numbers
        for command in (command for number in numbers.values() for command in number.commands):
            if command not in commands:
                raise UsageError(f"numbers: there is no command {command!r}. {suggestion(command, commands)}")
        for rule in rules_of(self.at.claims, {}):
            read_rule(rule, numbers)
        for row in self.published:
            if row.number not in numbers:
                raise UsageError(f"published: there is no number {row.number!r}. {suggestion(row.number, numbers)}")
        self._refuse_patterns("pictures", self.file.pictures)
        self._refuse_patterns("private", self.file.private)

    def _refuse_patterns(self, key: str, patterns: Iterable[str]) -> None:
        commands = self.file.commands
        for pattern in patterns:
            first = pattern.partition("/")[0]
            if first not in ("**", *commands) or ".." in pattern.split("/"):
                raise UsageError(
                    f"{key}: {pattern!r} begins with no command. {suggestion(first, commands)} As in "
                    f"{next(iter(commands))}/*.png."
                )

    def check(self) -> None:
        """Reads the recipes against their data, and trains nothing."""
        if self._trainings is not None:
            self._trainings.check()

    def plans(self, probe: bool) -> "list[StudyPlan]":
        """What would be trained; with ``probe`` a few steps are timed."""
        return [] if self._trainings is None else [planned(self._trainings, probe)]

    def comparisons(self) -> list[Comparison]:
        """None: numbers of commands have no order."""
        return []

    @property
    def commands_left(self) -> int:
        """How many commands are to be carried out."""
        calls = [call for repeat in self._repeats for call in self._calls(repeat, self._known_runs(repeat))]
        return sum(not call.is_done for call in calls)

    def run(self, workers: int | None = None) -> EntryResult:
        """Trains and does what is missing."""
        place = self.at.place
        options = {name: getattr(place, name) for name in ("runs", "data_dir", "offline", "device")}
        if self._trainings is not None:
            self._train(self._trainings, workers)
        calls = [call for repeat in self._repeats for call in self._calls(repeat, self._known_runs(repeat))]
        left = [call for call in calls if not call.is_done]
        for call in track(left, self.at.entry.full_name, len(left)):
            call.carry_out(options)
        return self.result()

    @cached_property
    def _trainings(self) -> "Study | None":
        """Its trainings as a study, so that they are planned, timed and trained as such."""
        from cnnlab.studies import Study
        from cnnlab.studies.axes import UNVARIED

        recipes = {name: recipe for name, recipe in self.file.trainings.items() if isinstance(recipe, Mapping)}
        if not recipes:
            return None
        content = {
            "question": self.at.entry.file.title,
            "name": self.at.name,
            "base": self._base(recipes),
            "vary": {_TRAINING: {name: _without(recipe, UNVARIED) for name, recipe in recipes.items()}},
            "repeats": self.file.repeats,
        }
        place = self.at.place
        try:
            return Study(content, runs=place.runs, data_dir=place.data_dir, offline=place.offline)
        except UsageError as error:
            raise UsageError(f"{self.at.entry.path}, {self.at.scale}: {error}") from error

    def _base(self, recipes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """What is the same for all trainings: how they are carried out, and data for those that name none."""
        from cnnlab.studies.axes import UNVARIED

        base = {"precision": "float32"} if self.at.scale == "smoke" else {}
        for name, recipe in recipes.items():
            for key in UNVARIED:
                if key in recipe and base.setdefault(key, recipe[key]) != recipe[key] and self.at.scale != "smoke":
                    raise UsageError(
                        f"{self.at.entry.path}: {key} of {name} differs from that of another training; it is the same "
                        "for all of an entry."
                    )
        data = (
            [self.file.data] if self.file.data else [recipe["data"] for recipe in recipes.values() if "data" in recipe]
        )
        device = self.at.place.device
        return {**base, **({"data": data[0]} if data else {}), **({"device": device} if device else {})}

    def _train(self, study: "Study", workers: int | None) -> None:
        """Trains what is missing, and notes the names of the runs.

        :raises CnnlabError: where a training failed.
        """
        result = carried_out(study, self.at.scale, workers)
        if result.missing:
            setting, trial = result.missing[0]
            raise CnnlabError(f"{self.at.entry.full_name}: {setting.label}, seed {trial.seed}: {trial.reason}")
        for repeat in self._repeats:
            runs = {s.label: t.run for s in result.settings for t in s.trials if t.seed == repeat}
            write_text(make_folder(self._folder(repeat)) / _RUNS, json.dumps(runs) + "\n")

    def result(self) -> EntryResult:
        """What can be said now."""
        calls = [call for repeat in self._repeats for call in self._calls(repeat, self._known_runs(repeat))]
        missing = tuple(f"cnnlab {shlex.join(call.words)}" for call in calls if not call.is_done)
        values, steps = ({}, {}) if missing else self._values()
        numbers, trainings = self.file.numbers.items(), self._training_seconds()
        return self.at.outcome(
            claims=put_together(self.at.claims, self._judged(values, steps) if values else {}, {}, self.at.scale),
            numbers=tuple(self._beside(row, values, steps) for row in self.published),
            measured=tuple(measured(of, one, values.get(of, ()), steps.get(of, 0.0)) for of, one in numbers),
            pictures=() if missing else tuple(self._pictures(self.file.pictures or ("**/*",))),
            private=() if missing else tuple(self._pictures(self.file.private)),
            missing=missing,
            seconds=sum(call.seconds for call in calls) + sum(trainings.values()),
            trainings=trainings,
        )

    def _beside(
        self, row: PublishedNumber, values: Mapping[str, Sequence[float]], steps: Mapping[str, float]
    ) -> ComparedNumber:
        number, reason = self.file.numbers[row.number], self._reason(row)
        return beside(row, values.get(row.number, ()), number, reason, steps.get(row.number, 0.0))

    def _judged(self, values: Mapping[str, Sequence[float]], steps: Mapping[str, float]) -> dict[str, RuleVerdict]:
        """A verdict on each rule; at the scale smoke, on those alone whose numbers depend on no training."""
        numbers = self.file.numbers
        rules = [read_rule(text, numbers) for text in rules_of(self.at.claims, {})]
        judged = [rule for rule in rules if self.at.scale != "smoke" or rule.is_exact(numbers)]
        return {rule.text: judge(rule, values, numbers, len(rules), steps) for rule in judged}

    def _reason(self, row: PublishedNumber) -> str | None:
        """Why it is not comparable."""
        if self.at.scale == "smoke" and not self.file.numbers[row.number].exact:
            return NOTHING_AT_SMOKE
        file = self.at.entry.file
        return "; ".join(file.at(file.not_comparable, self.at.scale)) or None

    @property
    def _repeats(self) -> range:
        return range(self.file.repeats if self.differs else 1)

    @cached_property
    def differs(self) -> bool:
        """Whether anything is done anew in each repeat."""
        return bool(self.file.trainings) or any(self._is_repeated(each.command) for each in self.file.commands.values())

    def _is_repeated(self, command: str) -> bool:
        return any(place in self.file.trainings or place == _REPEAT for place in IN_BRACES.findall(command))

    def _known_runs(self, repeat: int) -> dict[str, str]:
        """As they were noted; a name in braces of those that are not trained yet."""
        try:
            noted = json.loads((self._folder(repeat) / _RUNS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = {}
        return {name: str(noted.get(name, f"{{{name}}}")) for name in self.file.trainings}

    def runs(self) -> "dict[str, Run]":
        """The runs that it made and that are still there, by name."""
        from cnnlab.runs import Run

        names = [name for repeat in self._repeats for name in self._known_runs(repeat).values()]
        folders = {name: self.at.place.runs / name for name in names}
        return {name: Run(folder) for name, folder in folders.items() if (folder / "run.json").is_file()}

    def _training_seconds(self) -> dict[str, float]:
        return {run.name: float(run.seconds or 0.0) for run in self.runs().values()}

    @property
    def _set(self) -> dict[str, str]:
        return {} if self.file.data is None else {_SET: self.file.data}

    def _folder(self, repeat: int) -> Path:
        return self.at.folder / f"repeat-{repeat}" if self.differs else self.at.folder

    def _calls(self, repeat: int, runs: Mapping[str, str]) -> Iterator[CommandCall]:
        folders = {
            _HERE: str(self.at.entry.path.parent),
            _DATA: str(_data_folder(self.at.place.data_dir)),
            _REPEAT: str(repeat),
        }
        for name, words in self.file.commands.items():
            is_repeated = self._is_repeated(words.command)
            if not is_repeated and repeat:
                continue
            folder = (self._folder(repeat) if is_repeated else self.at.folder) / name
            places = {**folders, _OUT: str(folder / "files")}
            asked = tuple(filled(word, {**runs, **self._set}) for word in split_words(words.command))
            yield CommandCall(
                name, asked, tuple(filled(word, places) for word in asked), folder, words.killed_after_epoch
            )

    def _values(self) -> tuple[dict[str, list[float]], dict[str, float]]:
        """Each number by repeat, and in which steps it can change."""
        answers: list[dict[str, Any]] = []
        for repeat in self._repeats:
            known = dict(answers[0]) if answers else {}
            known.update({call.name: call.answer for call in self._calls(repeat, self._known_runs(repeat))})
            answers.append(known)
        try:
            values = {name: [n.value(known) for known in answers] for name, n in self.file.numbers.items()}
            return values, {name: max(n.step(known) for known in answers) for name, n in self.file.numbers.items()}
        except UsageError as error:
            raise UsageError(f"{self.at.entry.path}: {error}") from error

    def _pictures(self, patterns: Sequence[str]) -> Iterator[str]:
        """Of the first repeat those that fit, relative to the folder of results."""
        for call in self._calls(0, self._known_runs(0)):
            drawn: dict[Path, Path] = {}
            for pattern in patterns:
                for path in sorted(call.folder.parent.glob(_within(pattern, call.name))):
                    if path.suffix in _PICTURES:
                        # Of a figure in both formats, the first of them.
                        drawn.setdefault(path.with_suffix(""), path)
            yield from (path.relative_to(self.at.folder).as_posix() for path in drawn.values())


def _data_folder(asked: Path | None) -> Path:
    """Where data sets are looked for first."""
    return asked or Path(os.environ.get("CNNLAB_DATA") or ".")


def _within(pattern: str, command: str) -> str:
    """``filters/*.png`` is of what the command ``filters`` wrote; without a command's name it is of all."""
    first, _, rest = pattern.partition("/")
    return (
        f"{command}/files/{rest}"
        if first == command and rest
        else f"{command}/files/{pattern}"
        if first == "**"
        else "\0"
    )


def _without(recipe: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in keys}


def _put_over(content: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """With keys over it: ``repeats``, ``trainings.net.epochs`` or, of all trainings, ``trainings.*.epochs``."""
    whole = {**content, "trainings": {k: dict(v) for k, v in (content.get("trainings") or {}).items()}}
    whole["commands"] = dict(content.get("commands") or {})
    for key, value in keys.items():
        first, _, rest = key.partition(".")
        if first == "trainings" and rest:
            name, _, inner = rest.partition(".")
            for training in list(whole["trainings"]) if name == "*" else [name]:
                if training not in whole["trainings"] or not inner:
                    raise UsageError(f"{key}: there is no training {name!r}. {suggestion(name, whole['trainings'])}")
                whole["trainings"][training][inner] = value
        elif first == "commands" and rest:
            if rest not in whole["commands"]:
                raise UsageError(f"{key}: there is no command {rest!r}. {suggestion(rest, whole['commands'])}")
            whole["commands"][rest] = value
        elif key == "data" and "data" not in content:
            raise UsageError(
                "this entry has data of its own, which is part of what it is about. Leave data out, or replace that of "
                "one training, as in trainings.NAME.data=digits."
            )
        elif key in CommandsFile.model_fields:
            whole[key] = value
        else:
            raise UsageError(f"an entry of commands has no key {key!r}. {suggestion(key, CommandsFile.model_fields)}")
    return whole
