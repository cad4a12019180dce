"""Learning curves drawn: train dashed and validation solid in one picture, bands over repeats, the gap as a bracket."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlab.core.metric_names import better, unit
from cnnlab.reports.colours import BAD, INK, PAPER, SOFT, Look
from cnnlab.reports.contents.curves import Band, CurveMetric, Gap, LearningCurves
from cnnlab.reports.contents.tables import TableColumn, with_unit
from cnnlab.reports.figures.style import DOT, WIDTH, in_unit, sheet, short_label, spread_labels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES: dict[str, dict[str, Any]] = {
    "train": {"linestyle": (0, (3.5, 1.8)), "linewidth": 1.5},
    "validation": {"linestyle": "-", "linewidth": 2.1},
}
_ROOM = 1.32
"""How much wider than the epochs the axis is, so that labels fit at the ends of the lines."""
_TITLE = 44
"""Letters above a panel, the metric's and the gap's together."""
_MOST_LETTERS, _LETTER = 24, 0.05
"""Letters of a name at the end of a line, and by how much each beyond eighteen makes the axis wider than the epochs."""
_NAME_LINE = 0.19
"""Inches that a name at the end of a line takes."""
_PHASE_LETTERS = 18
Limits = Mapping[str, tuple[float, float]]


def limits(curves: Sequence[LearningCurves]) -> dict[str, tuple[float, float]]:
    """From lowest to highest of every metric over all settings, so that their pictures can be compared.

    The first epochs would press all else flat, so a tenth of the values at the bad end may lie outside, but for the
    last epoch of a share, which is what a reader looks for.
    """
    names = dict.fromkeys(name for curve in curves for name in curve.bands)
    return {
        name: _ends([band for curve in curves for band in curve.bands.get(name, {}).values()], name) for name in names
    }


def limits_together(curves: Sequence[LearningCurves], metric: CurveMetric) -> tuple[float, float]:
    """The same of the curves that one panel shows together."""
    return _ends([band for _, band in _together(curves, metric)], metric.name)


def leaves(curve: LearningCurves, ends: Limits) -> bool:
    """Whether some of its curves lie outside their panel."""
    bands = ((band, ends[name]) for name, by_split in curve.bands.items() for band in by_split.values())
    return any(_is_outside(band, span) for band, span in bands)


def leave_together(curves: Sequence[LearningCurves], metric: CurveMetric) -> bool:
    """Whether some curves lie outside the panel that they share."""
    span = limits_together(curves, metric)
    return any(_is_outside(band, span) for _, band in _together(curves, metric))


def draw_setting(curve: LearningCurves, metrics: Sequence[CurveMetric], look: Look, ends: Limits) -> "Figure":
    """One setting: a panel a metric, the one judged by above."""
    shown = [metric for metric in metrics if metric.name in curve.bands]
    figure, panels = sheet(2.5 + 1.35 * (len(shown) - 1), len(shown), [1.7, *[1.0] * (len(shown) - 1)])
    for axes, metric in zip(panels, shown, strict=True):
        bands = curve.bands[metric.name]
        for split, band in bands.items():
            _draw_band(axes, band, look, split)
        if metric.name in curve.gaps:
            _draw_gap(axes, curve.gaps[metric.name], metric)
        _label_ends(axes, {split: (band, split, look) for split, band in bands.items()}, ends[metric.name])
        _finish(axes, metric, ends[metric.name], _last(bands))
        _part_phases(axes, [curve])
    panels[-1].set_xlabel("epoch", color=INK)
    return figure


def draw_together(
    curves: Sequence[LearningCurves], metric: CurveMetric, looks: Mapping[str, Look], names: Mapping[str, str]
) -> "Figure":
    """The validation curves of several settings in one panel, each named at its end; of train, where that is all."""
    figure, (axes,) = sheet(max(3.1, 1.0 + _NAME_LINE * len(curves)))
    split, ends = _split_shown(curves, metric), limits_together(curves, metric)
    bands = {
        curve.key: (band, short_label(names[curve.key], _MOST_LETTERS), looks[curve.key])
        for curve, band in _together(curves, metric)
    }
    for band, _, look in bands.values():
        _draw_band(axes, band, look, split, None if look.line == "-" else look.line)
    last = max(_last({"": band}) for band, _, _ in bands.values())
    _label_ends(axes, bands, ends)
    letters = max(len(label) for _, label, _ in bands.values())
    _finish(axes, metric, ends, last, room=1.5 + _LETTER * max(0, letters - 18))
    _part_phases(axes, curves)
    axes.set_xlabel("epoch", color=INK)
    return figure


def draw_curves(
    curves: Sequence[LearningCurves], metrics: Sequence[CurveMetric], looks: Mapping[str, Look], title: str = ""
) -> "Figure":
    """Train and validation of several settings or runs, a panel a metric; a dot where weights were kept."""
    figure, panels = sheet(3.4, columns=len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        shown = [curve for curve in curves if metric.name in curve.bands]
        span = _ends([band for curve in shown for band in curve.bands[metric.name].values()], metric.name, cut=False)
        for curve in shown:
            for split, band in curve.bands[metric.name].items():
                _draw_band(axes, band, looks[curve.key], split)
            if curve.epochs > 1:
                _mark_selected(axes, curve, metric, looks[curve.key])
        ends = {curve.key: _named_end(curve, metric, looks[curve.key]) for curve in shown}
        _label_ends(axes, ends, span)
        _finish(axes, metric, span, max(_last(curve.bands[metric.name]) for curve in shown), room=1.5)
        _part_phases(axes, shown)
        axes.set_xlabel("epoch", color=INK)
    if title:
        figure.suptitle(title, color=INK)
    figure.legend(*_key(curves), loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    return figure


def _named_end(curve: LearningCurves, metric: CurveMetric, look: Look) -> tuple[Band, str, Look]:
    """Where the curve is named: at the end of validation, or of train where that is all."""
    bands = curve.bands[metric.name]
    return bands.get("validation") or bands["train"], short_label(curve.label, 18), look


def _mark_selected(axes: "Axes", curve: LearningCurves, metric: CurveMetric, look: Look) -> None:
    band, _, _ = _named_end(curve, metric, look)
    chosen = band.epochs == curve.selected
    if not chosen.any():
        # None are, of a training under way. A line without points would have the panels shrink to nothing.
        return
    sign = {**DOT, "linestyle": "", "marker": look.marker}
    axes.plot(band.epochs[chosen], band.mean[chosen], color=look.colour, clip_on=False, **sign)


def _key(curves: Sequence[LearningCurves]) -> "tuple[list[Artist], list[str]]":
    """What the lines are, or the signs where no training has a second epoch, and the sign of the epoch kept."""
    from matplotlib.lines import Line2D

    if all(curve.epochs == 1 for curve in curves):
        looks = {split: _sign(Look(SOFT), split) for split in _LINES}
    else:
        is_over = any(curve.selected is not None for curve in curves)
        kept = {"weights kept": {**DOT, "color": SOFT, "linestyle": ""}} if is_over else {}
        looks = {**{split: {"color": SOFT, **style} for split, style in _LINES.items()}, **kept}
    return [Line2D([], [], **style) for style in looks.values()], list(looks)


def _split_shown(curves: Sequence[LearningCurves], metric: CurveMetric) -> str:
    return "validation" if any("validation" in curve.bands.get(metric.name, {}) for curve in curves) else "train"


def _together(curves: Sequence[LearningCurves], metric: CurveMetric) -> list[tuple[LearningCurves, Band]]:
    split = _split_shown(curves, metric)
    return [(curve, curve.bands[metric.name][split]) for curve in curves if split in curve.bands.get(metric.name, {})]


def _is_outside(band: Band, ends: tuple[float, float]) -> bool:
    return bool((band.low < ends[0]).any() or (band.high > ends[1]).any())


def _ends(bands: Sequence[Band], metric: str, *, cut: bool = True) -> tuple[float, float]:
    """From lowest to highest, with some room.

    :param cut: whether a tenth of the values at the bad end may lie outside.
    """
    values = np.concatenate([np.concatenate([band.low, band.high]) for band in bands])
    kept = [0, 100] if not cut else [0, 90] if better(metric) == "lower" else [10, 100]
    low, high = np.percentile(values, kept)
    if unit(metric) == "share":
        last = np.array([[band.low[-1], band.high[-1]] for band in bands])
        low, high = min(low, np.nanmin(last)), max(high, np.nanmax(last))
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return float(low - room), float(high + room)


def _draw_band(axes: "Axes", band: Band, look: Look, split: str, line: Any = None) -> None:
    """A line with the band that the repeats span, dashed as the split is unless told otherwise."""
    colour = look.colour
    if len(band.epochs) == 1:
        _draw_epoch(axes, band, look, split)
        return
    how = _LINES[split] if line is None else {**_LINES[split], "linestyle": line}
    axes.plot(band.epochs, band.mean, color=colour, zorder=3, **how)
    if band.n.max() > 1:
        axes.fill_between(band.epochs, band.low, band.high, color=colour, alpha=0.18, linewidth=0, zorder=1)


def _draw_epoch(axes: "Axes", band: Band, look: Look, split: str) -> None:
    """One epoch makes no line: a sign, hollow for train, and how far the repeats reach."""
    axes.plot(band.epochs, band.mean, clip_on=False, **_sign(look, split))
    if band.n.max() > 1:
        ends = [band.low[0], band.high[0]]
        axes.plot([band.epochs[0]] * 2, ends, color=look.colour, alpha=0.35, linewidth=4, zorder=1)


def _sign(look: Look, split: str) -> dict[str, Any]:
    """How the sign of one epoch is drawn."""
    hollow = {"markerfacecolor": PAPER, "markeredgecolor": look.colour, "markeredgewidth": 2}
    return {**DOT, "color": look.colour, "marker": look.marker, "linestyle": "", **(hollow if split == "train" else {})}


def _draw_gap(axes: "Axes", gap: Gap, metric: CurveMetric) -> None:
    """A bar from train to validation at the epoch whose weights were kept; its size stands above the panel.

    Where repeats kept different epochs it stands at the median of them and is as long as the mean of their gaps.
    """
    axes.plot([gap.epoch] * 2, [gap.train, gap.validation], "_-", color=BAD, linewidth=1.6, markersize=8, zorder=4)
    text = f"gap {with_unit(gap.size, metric.kind, sign=True)}"
    place = f" {gap.where.replace(' to ', '–')}"
    room = _TITLE * axes.figure.get_size_inches()[0] / WIDTH  # type: ignore[union-attr]
    is_short = len(TableColumn("", metric.label, metric.kind).heading) + len(text) + len(place) <= room
    axes.set_title(f"{text}{place if is_short else ''}", loc="right", color=BAD, pad=5)


def _label_ends(axes: "Axes", bands: Mapping[str, tuple[Band, str, Look]], ends: tuple[float, float]) -> None:
    """A name at the end of every line, none over another."""
    low, high = ends
    height = axes.get_position().height * axes.figure.get_size_inches()[1] * 72  # type: ignore[union-attr]
    least = 13 / max(height, 1) * (high - low)
    wanted = [float(np.clip(band.mean[-1], low, high)) for band, _, _ in bands.values()]
    last = max(int(band.epochs[-1]) for band, _, _ in bands.values())
    # Half a line below the top, so that no name touches what stands above the panel.
    places = spread_labels(wanted, least, low, high - least / 2)
    for (_, label, look), place in zip(bands.values(), places, strict=True):
        common: dict[str, Any] = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        # The name itself in ink: some of the colours are too bright to read.
        axes.annotate(look.sign, (last, place), (4, 0), color=look.colour, **common)
        axes.annotate(label, (last, place), (16, 0), color=INK, **common)


def _finish(axes: "Axes", metric: CurveMetric, ends: tuple[float, float], last: int, room: float = _ROOM) -> None:
    from matplotlib.ticker import FixedLocator

    in_unit(axes.yaxis, TableColumn("", metric.label, metric.kind))
    axes.set_title(TableColumn("", metric.label, metric.kind).heading, loc="left", color=INK, pad=5)
    axes.set_ylim(*ends)
    for line in axes.lines:
        # A sign that may stand over the edge of its panel, but not a thousand panels away from it.
        heights = np.asarray(line.get_ydata(), float)
        if heights.min() < ends[0] or heights.max() > ends[1]:
            line.set_clip_on(True)
    first = 1 if last > 1 else 0
    axes.set_xlim(first - 0.02 * last, first + (last - first) * room if last > 1 else 2)
    axes.xaxis.set_major_locator(FixedLocator(_epoch_ticks(last)))
    axes.spines["bottom"].set_bounds(first, last)
    axes.spines["bottom"].set_color(SOFT)


def _part_phases(axes: "Axes", curves: Sequence[LearningCurves]) -> None:
    """A dotted line before each later phase, with what it trains, where all curves have the same phases."""
    phases = curves[0].phases
    if any(curve.phases != phases for curve in curves):
        return
    for phase in phases[1:]:
        axes.axvline(phase.epoch - 0.5, color=SOFT, linestyle=":", linewidth=1, zorder=0)
        words = short_label(phase.trains, _PHASE_LETTERS)
        common: dict[str, Any] = {"textcoords": "offset points", "xycoords": ("data", "axes fraction"), "fontsize": 7}
        axes.annotate(words, (phase.epoch - 0.5, 0), (3, 2), color=INK, va="bottom", rotation=90, **common)


def _epoch_ticks(last: int) -> list[int]:
    """Few whole numbers, the first and the last epoch among them."""
    if last <= 6:
        return list(range(1, last + 1))
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10_000, 100_000) if last / s <= 5)
    inner = [tick for tick in range(step, last, step) if last - tick > 0.6 * step]
    return [1, *(tick for tick in inner if tick > 1), last]


def _last(bands: Mapping[str, Band]) -> int:
    return max(int(band.epochs[-1]) for band in bands.values())
