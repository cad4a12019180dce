"""Times as Slurm takes them, and what is made of its refusals, with a program of ``sbatch``'s name in its place."""

import pytest
from small_studies import BASE

from cnnlab.core.errors import UsageError
from cnnlab.studies import SlurmExecutor
from cnnlab.studies.execution.clusters.cluster_executor import ClusterRefusedError, ClusterSilentError
from cnnlab.studies.execution.clusters.slurm_words import minutes_of
from cnnlab.studies.execution.executor import TrialRequest

pytest.importorskip("submitit")
pytestmark = pytest.mark.filterwarnings("ignore")
SILENT = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """Has the program that puts jobs into the queue complain."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def complains(*lines):
        for program in ("srun", "sbatch"):
            path = tmp_path / program
            path.write_text("#!/bin/sh\ncat >&2 <<'E'\n" + "\n".join(lines) + "\nE\nexit 1\n")
            path.chmod(0o755)

    return complains


QOS = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, size)"


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        ([SILENT], ClusterSilentError, "^the controller of Slurm does not answer: Unable to contact"),
        (
            ["sbatch: error: QOSMaxSubmitJobPerUserLimit", QOS],
            ClusterRefusedError,
            "^Slurm takes no more jobs at once: QOSMaxSubmitJobPerUserLimit: .*up to 7 are put there now: --workers N",
        ),
        (
            ["sbatch: error: QOSMaxCpuPerJobLimit", QOS],
            ClusterRefusedError,
            "^Slurm takes no such job: QOSMaxCpuPerJobLimit: .*--cpus",
        ),
        ([QOS], ClusterRefusedError, "^Slurm takes no such job: Job violates .*Or have fewer .* by --workers N"),
        (
            ["sbatch: error: Batch job submission failed: Invalid job array specification"],
            ClusterRefusedError,
            "^Slurm takes no more jobs at once: Invalid job array specification.* --workers N",
        ),
    ],
)
def test_what_sbatch_complains_of_is_told_once_with_the_remedy_that_it_has(sbatch, tmp_path, capfd, lines, kind, said):
    sbatch(*lines)
    with SlurmExecutor(runs=tmp_path / "runs", workers=7) as executor:
        for number in range(2):
            executor.submit(TrialRequest(number, BASE))
        with pytest.raises(kind, match=said):
            executor.events(0)
    assert "sbatch" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        (90, 90),
        (90.0, 90),
        ("90", 90),
        ("90:30", 91),
        ("2:00:00", 120),
        ("1-12", 2160),
        ("1-2:30", 1590),
        ("0-0:0:59", 1),
    ],
)
def test_a_time_is_what_sbatch_takes_for_one(time, minutes):
    assert minutes_of(time) == minutes


@pytest.mark.parametrize("time", ["2h", "1:2:3:4", "", "0", 0, -5, 1.5, float("inf"), "1-", "²"])
def test_what_is_no_time_of_a_job_is_refused_and_leaves_nothing(tmp_path, time):
    with pytest.raises(UsageError, match=r"^time=.*: this is no time that a job can take\. .* such as 2:00:00 or 1-12"):
        SlurmExecutor(runs=tmp_path / "runs", options={"time": time}, system="local")
    assert not list(tmp_path.iterdir())
