"""Pictures made on one model and tried on others: counted by hand, and told apart."""

import numpy as np
import pytest
import torch

from cnnlab.attacks import perturb, transfer_matrix
from cnnlab.core.errors import UsageError
from cnnlab.testing import check_tool, linear_classifier
from tests.attacks.planted_models import healthy, in_steps, planted, said, two_classes

SPEC = "pgd(eps=0.1, steps=10)"


def test_each_cell_counts_pictures_that_both_get_right_and_that_fool_the_second_rounded() -> None:
    one, pixels, labels = healthy(40)
    other, _, _ = planted(last=lambda logits: logits + torch.tensor([0.2, 0.0, 0.0]))
    found = transfer_matrix({"one": one, "other": other}, pixels, labels, SPEC)
    made = perturb(one, pixels, labels, SPEC)
    with torch.no_grad():
        clean, after = (other(torch.as_tensor(each)).argmax(1).numpy() for each in (pixels, made.rounded))
    right = labels.numpy()
    both = made.right & (clean == right)
    assert 0 < both.sum() < 40
    assert found.counts[0, 1] == both.sum() and found.fooled[0, 1] == (both & (after != right)).sum()
    assert found.counts[0, 0] == 40 and found.fooled[0, 0] == made.fooled.sum()
    assert found.success[0, 1] == pytest.approx(found.fooled[0, 1] / found.counts[0, 1])
    interval = found.interval(0, 1)
    assert interval is not None and found.success[0, 1] in interval


def test_a_model_and_its_copy_are_fooled_alike() -> None:
    one, pixels, labels = healthy()
    copy, _, _ = healthy()
    found = transfer_matrix({"one": one, "copy": copy}, pixels, labels, SPEC)
    assert (found.fooled == found.fooled[0, 0]).all() and not found.warnings


def test_where_no_picture_is_right_for_both_there_is_no_share() -> None:
    one, pixels, labels = healthy(8)
    never, _, _ = planted(last=lambda logits: logits.roll(1, 1))
    found = transfer_matrix({"one": one, "never": never}, pixels, labels, "fgsm", made_on=["one"])
    assert found.counts.tolist() == [[8, 0]] and np.isnan(found.success[0, 1])
    assert found.to_dict()["transfers"][1]["success"] is None


def test_a_gradient_that_is_hidden_is_found_out_by_what_transfers() -> None:
    one, pixels, labels = healthy(40)
    hidden, _, _ = planted(first=in_steps)
    found = transfer_matrix({"one": one, "hidden": hidden}, pixels, labels, SPEC)
    assert found.success[0, 1] > found.success[1, 1] == 0
    assert [warning for warning in found.warnings if warning.startswith("Pictures made on one fooled hidden more")]


def test_models_are_left_as_they_were_found() -> None:
    check_tool(lambda model, pixels: transfer_matrix([model, model], pixels, said(model, pixels), "fgsm"))


def test_models_that_do_not_go_together_are_told() -> None:
    one, pixels, labels = healthy(4)
    with pytest.raises(UsageError, match="two models at least"):
        transfer_matrix({"one": one}, pixels, labels)
    with pytest.raises(UsageError, match="one shape"):
        transfer_matrix({"one": one, "plane": linear_classifier()}, pixels, labels)
    with pytest.raises(UsageError, match="other classes"):
        transfer_matrix({"one": one, "two": two_classes(1)[0]}, pixels, labels)
    with pytest.raises(UsageError, match="target=all"):
        transfer_matrix({"one": one, "two": one}, pixels, labels, "fgsm(target=all)")
    with pytest.raises(UsageError, match="made_on names three"):
        transfer_matrix({"one": one, "two": one}, pixels, labels, made_on=["three"])
