"""``cnnlab explain``: what it writes and prints, and what it says where something is not there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from cnnlab.runs import Run

Cnnlab = Callable[..., Result]


def test_what_was_written_is_told_with_its_files(cnnlab: Cnnlab, trained: Run) -> None:
    told = cnnlab("explain", trained.name, "--what", "saliency", "--images", "test:3").stdout
    assert "1 figure, each as PNG and SVG" in told and f"saliency of run {trained.name}" in told
    assert "saliency.png" in told and (trained.folder / "explain" / "saliency.svg").is_file()


def test_numbers_are_json(document: Callable[..., Any], trained: Run) -> None:
    found = document("explain", "last", "--what", "saliency|gradient-x-input", "--images", "test:3,4", "--out", "seen")
    (one,) = found["explanations"]
    assert found["folder"] == "seen" and found["page"] is None and found["left_out"] == {}
    assert one["figures"][0]["png"] == "seen/attributions.png" and Path("seen/attributions.svg").is_file()
    first, second = one["attributions"]
    assert (first["method"], second["method"]) == ("saliency", "gradient-x-input")
    assert [each["picture"] for each in first["pictures"]] == ["test:3", "test:4"]
    assert first["pictures"][0]["score"] == second["pictures"][0]["score"]
    assert first["pictures"][0]["low"] <= first["pictures"][0]["high"]


def test_pictures_of_ones_own_and_classes_are_explained(document: Callable[..., Any], trained: Run) -> None:
    Image.new("RGB", (20, 20), (90, 200, 10)).save("green.png")
    words = ("--what", "occlusion", "--images", "green.png", "--target", "3", "--target", "7", "--raw", "--out", "seen")
    (one,) = document("explain", trained.name, *words)["explanations"]
    assert [each["pictures"][0]["explained"] for each in one["attributions"]] == ["3", "7"]
    assert one["attributions"][0]["pictures"][0]["picture"] == "green.png"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "--what", "saliency"), "there is no run 'nothing'"),
        (("last", "--what", "xyz"), "nothing called xyz to explain by. Valid: ablation-cam, activations, all"),
        (("last", "--what", "smoothgrad(m=3)"), "has no argument 'm'. Valid: n, noise, seed"),
        (("last", "--what", "gradcam"), "the network has no feature maps"),
        (("last", "--what", "activations", "--layer", "conv9"), "the network has no layer 'conv9'"),
        (("last", "--what", "saliency", "--images", "test:99999"), "the test split has pictures 0 to"),
        (("last", "--what", "saliency", "--images", "no.png"), "there is no picture or folder no.png"),
        (("last", "--what", "saliency", "--target", "eleven"), "label has no class eleven. Valid: 0, 1, 2"),
        (("last", "--what", "saliency", "--layer", "fc1"), "saliency goes by no layer: leave --layer out"),
        (("last", "--what", "saliency", "--out", "x.png"), "names a file"),
        (("last", "--what", "filters"), "the network has no convolution"),
        (("last", "--what", "guided", "--channels", "1,x"), "x is no number of a channel: write --channels 3,7"),
        (("last", "--what", "guided", "--channels", "77", "--layer", "dense1"), "has channels 0 to"),
        (("last", "--what", "seeds", "--beside", "nothing"), "there is no run 'nothing'"),
    ],
    ids=lambda value: "-".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_told_in_a_sentence(
    words: tuple[str, ...], said: str, cnnlab: Cnnlab, trained: Run
) -> None:
    result = cnnlab("explain", *words, exit_code=2)
    assert said in " ".join(result.stderr.split()) and "Traceback" not in result.output


def test_attributions_and_explanations_are_listed_with_their_arguments(document: Callable[..., Any]) -> None:
    assert {"grad-cam", "smoothgrad", "rise"} <= {each["name"] for each in document("list", "attributions")}
    assert {"filters", "mistakes"} <= {each["name"] for each in document("list", "explanations")}
    (n,) = [each for each in document("list", "attributions", "smoothgrad")["arguments"] if each["argument"] == "n"]
    assert n["default"] == "25"
