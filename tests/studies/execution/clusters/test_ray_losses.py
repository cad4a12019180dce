"""What an executor on Ray makes of workers and nodes that are lost, at moments that are chosen here.

The cluster is a stand-in: two nodes, workers that train nothing, and the errors that Ray raises.
"""

from types import SimpleNamespace

import pytest
from small_studies import BASE, study_of

from cnnlab.core.clusters.mailbox import Mailbox, packed, unpacked
from cnnlab.core.clusters.ray_cluster import Node, RayCluster
from cnnlab.core.errors import CnnlabError, CnnlabWarning, UsageError
from cnnlab.core.messages import printing_notes
from cnnlab.data import load_data
from cnnlab.studies import Cluster as Place
from cnnlab.studies import RayExecutor, Study
from cnnlab.studies.execution.clusters import ray_executor
from cnnlab.studies.execution.clusters.cluster_executor import ClusterRefusedError
from cnnlab.studies.execution.executor import EpochDone, Failed, Finished, Started, Stopped, TrialRequest
from cnnlab.training import Recipe
from cnnlab.training.prepare import data_key

errors = pytest.importorskip("ray.exceptions")
DIED, SILENT = errors.ActorDiedError(), errors.ActorUnavailableError("no route to host", None)


class Call:
    """What Ray ends in a result or an error."""

    def __init__(self):
        self.is_over, self.error, self.value = False, None, None

    def end(self, error=None, value=None):
        self.is_over, self.error, self.value = True, error, value


class Worker:
    """An actor: its calls, and those by which Ray is asked whether it is there."""

    def __init__(self, cluster, number, node):
        self.cluster, self.number, self.node = cluster, number, node
        self.calls, self.requests, self.asked, self.is_killed = [], [], [], False
        self.train, self.__ray_ready__ = SimpleNamespace(remote=self._train), SimpleNamespace(remote=self._ask)
        self.pace = SimpleNamespace(remote=self._pace)

    def _train(self, request, key, stored):
        self.requests.append(request)
        self.stored = stored
        self.calls.append(Call())
        return self.calls[-1]

    def _pace(self, recipe, key, stored, seconds):
        self.calls.append(Call())
        return self.calls[-1]

    def _ask(self):
        self.asked.append(Call())
        return self.asked[-1]

    def tell(self, word, content=None, stored=()):
        self.cluster.messages.append((packed((self.number, word, content)), list(stored)))

    def begin(self):
        self.tell("up")
        self.tell("event", Started(self.requests[-1].number, 3))


class Cluster:
    """Stands in for a connection, and for Ray itself."""

    exceptions, address, answering = errors, None, RayCluster.answering
    said_of_free, _free = RayCluster.said_of_free, RayCluster._free

    def __init__(self):
        self.there = [Node("a", "first/a", 1.0, 0.0), Node("b", "second/b", 1.0, 0.0)]
        self.messages, self.answers, self.workers = [], [], []
        self.on_wait = lambda timeout: None
        self.ray = self

    def nodes(self):
        return list(self.there)

    def actor(self, kind, *words, node=None, **unused):
        if kind is Mailbox:
            heard = SimpleNamespace(remote=lambda timeout: self._taken())
            answer = SimpleNamespace(remote=self._answer)
            return SimpleNamespace(take=heard, answer=answer, close=SimpleNamespace(remote=self._close))
        self.workers.append(Worker(self, words[0], node))
        return self.workers[-1]

    def _answer(self, worker, word, stored):
        self.answers.append((worker, unpacked(word)))

    def _taken(self):
        messages, self.messages = self.messages, []
        return messages

    def _close(self):
        """A worker that hears of it before it began has nothing to tell."""
        for worker in self.workers:
            for call in worker.calls:
                call.end()

    def get(self, value):
        if isinstance(value, Call) and value.error is not None:
            raise value.error
        return value.value if isinstance(value, Call) else value

    def available_resources(self):
        return {"CPU": 0.5}

    def wait(self, calls, num_returns, timeout):
        self.on_wait(timeout)
        return [call for call in calls if call.is_over], [call for call in calls if not call.is_over]

    def put(self, content):
        raise errors.ObjectStoreFullError("no room for it")

    def kill(self, actor):
        actor.is_killed = True

    def close(self):
        pass


@pytest.fixture
def cluster(monkeypatch):
    made = Cluster()
    monkeypatch.setattr(ray_executor, "RayCluster", lambda address: made)
    # A node is seen to be gone as soon as it is.
    monkeypatch.setattr(ray_executor, "_NODES_SECONDS", -1.0)
    return made


@pytest.fixture
def executor(cluster, tmp_path):
    made = RayExecutor(runs=tmp_path / "runs", workers=1)
    made.submit(TrialRequest(0, BASE))
    made.events(0)
    yield made
    made.close()


def test_a_trial_on_a_node_that_is_gone_goes_on_elsewhere(cluster, executor):
    (first,) = cluster.workers
    first.begin()
    assert [type(event) for event in executor.events(0)] == [Started]
    del cluster.there[0]
    first.calls[0].end(DIED)
    assert not executor.events(0)
    assert first.is_killed and [(worker.node, len(worker.requests)) for worker in cluster.workers] == [
        ("a", 1),
        ("b", 1),
    ]


def test_what_a_worker_told_before_it_died_is_heard_first(cluster, executor, tmp_path):
    (first,) = cluster.workers
    first.begin()
    first.tell("event", Finished(0, tmp_path / "run", ("a mirror failed",)))
    del cluster.there[0]
    first.calls[0].end(DIED)
    assert executor.events(0)[-1] == Finished(0, tmp_path / "run", ("a mirror failed",))
    assert len(cluster.workers) == 1


def test_files_that_died_with_their_worker_have_the_trial_go_on_from_those_before(cluster, executor, tmp_path):
    (first,) = cluster.workers
    first.begin()
    lost = Call()
    lost.end(errors.OwnerDiedError("a" * 56, "", ""))
    first.tell("files", stored=[lost])
    # It was told of files that are not at home.
    first.tell("event", Finished(0, tmp_path / "run"))
    assert [type(event) for event in executor.events(0)] == [Started]
    assert first.is_killed and [len(worker.requests) for worker in cluster.workers] == [1, 1]


def test_a_process_that_ended_on_a_node_that_is_there_is_told_with_the_node(cluster, executor):
    (first,) = cluster.workers
    first.begin()
    first.calls[0].end(DIED)
    failed = executor.events(0)[-1]
    assert isinstance(failed, Failed) and failed.kind == "crash"
    assert failed.reason.startswith("on first/a its process ended: ")


def test_a_node_that_cannot_be_reached_is_waited_for_until_the_cluster_knows_that_it_is_gone(cluster, executor):
    (first,) = cluster.workers
    first.begin()
    executor.events(0)
    first.calls[0].end(SILENT)
    for _ in range(3):
        assert not executor.events(0)
        # Asked again, and again out of reach.
        first.asked[-1].end(SILENT)
    assert len(first.asked) == 3 and len(cluster.workers) == 1
    del cluster.there[0]
    assert not executor.events(0)
    assert [worker.node for worker in cluster.workers] == ["a", "b"]


def test_what_a_worker_tells_while_it_cannot_be_reached_counts(cluster, executor, tmp_path):
    (first,) = cluster.workers
    first.begin()
    first.calls[0].end(SILENT)
    executor.events(0)
    first.tell("event", Finished(0, tmp_path / "run"))
    assert executor.events(0) == [Finished(0, tmp_path / "run")]
    executor.submit(TrialRequest(1, BASE))
    executor.events(0)
    assert [request.number for request in first.requests] == [0, 1]


def test_a_worker_that_cannot_be_reached_for_good_is_given_up(cluster, executor, monkeypatch):
    monkeypatch.setattr(ray_executor, "_UNREACHABLE_SECONDS", 0.0)
    (first,) = cluster.workers
    first.begin()
    first.calls[0].end(SILENT)
    failed = executor.events(0)[-1]
    assert isinstance(failed, Failed) and "no route to host" in failed.reason and first.is_killed


def test_a_node_on_which_no_worker_comes_up_is_left_out(cluster, executor):
    cluster.workers[0].calls[0].end(DIED)
    with pytest.warns(CnnlabWarning, match="on first/a no worker comes up: .* No trial is given to that node"):
        executor.events(0)
    assert [worker.node for worker in cluster.workers] == ["a", "b"]


def test_where_no_node_is_fit_each_is_named_with_its_reason(cluster, executor):
    cluster.workers[0].tell("refused", "it has torch 1.0.0, and the study 2.0.0. Install the same there")
    with pytest.warns(CnnlabWarning, match="on first/a: it has torch 1"):
        executor.events(0)
    cluster.workers[1].tell("refused", "the disk is full")
    with (
        pytest.warns(CnnlabWarning, match="on second/b: the disk is full"),
        pytest.raises(CnnlabError, match=r"no trial can be carried out: on first/a: .*; on second/b: the disk is full"),
    ):
        executor.events(0)


MISSING = "there is no file or folder pictures (looked in /data). Check the path."


def test_a_node_that_lacks_the_data_of_a_trial_is_left_out_for_that_data_alone(cluster, executor):
    first = cluster.workers[0]
    first.tell("lacks", MISSING)
    with pytest.warns(
        CnnlabWarning, match=r"on first/a data of the study .* \(looked in /data\)\. Check the path\. Bring"
    ):
        assert not executor.events(0)
    assert [(worker.node, len(worker.requests)) for worker in cluster.workers] == [("a", 1), ("b", 1)]
    for number, data in ((1, "digits"), (2, "mnist")):
        executor.submit(TrialRequest(number, {**BASE, "data": data}))
    executor.events(0)
    # The trial before it waits for the other node.
    assert [request.number for request in first.requests] == [0, 2]


def test_a_trial_whose_data_no_node_has_fails_with_what_each_said(cluster, executor):
    cluster.there += [Node(f"c{number}", f"more/{number}", 1.0, 0.0) for number in range(ray_executor._MOST_MOVES)]
    told = []
    for number in range(len(cluster.there)):
        assert not told
        cluster.workers[number].tell("lacks", MISSING)
        with pytest.warns(CnnlabWarning, match="Bring it there"):
            told = executor.events(0)
    (failed,) = told
    assert (failed.number, failed.kind) == (0, "error") and len(cluster.workers) == len(cluster.there)
    assert failed.reason.startswith("no node can load its data: on first/a: there is no file")
    assert all(f"on {node.name}: there is no file" in failed.reason for node in cluster.there)


@pytest.mark.parametrize("call", ["wait", "get"])
@pytest.mark.parametrize("error", [ConnectionError("the client is gone"), errors.RaySystemError("out of order")])
def test_a_cluster_that_answers_no_more_is_an_error_in_words(cluster, executor, monkeypatch, call, error):
    def gone(*unused, **words):
        raise error

    monkeypatch.setattr(cluster, call, gone)
    with pytest.raises(CnnlabError, match=r"the Ray cluster does not answer any more .* run the same again"):
        executor.events(0)


def test_what_is_given_to_a_cluster_that_is_gone_is_an_error_in_words(cluster, executor, monkeypatch):
    def gone(*unused):
        raise ConnectionError

    monkeypatch.setattr(executor._mailbox.answer, "remote", gone)
    with pytest.raises(CnnlabError, match="does not answer any more"):
        executor.answer(0, True)
    monkeypatch.setattr(Worker, "_train", gone)
    executor.submit(TrialRequest(1, BASE))
    with pytest.raises(CnnlabError, match="does not answer any more"):
        executor.events(0)


def test_data_for_which_the_object_store_has_no_room_is_loaded_by_each_node(cluster, tmp_path):
    sets = {data_key(Recipe.read(BASE)): load_data("digits")}
    with RayExecutor(runs=tmp_path / "runs", sets=sets) as executor:
        executor.submit(TrialRequest(0, BASE))
        with pytest.warns(CnnlabWarning, match=r"no room for it.*\. Each node loads it itself"):
            executor.events(0)
    assert cluster.workers[0].stored == []


class Clock:
    """The time, which passes as workers are waited for; at some moments something happens.

    :param moments: what, by the second.
    """

    def __init__(self, cluster, monkeypatch, moments):
        self.now, self.moments = 0.0, sorted(moments.items())
        cluster.on_wait = self.passes
        monkeypatch.setattr(ray_executor.time, "monotonic", lambda: self.now)

    def passes(self, timeout):
        self.now += timeout
        while self.moments and self.now >= self.moments[0][0]:
            self.moments.pop(0)[1]()


BUSY = (
    "The Ray cluster is busy, or slow to begin: after 10 s no worker of the study is up (0.5 of 2 cores free, 1 core "
    "asked for by each worker). The study waits for room there; Ctrl-C stops it."
)
TIMING = SimpleNamespace(
    images_per_second=5.0, execution=SimpleNamespace(to_dict=dict), choice=SimpleNamespace(to_dict=dict)
)


def told_once(capsys):
    return " ".join(capsys.readouterr().err.split()).count(BUSY) == 1


def test_a_busy_cluster_is_told_of_once_and_waited_for_before_the_timing_counts(cluster, tmp_path, monkeypatch, capsys):
    Clock(
        cluster,
        monkeypatch,
        {2000.0: lambda: cluster.workers[0].tell("up"), 2800.0: lambda: cluster.workers[0].calls[0].end(value=TIMING)},
    )
    with RayExecutor(runs=tmp_path / "runs") as executor, printing_notes():
        assert executor.pace(BASE, 2, 1).images_per_second == 10.0
    assert told_once(capsys)


def test_a_worker_that_is_up_and_never_through_with_the_timing_is_given_up(cluster, tmp_path, monkeypatch, capsys):
    begun = {each: lambda each=each: cluster.workers[each].tell("up") for each in range(2)}
    clock = Clock(cluster, monkeypatch, {5.0: begun[0], 910.0: begun[1]})
    said = "failed on first/a: no answer within 15 minutes; on second/b: no answer within 15 minutes"
    with RayExecutor(runs=tmp_path / "runs") as executor, printing_notes():
        with pytest.raises(CnnlabError, match=said):
            executor.pace(BASE, 2, 1)
        assert all(worker.is_killed for worker in cluster.workers)
    assert 1800.0 < clock.now < 1820.0 and BUSY[:20] not in capsys.readouterr().err


def test_trials_that_wait_for_a_busy_cluster_say_so_once(cluster, tmp_path, monkeypatch, capsys):
    clock = Clock(cluster, monkeypatch, {})
    with RayExecutor(runs=tmp_path / "runs", workers=2) as executor, printing_notes():
        for number in range(2):
            executor.submit(TrialRequest(number, BASE))
        executor.events(0)
        clock.now = 9.0
        executor.events(0)
        assert not capsys.readouterr().err
        for clock.now in (11.0, 12.0, 2000.0):
            executor.events(0)
        assert told_once(capsys)


def test_more_than_any_node_has_is_refused_before_a_worker_is_asked_for(cluster, tmp_path):
    said = r"^no trial can be carried out: no node of the cluster has 64 cores\. Ask for less \(cpus, gpus\)"
    for ask in (
        lambda executor: executor.pace(BASE, 1, 1),
        lambda executor: [executor.submit(TrialRequest(0, BASE)), executor.events(0)],
    ):
        with RayExecutor(runs=tmp_path / "runs", cpus=64) as executor, pytest.raises(ClusterRefusedError, match=said):
            ask(executor)
    assert not cluster.workers


def test_nodes_that_are_gone_in_the_middle_are_no_wrong_usage(cluster, executor):
    cluster.there.clear()
    executor.submit(TrialRequest(1, BASE))
    with pytest.raises(CnnlabError, match=r"no node of the cluster has 1 core\.") as raised:
        executor.events(0)
    assert not isinstance(raised.value, UsageError)


def test_a_study_that_asks_for_more_than_a_cluster_has_is_refused_once_without_a_trial_s_name(
    cluster, tmp_path, capsys
):
    with printing_notes(), pytest.raises(ClusterRefusedError, match=r"^no trial can be carried out: no node "):
        Study(study_of(), runs=tmp_path / "a" / "runs").run(on=Place("ray", cpus=64))
    assert capsys.readouterr().err.count("Timing a few") == 1 and not list(tmp_path.iterdir())


def test_where_no_node_is_left_that_is_said_and_not_waited_for(cluster, tmp_path):
    cluster.there.clear()
    with RayExecutor(runs=tmp_path / "runs") as executor:
        assert executor.slots == 1
        executor.submit(TrialRequest(0, BASE))
        with pytest.raises(CnnlabError, match=r"no node of the cluster has 1 core\. Ask for less"):
            executor.events(0)


def test_a_worker_that_was_given_up_is_not_heeded_and_answers_go_to_the_one_in_its_place(cluster, executor, tmp_path):
    (first,) = cluster.workers
    first.begin()
    del cluster.there[0]
    first.calls[0].end(DIED)
    executor.events(0)
    # It lives on behind a network that is cut.
    first.tell("event", Finished(0, tmp_path / "other"))
    second = cluster.workers[1]
    second.begin()
    second.tell("event", EpochDone(0, {"epoch": 1}, tmp_path / "run"))
    assert [type(event) for event in executor.events(0)] == [Started, EpochDone]
    executor.answer(0, True)
    assert cluster.answers == [(second.number, True)]


def test_a_trial_that_something_else_stopped_goes_on_and_one_that_was_told_to_stop_does_not(cluster, executor):
    (first,) = cluster.workers
    first.begin()
    # Its node is going down, and has its processes save.
    first.tell("event", Stopped(0, None))
    assert [type(event) for event in executor.events(0)] == [Started]
    assert len(first.requests) == 2
    executor.answer(0, False)
    first.tell("event", Stopped(0, None))
    assert executor.events(0) == [Stopped(0, None)]


def test_a_trial_that_no_node_keeps_fails_in_the_end(cluster, executor):
    (first,) = cluster.workers
    for _ in range(ray_executor._MOST_MOVES):
        first.tell("event", Stopped(0, None))
        assert not executor.events(0)
    first.tell("event", Stopped(0, None))
    assert "from one node to the next 5 times" in executor.events(0)[-1].reason


def test_closing_does_not_wait_for_a_worker_that_had_not_begun(cluster, executor):
    executor.close()
    assert cluster.workers[0].is_killed


def test_a_training_on_several_devices_is_refused(cluster, tmp_path):
    with RayExecutor(runs=tmp_path / "runs") as executor:
        for ask in (
            lambda: executor.submit(TrialRequest(0, {**BASE, "devices": 2})),
            lambda: executor.pace({**BASE, "devices": 2}, 1, 1),
        ):
            with pytest.raises(UsageError, match=r"devices=2 divides one training .* Leave devices out of the study\."):
                ask()
        executor.submit(TrialRequest(0, {**BASE, "devices": None}))
