"""Mixing by hand-worked examples."""

import torch

from cnnlab.augment import pipeline


def stage(spec):
    (made,) = pipeline(spec).stages
    return made


def test_mixup_blends_images_and_targets_in_the_same_shares():
    images = torch.tensor([0, 255, 100], dtype=torch.uint8).view(3, 1, 1, 1)
    targets = {"label": torch.eye(3), "angle": torch.tensor([[0.0], [10], [20]])}
    drawn = {"partner": torch.tensor([1, 2, 0]), "share": torch.tensor([0.25, 1.0, 0.5])}
    mixed, blended = stage("mixup").apply(images, targets, drawn)
    torch.testing.assert_close(mixed.flatten(), torch.tensor([0.75, 1, 50 / 255]))
    expected = torch.tensor([[0.25, 0.75, 0], [0, 1, 0], [0.5, 0, 0.5]])
    torch.testing.assert_close(blended["label"], expected)
    torch.testing.assert_close(blended["angle"].flatten(), torch.tensor([7.5, 10, 10]))


def test_cutmix_pastes_the_box_of_the_partner():
    images = torch.stack([torch.full((1, 4, 4), value, dtype=torch.uint8) for value in (10, 20)])
    box = torch.tensor([[1, 3, 0, 2], [0, 0, 0, 0]], dtype=torch.int32)  # two rows by two columns; nothing
    drawn = {"partner": torch.tensor([1, 0]), "box": box, "share": torch.tensor([0.75, 1.0])}
    mixed, blended = stage("cutmix").apply(images, {"label": torch.eye(2)}, drawn)
    assert mixed.dtype == torch.uint8
    assert mixed[0, 0].tolist() == [[10] * 4, [20, 20, 10, 10], [20, 20, 10, 10], [10] * 4]
    assert torch.equal(mixed[1], images[1])
    torch.testing.assert_close(blended["label"], torch.tensor([[0.75, 0.25], [0, 1]]))


def test_blended_targets_stay_a_distribution():
    images = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    for spec in ("mixup(0.2)", "cutmix", "mixup(0.4)|rotate(10)|cutmix(1, p=0.5)"):
        _, blended = pipeline(spec)(images, {"label": torch.eye(64)}, seed=0, epoch=0, step=0, ids=torch.arange(64))
        torch.testing.assert_close(blended["label"].sum(1), torch.ones(64))
        assert blended["label"].min() >= 0


def test_cutmix_shares_follow_what_is_pasted():
    images = torch.arange(32, dtype=torch.uint8).view(32, 1, 1, 1).expand(32, 1, 16, 16)
    mixed, blended = pipeline("cutmix")(images, {"label": torch.eye(32)}, seed=2, epoch=0, step=0, ids=torch.arange(32))
    own = (mixed == images).float().mean((1, 2, 3))
    torch.testing.assert_close(own, blended["label"].diagonal())
