"""The few lines with which a training ends: where the run lies, its score, and what can be done next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.cli.program import seconds_so_far
from cnnlab.cli.runs.show import data_of, frozen_parts, selected, training_time
from cnnlab.core.durations import short_duration
from cnnlab.core.scored_splits import OUT_OF_FOLD

if TYPE_CHECKING:
    from cnnlab.runs import Run


def write_summary(run: "Run", runs: Path | None, *, as_json: bool) -> None:
    """Says how a training ended.

    :param runs: the folder of runs as it was given, so that the commands advised can be pasted.
    """
    if as_json:
        output.write_json(run.to_dict())
        return
    from cnnlab.runs.run_info import QUICK

    rows: list[tuple[str, object]] = [("run", run.folder.name)]
    rows += [("quick trial", QUICK)] if run.is_quick else []
    rows += [("data", data_of(run.info))] if (run.info.get("data") or {}).get("source", {}).get("subset_of") else []
    rows += [(split, _scores(run, split)) for split in ("validation", "test", OUT_OF_FOLD)]
    rows += [("weights of", selected(run.info)), ("training time", training_time(run))]
    rows += [("frozen parts", frozen_parts(run))]
    rows += [("this command", short_duration(seconds_so_far()))]
    rows += [("folder", run.folder)]
    output.facts(rows)
    if run.is_ensemble:
        _write_cross_validation(run)
    output.advise("next", _advice(run, runs))


def _write_cross_validation(run: "Run") -> None:
    from cnnlab.cli.runs.ensembles import write_cross_validation
    from cnnlab.ensembles import read_record

    record = read_record(run)
    if record.cross_validation is not None:
        write_cross_validation(record.cross_validation)


def _scores(run: "Run", split: str) -> str:
    """The metric that the run is judged by, and the loss; the others are for ``runs show``."""
    scores = run.scores(split)
    judged = str((run.info.get("selected") or {}).get("metric") or "").partition("_")[2]
    names = [name for name in dict.fromkeys((judged, "accuracy", "loss")) if name in scores]
    parts = [f"{name.replace('_', ' ')} {output.score(scores[name])}" for name in names]
    return f"{', '.join(parts)} ({scores.n:,} pictures)" if parts else ""


def _advice(run: "Run", runs: Path | None) -> list[str]:
    where = f" --runs {shlex.quote(str(runs))}" if runs is not None and Path(runs) != Path("runs") else ""
    name = shlex.quote(run.folder.name)
    recipe = shlex.quote(str(run.folder / "recipe.yaml"))
    last = f"evaluate {name} split=out-of-fold" if run.is_ensemble else f"extend {name} epochs=+3"
    last = f"train {recipe} quick=false" if run.is_quick else last
    return [
        f"cnnlab runs show {name}{where}",
        f"cnnlab predict {name} PICTURES... --out predictions.csv{where}",
        f"cnnlab {last}{where}",
    ]
