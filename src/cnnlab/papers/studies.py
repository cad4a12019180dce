"""Entries that are studies: one, or one for each value of a key."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.packaged import read_recipe_file
from cnnlab.papers.claims import put_together, rules_of
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.expectations import Comparison
from cnnlab.papers.format import Scale
from cnnlab.papers.result import ComparedNumber, EntryResult, Measured
from cnnlab.runs import Run
from cnnlab.runs.record import is_run

if TYPE_CHECKING:
    from cnnlab.studies import Study, StudyPlan, StudyResult
    from cnnlab.studies.result import Setting, Trial


@dataclass(frozen=True)
class StudyPart:
    """One of the studies of an entry.

    :param of: the value of ``each`` that it is made for; empty where it is the only one.
    """

    at: EntryAt
    of: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The value of ``each``."""
        return ", ".join(map(str, self.of.values()))

    @property
    def name(self) -> str:
        """What the study is called."""
        return "-".join(filter(None, (self.at.name, _slug(self.label))))

    @cached_property
    def study(self) -> "Study":
        """The study, which trains nothing yet."""
        from cnnlab.studies import Study
        from cnnlab.studies.study_file import read_study

        keys = {**self.at.keys, **{f"base.{key}": value for key, value in self.of.items()}}
        # Timing number formats takes longer than such trainings.
        keys = {"base.precision": "float32", **keys} if self.at.scale == "smoke" else keys
        keys = {**keys, "base.device": self.at.place.device} if self.at.place.device else keys
        try:
            file = read_study(self._content(), keys)
            place = self.at.place
            return Study(file, runs=place.runs, data_dir=place.data_dir, offline=place.offline)
        except UsageError as error:
            raise UsageError(f"{self.at.entry.path}, {self.at.scale}: {error}") from error

    def _content(self) -> dict[str, Any]:
        entry, file = self.at.entry, self.at.entry.file
        content = {"question": file.title, **file.content, "name": self.name}
        if isinstance(content.get("base"), str):
            content["base"] = read_recipe_file(content["base"], entry.path.parent)
        if self.at.scale == "smoke":
            return content
        # Where no row of a table is of this part, it has none here.
        tables = [made for table in file.published if (made := self._table(table)).get("rows") != []]
        return {**content, "claims": list(rules_of(self.at.claims, self.of)), "published": tables}

    def _table(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """A published table as a study has it: the rows of this part, without the key that says so."""
        entry, keys, rows = self.at.entry, set(self.of), table.get("rows")
        # The study itself refuses what are no rows.
        if isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows):
            chosen = [row for row in rows if self._is_ours({**table, **row})]
            table = {**table, "rows": [{key: row[key] for key in row if key not in keys} for row in chosen]}
        reasons = entry.file.at(entry.file.not_comparable, self.at.scale)
        return {
            "source": f"{entry.cited}, {entry.file.place}",
            **{key: value for key, value in table.items() if key not in keys},
            **({"not_comparable": "; ".join(reasons)} if reasons else {}),
        }

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        return all(row.get(key, value) == value for key, value in self.of.items())

    def stored(self) -> "StudyResult | None":
        """Its result as it was stored, which needs no data; None where it was not run to its end."""
        with suppress(CnnlabError):
            result = self.study.record.read_result()
            return result if result.finished is not None or (result.missing and not _lacking(result)) else None
        return None

    def claims(self, result: "StudyResult") -> Any:
        """The paper's claims on it with their verdicts."""
        claims = () if self.at.scale == "smoke" else result.claims
        judged = {claim.text: (claim.verdict, claim.why) for claim in claims}
        return put_together(self.at.claims, judged, self.of, self.at.scale)

    def numbers(self, result: "StudyResult") -> tuple[ComparedNumber, ...]:
        """Its published numbers beside the measured ones."""
        labels = {metric.name: metric.label for metric in result.metrics}
        return tuple(
            ComparedNumber(
                row.label,
                labels.get(table.metric, table.metric),
                row.value,
                row.measured,
                row.difference,
                row.low,
                row.high,
                row.word,
                row.reason,
                self.label,
            )
            for table in result.published
            for row in table.rows
        )

    def measured(self, result: "StudyResult") -> Iterator[Measured]:
        """What came out of each setting: the mean of each metric over the repeats."""
        for setting in result.settings:
            for metric in result.metrics:
                found = setting.summary(metric.name)
                if found is not None and found.values:
                    yield Measured(
                        *(metric.name, metric.label, metric.unit, found.values, found.mean, found.low, found.high),
                        setting=setting.label,
                        part=self.label,
                    )


class StudyEntry:
    """An entry that is studies, at one scale."""

    def __init__(self, at: EntryAt) -> None:
        self.at = at
        each = at.entry.file.each
        key, values = next(iter(each.items()), ("", ()))
        # A scale may leave values out, as smoke does.
        chosen = at.each if at.each is not None else values
        self.parts = [StudyPart(at, {key: value}) for value in chosen] if each else [StudyPart(at, {})]

    def check(self) -> None:
        """Reads all against the data, and trains nothing."""
        for part in self.parts:
            part.study.check()

    def plans(self, probe: bool) -> "list[StudyPlan]":
        """What would be trained; with ``probe`` a few steps are timed."""
        return [planned(part.study, probe) for part in self.parts]

    def run(self, workers: int | None = None) -> EntryResult:
        """Trains what is missing."""
        workers = 1 if self.at.entry.file.is_timed else workers
        return self._put_together([carried_out(part.study, self.at.scale, workers) for part in self.parts])

    def result(self) -> EntryResult:
        """What can be said now."""
        return self._put_together([part.study.result() for part in self.parts])

    def comparisons(self) -> list[Comparison]:
        """The settings of each study, with what came out of them so far."""
        return [_compared(part) for part in self.parts]

    def results(self) -> "list[tuple[StudyPart, StudyResult, dict[str, Run]]]":
        """Each study with its result as it was stored, or as it stands, and the runs that are there, for a report."""
        found = []
        for part in self.parts:
            result = part.stored() or part.study.result()
            trials = [trial for setting in result.all_settings for trial in setting.finished]
            folders = [part.study.store.root / trial.run for trial in trials if trial.run is not None]
            found.append((part, result, {folder.name: Run(folder) for folder in folders if is_run(folder)}))
        return found

    def _put_together(self, results: "list[StudyResult]") -> EntryResult:
        pairs = list(zip(self.parts, results, strict=True))
        return self.at.outcome(
            claims=tuple(claim for part, result in pairs for claim in part.claims(result)),
            numbers=tuple(number for part, result in pairs for number in part.numbers(result)),
            measured=tuple(one for part, result in pairs for one in part.measured(result)),
            studies=tuple(Path(result.folder).name for _, result in pairs),
            missing=tuple(
                f"{setting.label}, seed {trial.seed}: {trial.reason or trial.status}"
                for _, result in pairs
                for setting, trial in _lacking(result)
            ),
            seconds=sum(result.training_seconds for _, result in pairs),
            trainings={
                trial.run: trial.seconds
                for _, result in pairs
                for setting in result.all_settings
                for trial in setting.finished
                if trial.run is not None and not setting.members
            },
            machine=results[0].machine if results else {},
        )


def _lacking(result: "StudyResult") -> "list[tuple[Setting, Trial]]":
    """The trials that are still to come; a loss that is no number any more is what came out of one."""
    return [(setting, trial) for setting, trial in result.missing if trial.failure != "nan"]


def carried_out(study: "Study", scale: Scale, workers: int | None) -> "StudyResult":
    """Trains what a study lacks; at the scale smoke in this process, for a worker starts longer than that trains."""
    if scale != "smoke":
        return study.run(workers=workers)
    from cnnlab.studies.execution.thread_executor import ThreadExecutor

    trials = study.trials
    here = ThreadExecutor(runs=study.store.root, data_dir=trials.data_dir, offline=trials.offline, sets=trials.sets)
    return study.run(workers=1, executor=here)


def planned(study: "Study", probe: bool) -> "StudyPlan":
    """What a study would train; with ``probe`` a few steps are timed."""
    from cnnlab.studies.planning import estimate

    plan = study.plan()
    return replace(plan, estimate=estimate(plan, study.study_settings, study.trials, study.record)) if probe else plan


def _slug(text: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in text.lower()).strip("-")


def _compared(part: StudyPart) -> Comparison:
    result = part.stored() or part.study.result()
    metric = result.metric
    means = {
        setting.label: None if (found := setting.summary(metric.name)) is None else found.mean
        for setting in result.settings
    }
    return Comparison(part.label, metric.label, metric.unit, metric.better == "higher", means)
