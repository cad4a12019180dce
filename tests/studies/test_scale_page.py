"""The page on going beyond one machine: what is typed there runs, with threads of this process in place of clusters."""

import re
import shutil
from pathlib import Path
from typing import Any

import documents
import pytest
from documents import blocks, commands, python_of
from PIL import Image

from cnnlab.evaluation.bulk_prediction import predict_to_file
from cnnlab.evaluation.bulk_prediction.on_ray.outputs_on_ray import OnRay
from cnnlab.evaluation.bulk_prediction.outputs_here import Here
from cnnlab.studies import Cluster, Study, ThreadExecutor
from cnnlab.studies.execution.clusters.choose import Cluster as Chosen

PAGE = "docs/scale.md"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Cluster]:
    """The clusters that were asked for, in a folder with the study of the page."""
    found: list[Cluster] = []

    def executor(cluster: Cluster, **words: Any) -> ThreadExecutor:
        found.append(cluster)
        return ThreadExecutor(runs=words["runs"], sets=words["sets"])

    monkeypatch.setattr(Chosen, "executor", executor)
    monkeypatch.chdir(tmp_path)
    text = documents.read(PAGE)
    (content,) = (block.text for block in blocks(text) if block.language == "yaml")
    Path("widths.yaml").write_text(content, encoding="utf-8")
    Path("test").mkdir()
    for number in range(3):
        Image.new("L", (8, 8), number * 90).save(f"test/{number}.png")
    return found


@pytest.fixture
def predicted_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked of clusters that predict."""
    found: list[tuple[Any, ...]] = []

    def place(*words: Any) -> Here:
        OnRay(*words)
        found.append(words)
        return Here()

    monkeypatch.setattr(predict_to_file, "OnRay", place)
    return found


def forget_a_run() -> None:
    """So that the next command has something to train."""
    for file in [*Path("runs").glob("studies/*/study.yaml"), *sorted(Path("runs").glob("[!.]*/run.json"))[:1]]:
        shutil.rmtree(file.parent)


@pytest.mark.slow(4)
def test_what_is_typed_on_the_page_runs(
    asked: list[Cluster], predicted_on: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Study.run

    def run(study: Study, **words: Any) -> Any:
        if words.get("on") is None:
            words["executor"] = ThreadExecutor(runs=study.store.root, sets=study.trials.sets)
        return whole(study, **words)

    monkeypatch.setattr(Study, "run", run)
    text = documents.read(PAGE)
    for command in [typed for typed in commands(text) if typed.startswith("cnnlab ")]:
        forget_a_run()
        result = documents.call(command, {})
        assert result.exit_code == 0, f"{command}\n{result.output}"
    assert {cluster.on for cluster in asked} == {"ray", "ray://HOST:10001", "slurm"}
    assert Cluster("ray", cpus=1, slurm={}) in asked
    assert Cluster("slurm", slurm={"partition": "gpu", "gres": "gpu:1", "time": 120}) in asked
    assert predicted_on == [("ray", None, None, None), ("ray", 2, 1, None)]
    forget_a_run()
    for code in python_of(text):
        exec(compile(code, "scale.md", "exec"), {})


def test_what_is_asked_of_a_cluster_is_refused_without_one(asked: list[Cluster]) -> None:
    result = documents.call("cnnlab study run widths.yaml --cpus 2 --gres gpu:1", {})
    said = re.sub(r"\s+", " ", result.output)
    assert result.exit_code == 2 and "--cpus --gres: this is asked of a cluster" in said
