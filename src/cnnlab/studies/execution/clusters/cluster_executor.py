"""What executors over several machines have in common: what a trial asks for, and how many go at once."""

from collections.abc import Mapping
from typing import Any

from cnnlab.core.clusters.ray_cluster import check_share
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.studies.execution.executor import Executor, TrialRequest


class ClusterRefusedError(UsageError):
    """A cluster takes no training of the study, whichever it is."""


class ClusterSilentError(CnnlabError):
    """A cluster does not answer just now, whatever it is asked."""


class ClusterExecutor(Executor):
    """Carries trainings out on other machines, each with so many cores and so much of a GPU to itself.

    :param cpus: cores of each training; by default its threads.
    :param gpus: of each training, where fractions share one; by default one where trials are trained on a GPU.
    :param workers: trainings at once; by default as many as there is room for.
    """

    is_local = False

    def __init__(self, cpus: int | None = None, gpus: float | None = None, workers: int | None = None) -> None:
        check_share(cpus, gpus)
        self.cpus, self.gpus, self.workers = cpus, gpus, workers
        self._threads, self._device = 1, "cpu"
        self._waiting: list[TrialRequest] = []

    def submit(self, request: TrialRequest) -> None:
        """Takes the request in; it is given out at the next look at events, together with others that came by then.

        :raises UsageError: for a training on several devices.
        """
        check_one_device(request.recipe)
        self._waiting.append(request)

    def settle(self, execution: Mapping[str, Any], workers: int | None) -> None:
        """Hears how all trials of a study are carried out, from which follows what they ask for.

        :param workers: trainings at once, where a person says so.
        """
        self._threads, self._device = int(execution.get("threads") or 1), str(execution.get("device") or "cpu")
        self.workers = workers or self.workers

    @property
    def cores(self) -> int:
        """Of each training."""
        return self.cpus or self._threads

    @property
    def share_of_gpu(self) -> float:
        """Of each training."""
        if self.gpus is not None:
            return self.gpus
        return 1.0 if self._device.startswith("cuda") else 0.0


def check_one_device(recipe: Mapping[str, Any]) -> None:
    """Refuses a recipe of one training on several devices.

    :raises UsageError: saying what to do instead.
    """
    devices = recipe.get("devices") or 1
    if devices != 1:
        raise UsageError(
            f"devices={devices} divides one training among several devices, and on a cluster each training is one "
            "process on one device at most. Leave devices out of the study."
        )
