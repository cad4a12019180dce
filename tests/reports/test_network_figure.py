"""Pictures of networks: what they show, where it stands, and that no label covers another."""

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from torch import nn

from cnnlab.core.errors import UsageError
from cnnlab.models import NetworkSummary, architectures, summary, summary_without_weights
from cnnlab.reports import draw_network
from cnnlab.reports.contents.network_layout import NetworkLayout, lay_out_network
from cnnlab.reports.contents.network_parts import FeatureMapBox, Fork, network_parts
from cnnlab.reports.figures.network import draw_network_layout

MIXED = "conv(8)|se|inception(64, kind=googlenet)|residual(64, kind=bottleneck, preactivation=true)|global_pool"
SPECS = [entry.name for entry in architectures if "weights" not in entry.arguments]
SPECS += ["cifar-net(block=inception)", "cifar-net(block=residual)", MIXED, "vgg-like(dropout=0.5, conv_dropout=0.1)"]


def of(spec: str, shape: tuple[int, ...] = (3, 32, 32)) -> NetworkSummary:
    return summary_without_weights(spec, shape, 10)


def placed(spec: str) -> NetworkLayout:
    return placed_on(spec, (3, 32, 32))


def placed_on(spec: str, shape: tuple[int, ...]) -> NetworkLayout:
    return lay_out_network(network_parts(of(spec, shape)))


def test_a_chain_is_a_box_for_each_shape_with_the_rest_as_notes() -> None:
    parts = network_parts(of("conv(8, 5)|bn|relu|dropout|avgpool|dense(12)|selu", (1, 10, 12)))
    assert parts == (
        FeatureMapBox("input", "input", (1, 10, 12), "input"),
        FeatureMapBox("conv1", "conv 5×5", (8, 10, 12), "conv", ("bn", "relu", "dropout")),
        FeatureMapBox("avgpool1", "avg pool 2×2", (8, 5, 6), "pool"),
        FeatureMapBox("dense1", "dense", (12,), "dense", ("selu",)),
        FeatureMapBox("head", "output", (10,), "output"),
    )


def test_inception_is_three_lanes_that_are_concatenated() -> None:
    fork = next(part for part in network_parts(of("cifar-net(block=inception)")) if isinstance(part, Fork))
    assert [[box.title for box in lane] for lane in fork.lanes] == [
        *(["conv 3×3"], ["conv 3×3", "conv 3×3"], ["conv 3×3", "pool 3×3"])
    ]
    assert fork.join == "concat" and fork.end.shape == (192, 8, 8) and fork.around is None


def test_residual_blocks_have_a_way_around_with_what_lies_on_it() -> None:
    forks = [part for part in network_parts(of("resnet18")) if isinstance(part, Fork)]
    assert [fork.around for fork in forks] == [(), (), ("conv 1×1",), (), ("conv 1×1",), (), ("conv 1×1",), ()]
    assert all(fork.join == "add" and fork.end.notes == ("relu",) for fork in forks)
    assert [box.notes for box in forks[0].lanes[0]] == [("bn", "relu"), ("bn",)]


def test_heads_are_lanes_that_end_side_by_side() -> None:
    fork = network_parts(summary_without_weights('conv(4)|heads([7, 3], ["dense(6)|relu", ""])', (1, 8, 8), 10))[-1]
    assert isinstance(fork, Fork) and fork.end.shape == (10,)
    assert [[box.shape for box in lane] for lane in fork.lanes] == [[(6,), (7,)], [(3,)]]


def test_preactivation_is_told_before_the_first_convolution_of_a_block() -> None:
    fork = next(part for part in network_parts(of("wide-resnet")) if isinstance(part, Fork))
    assert fork.lanes[0][0].notes == ("bn first", "relu first", "bn", "relu")


def test_a_block_of_ones_own_is_one_box_and_a_chain_is_unfolded() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
            self.block = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())

        def forward(self, x):
            x = self.features(x)
            return (x + self.block(x) + self.block[1](x)).mean((2, 3))

    parts = network_parts(summary(Own(), (1, 8, 8)))
    assert [(part.name, part.title) for part in parts if isinstance(part, FeatureMapBox)][:3] == [
        *(("input", "input"), ("features.0", "conv 3×3"), ("features.2", "pool 2×2"))
    ]


def test_boxes_are_sized_by_their_feature_maps() -> None:
    solids = {solid.box.name: solid for solid in placed("conv(16)|pool|conv(64)|pool|dense(100)|dense(25)").solids}
    first, second = solids["conv1"], solids["conv2"]
    assert first.height > solids["pool1"].height == second.height > solids["pool2"].height
    assert first.depth > second.depth and first.width < second.width
    assert solids["dense1"].height > solids["dense2"].height > solids["head"].height


def test_a_long_network_goes_on_in_further_rows_of_like_width() -> None:
    layout = placed("resnet34")
    assert layout.width < 13
    levels = {round(solid.y + solid.height / 2, 6) for solid in layout.solids}
    ends = [max(s.x for s in layout.solids if round(s.y + s.height / 2, 6) == level) for level in levels]
    assert len(levels) > 2 and min(ends) > 0.5 * max(ends)


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_covers_anything(spec: str) -> None:
    layout = placed(spec)
    figure = draw_network_layout(layout)
    figure.canvas.draw()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent().transformed(figure.dpi_scale_trans.inverted()) for text in texts]
    for (text, box), (second, covered) in combinations(zip(texts, boxes, strict=True), 2):
        assert not box.overlaps(covered), (text.get_text(), second.get_text())
    for box in boxes:
        assert box.x0 > 0 and box.x1 < layout.width and box.y0 > 0 and box.y1 < layout.height
        for solid in layout.solids:
            is_beside = box.x1 < solid.x or box.x0 > solid.x + solid.width
            assert is_beside or box.y1 < solid.y or box.y0 > solid.y + solid.height, solid.box.name
    for first, second in combinations(layout.solids, 2):
        is_beside = first.x + first.width < second.x or second.x + second.width < first.x
        assert is_beside or first.y + first.height < second.y or second.y + second.height < first.y


@pytest.mark.parametrize("spec", ["vgg-like", MIXED, "resnet18"])
def test_every_box_is_reached_and_lines_run_straight(spec: str) -> None:
    layout = placed(spec)
    ends = [line.points[-1] for line in layout.lines]
    for solid in layout.solids[1:]:
        assert any(x == pytest.approx(solid.x) and solid.y < y < solid.y + solid.height for x, y in ends)
    for line in layout.lines:
        for (x, y), (to_x, to_y) in pairwise(line.points):
            assert x == pytest.approx(to_x) or y == pytest.approx(to_y)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_network_is_the_same_file(tmp_path: Path, kind: str) -> None:
    drawn = [draw_network(of("lenet5", (1, 28, 28)), tmp_path / f"{name}.{kind}") for name in "ab"]
    assert drawn[0].read_bytes() == drawn[1].read_bytes()


def test_the_file_shows_every_label_of_the_layout(tmp_path: Path) -> None:
    text = draw_network(of("lenet5", (1, 28, 28)), tmp_path / "lenet.svg").read_text()
    layout = placed_on("lenet5", (1, 28, 28))
    shown = [line for label in layout.labels for line in (*label.lines, *label.notes)]
    assert len(shown) > 10 and all(f">{line}<" in text for line in shown)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.doc"):
        draw_network(of("mlp"), tmp_path / "net.doc")
