"""Whether the times that trainings took can be set against each other."""

from collections.abc import Sequence

from cnnlab.runs.run_info import RunInfo

_MACHINE = ("processor", "cores", "platform")
_EXECUTION = ("device", "precision", "threads")


def untimed(runs: Sequence[RunInfo]) -> str:
    """Why the training times of these finished runs cannot be compared; empty where they can.

    They can where every run was timed alone on one machine, carried out in one way. Runs of which one began before
    another ended had to share it. Of what else ran there nothing is known.
    """
    rule = "training times are compared only where each run was timed alone on one machine"
    for part, keys in (("environment", _MACHINE), ("execution", _EXECUTION)):
        for key in keys:
            values = {str((run.info.get(part) or {}).get(key)) for run in runs}
            if len(values) > 1:
                return f"{rule}, and these differ in their {key} ({', '.join(sorted(values))})"
    ended = ""
    for began, end in sorted((run.started, str(run.info.get("finished") or "")) for run in runs):
        if began < ended:
            return f"{rule}, and here some were under way at the same time"
        ended = max(ended, end)
    return ""
