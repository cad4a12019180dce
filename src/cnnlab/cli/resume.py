"""``cnnlab resume``."""

from cnnlab.cli.options import DataDir, Json, Offline, Quiet, RunName, Runs


def resume(
    run: RunName,
    runs: Runs = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run where it stopped.

    It ends as if it had never stopped: device, precision and threads are those with which it was started.
    """
    from cnnlab.cli.summary import write_summary
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import training

    with quietly(quiet):
        finished = training.resume(run, runs=runs, data_dir=data_dir, offline=offline)
        write_summary(finished, runs, as_json=as_json)
