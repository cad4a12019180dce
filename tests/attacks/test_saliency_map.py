"""The saliency-map attack, held to pixels and pairs chosen by hand and to figure 14 written out."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnlab.attacks import perturb
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.models import Classifier
from cnnlab.testing import linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier

WEIGHTS = np.array([[1, -1, 0, 4], [1, -1, 3, 0], [-1, 1, 2, 2]], dtype=float)
"""Of the tiny linear classifier."""
Floats = NDArray[np.float64]


def changed(attack: str, target: str) -> list[float]:
    """The pixels of the tiny image after an attack."""
    found = perturb(linear_classifier(), tiny_image(), ["cat"], attack, targets=[target])
    numbers: list[float] = found.pixels.ravel().tolist()
    return numbers


def test_a_pair_that_is_lowered_by_logits() -> None:
    # Dog grows, as pixels fall, by (−1, 1, −3, 0), and the others together fall by (0, 0, 2, 6): of all pairs only the
    # second and the last have both sums above 0, 1 and 6. With both at 0 dog is 2.5, and the others are 0.25 and 0.25.
    assert changed("jsma(theta=-1, of=logits, gamma=0.5)", "dog") == [0.25, 0, 0.75, 0]


def test_no_pair_that_has_both_signs_leaves_a_picture_as_it_is() -> None:
    # Owl grows, as pixels rise, by (−1, 1, 2, 2), and the others together fall by (−2, 2, −3, −4).
    assert changed("jsma(of=logits, gamma=1)", "owl") == [0.25, 0.5, 0.75, 1.0]


def test_single_pixels_are_those_that_do_both() -> None:
    # Of these the second alone does; at 1 it is out of the search, and nothing else is in it.
    assert changed("jsma(of=logits, gamma=1, pairs=false)", "owl") == [0.25, 1.0, 0.75, 1.0]


def test_a_pair_by_probabilities_is_the_two_with_the_largest_derivatives() -> None:
    # The derivative of a probability is itself times its weights less the mean of all weights.
    shares = np.exp([3.75, 2.0, 2.75]) / np.exp([3.75, 2.0, 2.75]).sum()
    derivative = shares[2] * (WEIGHTS[2] - shares @ WEIGHTS)
    # The last pixel is at 1 already, so that it cannot be raised.
    first, second = np.argsort(derivative[:3])[:0:-1]
    wanted = tiny_image().ravel().numpy()
    wanted[[first, second]] = 1
    assert changed("jsma(gamma=0.5)", "owl") == wanted.tolist()


def test_the_share_of_pixels_that_may_be_changed_holds() -> None:
    assert changed("jsma(gamma=0.49)", "owl") == tiny_image().ravel().tolist()
    assert changed("jsma(gamma=0.25, pairs=false)", "owl") == [0.25, 1.0, 0.75, 1.0]


@pytest.mark.parametrize("of", ["probabilities", "logits"])
@pytest.mark.parametrize("theta", [1.0, 0.3, -1.0])
@pytest.mark.parametrize("pairs", [True, False])
def test_it_does_what_figure_14_does_with_a_table_of_all_pairs(of: str, theta: float, pairs: bool) -> None:
    classifier = small_classifier((1, 6, 6)).eval()
    pixels = (random_pixels((1, 6, 6), 4) * 255).round() / 255
    with torch.no_grad():
        labels = classifier(pixels).argmax(1)
    spec = f"jsma(theta={theta}, gamma=0.5, of={of}, pairs={str(pairs).lower()})"
    found = perturb(classifier, pixels, labels, spec)
    assert found.targets is not None and found.success > 0
    for row, target in enumerate(found.targets):
        wanted = by_figure_14(classifier, pixels[found.places[row]], int(target), theta, 18, of, pairs)
        np.testing.assert_allclose(found.pixels[row].ravel(), wanted, atol=1e-6)


def by_figure_14(
    classifier: Classifier, picture: torch.Tensor, target: int, theta: float, most: int, of: str, pairs: bool
) -> Floats:
    """One picture by the whole Jacobian and a table of all pairs, in float64."""
    classifier = classifier.double()
    try:
        pixels, origin = picture.double().clone(), picture.double()
        while True:
            with torch.no_grad():
                if int(classifier(pixels[None]).argmax()) == target:
                    break

            asked = pixels.clone().requires_grad_()
            said = classifier(asked[None])[0]
            said = said.softmax(0) if of == "probabilities" else said
            rows = [torch.autograd.grad(number, asked, retain_graph=True)[0].flatten() for number in said]
            jacobian = torch.stack(rows).numpy()
            flat = pixels.flatten().numpy()
            step = 2 if pairs else 1
            if (flat != origin.flatten().numpy()).sum() + step > most:
                break
            chosen = by_table(jacobian[target], jacobian.sum(0) - jacobian[target], flat, theta, pairs)
            if not chosen:
                break
            flat = flat.copy()
            flat[chosen] = np.clip(flat[chosen] + theta, 0, 1)
            pixels = torch.from_numpy(flat).view_as(pixels)
        wanted: Floats = pixels.flatten().numpy()
        return wanted
    finally:
        classifier.float()


def by_table(toward: Floats, others: Floats, flat: Floats, theta: float, pairs: bool) -> list[int]:
    """The places with the largest −α·β, of those with α and β of the wanted signs."""
    is_open = flat < 0.99 if theta > 0 else flat > 0.01
    best, chosen = 0.0, list[int]()
    for i in range(len(flat)):
        for j in range(i + 1, len(flat)) if pairs else [i]:
            if not (is_open[i] and is_open[j]):
                continue
            alpha = toward[i] + toward[j] if pairs else toward[i]
            beta = others[i] + others[j] if pairs else others[i]
            if alpha * theta > 0 and beta * theta < 0 and -alpha * beta > best:
                best, chosen = -alpha * beta, [i, j] if pairs else [i]
    return chosen


def test_every_other_class_is_a_target_unless_one_is_named() -> None:
    found = perturb(linear_classifier(), tiny_image(), ["cat"], "jsma")
    assert found.targets is not None and found.targets.tolist() == [1, 2]


def test_it_costs_one_gradient_a_step_of_probabilities_and_two_of_logits() -> None:
    for of, gradients in (("probabilities", 1), ("logits", 2)):
        found = perturb(linear_classifier(), tiny_image(), ["cat"], f"jsma(gamma=0, of={of})", targets=["dog"])
        assert found.backwards.tolist() == [gradients]


def test_a_wrong_step_is_told() -> None:
    with pytest.raises(UsageError, match="above 0 to raise"):
        perturb(linear_classifier(), tiny_image(), ["cat"], "jsma(theta=0)")
    with pytest.raises(SpecError, match="from -1 to 1"):
        perturb(linear_classifier(), tiny_image(), ["cat"], "jsma(theta=255)")


def test_a_wanted_class_that_is_all_but_impossible_still_has_a_gradient() -> None:
    # The probability of owl is below the least number that float32 knows; so is its derivative.
    classifier = linear_classifier()
    classifier.network.state_dict()["head.bias"].copy_(torch.tensor([200.0, 0, 0]))
    assert changed_of(classifier) > 0


def changed_of(classifier: Classifier) -> int:
    found = perturb(classifier, tiny_image(), ["cat"], "jsma(gamma=0.5)", targets=["owl"])
    return int(found.lengths("l0")[0])
