"""The settings of a study: each combination of values as a recipe, checked before anything trains."""

import difflib
from collections.abc import Mapping
from math import isclose
from typing import Any

from cnnlab.core.digests import canonical_json, digest
from cnnlab.core.errors import CnnlabError, SpecError, UsageError, suggestion
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import format_value
from cnnlab.runs.keys import MISSING, lookup
from cnnlab.runs.record import json_value
from cnnlab.runs.writer import folder_name
from cnnlab.studies.axes import AxisLevel, SearchedAxis, VariedAxis, read_axes, read_searched
from cnnlab.studies.designs import Design, SearchDesign, designs
from cnnlab.studies.ensemble_keys import AXIS
from cnnlab.studies.planned_ensembles import check_seeds, planned_ensembles
from cnnlab.studies.planned_settings import PlannedEnsemble, PlannedSetting, further_trainings
from cnnlab.studies.result import Axis, AxisValue
from cnnlab.studies.study_file import StudyFile, spec_text
from cnnlab.training import Recipe, parse_pairs

_NEAR = 0.02


class StudySettings:
    """The axes of a study and its settings; of a search, those that were tried so far.

    :raises UsageError: for a study that cannot be meant.
    """

    def __init__(self, file: StudyFile) -> None:
        folder_name(file.name, "0" * 64)
        self.file = file
        self.adds_repeats = file.adds_repeats
        self.seeds: tuple[int, ...] = () if isinstance(file.repeats, str) else file.repeats
        """Those that every setting is trained with; where repeats are added, those up to the look that is next."""
        if self.adds_repeats is not None:
            self.look_at(self.adds_repeats.first)
        self.design = designs.bind(file.design).build()
        self.settings: list[PlannedSetting] = []
        self._levels: dict[str, dict[str, AxisLevel]] = {}
        self._known: dict[str, PlannedSetting] = {}
        self.searched: tuple[SearchedAxis, ...] = ()
        self.varied: tuple[VariedAxis, ...] = ()
        if isinstance(self.design, SearchDesign):
            self.searched = read_searched(file.vary, self.design)
            self._check_search(self.design)
        else:
            self.varied = read_axes(file.vary, self.design)
            self._add_combinations(self.design)
        self.ensembles: tuple[PlannedEnsemble, ...] = ()
        self._add_ensembles()
        self.baseline = self._baseline()

    @property
    def asked(self) -> str:
        """A digest of what is compared, however often it is repeated."""
        made = [f"{e.label} {e.method} {[member.key for member in e.members]}" for e in self.ensembles]
        return digest([*sorted(self._known), *made])

    def look_at(self, repeats: int) -> None:
        """Takes so many repeats into the study, where they are added as it goes."""
        self.seeds = tuple(range(repeats))

    @property
    def names(self) -> tuple[str, ...]:
        """The axes; of ensembles there is one of its own."""
        own = [AXIS] if self.file.ensemble else []
        return (*(axis.name for axis in self.varied), *(axis.name for axis in self.searched), *own)

    @property
    def trained(self) -> tuple[PlannedSetting, ...]:
        """All that is trained in every repeat: the settings, and further trainings of theirs that ensembles have."""
        return (*self.settings, *further_trainings(self.ensembles))

    def add(self, levels: Mapping[str, AxisLevel]) -> PlannedSetting:
        """The setting of these values, a new one where it was not met before."""
        keys = {key: value for level in levels.values() for key, value in level.keys.items()}
        recipe = self._recipe(keys)
        identity = _identity(recipe)
        if identity not in self._known:
            values = {axis: level.label for axis, level in levels.items()}
            setting = PlannedSetting(f"s{len(self.settings)}", self._label(values), values, recipe)
            self.settings.append(setting)
            self._known[identity] = setting
            for axis, level in levels.items():
                self._levels.setdefault(axis, {}).setdefault(level.label, level)
        return self._known[identity]

    def axes(self) -> tuple[Axis, ...]:
        """The axes with their values in canonical form."""
        spaces = {axis.name: str(axis.space) for axis in self.searched}
        result = []
        for name in self.names:
            levels = self._levels.get(name, {})
            values = tuple(AxisValue(label, self._canonical(name, label)) for label in levels)
            keys = tuple(dict.fromkeys(key for level in levels.values() for key in level.keys)) or (name,)
            result.append(Axis(name, keys, values, spaces.get(name)))
        return tuple(result)

    def select(self, wanted: Mapping[str, Any], what: str) -> tuple[PlannedSetting | PlannedEnsemble, ...]:
        """The settings that have these values, named by axis: by label, or by what means the same.

        Ensembles are among them where they are named, or nothing is.

        :param what: names the place in messages.
        :raises UsageError: where none has.
        """
        labels = {axis: self._level_label(axis, value, what) for axis, value in wanted.items()}
        every: list[PlannedSetting | PlannedEnsemble] = [*self.settings, *self.ensembles]
        settings = [s for s in every if all(s.values.get(axis) == label for axis, label in labels.items())]
        if not settings:
            shown = ", ".join(f"{axis}={label}" for axis, label in labels.items())
            raise UsageError(f"{what}: no setting of this study has {shown} together.")
        return tuple(settings)

    def slip_of(self, axis: str, value: Any) -> str | None:
        """The value of an axis that another was likely meant to be: one that means nothing itself, or almost this."""
        try:
            self._level_label(axis, value, "")
        except UsageError:
            labels = list(self._levels.get(axis, {}))
            if isinstance(value, int | float):
                return next((label for label in labels if _is_near(value, label)), None)
            is_meant = not self._is_named(axis) and self._can_be(axis, value)
            close = [] if is_meant else difflib.get_close_matches(_text(value), labels, n=1, cutoff=0.7)
            return close[0] if close else None
        return None

    def base(self) -> dict[str, Any]:
        """The recipe before anything varies, in full where it says enough by itself."""
        try:
            return Recipe.read({**self.file.base, "name": self.file.name}).to_dict()
        except CnnlabError:
            return dict(json_value(self.file.base))

    def _add_combinations(self, design: Design) -> None:
        usual = [self._usual(axis) for axis in self.varied]
        for places in design.combinations([len(axis.levels) for axis in self.varied], usual):
            levels = {axis.name: axis.levels[place] for axis, place in zip(self.varied, places, strict=True)}
            count = len(self.settings)
            setting = self.add(levels)
            if len(self.settings) == count:
                label = self._label({name: level.label for name, level in levels.items()})
                raise UsageError(f"{label} and {setting.label} mean the same setting; leave one of them out.")

    def _add_ensembles(self) -> None:
        if not self.file.ensemble:
            return
        if self.searched:
            raise UsageError("nobody knows what a search will try, so it has no ensembles; leave ensemble out.")
        if AXIS in self.names[:-1]:
            raise UsageError(f"the axis {AXIS} is that of the ensembles; give the one under vary another name.")
        self.ensembles = planned_ensembles(self.file.ensemble, self.settings, self.select)
        self._levels[AXIS] = {ensemble.label: AxisLevel(ensemble.label, {}) for ensemble in self.ensembles}
        rule = self.adds_repeats
        check_seeds(self.seeds if rule is None else range(rule.most), self.ensembles)

    def _usual(self, axis: VariedAxis) -> int:
        given = (self.file.baseline or {}).get(axis.name, MISSING)
        if given is MISSING:
            return 0
        labels = [level.label for level in axis.levels]
        text = _text(given)
        if text in labels:
            return labels.index(text)
        for place, level in enumerate(axis.levels):
            if not axis.is_compound and self._means(self._recipe(level.keys), axis.name, given):
                return place
        raise UsageError(f"baseline: the axis {axis.name} has no value {text}. {suggestion(text, labels)}")

    def _recipe(self, keys: Mapping[str, Any]) -> Recipe:
        own = {"name": self.file.name, "seed": self.seeds[0]}
        try:
            recipe = Recipe.read({**self.file.base, **own}, **keys)
        except UsageError as error:
            values = ", ".join(f"{key}={in_short(_text(value))}" for key, value in keys.items())
            raise UsageError(f"the setting {values}: {error}") from error
        if recipe.devices not in (None, 1):
            raise UsageError(
                f"base: devices={recipe.devices} divides each batch of one training among several devices; trials are "
                "trained side by side, on a device each. Leave devices out."
            )
        return recipe

    def _label(self, values: Mapping[str, str]) -> str:
        if len(values) == 1:
            return next(iter(values.values()))
        return ", ".join(f"{axis}={label}" for axis, label in values.items())

    def _baseline(self) -> str | None:
        wanted = self.file.baseline
        if wanted is None:
            return None
        if self.searched:
            raise UsageError("a search has no baseline, since nobody knows what it will try; leave baseline out.")
        settings = self.select(wanted, "baseline")
        if len(settings) > 1:
            missing = [axis for axis in self.names if axis not in wanted and axis != AXIS]
            raise UsageError(f"baseline fits {len(settings)} settings; say also {' and '.join(missing)}.")
        return settings[0].key

    def _check_search(self, design: SearchDesign) -> None:
        if self.adds_repeats is not None:
            raise UsageError("a search compares nothing that more repeats could decide; give repeats as a number.")
        if design.pruner != "none" and len(self.seeds) > 1:
            raise UsageError("a pruner judges single trainings, so with one take repeats: 1.")
        if self.file.published:
            raise UsageError("a search cannot be compared row by row with published numbers; leave published out.")

    def _level_label(self, axis: str, value: Any, what: str) -> str:
        if axis not in self._levels:
            raise UsageError(f"{what}: {axis!r} is no axis of this study. {suggestion(axis, self.names)}")
        labels, text = list(self._levels[axis]), _text(value)
        if text in labels:
            return text
        # Any other value sets other keys, or is an ensemble, and is known by its name alone.
        for label in (label for label in labels if tuple(self._levels[axis][label].keys) == (axis,)):
            recipe = next(s.recipe for s in self.settings if s.values[axis] == label)
            try:
                if self._means(recipe, axis, value):
                    return label
            except CnnlabError as error:
                raise UsageError(f"{what}: {axis}={text} names no value of this study: {error}") from error
        raise UsageError(f"{what}: the axis {axis} has no value {text}. {suggestion(text, labels)}")

    def _means(self, recipe: Recipe, key: str, value: Any) -> bool:
        """Whether putting the value over the recipe leaves it as it is."""
        meant = _as_typed(key, value) if isinstance(value, str) else spec_text(value)
        return bool(lookup(Recipe.read(recipe, **{key: meant}).to_dict(), key) == lookup(recipe.to_dict(), key))

    def _is_named(self, axis: str) -> bool:
        """Whether its values set other keys than the one of its name."""
        return any(tuple(level.keys) != (axis,) for level in self._levels[axis].values())

    def _can_be(self, axis: str, value: Any) -> bool:
        """Whether a recipe could have this value."""
        try:
            self._means(self.settings[0].recipe, axis, value)
        except CnnlabError:
            return False
        return True

    def _canonical(self, axis: str, label: str) -> Any:
        if axis == AXIS and self.ensembles:
            return next(ensemble.method for ensemble in self.ensembles if ensemble.label == label)
        recipe = next(s.recipe for s in self.settings if s.values[axis] == label).to_dict()
        values = {key: lookup(recipe, key) for key in self._levels[axis][label].keys}
        known = {key: None if value is MISSING else value for key, value in values.items()}
        return known[axis] if tuple(known) == (axis,) else known


def _identity(recipe: Recipe) -> str:
    splits = [recipe.data, recipe.validation, recipe.test, recipe.subset, recipe.parent]
    return canonical_json([splits, recipe.identity("")])


def _is_near(number: float, label: str) -> bool:
    """Whether two numbers differ as by rounding, or by a slip in the last digits."""
    try:
        return isclose(number, float(label), rel_tol=_NEAR)
    except ValueError:
        return False


def _as_typed(key: str, text: str) -> Any:
    """What a command line would take it for."""
    try:
        return spec_text(parse_pairs([f"{key}={text}"])[key])
    except SpecError:
        return text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return format_value(value) if not isinstance(value, Mapping) else str(dict(value))
