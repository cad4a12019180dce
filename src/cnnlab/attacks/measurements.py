"""How many pictures stay right under an attack, as a metric of studies and claims.

``robust accuracy under 'pgd(eps=0.1, steps=20)'`` is of 1,000 pictures of the test split, or of all where there are
fewer; ``… on validation`` and ``… on 200 test pictures`` say otherwise. They are drawn by a fixed seed, so that all
trainings on the same data are attacked on the same ones. What an attack came to is kept beside the run.
"""

import re
from functools import cache, partial

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.measurements import Measure, MeasuredRuns, Measurement, Metric, measurement
from cnnlab.core.messages import warn
from cnnlab.runs import Run
from cnnlab.runs.run_info import RunInfo

PICTURES = 1000


@measurement
class RobustAccuracyMeasurement(Measurement):
    """The share of pictures that are predicted rightly, and still are when attacked and rounded to 8 bits."""

    pattern = (
        r"robust accuracy under (?:'([^']*)'|\"([^\"]*)\"|([\w-]+(?:\([^()]*\))?))"
        r"(?: on (?:(\d+) )?(train|validation|test)\b(?: pictures)?)?"
    )

    def read(self, name: str, runs: MeasuredRuns) -> Measure:
        """By attacking each run, once."""
        match = re.fullmatch(self.pattern, name)
        assert match is not None
        quoted, doubly, bare, count, split = match.groups()
        spec = _checked(next(each for each in (quoted, doubly, bare) if each is not None), runs)
        n, split = int(count or PICTURES), split or "test"
        if split not in runs.scores:
            raise UsageError(f"{name}: the data has no {split} split with targets.")
        if not n:
            raise UsageError(f"{name}: of no pictures there is no accuracy.")
        mark = '"' if "'" in spec else "'"
        of = f" on {n} {split} pictures" if n != PICTURES else f" on {split}" if split != "test" else ""
        full = f"robust accuracy under {mark}{spec}{mark}{of}"
        return Measure(Metric(full, full, "share", "higher"), partial(robust_accuracy, spec=spec, n=n, split=split))


def robust_accuracy(run: RunInfo, spec: str, n: int, split: str) -> float | None:
    """Of the first ``n`` pictures of a split in an order drawn by seed 0, rounded to the 8 bits of files."""
    return _measured(Run(run.folder), str(run.info.get("finished")), spec, n, split)


@cache
def _measured(run: Run, finished: str, spec: str, n: int, split: str) -> float:
    """Kept here too, for a study looks at its runs again and again, and reading the data takes a while."""
    from cnnlab.attacks.api import attack

    found = attack(run, spec, split=split, n=n)
    for doubt in found.warnings:
        warn(f"{run.name} under {spec}: {doubt}")
    return found.robust_accuracy


def _checked(text: str, runs: MeasuredRuns) -> str:
    """The spec of an attack, as short as it can be said.

    :raises UsageError: for one that there is not, or whose target is no class of these runs.
    """
    from cnnlab.attacks.aims import RULES
    from cnnlab.attacks.attack import ATTACKS

    if runs.classes is None:
        raise UsageError(f"robust accuracy under {text!r}: this objective has no single column of classes.")
    try:
        bound = ATTACKS.bind(text)
    except SpecError as error:
        raise UsageError(f"robust accuracy under {text!r}: {error}") from error
    target = bound.arguments.get("target")
    places = range(len(runs.classes))
    if target is not None and target not in (*RULES, *runs.classes, *places):
        raise UsageError(
            f"robust accuracy under {text!r}: there is no class {target!r}. Name one of {', '.join(runs.classes)}."
        )
    return str(bound.short)
