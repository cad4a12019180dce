"""``cnnlab resume``."""

from cnnlab.cli.options import DataDir, Devices, Json, Offline, Quiet, RunName, Runs


def resume(
    run: RunName,
    runs: Runs = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    devices: Devices = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run where it stopped.

    It ends as if it had never stopped: device, precision and threads are those with which it was started. With another
    number of devices it may differ in the last digits.
    """
    from cnnlab.cli.summary import write_summary
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import training

    with quietly(quiet):
        finished = training.resume(run, runs=runs, data_dir=data_dir, offline=offline, devices=devices)
        write_summary(finished, runs, as_json=as_json)
