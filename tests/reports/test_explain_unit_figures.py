"""Filters, activations, dead units and maximised pictures, drawn."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnlab.core.errors import UsageError
from cnnlab.explain import Activations, DeadUnits, Filters, Maximized
from cnnlab.explain.maximization import Ascent
from cnnlab.explain.relu_units import ReluUnits
from cnnlab.reports.contents.dead_units import dead_over_epochs, dead_units_table
from cnnlab.reports.contents.explain_captions import dead_units_caption
from cnnlab.reports.figures.explain_activations import draw_activations, draw_dead_units
from cnnlab.reports.figures.explain_filters import draw_filter_responses, draw_filters
from cnnlab.reports.figures.explain_grid import shown_pixels
from cnnlab.reports.figures.explain_maximization import draw_maximized
from cnnlab.reports.figures.style import save_figure, style


def filters(*shape: int, is_colour: bool = False) -> Filters:
    kernels = np.linspace(-0.4, 0.8, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return Filters("run own", "conv1", kernels, np.arange(shape[0]), shape[0], None, is_colour, is_colour)


def maps(*shape: int) -> Activations:
    values = np.zeros(shape, np.float32)
    values[0, 3], values[0, 1, ...] = 2.0, 1.0
    return Activations("run own", "relu2", values, np.arange(shape[1]), shape[1], np.full((shape[0], 1, 4, 4), 0.5))


def counted(model: str, epoch: int | None, *dead: int) -> DeadUnits:
    layers = tuple(
        ReluUnits(f"relu{place}", np.arange(8) < count, np.where(np.arange(8) < count, 1.0, 0.25))
        for place, count in enumerate(dead, start=1)
    )
    return DeadUnits(model, "digits", "validation", 100, layers, epoch)


def texts(figure: Figure) -> list[str]:
    """All that is written on a figure."""
    return [text.get_text() for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]]


def caption(figure: Figure) -> str:
    return " ".join(reversed([text.get_text() for text in figure.texts if text.get_fontsize() == 9]))


def test_filters_of_colours_are_drawn_in_colour_with_their_numbers_and_scale() -> None:
    figure = draw_filters(filters(5, 3, 3, 3, is_colour=True))
    assert texts(figure)[-5:] == ["0", "1", "2", "3", "4"]
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.shape[2] == 3 and shown.max() == 1
    assert "Filters of conv1 of run own, 3×3, 5 filters" in caption(figure) and "±0.8" in caption(figure)


def test_filters_of_many_inputs_are_a_grid_of_filters_by_inputs() -> None:
    figure = draw_filters(filters(20, 30, 3, 3), inputs=4)
    assert len(figure.axes[0].texts) == 4 * 4 and figure.axes[0].texts[0].get_text() == "0←26"
    assert "4 of 20 filters" in caption(figure) and "4 of 30, those weighed most" in caption(figure)
    assert figure.axes[0].images[0].get_clim() == pytest.approx((-0.8, 0.8))


def test_filters_of_one_pixel_are_one_matrix() -> None:
    figure = draw_filters(filters(6, 9, 1, 1))
    assert figure.axes[0].images[0].get_array().shape == (6, 9)
    assert [figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()] == ["input", "filter"]


def test_patterns_bear_their_share() -> None:
    figure = draw_filters(filters(4, 2, 3, 3), as_patterns=True)
    assert figure.axes[0].texts[0].get_text().startswith("0: ") and figure.axes[0].texts[0].get_text().endswith("%")


def test_the_most_active_channels_come_first_with_the_picture_beside() -> None:
    figure = draw_activations(maps(1, 6, 4, 4), most=3)
    assert [text.get_text() for text in figure.axes[0].texts] == ["3", "1", "0"]
    assert "3 of 6 channels, the most active first" in caption(figure) and "from 0" in caption(figure)
    assert figure.axes[1].images and figure.axes[1].texts[0].get_text() == "the picture"


def test_responses_keep_the_order_of_the_filters_and_may_have_scales_of_their_own() -> None:
    figure = draw_filter_responses(maps(1, 6, 4, 4), own_scales=True)
    assert [text.get_text() for text in figure.axes[0].texts][:4] == ["0: 0", "1: 1", "2: 0", "3: 2"]
    assert figure.axes[0].images[0].get_clim() == (0, 1) and "its own scale" in caption(figure)


def test_numbers_are_bars_and_tokens_are_refused() -> None:
    figure = draw_activations(maps(1, 6))
    assert [bar.get_height() for bar in figure.axes[1].patches][:2] == [2.0, 1.0]
    with pytest.raises(UsageError, match=r"puts out 5×6 for a picture, and only feature maps and rows of numbers"):
        draw_activations(maps(1, 5, 6))


def test_dead_units_are_a_table_and_shares_by_layer_and_epoch() -> None:
    over = [counted("run own", 0, 0, 2), counted("run own", 3, 4, 8)]
    table = dead_units_table({"own": over})
    assert [column.key for column in table.columns][:3] == ["model", "epoch", "layer"]
    assert table.rows[-1] == ("own", 3, "relu2", 8, 8, 1.0, 1.0)
    arrays = dead_over_epochs("own", over)
    assert arrays.dead.tolist() == [[0, 0.5], [0.25, 1]] and arrays.epochs == ("0", "3")
    assert arrays.zeros[0].tolist() == [0.25, 0.625]
    figure = draw_dead_units([arrays, dead_over_epochs("other", over)], dead_units_caption(over))
    assert [axes.get_title(loc="left") for axes in figure.axes][:2] == ["own: dead units (%)", "own: zeros (%)"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "50", "25", "100"]
    assert "validation split of digits, 100 pictures" in caption(figure)
    one = dead_units_table({"own": [counted("run own", None, 1)]})
    assert "epoch" not in [column.key for column in one.columns]


def test_maximised_pictures_bear_the_names_of_their_classes_or_the_numbers_of_their_channels() -> None:
    images = np.full((2, 1, 4, 4), 0.25, np.float32)
    common = (images, np.ones(2), np.zeros(2), Ascent(jitter=2))
    classes = draw_maximized(Maximized("run own", None, np.array([3, 1]), ("cat", "dog"), *common))
    assert [text.get_text() for text in classes.axes[0].texts] == ["cat", "dog"]
    channels = draw_maximized(Maximized("run own", "conv3", np.array([3, 1]), ("channel 3", "channel 1"), *common))
    assert [text.get_text() for text in channels.axes[0].texts] == ["3", "1"]
    for word in ("channels of conv3 of run own", "256 steps", "jitter of 2 pixels", "seed 0"):
        assert word in caption(channels)


def test_pictures_of_any_channels_are_shown() -> None:
    two = np.stack([np.full((4, 4), 0.5), np.zeros((4, 4))])
    assert shown_pixels(two).shape == (4, 4, 3) and (shown_pixels(two) == 0.5).all()
    assert (shown_pixels(np.full((4, 2, 2), 2.0)) == 1).all()


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_figures_are_written(tmp_path: Path, kind: str) -> None:
    with style():
        path = save_figure(draw_activations(maps(1, 6, 4, 4)), tmp_path / f"maps.{kind}")
    assert path.stat().st_size > 1000
