"""What the benchmarks draw, as SVG: rates as bars on one scale, figures as dots on their own."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_BLUE, _GREY = "#3b6ea5", "#999999"


def plot_rates(title: str, rates: Mapping[str, Sequence[float]], label: str, path: Path) -> None:
    """Medians as bars, with the range of the runs, all on one scale."""
    figure = Figure(figsize=(9, 0.5 * len(rates) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    medians = [statistics.median(values) for values in rates.values()]
    ranges = [
        [median - min(values) for median, values in zip(medians, rates.values(), strict=True)],
        [max(values) - median for median, values in zip(medians, rates.values(), strict=True)],
    ]
    bars = axes.barh(list(rates), medians, xerr=ranges, color=_BLUE, ecolor=_GREY)
    axes.bar_label(bars, fmt="{:,.0f}", padding=6, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    _finish(figure, axes, title, label, path)


def plot_figures(
    title: str, figures: Mapping[str, Sequence[float]], label: str, path: Path
) -> None:
    """Each run as a dot, the median as a line and a number; a scale from 0 for each figure."""
    figure = Figure(figsize=(9, 0.75 * len(figures) + 1.2), layout="constrained")
    rows = figure.subplots(len(figures), 1, squeeze=False)[:, 0]
    for axes, (name, values) in zip(rows, figures.items(), strict=True):
        median = statistics.median(values)
        axes.plot(values, [0.0] * len(values), "o", color=_BLUE, alpha=0.6)
        axes.axvline(median, color=_GREY, zorder=0)
        axes.annotate(f"{median:,.1f}", (median, 0), (4, 7), textcoords="offset points", fontsize=9)
        axes.set_xlim(0, max(values) * 1.15 or 1)
        axes.set_yticks([0], [name], fontsize=9)
        axes.tick_params(axis="x", labelsize=7)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    _finish(figure, rows[-1], title, label, path)


def _finish(figure: Figure, last: Axes, title: str, label: str, path: Path) -> None:
    last.spines[["top", "right"]].set_visible(False)
    last.set_xlabel(label, fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.savefig(path)
