"""What executors over several machines stand on: data as bytes, folders that are shared, versions, room, addresses."""

import asyncio
import shutil
import socket
import sys

import pytest
import torch
from small_studies import run_here, study_of

from cnnlab.core.clusters import ray_cluster
from cnnlab.core.clusters.mailbox import Mailbox
from cnnlab.core.clusters.packing import unpack
from cnnlab.core.clusters.ray_cluster import Node, RayCluster
from cnnlab.core.errors import UsageError
from cnnlab.data import load_data
from cnnlab.runs import environment
from cnnlab.runs.versions import what_differs
from cnnlab.studies import Cluster, RayExecutor, Study
from cnnlab.studies.execution.clusters.object_store import pack_dataset
from cnnlab.studies.execution.clusters.shared_folder import SharingProbe, sharing
from cnnlab.studies.record import StudyRecord


def test_a_data_set_is_the_same_after_the_object_store_and_its_pixels_lie_where_the_bytes_do():
    dataset = load_data("digits")
    content, arrays = pack_dataset(dataset)
    # What is pickled is short: the pixels are beside it.
    assert 4 * len(content) < dataset.train.pixels().nbytes < sum(array.nbytes for array in arrays)
    other = unpack((content, arrays))
    assert other.digest == dataset.digest and other.train.classes == dataset.train.classes
    for (split, ours), (same, theirs) in zip(dataset.parts(), other.parts(), strict=True):
        assert split == same and torch.equal(ours.pixels(), theirs.pixels())
    place = other.train.pixels().data_ptr()
    assert any(array.ctypes.data <= place < array.ctypes.data + array.nbytes for array in arrays)


def test_a_folder_is_shared_where_the_probe_is_seen_with_its_lock(tmp_path):
    probe = SharingProbe(tmp_path / "runs")
    assert sharing(probe.folder) == "shared"
    assert sharing(tmp_path / "elsewhere" / probe.folder.name) == "apart"
    # A copy has the file and not the lock, as on a file system that keeps locks to each machine.
    shutil.copytree(probe.folder, tmp_path / "copy")
    assert sharing(tmp_path / "copy") == "unlocked"
    probe.close()
    assert not list((tmp_path / "runs").iterdir())


def test_what_differs_between_machines_is_named_with_the_remedy(monkeypatch):
    here = environment()
    assert what_differs(here) is None
    assert what_differs({**here, "torch": f"{here['torch']}+cu126", "python": "3.0"}) is None
    assert "pip install torch==1.0.0" in what_differs({**here, "torch": "1.0.0"})
    assert "it has torch" in what_differs({**here, "torch": "1.0.0"})
    monkeypatch.setattr("cnnlab.runs.versions.environment", lambda: {**here, "torch": None})
    assert what_differs(here).startswith("it has no torch, and the study ")
    monkeypatch.undo()
    assert "from the same sources" in what_differs({**here, "code": "0" * 64})


@pytest.mark.parametrize(
    ("cpus", "gpus", "room"),
    [(1, 0, 8), (3, 0, 2), (16, 0, 0), (1, 1, 2), (1, 0.25, 8), (1, 0.1, 8), (2, 0.3, 4), (1, 2, 1), (1, 3, 0)],
)
def test_room_on_a_node_is_counted_in_cores_and_shares_of_gpus(cpus, gpus, room):
    assert Node("k", "n", 8.0, 2.0).room(cpus, gpus) == room


@pytest.mark.parametrize("gpus", [-1, -0.5, 1.5])
def test_a_share_of_a_gpu_is_part_of_one_or_whole_ones(gpus, tmp_path):
    with pytest.raises(UsageError, match="name a share of one GPU"):
        RayExecutor(runs=tmp_path, gpus=gpus)


def test_no_cluster_at_an_address_is_said_at_once():
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"there is no Ray cluster at {address} .*ray start --head"):
        RayCluster(address)
    with pytest.raises(UsageError, match="is no address of a Ray cluster"):
        RayCluster("ray://somewhere:there")


def test_a_place_that_is_none_is_refused(tmp_path):
    words = {"runs": tmp_path, "data_dir": None, "offline": True, "sets": {}, "contents": (), "workers": None}
    with pytest.raises(UsageError, match=r"on=kubernetes: there is no such place\. Valid: ray, ray://HOST:PORT, slurm"):
        Cluster("kubernetes").executor(**words)
    for place, meant in (("rya", "ray"), ("slrum", "slurm"), ("Slurm", "slurm")):
        with pytest.raises(UsageError, match=rf"Did you mean {meant}\?"):
            Cluster(place).executor(**words)
    with pytest.raises(UsageError, match="--partition --gres: this is asked of Slurm"):
        Cluster("ray", slurm={"partition": "gpu", "gres": "gpu:1"}).executor(**words)
    with pytest.raises(UsageError, match="--gres gpu:1"):
        Cluster("slurm", gpus=1).executor(**words)


def test_a_mailbox_gives_out_what_is_there_without_a_wait_and_each_answer_to_its_worker():
    async def exchange():
        mailbox = Mailbox()
        await mailbox.put(b"first", [])
        await mailbox.put(b"second", ["large"])
        told = [await mailbox.take(0.0), await mailbox.take(0.0)]
        # One that is gone waits for ever, at the request that another is at now.
        gone = asyncio.ensure_future(mailbox.answered(0))
        await asyncio.sleep(0)
        await mailbox.answer(1, b"go on", [])
        answered = await mailbox.answered(1)
        await mailbox.close()
        return told, answered, await gone

    assert asyncio.run(exchange()) == (
        [[(b"first", []), (b"second", ["large"])], []],
        (b"go on", []),
        None,
    )


def test_a_cluster_that_ray_address_names_is_gone_to_or_said_to_be_missing(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UsageError, match=r"there is no Ray cluster at 127\.0\.0\.1:1 "):
        RayCluster()


class RayThat:
    """As much of Ray as connects, with an answer to those who look for a cluster on this machine."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def is_initialized(self):
        return False

    def init(self, address, **_):
        self.asked.append(address)
        if address == "auto":
            raise self.answer


@pytest.mark.parametrize("said", ["Failed to connect to Ray cluster at 192.0.2.2:6379", "Version mismatch: 2.40, 2.60"])
def test_a_cluster_of_this_machine_to_which_there_is_no_way_is_not_passed_by(monkeypatch, said):
    ray = RayThat(ConnectionError(said))
    monkeypatch.setattr(ray_cluster, "load_ray", lambda: ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UsageError, match=r"RAY_ADDRESS=local starts another beside it.*RAY_AUTH_TOKEN"):
        RayCluster()
    assert ray.asked == ["auto"]


@pytest.mark.parametrize(("named", "asked"), [("", ["auto", "local"]), ("local", ["local"])])
def test_where_there_is_no_cluster_or_one_is_asked_for_it_is_started_here(monkeypatch, named, asked):
    ray = RayThat(ConnectionError("Could not find any running Ray instance."))
    monkeypatch.setattr(ray_cluster, "load_ray", lambda: ray)
    monkeypatch.setenv("RAY_ADDRESS", named)
    RayCluster()
    assert ray.asked == asked


def test_what_cannot_be_brought_to_other_machines_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    words = {"runs": tmp_path, "data_dir": None, "offline": True, "sets": {}, "workers": None}
    monkeypatch.setattr("cnnlab.studies.execution.clusters.choose.parcels", lambda *contents, dump: None)
    with pytest.raises(UsageError, match="Put it into a module that they can import"):
        Cluster("slurm").executor(contents=({},), **words)


@pytest.mark.parametrize("place", ["ray", "slurm", "kubernetes"])
@pytest.mark.parametrize("is_first_of_all", [True, False])
def test_a_study_refused_for_want_of_a_cluster_leaves_no_folder(tmp_path, monkeypatch, place, is_first_of_all):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    runs = tmp_path / "some" / "runs"
    if not is_first_of_all:
        (runs / "studies" / "other").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError):
        Study(study_of(), runs=runs).run(on=place)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_study_that_was_run_before_is_kept_where_it_is_refused(tmp_path):
    run_here(Study(study_of(), runs=tmp_path))
    before = sorted((tmp_path / "studies").rglob("*"))
    with pytest.raises(UsageError):
        Study(study_of(repeats=2), runs=tmp_path).run(on="kubernetes")
    assert sorted((tmp_path / "studies").rglob("*")) == before


def test_a_study_that_another_process_joined_is_kept_where_it_is_refused(tmp_path):
    file = Study(study_of(), runs=tmp_path).file
    first, second = StudyRecord(tmp_path / "small"), StudyRecord(tmp_path / "small")
    assert not first.hold(file) and second.hold(file)
    first.forget_if_new()
    first.release()
    second.save()
    assert {"study.yaml", "state.json"} <= {path.name for path in (tmp_path / "small").iterdir()}
    second.release()


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"work on a Ray cluster needs ray.*pip install 'cnnlab\[ray\]'"):
        RayCluster()
