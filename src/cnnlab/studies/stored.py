"""What is stored under a name: a run, a study, or a model by itself."""

from pathlib import Path
from typing import Any

from torch import nn

from cnnlab.core.errors import RunNotFoundError
from cnnlab.core.packaged import packaged
from cnnlab.evaluation import open_model
from cnnlab.models import Predictable
from cnnlab.runs import Run, store_at
from cnnlab.studies.catalogue import studies_under
from cnnlab.studies.study import Study


def load(
    name: str | Path,
    *,
    runs: str | Path | None = None,
    network: nn.Module | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    **keys: Any,
) -> Run | Study | Predictable:
    """The run, the study or the model by itself that is stored under a name.

    :param name: what :func:`cnnlab.open_model` takes, or the name of a study that was run or comes with cnnlab. Of a
        run and a study of one name it is the run; ``study:NAME`` is the study.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param network: the module for the weights of a classifier of one's own network.
    :param data_dir: where the data of a study is looked for first; ``offline`` never tries the network.
    :param keys: put over a study, as for :meth:`cnnlab.Study.load`.
    :raises RunNotFoundError: when nothing has that name.
    """
    kind, _, rest = str(name).partition(":")
    if kind == "study" and rest:
        return Study.load(rest, runs=runs, data_dir=data_dir, offline=offline, **keys)
    try:
        return open_model(name, runs=runs, network=network, offline=offline)
    except RunNotFoundError as error:
        known = {*studies_under(store_at(runs).root), *packaged("study")}
        if str(name) in known:
            return Study.load(str(name), runs=runs, data_dir=data_dir, offline=offline, **keys)
        raise RunNotFoundError(f"{error} Nor is there a study of that name: cnnlab study list.") from None
