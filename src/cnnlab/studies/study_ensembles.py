"""The ensembles of a study: made of the trainings of each repeat once these are finished, and found again by digest."""

from collections.abc import Mapping, Sequence

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.measurements import Measure
from cnnlab.core.messages import track
from cnnlab.core.number_text import counted
from cnnlab.core.scored_splits import OUT_OF_FOLD
from cnnlab.ensembles import ensemble, ensemble_digest
from cnnlab.ensembles.methods import methods
from cnnlab.runs import Run, RunSummary
from cnnlab.studies.planned_settings import PlannedEnsemble
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.trials import Trials


class StudyEnsembles:
    """What is there of the ensembles of a study, and what is yet to be made."""

    def __init__(self, study_settings: StudySettings, trials: Trials, record: StudyRecord) -> None:
        self.study_settings, self.trials, self.record = study_settings, trials, record

    def check(self) -> None:
        """Refuses ensembles that could not be made once their members are trained.

        :raises UsageError: naming the ensemble, and what is wrong with it.
        """
        for planned in self.study_settings.ensembles:
            known = {member.label: self.trials.known(member) for member in planned.members}
            (first, facts), *others = known.items()
            for label, other in others:
                if (other.objective.spec, other.pictures) != (facts.objective.spec, facts.pictures):
                    what = "pictures" if other.objective.spec == facts.objective.spec else "objective"
                    raise UsageError(
                        f"ensemble: {planned.label} has the members {first} and {label}, which are not of the same "
                        f"{what}, so what they say of a picture cannot be combined. Name members that are."
                    )
            is_fitted = methods.bind(planned.method).build().fitted_on is not None
            if is_fitted and not {"validation", OUT_OF_FOLD} & set(facts.splits):
                raise UsageError(
                    f"ensemble: {planned.label} is fitted on validation pictures by method={planned.method}, and this "
                    "study has none. Have some set aside (validation: 0.1 in the base), or take method: mean."
                )

    def make(self) -> None:
        """Makes what can be made and is not there yet; why one could not be made is put on record."""
        self.trials.look()
        seeds, planned = self.study_settings.seeds, self.study_settings.ensembles
        waiting = [(each, runs) for seed in seeds for each in planned if (runs := self._waiting(each, seed))]
        for each, runs in track(waiting, "making ensembles", len(waiting)) if waiting else ():
            try:
                ensemble(
                    [Run(run.folder) for run in runs],
                    each.method,
                    name=self.study_settings.file.name,
                    data_dir=self.trials.data_dir,
                    offline=self.trials.offline,
                )
            except CnnlabError as error:
                digest = ensemble_digest(each.method, [Run(run.folder) for run in runs])
                self.trials.look()
                made = self.trials.run(digest)
                if made is not None and made.status == "finished":
                    # Another process that runs this study was faster.
                    continue
                self.record.failures[digest] = {"kind": "error", "reason": " ".join(str(error).split()), "run": None}
        self.trials.look()

    def trial(
        self, planned: PlannedEnsemble, seed: int, members: Sequence[Trial], measures: Sequence[Measure]
    ) -> Trial:
        """The ensemble of one repeat, as things stand.

        :param members: its trials of that repeat.
        """
        failed = [
            f"{member.label} {trial.reason}"
            for member, trial in zip(planned.members, members, strict=True)
            if trial.status == "failed"
        ]
        if failed:
            return Trial(seed, "failed", reason=f"it lacks a member: {'; '.join(failed)}", failure="member")
        left = sum(trial.status != "finished" for trial in members)
        if left:
            reason = f"{left} of its {counted(len(members), 'member')} {'is' if left == 1 else 'are'} not trained yet"
            return Trial(seed, "missing", reason=reason)
        found = self.find(planned, seed)
        if found is None:
            return Trial(seed, "missing", reason="a member is not there any more")
        digest, run = found
        if run is not None:
            values = {m.metric.name: m.value(run) for m in measures if not m.is_of_setting}
            seconds = sum(trial.seconds for trial in members)
            return Trial(seed, "finished", run.name, digest, metrics=values, seconds=seconds)
        failure: Mapping[str, str] | None = self.record.failures.get(digest)
        if failure is not None:
            return Trial(seed, "failed", digest=digest, reason=failure["reason"], failure="error")
        return Trial(seed, "missing", digest=digest, reason="not made yet; its members are trained")

    def find(self, planned: PlannedEnsemble, seed: int) -> tuple[str, RunSummary | None] | None:
        """The digest of the ensemble of a repeat with its run, where that is there; None before its members are."""
        runs = [self.trials.run(self.trials.digest(member, seed)) for member in planned.members]
        finished = [run for run in runs if run is not None and run.status == "finished"]
        if len(finished) < len(runs):
            return None
        try:
            digest = ensemble_digest(planned.method, [Run(run.folder) for run in finished])
        except UsageError:
            return None
        run = self.trials.run(digest)
        return digest, run if run is not None and run.status == "finished" else None

    def _waiting(self, planned: PlannedEnsemble, seed: int) -> list[RunSummary]:
        """The members of an ensemble that can be made and is not there; none otherwise."""
        found = self.find(planned, seed)
        if found is None or found[1] is not None or found[0] in self.record.failures:
            return []
        runs = (self.trials.run(self.trials.digest(member, seed)) for member in planned.members)
        return [run for run in runs if run is not None]
