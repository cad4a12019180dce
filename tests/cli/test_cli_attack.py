"""``cnnlab attack`` and ``cnnlab fool``: what they write and print, and what they say where something is not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

import cnnlab as package
from cnnlab.cli.attack import numbers, read_words
from cnnlab.core.errors import UsageError
from cnnlab.runs import Run

Cnnlab = Callable[..., Result]
Document = Callable[..., Any]


def test_numbers_of_an_attack_are_json_and_its_figures_lie_beside_it(document: Document, trained: Run) -> None:
    found = document("attack", "last", "pgd(eps=0.1, steps=3)", "n=40")
    direct = package.attack(trained, "pgd(eps=0.1, steps=3)", n=40)
    assert found["clean_accuracy"] == direct.clean_accuracy and found["pictures"] == 40
    assert found["robust_accuracy"] == direct.robust_accuracy < found["clean_accuracy"]
    assert found["robust_accuracy_unrounded"] == direct.robust_accuracy_unrounded
    assert (
        found["robust_accuracy_interval"]["low"] < found["robust_accuracy"] < found["robust_accuracy_interval"]["high"]
    )
    assert (Path(found["stored"]) / "000000-000040.safetensors").is_file()
    titles = [figure["title"] for figure in found["figures"]]
    assert len(titles) == 2 and "after pgd(eps=0.1, steps=3)" in titles[0]
    for figure in found["figures"]:
        assert Path(figure["png"]).is_file() and Path(figure["svg"]).is_file()
        assert "40 of" in figure["caption"] and "seed 0" in figure["caption"]


def test_what_an_attack_came_to_is_told_with_its_files(cnnlab: Cnnlab, trained: Run) -> None:
    told = cnnlab("attack", trained.name, "fgsm(eps=0.1)", "n=40", "target=3", "--out", "seen").stdout
    assert 'fgsm(eps=0.1, target="3")' in told and "robust accuracy" in told and "unrounded" in told
    assert "2 figures, each as PNG and SVG, in seen" in told and list(Path("seen").glob("fgsm-*-examples.png"))
    # The numbers lie beside the run, wherever the figures are.
    assert list(trained.folder.glob("attacks/fgsm-*/*.safetensors"))


def test_accuracy_over_budgets(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    words = ("attack", "last", "--curve", "pgd(steps=3)", "n=30", "budgets=8/255,0.1")
    found = document(*words)
    assert found["budgets"] == [8 / 255, 0.1] and found["attacks"] == ["pgd(steps=3)"]
    assert found["clean_accuracy"] >= found["robust_accuracy"][0] >= found["robust_accuracy"][-1]
    assert found["noise_accuracy"][-1] >= found["robust_accuracy"][-1]
    assert Path(found["figures"][0]["png"]).is_file()
    told = cnnlab(*words).stdout
    assert "budget (L∞)" in told and "uniform-noise" in told and "all together" not in told
    both = cnnlab(*words, "--curve", "fgsm").stdout
    assert "all together" in both and "pgd(steps=3)" in both and "fgsm" in both


def test_an_attack_is_checked_and_told_what_came_of_it(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    words = ("attack", "last", "pgd(eps=0.1, steps=2, step=0.001)", "n=8")
    found = document(*words, "--check")
    assert [check["name"] for check in found["checks"]] == ["more steps", "unbounded budget", "black box"]
    doubts = [check["finding"] for check in found["checks"] if check["is_warning"]]
    assert doubts == found["warnings"] and "take more steps" in doubts[0]
    # It is kept, and told of whenever the attack is.
    told = " ".join(cnnlab(*words).stdout.split())
    assert "checked" in told and f"doubtful {doubts[0]}" in told


def test_noise_is_driven_to_a_class_and_its_files_are_predicted_so(document: Document, trained: Run) -> None:
    found = document("fool", "last", "from=noise", "target=3", "confidence=0.5", "n=2", "--out", "made")
    assert found["reached"] == 2 and len(found["files"]) == 2
    predicted = document("predict", "last", *found["files"])
    assert [each["predicted"] for each in predicted["images"]] == ["3", "3"]


def test_a_picture_becomes_another_class_and_hardly_changes(document: Document, trained: Run) -> None:
    images = package.load_data("digits").test
    assert images is not None
    pixels = images.batch([5])[0][0, 0].numpy()
    Image.fromarray(pixels).save("five.png")
    found = document("fool", "last", "from=five.png", "confidence=0.4", "steps=10")
    (one,) = found["pictures"]
    assert found["reached"] == 1 and one["predicted"] == one["target"] != one["before"]
    (path,) = found["files"]
    changed = np.asarray(Image.open(path)).astype(int)
    assert np.abs(changed - pixels).max() / 255 == pytest.approx(one["change"]["linf"], abs=1e-4)
    assert 0 < one["change"]["l2"] < 8


def test_patterns_and_one_change_for_all_are_made(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    found = document("fool", "last", "from=pattern", "target=1", "confidence=0.5", "generations=20")
    assert found["from"] == "pattern" and len(found["pictures"]) == 1
    told = cnnlab("fool", "last", "from=universal", "eps=0.3", "n=10", "passes=1").stdout
    assert "taken for another" in told and "L∞ 0.3, made on 10 pictures" in told
    (path,) = trained.folder.glob("attacks/universal-*-perturbation.npy")
    assert np.abs(np.load(path)).max() <= 0.3 + 1e-6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("attack", "nothing", "pgd"), "there is no run 'nothing'"),
        (("attack", "last", "pgdd"), "Did you mean pgd"),
        (("attack", "last", "pgd(eps=-0.1)"), "at least 0"),
        (("attack", "last", "pgd(target=eleven)"), "label has no class eleven"),
        (("attack", "last", "pgd", "target=12"), "classes 0 to 9, and no 12"),
        (("attack", "last", "pgd", "n=0"), "n is a whole number of at least 1; got 0"),
        (("attack", "last", "pgd", "m=3"), "'m=3' is none of n=…"),
        (("attack", "last", "pgd", "fgsm"), "pgd and fgsm are two attacks"),
        (("attack", "last", "pgd", "split=tset"), "no split 'tset'"),
        (("attack", "last", "pgd", "budgets=0.1"), "budgets= goes with --curve"),
        (("attack", "last", "--check", "--curve", "pgd"), "--check is of one attack"),
        (("attack", "last", "fgsm", "--curve", "pgd"), "fgsm and --curve pgd are two attacks"),
        (("attack", "last", "--curve", "pgd", "budgets=cat"), "numbers separated by commas"),
        (("attack", "last", "--curve", "pgd", "budgets=-0.1"), "above 0"),
        (("attack", "last", "--curve", "salt-and-pepper"), "measured in none of them"),
        (("attack", "last", "uniform-noise", "target=3"), "takes no target"),
        (("attack", "last", "pgd", "n=20", "--out", "x.png"), "names a file"),
        (("fool", "last", "from=noise"), "name the class that is to be seen, as in target=0"),
        (("fool", "last", "from=noise", "target=cat"), "label has no class cat"),
        (("fool", "last", "from=noise", "target=3", "confidence=1.5"), "below 1; got 1.5"),
        (("fool", "last", "from=noise", "target=3", "eps=0.1"), "and not by eps"),
        (("fool", "last", "from=nosuch", "target=3"), "from is noise, pattern, universal, or a file"),
        (("fool", "last", "from=no.png", "target=3"), "no picture or folder no.png"),
        (("fool", "last", "form=noise"), "or from?"),
        (("fool", "last", "from=universal", "eps=-1"), "eps is at least 0"),
        (("fool", "last", "from=universal", "norm=l3"), "norm is linf, l2, l1; got l3"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_told_in_a_sentence(
    words: tuple[str, ...], said: str, cnnlab: Cnnlab, trained: Run
) -> None:
    result = cnnlab(*words, exit_code=2)
    assert said in " ".join(result.stderr.split()) and "Traceback" not in result.output


def test_a_picture_that_is_of_the_class_already_is_told(document: Document, cnnlab: Cnnlab, trained: Run) -> None:
    (made,) = document("fool", "last", "from=noise", "target=3", "confidence=0.5", "n=1")["files"]
    told = cnnlab("fool", "last", f"from={made}", "target=3", exit_code=2).stderr
    assert "the picture is taken for 3 already" in told


def test_models_that_cannot_be_attacked_so_are_told(cnnlab: Cnnlab, trained: Run) -> None:
    package.ensemble([trained, _another(trained)], "vote", runs="runs", name="vote")
    told = " ".join(cnnlab("attack", "vote", "pgd", exit_code=2).stderr.split())
    assert "pgd goes by the gradient" in told and "have no gradient" in told
    assert "have no gradient" in " ".join(cnnlab("fool", "vote", "from=noise", "target=3", exit_code=2).stderr.split())
    number = package.train(
        {"data": "digits", "objective": "scalar(column=label)", "model": "mlp(hidden=[4])", "epochs": 1},
        runs="runs",
        threads=1,
        name="number",
    )
    told = " ".join(cnnlab("attack", number.name, "pgd", exit_code=2).stderr.split())
    assert "an attack changes which class is predicted, and this model predicts label as a number" in told


def _another(run: Run) -> Run:
    return package.train({**run.recipe, "seed": 1, "epochs": 1}, runs="runs", threads=1)


def test_no_picture_that_is_right_is_told(cnnlab: Cnnlab, trained: Run) -> None:
    from safetensors.torch import load_file, save_file

    path = trained.folder / "model.safetensors"
    weights = load_file(path)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    last = [name for name in weights if name.endswith("bias")][-1]
    # It says 0 of everything, and of the pictures of ones.
    weights[last] = weights[last] * 0
    weights[last][0] = 1e6
    save_file(weights, path, metadata)
    images = package.load_data("digits").test
    assert images is not None
    ones = (images.targets["label"] == 1).nonzero()[:5, 0]
    for place in ones.tolist():
        Path("ones/1").mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.batch([place])[0][0, 0].numpy()).save(f"ones/1/{place}.png")
    told = " ".join(cnnlab("attack", trained.name, "pgd", "data=ones", exit_code=2).stderr.split())
    assert "none of 5 pictures is predicted rightly as it is" in told


def test_words_of_an_attack_are_told_from_keys() -> None:
    assert read_words(["pgd(norm=l2, eps=0.5)", "n=1,000", "data=a=b"]) == (
        "pgd(norm=l2, eps=0.5)",
        {"n": 1000, "data": "a=b"},
    )
    assert numbers("budgets", "2/255, 0.5,1") == [2 / 255, 0.5, 1.0]
    with pytest.raises(UsageError, match="given twice"):
        read_words(["n=1", "n=2"])


def test_attacks_are_listed_with_their_arguments(document: Document) -> None:
    assert {"pgd", "fgsm", "uniform-noise"} <= {each["name"] for each in document("list", "attacks")}
    (steps,) = [each for each in document("list", "attacks", "pgd")["arguments"] if each["argument"] == "steps"]
    assert steps["default"] == "40"
