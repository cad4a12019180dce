"""The result of a study as pandas frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.core.dataframes import any_text
from cnnlab.studies.result import StudyResult

if TYPE_CHECKING:
    import pandas as pd


@any_text
def settings_frame(result: StudyResult, metrics: Sequence[str] | None = None) -> "pd.DataFrame":
    """A row a setting, by its label: the values by axis, ``repeats`` finished, and of each metric mean and SD.

    :param metrics: all of them where none are named. ``NAME`` holds the mean, ``NAME std`` the standard deviation,
        ``NAME low`` and ``NAME high`` the ends of the 95% interval, over repeats on these pictures; ``NAME new low``
        and ``NAME new high`` those of the interval on new pictures like these, where any setting has one.
    """
    import pandas as pd

    names = list(metrics or (metric.name for metric in result.metrics))
    crossed = {one.metric for setting in result.settings for one in setting.summaries if one.new_low is not None}
    rows = []
    for setting in result.settings:
        row: dict[str, Any] = {**setting.values, "repeats": len(setting.finished)}
        for name in names:
            summary = setting.summary(name)
            row[name] = summary.mean if summary else None
            row[f"{name} std"] = summary.std if summary else None
            row[f"{name} low"] = summary.low if summary else None
            row[f"{name} high"] = summary.high if summary else None
            if name in crossed:
                row[f"{name} new low"] = summary.new_low if summary else None
                row[f"{name} new high"] = summary.new_high if summary else None
        rows.append(row)
    frame = pd.DataFrame(rows, index=[setting.label for setting in result.settings]).rename_axis("setting")
    numbers = [column for column in frame.columns if column not in {axis.name for axis in result.axes}]
    return frame.astype(dict.fromkeys((c for c in numbers if c != "repeats"), float))


@any_text
def trials_frame(result: StudyResult) -> "pd.DataFrame":
    """A row a trial: its setting, seed, status, run and every metric."""
    import pandas as pd

    rows = [
        {
            "setting": setting.label,
            **setting.values,
            "seed": trial.seed,
            "status": trial.status,
            "run": trial.run,
            "reason": trial.reason,
            **{metric.name: trial.metrics.get(metric.name) for metric in result.metrics},
        }
        for setting in result.all_settings
        for trial in setting.trials
    ]
    return pd.DataFrame(rows)
