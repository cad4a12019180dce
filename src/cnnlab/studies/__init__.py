"""One question, many trainings, honest statistics.

The names below are imported when they are first used: a stored result is read without torch.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.studies.dataframes import settings_frame as settings_frame
    from cnnlab.studies.dataframes import trials_frame as trials_frame
    from cnnlab.studies.execution.clusters.choose import Cluster as Cluster
    from cnnlab.studies.execution.clusters.ray_executor import RayExecutor as RayExecutor
    from cnnlab.studies.execution.clusters.slurm_executor import SlurmExecutor as SlurmExecutor
    from cnnlab.studies.execution.executor import Executor as Executor
    from cnnlab.studies.execution.process_executor import ProcessExecutor as ProcessExecutor
    from cnnlab.studies.execution.runner import StudyInterrupted as StudyInterrupted
    from cnnlab.studies.execution.thread_executor import ThreadExecutor as ThreadExecutor
    from cnnlab.studies.planning import StudyPlan as StudyPlan
    from cnnlab.studies.result import StudyResult as StudyResult
    from cnnlab.studies.stored import load as load
    from cnnlab.studies.study import Study as Study

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "dataframes": ("settings_frame", "trials_frame"),
        "execution.clusters.choose": ("Cluster",),
        "execution.clusters.ray_executor": ("RayExecutor",),
        "execution.clusters.slurm_executor": ("SlurmExecutor",),
        "execution.executor": ("Executor",),
        "execution.process_executor": ("ProcessExecutor",),
        "execution.runner": ("StudyInterrupted",),
        "execution.thread_executor": ("ThreadExecutor",),
        "planning": ("StudyPlan",),
        "result": ("StudyResult",),
        "stored": ("load",),
        "study": ("Study",),
    },
)
