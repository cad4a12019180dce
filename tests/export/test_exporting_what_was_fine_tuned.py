"""A fine-tuned backbone and an ensemble, exported by the command: the answers that their runs have stored."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
from safetensors.torch import save_file
from scipy.special import softmax
from typer.testing import CliRunner

import cnnlab
from cnnlab.cli.app import app
from cnnlab.runs import Run, RunStore

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SHARED = {"data": "digits", "batch_size": 64, "precision": "float32", "kernels": "torch", "threads": 1}


def command(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    return result.stdout


def answers(path: Path) -> np.ndarray:
    """Of the test pictures, by ONNX Runtime alone."""
    test = cnnlab.load_data("digits").test
    images, _ = test.batch(range(len(test)))
    (outputs,) = onnxruntime.InferenceSession(path).run(None, {"images": images.numpy()})
    return np.asarray(outputs)


def stored(run: Run) -> np.ndarray:
    """What the run said of them when it ended."""
    (outputs,) = run.predictions().outputs.values()
    return np.asarray(outputs)


@pytest.mark.slow(8)
def test_a_fine_tuned_backbone_answers_as_its_run(tmp_path: Path) -> None:
    # Smaller than any whose weights are published; what it starts from is a file of another program's.
    weights, runs = tmp_path / "backbone.safetensors", tmp_path / "runs"
    save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), weights)
    run = cnnlab.train(
        **SHARED,
        model=f"timm(test_resnet, weights={weights}, size=32)",
        phases=[{"train": "head", "epochs": 1}, {"unfreeze": 1, "epochs": 1}],
        name="tuned",
        runs=runs,
        progress=False,
    )
    made = json.loads(command("export", "tuned", str(tmp_path / "tuned.onnx"), "--runs", str(runs), "--json"))
    assert made["check"]["source"] == "256 of the test split of digits"
    np.testing.assert_allclose(answers(tmp_path / "tuned.onnx"), stored(run), rtol=1e-4, atol=1e-4)


@pytest.mark.slow(4)
def test_an_ensemble_answers_as_its_record(tmp_path: Path) -> None:
    runs = ("--runs", str(tmp_path / "runs"))
    models = {"first": "conv(4)|bn|relu|pool(2)", "second": "mlp(hidden=[8])"}
    members = [
        cnnlab.train(**SHARED, model=model, epochs=1, name=name, runs=tmp_path / "runs", progress=False)
        for name, model in models.items()
    ]
    command("ensemble", "first", "second", "--name", "pair", *runs)
    command("export", "pair", str(tmp_path / "pair.onnx"), *runs)
    pair = RunStore(tmp_path / "runs").find("pair")
    assert isinstance(pair, Run)
    found = answers(tmp_path / "pair.onnx")
    np.testing.assert_allclose(found, stored(pair), rtol=1e-4, atol=1e-4)
    # What a mean is, of the members' own answers.
    mean = sum(softmax(stored(member), axis=1) for member in members) / 2
    np.testing.assert_allclose(softmax(found, axis=1), mean, atol=1e-5)
