"""Programs of PyTorch's, and folders for the Hugging Face Hub."""

import json
import os
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import for_markdown
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import Vote
from cnnlab.export import hugging_face, read_golden
from cnnlab.export.facts import Facts, without_folders
from cnnlab.export.model_card import model_card
from cnnlab.models import Classifier, build_network
from cnnlab.runs import Run
from cnnlab.runs.diagnosis import Diagnosis, Finding

OBJECTIVE = "scalar(column=age, range=[0, 10])"
HUB = {"README.md", "config.json", "model.safetensors"}


@pytest.fixture
def perceptron() -> Classifier:
    torch.manual_seed(0)
    network = build_network("mlp(hidden=[16])", (1, 8, 8), 3)
    names = {"label": ("cat", "dog", "owl")}
    return Classifier(network, (1, 8, 8), [0.3], [0.25], names, "classes", "mlp(hidden=[16])", permute=3).eval()


@pytest.mark.filterwarnings("ignore")
def test_a_program_answers_as_the_run_does_in_pytorch_alone(page: Path, run: Run) -> None:
    said = {"classes.txt": "", "cnnlab.txt": ""}
    program = torch.export.load(page / "model.pt2", extra_files=said).module()
    facts = json.loads(said["cnnlab.txt"])
    assert json.loads(said["classes.txt"]) == [str(digit) for digit in range(10)]
    assert facts["check"]["by"] == "the exported program" and facts["check"]["difference"] < 1e-4
    for count in (1, 5):
        images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)
        torch.testing.assert_close(program(images), run.classifier()(images), rtol=1e-4, atol=1e-4)
    golden = read_golden(page / "model.pt2")
    torch.testing.assert_close(program(torch.from_numpy(golden.images)), torch.from_numpy(golden.outputs))
    # Nothing of ours is needed for it.
    assert not any("cnnlab" in str(node.target) for node in torch.export.load(page / "model.pt2").graph.nodes)


@pytest.mark.filterwarnings("ignore")
def test_numbers_are_exported_without_classes_from_pictures_of_any_size(tmp_path: Path) -> None:
    network = build_network("mlp(hidden=[4])", (1, 4, 4), 1)
    model = Classifier(network, (1, 4, 4), [0.3], [0.25], {}, OBJECTIVE, "mlp(hidden=[4])").eval()
    facts = cnnlab.export(model, tmp_path / "age.pt2", resize=True).facts
    assert facts.classes == {} and facts.check["same_classes"] is False
    assert facts.any_size and facts.resizing is not None and facts.resizing["largest"] <= 1
    program = torch.export.load(tmp_path / "age.pt2").module()
    assert program(torch.zeros(3, 1, 20, 11, dtype=torch.uint8)).shape == (3, 1)
    cnnlab.export(model, tmp_path / "hub")
    card = ModelCard.load(tmp_path / "hub" / "README.md")
    assert card.data.pipeline_tag is None and "## What is predicted" in card.text


def test_the_hubs_own_client_reads_the_card(page: Path, run: Run) -> None:
    assert {path.name for path in (page / "digits-model").iterdir()} == HUB
    card = ModelCard.load(page / "digits-model" / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("cnnlab", "image-classification")
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["accuracy"].metric_value == pytest.approx(run.test.accuracy)
    assert (results["accuracy"].dataset_name, results["accuracy"].dataset_split) == ("digits", "test")
    assert f"| {run.test.accuracy:.4g} |" in card.text and f"model: {run.given['model']}" in card.text
    assert "another from other random numbers" in card.text


def test_a_folder_holds_what_rebuilds_the_classifier(page: Path, run: Run, perceptron: Classifier) -> None:
    content = json.loads((page / "digits-model" / "config.json").read_text("utf-8"))
    assert content["id2label"]["7"] == "7" and content["label2id"]["7"] == 7 and content["permute"] is None
    assert content["image_size"] == [8, 8] and content["recipe"] == run.recipe
    model = cnnlab.open_model(page / "digits-model" / "model.safetensors")
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(model(images), run.classifier()(images))


def test_a_folder_is_written_anew_unless_its_card_was_changed(perceptron: Classifier, tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    for _ in range(2):
        cnnlab.export(perceptron, folder)
    assert {path.name for path in folder.iterdir()} == HUB and list(tmp_path.iterdir()) == [folder]
    assert json.loads((folder / "config.json").read_text("utf-8"))["permute"] == 3
    card = folder / "README.md"
    card.write_text(card.read_text("utf-8").replace("---\n", "---\nlicense: mit\n", 1), "utf-8")
    with pytest.raises(UsageError, match=r"README\.md was changed since it was exported"):
        cnnlab.export(perceptron, folder)
    assert "license: mit" in card.read_text("utf-8")


@pytest.mark.parametrize("before", ["nothing", "another model"])
@pytest.mark.parametrize("moves", [1, 2, 3])
def test_an_export_that_was_killed_is_exported_again(
    before: str, moves: int, perceptron: Classifier, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before == "another model":
        cnnlab.export(run, tmp_path / "hub")
    replace, done = os.replace, []

    def kill_at_the_next(source: Path, target: Path) -> None:
        if Path(target).parent.name == "hub":
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(hugging_face.os, "replace", kill_at_the_next)
        with pytest.raises(KeyboardInterrupt):
            cnnlab.export(perceptron, tmp_path / "hub")
    assert len(list((tmp_path / "hub").iterdir())) == (moves if before == "nothing" else 3)
    cnnlab.export(perceptron, tmp_path / "hub")
    assert {path.name for path in (tmp_path / "hub").iterdir()} == HUB
    assert "replaces" not in json.loads((tmp_path / "hub" / "config.json").read_text("utf-8"))
    assert torch.equal(
        next(cnnlab.open_model(tmp_path / "hub" / "model.safetensors").parameters()), next(perceptron.parameters())
    )


def test_what_has_no_one_file_of_weights_is_refused_for_the_hub(perceptron: Classifier, tmp_path: Path) -> None:
    both = EnsembleClassifier([perceptron, perceptron], ("first", "second"), Vote())
    with pytest.raises(UsageError, match=r"no one file of weights .* Export it as model\.onnx"):
        cnnlab.export(both, tmp_path / "hub")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_left_alone(perceptron: Classifier, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for config in ("[1]", "{", '{"library_name": "timm"}'):
        (tmp_path / "config.json").write_text(config)
        with pytest.raises(UsageError, match="holds files that were not exported by cnnlab"):
            cnnlab.export(perceptron, tmp_path)
        assert (tmp_path / "config.json").read_text() == config
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "config.json"}


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("/home/me/cats", "cats"),
        ("~/my pictures/cats/", "cats"),
        (r"C:\Users\me\cats", "cats"),
        ("folder(path=/home/me/cats, size=32)", "folder(path=cats, size=32)"),
        ("folder('/home/me/my cats')", "folder('my cats')"),
        ("csv(train=/a/b.csv,test=~/c/d.csv)", "csv(train=b.csv,test=d.csv)"),
        ("conv(8, kernel=3) | pool(2)", "conv(8, kernel=3) | pool(2)"),
        ("8/255", "8/255"),
        ("pictures/cats", "pictures/cats"),
    ],
)
def test_of_a_path_only_its_last_part_is_told(told: str, shown: str) -> None:
    assert without_folders({"data": [told, 3]}) == {"data": [shown, 3]}


def test_the_card_says_of_a_run_that_learned_nothing_what_was_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Diagnosis(
        "its outputs are the same for all pictures", (Finding("learning rate", "it was 3 at its highest"),)
    )
    monkeypatch.setattr(Run, "diagnosis", found)
    limits = model_card(run.classifier(), Facts.of(run.classifier(), run), run).rpartition("## Limits")[2]
    assert limits.endswith(f"\n\n{found.seen}\n\nlearning rate: it was 3 at its highest\n")


def test_names_are_no_marks_of_markdown() -> None:
    assert for_markdown("a|b <img> [x](y)\n# no") == ("a&#124;b &#60;img&#62; &#91;x&#93;&#40;y&#41; &#35; no")
