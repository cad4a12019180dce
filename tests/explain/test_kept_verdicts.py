"""Verdicts of the model-randomisation test are found again by the weights, and told of the method that they are of."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlab.core.errors import CnnlabWarning
from cnnlab.explain import ATTRIBUTIONS, RandomisationTest
from cnnlab.explain.honesty.verdicts import FILE, Verdicts
from cnnlab.models import Classifier, weights_digest
from cnnlab.runs import Run
from cnnlab.testing.model_tools import small_classifier
from tests.explain.networks import layered, wrapped


def outcome(method: str, likeness: float, layer: str | None = None) -> RandomisationTest:
    """A test whose maps are as alike as this, but for a little, when all weights are random."""
    table = likeness + 0.01 * np.random.default_rng(0).normal(size=(3, 1, 6))
    return RandomisationTest(
        method=method,
        layer=layer,
        layers=("conv1",),
        similarity={"absolute": table, "signed": table, "ssim": table},
        control=np.ones((3, 1, 6)),
        edges=np.zeros(6),
        random_edges=np.zeros((3, 6)),
        how="fresh",
    )


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Classifier:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    return small_classifier((1, 8, 8)).eval()


def told(verdicts: Verdicts, method: str, layer: str | None = None) -> str:
    return verdicts.told(ATTRIBUTIONS.bind(method), layer)


def test_what_failed_or_is_open_is_told_again_and_what_passed_is_not(classifier: Classifier) -> None:
    tests = [outcome("saliency", 0.9), outcome("grad-cam", 0.5, "relu2"), outcome("occlusion", 0.1)]
    assert [test.verdict for test in tests] == ["fails", "undecided", "passes"]
    Verdicts(classifier, None).keep(tests)
    again = Verdicts(classifier, None)
    assert told(again, "saliency") == tests[0].sentence
    assert told(again, "grad-cam", "relu2") == tests[1].sentence and "does not decide" in tests[1].sentence
    assert told(again, "grad-cam", "relu1") == told(again, "occlusion") == told(again, "rise") == ""


def test_other_spellings_are_the_same_method_and_other_arguments_are_told_as_such(classifier: Classifier) -> None:
    verdicts = Verdicts(classifier, None)
    verdicts.keep([outcome("smoothgrad(n=25)", 0.9)])
    assert told(verdicts, "smoothgrad") == told(verdicts, "smoothgrad(noise=0.15, n=25)") != ""
    assert told(verdicts, "smoothgrad(n=4)").startswith("With other arguments, smoothgrad: smoothgrad(n=25) fails")
    verdicts.keep([outcome("smoothgrad(n=4)", 0.1)])
    assert told(verdicts, "smoothgrad(n=4)") == "" and told(verdicts, "smoothgrad").startswith("smoothgrad(n=25) fails")


def test_a_later_test_replaces_an_earlier_one(classifier: Classifier) -> None:
    Verdicts(classifier, None).keep([outcome("saliency", 0.9)])
    Verdicts(classifier, None).keep([outcome("saliency", 0.1)])
    assert told(Verdicts(classifier, None), "saliency") == ""


def test_two_that_test_at_the_same_time_keep_what_both_have_found(classifier: Classifier) -> None:
    both = Verdicts(classifier, None), Verdicts(classifier, None)
    Verdicts(classifier, None).keep([outcome("rise", 0.9)])
    assert all(told(each, "rise") for each in both)
    for each, method in zip(both, ("saliency", "occlusion"), strict=True):
        each.keep([outcome(method, 0.9)])
    assert all(told(Verdicts(classifier, None), method) for method in ("rise", "saliency", "occlusion"))
    assert told(both[1], "saliency") and not told(both[0], "occlusion")


def test_of_a_run_they_lie_in_its_folder_and_are_of_its_weights_alone(classifier: Classifier, tmp_path: Path) -> None:
    run = object.__new__(Run)
    run.folder = tmp_path
    Verdicts(classifier, run).keep([outcome("saliency", 0.9)])
    assert (tmp_path / FILE).is_file() and told(Verdicts(classifier, run), "saliency")
    with torch.no_grad():
        classifier.network.head.bias.add_(1)
    assert told(Verdicts(classifier, run), "saliency") == ""
    (tmp_path / FILE).write_text("{")
    assert told(Verdicts(classifier, run), "saliency") == ""


def test_the_digest_is_of_every_number_in_any_format() -> None:
    first, second = wrapped(layered()), wrapped(layered())
    assert weights_digest(first) == weights_digest(second)
    second.network.bn1.running_mean[0] += 1  # type: ignore[union-attr, index, operator]
    assert weights_digest(first) != weights_digest(second)
    assert weights_digest(first) != weights_digest(wrapped(layered()).to(torch.bfloat16))


def test_what_cannot_be_kept_is_warned_of(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    verdicts = Verdicts(classifier, None)
    with pytest.warns(CnnlabWarning, match="Later captions will not tell"):
        verdicts.keep([outcome("saliency", 0.9)])
    assert told(verdicts, "saliency")
