"""Wrong usage: one paragraph on standard error that names the thing and the remedy, exit code 2, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Cnnlab = Callable[..., Result]

WRONG = [
    (["trian"], "there is no command 'trian'. Did you mean train or transfer?"),
    (["runs", "lsit"], "there is no command 'lsit'. Did you mean list?"),
    (["frobnicate"], "there is no command 'frobnicate'. Valid: "),
    (["fit", "data=digits", "optimizer=sgd(lr=0.1)"], "Write: cnnlab train data=digits 'optimizer=sgd(lr=0.1)'. See:"),
    (["fit"], "there is no command 'fit'. Write: cnnlab train data=fashion-mnist. See:"),
    (["save"], "there is no command 'save': a finished run is stored already"),
    (["onnx", "last", "m.onnx"], "Write: cnnlab export last m.onnx."),
    (["runs", "rm", "first"], "Write: cnnlab runs delete first. See:"),
    (["train", "--lr", "0.1"], "Write optimizer='adamw(lr=0.1)', or on the command line optimizer.lr=0.1. See:"),
    (["train", "--batch-size=32"], "written as a word: batch_size=32, not --batch-size"),
    (["train", "--class-weight", "balanced"], "no option --class-weight. Write balance='weights'. See:"),
    (["train", "--shuffle"], "no option --shuffle: the pictures come in a new order each epoch"),
    (["train", "data=digits", "lr=0.01"], "Write optimizer='adamw(lr=0.01)', or on the command line optimizer.lr=0.01"),
    (
        ["train", "data=digits", "augmentations=flip|rotate(5)"],
        "no key 'augmentations'. Write augment='flip|rotate(5)'",
    ),
    (["train", "data=digits", "model=[model efficientnet_b0]"], "a name is expected here"),
    (["models", "show", "[model efficientnet_b0]", "--input", "1x28x28"], "a name is expected here"),
    (["--install-completion"], "no option --install-completion. Write: cnnlab completion bash. See:"),
    (["models", "list", "swish"], "Did you mean silu?"),
    (["list", "losses"], "Did you mean objectives?"),
    (["list", "activations"], "Did you mean layers?"),
    (["confusion", "last"], "Write: cnnlab figure last confusion. See"),
    (["figure", "last", "pr"], "Did you mean precision-recall?"),
    (["data", "show", "FashionMNIST"], "Did you mean fashion-mnist?"),
    (["list", "initialisers", "xavier"], "Did you mean glorot-uniform or glorot-normal?"),
    (
        ["-q", "train", "data=digits"],
        "no option -q: it stands after the command. Write: cnnlab train -q data=digits. See",
    ),
    (["--runs", "a b", "runs", "list"], "Write: cnnlab runs list --runs 'a b'. See: cnnlab --help"),
    (["runs", "--json", "list"], "Write: cnnlab runs list --json. See: cnnlab runs --help"),
    (["--versoin"], "cnnlab has no option --versoin. Did you mean --version?"),
    (["train", "--quite"], "cnnlab train has no option --quite. Did you mean --quiet or --quick?"),
    (["train", "--epochs", "3"], "epochs is about the experiment, so it is written as a word: epochs=3, not --epochs"),
    (["evaluate", "last", "--split", "test"], "written as a word: split=test, not --split"),
    (["train", "runs=elsewhere"], "runs is about the invocation, not the experiment: write --runs"),
    (["train", "data-dir=elsewhere"], "write --data-dir"),
    (["train", "augmnet=flip"], "a recipe has no key 'augmnet'. Did you mean augment?"),
    (["train", "data=digits", "epochs=many"], "epochs"),
    (["train", "data=digits", "epochs=1", "epochs=2"], "epochs is given twice"),
    (["train", "data=digits", "device=cpu", "--device", "cpu"], "device is given twice"),
    (["train", "recipe.yaml"], "there is no recipe file recipe.yaml"),
    (["train", "fashion-mnist"], "If it names data, write data=fashion-mnist"),
    (["train", "a.yaml", "b.yaml"], "two recipe files"),
    (["train", "model=convnet"], "the recipe needs data"),
    (["train", "data=digits", "model=vggg-like"], "vgg-like"),
    (["train", "data=digits", "model=mlp(hidden=[32"], "never closed"),
    (["train", "data=nowhere.zip"], "nowhere.zip"),
    (["resume"], "missing argument 'RUN'"),
    (["resume", "last"], "there are no runs under runs"),
    (["extend", "last", "seed=3"], "epochs=+3 for three more"),
    (["extend", "last", "epochs=three"], "epochs=three is no number of epochs"),
    (["evaluate", "last", "dtaa=x"], "Did you mean data?"),
    (["evaluate", "last", "split=test", "split=train"], "split is given twice"),
    (["predict", "last"], "missing argument"),
    (["find-lr", "data=digits", "--lowest", "1", "--highest", "0.1"], "--lowest 1 must be above 0 and below"),
    (["find-lr", "data=digits", "--out", "curve.doc"], "--out curve.doc cannot be drawn"),
    (["find-lr", "data=digits", "--steps", "none"], "--steps"),
    (["arithmetic", "dense", "9", "--units", "many"], "invalid value for '--units': it takes a whole number. See:"),
    (["arithmetic", "dense", "9", "--units", "0"], "invalid value for '--units': it takes at least 1. See:"),
    (["arithmetic", "pool", "4x4x3", "--kind", "mean"], "invalid value for '--kind': 'mean' is not one of"),
    (["arithmetic", "pool", "4x4x3", "--kind", "Value error, x"], "'--kind': 'Value error, x' is not one of"),
    (["find-lr", "data=digits", "--lowest", "low"], "invalid value for '--lowest': it takes a number. See:"),
    (["runs", "compare", "last"], "at least two runs"),
    (["runs", "show", "nobody"], "there are no runs under runs"),
    (["data", "show", "fashon"], "Did you mean fashion-mnist?"),
    (["data", "check", "nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_what_cannot_be_meant_is_one_paragraph(cnnlab: Cnnlab, tmp_path: Path, words: list[str], said: str) -> None:
    result = cnnlab(*words, exit_code=2)
    assert result.stderr.startswith("cnnlab: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_printed(cnnlab: Cnnlab) -> None:
    from cnnlab import __version__

    assert cnnlab("--version").stdout == f"cnnlab {__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_command_the_commands_are_shown(cnnlab: Cnnlab, words: list[str]) -> None:
    shown = cnnlab(*words).stdout
    for command in (
        "train",
        "resume",
        "extend",
        "evaluate",
        "predict",
        "find-lr",
        "runs",
        "data",
        "augment",
        "models",
        "demo",
    ):
        assert f" {command} " in shown


@pytest.mark.parametrize("name", ["runs", "data"])
def test_a_group_without_a_command_shows_its_commands(cnnlab: Cnnlab, name: str) -> None:
    assert " list " in cnnlab(name).stdout


@pytest.mark.parametrize(
    "words", ["train", "resume", "extend", "evaluate", "predict", "find-lr", "demo", "runs list", "runs show"]
)
def test_every_command_explains_itself(cnnlab: Cnnlab, words: str) -> None:
    shown = cnnlab(*words.split(), "--help").stdout
    assert f"Usage: cnnlab {words}" in shown
    assert "--json" in shown
