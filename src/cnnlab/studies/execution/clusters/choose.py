"""Which executor the word behind ``--on`` stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.lazy_imports import require
from cnnlab.data import Dataset
from cnnlab.studies.execution.clusters.cluster_executor import ClusterExecutor
from cnnlab.studies.python_objects import parcels

_RAY, _CLIENT, _SLURM = "ray", "ray://", "slurm"


@dataclass(frozen=True)
class Cluster:
    """Where trials are carried out other than on this machine, and what each asks for there.

    :param on: ``ray`` for the cluster that this machine belongs to, or one of this machine alone; ``ray://HOST:PORT``
        for another; ``slurm``.
    :param cpus: cores of each trial; by default its threads.
    :param gpus: of each trial on Ray, where fractions share one; by default one where trials are trained on a GPU.
    :param slurm: options of ``sbatch``, such as ``partition`` and ``gres``.
    """

    on: str
    cpus: int | None = None
    gpus: float | None = None
    slurm: Mapping[str, Any] | None = None

    def executor(
        self,
        *,
        runs: Path,
        data_dir: Path | None,
        offline: bool,
        sets: Mapping[str, Dataset],
        contents: Sequence[Any],
        workers: int | None,
    ) -> ClusterExecutor:
        """The executor, connected.

        :param contents: what may name objects that were given in Python.
        :raises UsageError: where there is no such cluster.
        """
        words: dict[str, Any] = {"runs": runs, "data_dir": data_dir, "offline": offline, "cpus": self.cpus}
        if self.on == _RAY or self.on.startswith(_CLIENT):
            from cnnlab.studies.execution.clusters.ray_executor import RayExecutor

            if self.slurm:
                raise UsageError(
                    f"{', '.join(self.slurm)}: this is asked of Slurm, with --on slurm. Leave it out for Ray."
                )
            address = None if self.on == _RAY else self.on
            sent = parcels(*contents, dump=lambda thing: _dump(thing, "ray.cloudpickle"))
            if sent is None:
                raise UsageError(
                    "what was given in Python cannot be brought to other machines. Put it into a module that they can "
                    "import, or leave on= out to train here."
                )
            return RayExecutor(**words, address=address, gpus=self.gpus, workers=workers, sets=sets, objects=sent)
        if self.on == _SLURM:
            from cnnlab.studies.execution.clusters.slurm_executor import SlurmExecutor

            if self.gpus is not None:
                raise UsageError("--gpus is asked of Ray. Ask Slurm for them by gres, as in --gres gpu:1.")
            sent = parcels(*contents, dump=lambda thing: _dump(thing, "cloudpickle"))
            return SlurmExecutor(**words, options=self.slurm, workers=workers, objects=sent or ())
        raise UsageError(f"on={self.on}: there is no such place. Write ray, ray://HOST:PORT or slurm.")


def _dump(thing: Any, module: str) -> bytes:
    """With the code of what is defined in a script or a notebook, which other machines do not have.

    :param module: that pickles so.
    """
    extra = "ray" if module.startswith("ray") else "slurm"
    return bytes(require(module, "carrying trials out on a cluster", extra).dumps(thing))
