"""Which executor the word behind ``--on`` stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.clusters.ray_cluster import RAY, RAY_CLIENT, address_of, is_ray, load_ray
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.lazy_imports import require
from cnnlab.data import Dataset
from cnnlab.studies.execution.clusters.cluster_executor import ClusterExecutor
from cnnlab.studies.python_objects import Parcel, parcels

_SLURM = "slurm"
_PLACES = (RAY, f"{RAY_CLIENT}HOST:PORT", _SLURM)


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
        on_ray = is_ray(self.on)
        self._check(on_ray)
        words: dict[str, Any] = {"runs": runs, "data_dir": data_dir, "offline": offline, "cpus": self.cpus}
        words |= {"workers": workers, "objects": _sent(contents, on_ray)}
        if on_ray:
            from cnnlab.studies.execution.clusters.ray_executor import RayExecutor

            return RayExecutor(**words, address=address_of(self.on), gpus=self.gpus, sets=sets)
        from cnnlab.studies.execution.clusters.slurm_executor import SlurmExecutor

        return SlurmExecutor(**words, options=self.slurm)

    def _check(self, on_ray: bool) -> None:
        if not on_ray and self.on != _SLURM:
            raise UsageError(f"on={self.on}: there is no such place. {suggestion(self.on, _PLACES)}")
        if on_ray and self.slurm:
            options = " ".join(f"--{key}" for key in self.slurm)
            raise UsageError(f"{options}: this is asked of Slurm, with --on slurm. Leave it out for Ray.")
        if not on_ray and self.gpus is not None:
            raise UsageError("--gpus is asked of Ray. Ask Slurm for them by gres, as in --gres gpu:1.")


def _sent(contents: Sequence[Any], on_ray: bool) -> Sequence[Parcel]:
    """What was given in Python, with the code of what is defined in a script or a notebook, which no other machine has.

    :raises UsageError: where it cannot be brought to other machines.
    """
    if on_ray:
        pickler: Any = load_ray().cloudpickle
    else:
        pickler = require("cloudpickle", "carrying trials out with Slurm", "slurm")
    sent = parcels(*contents, dump=pickler.dumps)
    if sent is None:
        raise UsageError(
            "what was given in Python cannot be brought to other machines. Put it into a module that they can import, "
            "or leave on= out to train here."
        )
    return sent
