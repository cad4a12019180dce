"""``cnnlab study run``."""

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Quick, Quiet, Runs
from cnnlab.cli.program import FAILURE
from cnnlab.cli.study.options import (
    Cpus,
    Gpus,
    Gres,
    Keys,
    Minutes,
    On,
    Partition,
    StudyName,
    Workers,
    cluster_of,
    command,
    load_study,
    study_command,
)


def run(
    study: StudyName,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    workers: Workers = None,
    on: On = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    partition: Partition = None,
    gres: Gres = None,
    time: Minutes = None,
    offline: Offline = False,
    quick: Quick = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train what a study lacks, and say what came out.

    Trials are ordinary runs: what is trained already is not trained again, and after an interruption the same command
    goes on where it was. It leaves with 1 where a trial failed or is missing.

        cnnlab study run augmentation.yaml

        cnnlab study run augmentation.yaml repeats=2 epochs=3

        cnnlab study run augmentation.yaml --quick

        cnnlab study run augmentation.yaml --on ray
    """
    from cnnlab.cli.study.show import write_result
    from cnnlab.cli.words import tried_quickly
    from cnnlab.core.messages import quietly
    from cnnlab.studies.known_results import known_result, result_to_keep

    words = tried_quickly(words, quick)
    cluster = cluster_of(on, cpus, gpus, {"partition": partition, "gres": gres, "time": time})
    asked = study_command(study, words, runs, data_dir, offline)
    with quietly(quiet):
        result = known_result(asked)
        if result is None:
            with asked.noting() as answer:
                result = load_study(study, words, runs, data_dir, offline).run(workers=workers, on=cluster)
                answer.facts = result_to_keep(result)
        if as_json:
            output.write_json(result.to_dict())
        else:
            write_result(result, command("run", study, words, runs, data_dir, offline), runs)
    if result.missing:
        raise typer.Exit(FAILURE)
