"""Programs of PyTorch's, and folders for the Hugging Face Hub."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import for_markdown
from cnnlab.export import read_golden
from cnnlab.runs import Run


@pytest.mark.slow(3)
@pytest.mark.filterwarnings("ignore")
def test_a_program_answers_as_the_run_does_in_pytorch_alone(exported_runs: dict[str, Run], tmp_path: Path) -> None:
    made = cnnlab.export(exported_runs["mean"], tmp_path / "model.pt2", resize=True)
    assert made.facts.check["by"] == "the exported program" and made.facts.check["difference"] < 1e-4
    said = {"classes.txt": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=said).module()
    assert json.loads(said["classes.txt"]) == [str(digit) for digit in range(10)]
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(program(images), exported_runs["mean"].classifier()(images), rtol=1e-4, atol=1e-4)
    assert program(torch.zeros(3, 1, 20, 11, dtype=torch.uint8)).shape == (3, 10)
    golden = read_golden(tmp_path / "model.pt2")
    torch.testing.assert_close(program(torch.from_numpy(golden.images)), torch.from_numpy(golden.outputs))


def test_the_hubs_own_client_reads_the_card(exported_runs: dict[str, Run], tmp_path: Path) -> None:
    run = exported_runs["convnet"]
    cnnlab.export(run, tmp_path / "hub")
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard.load(tmp_path / "hub" / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("cnnlab", "image-classification")
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["accuracy"].metric_value == pytest.approx(run.test.accuracy)
    assert (results["accuracy"].dataset_name, results["accuracy"].dataset_split) == ("digits", "test")
    assert f"| {run.test.accuracy:.4g} |" in card.text and f"model: {run.given['model']}" in card.text
    assert "another from other random numbers" in card.text


def test_a_folder_holds_what_rebuilds_the_classifier(exported_runs: dict[str, Run], tmp_path: Path) -> None:
    run = exported_runs["perceptron"]
    for _ in range(2):
        cnnlab.export(run, tmp_path / "hub")
    content = json.loads((tmp_path / "hub" / "config.json").read_text("utf-8"))
    assert content["id2label"]["7"] == "7" and content["label2id"]["7"] == 7 and content["permute"] == 3
    assert content["image_size"] == [8, 8] and content["recipe"] == run.recipe
    model = cnnlab.open_model(tmp_path / "hub" / "model.safetensors")
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(model(images), run.classifier()(images))


def test_what_has_no_one_file_of_weights_is_refused_for_the_hub(exported_runs: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no one file of weights .* Export it as model\.onnx"):
        cnnlab.export(exported_runs["mean"], tmp_path / "hub")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(exported_runs: dict[str, Run], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files that were not exported by cnnlab"):
        cnnlab.export(exported_runs["convnet"], tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(UsageError, match="holds files that were not exported by cnnlab"):
        cnnlab.export(exported_runs["convnet"], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "config.json"}


def test_names_are_no_marks_of_markdown() -> None:
    assert for_markdown("a|b <img> [x](y)\n# no") == ("a&#124;b &#60;img&#62; &#91;x&#93;&#40;y&#41; &#35; no")
