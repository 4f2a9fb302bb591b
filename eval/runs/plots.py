"""Charts as SVG for embedding in a page. Text stays text, and colours are CSS variables of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from eval.metrics.selective import auroc, reliability, risk_coverage
from eval.metrics.table import Columns
from eval.runs.run import Times

# Placeholders that are replaced in the SVG, because matplotlib has no CSS variables.
COLOURS = {"#101010": "var(--ink)", "#808080": "var(--faint)", "#2060a0": "var(--accent)", "#c04000": "var(--second)"}
INK, FAINT, ACCENT, SECOND = COLOURS
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pincite",  # makes identifiers reproducible
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
}
BUCKETS = 40  # of a histogram
STAGES = ("retrieve", "read", "wall")


def risk_coverage_chart(columns: Columns, threshold: float) -> str:
    """Risk over coverage with the served threshold, and random and perfect confidence for comparison."""
    curve = risk_coverage(columns.confidence, columns.right)
    wrong = 1 - float(columns.right.mean())
    served = float((columns.confidence >= threshold).mean())

    def draw(axes: Axes) -> None:
        best = np.maximum(0, 1 - columns.right.mean() / curve.coverage)
        axes.plot(curve.coverage, best, color=FAINT, linestyle=":", label="best possible")
        axes.axhline(wrong, color=FAINT, linestyle="--", linewidth=1, label="random confidence")
        axes.plot(curve.coverage, curve.risk, color=ACCENT, linewidth=2, label="this run")
        if served:
            at = round(served * len(curve.risk)) - 1
            axes.plot([served], [curve.risk[at]], "o", color=SECOND, label=f"served threshold {threshold:.2f}")
        axes.set(xlabel="share of questions answered", ylabel="error rate of the answers")
        axes.set(xlim=(0, 1.01), ylim=(0, max(0.05, *curve.risk) * 1.05))
        axes.legend(loc="best", fontsize=9)

    return svg(draw, "Risk over coverage")


def reliability_chart(columns: Columns) -> str:
    bins = reliability(columns.confidence, columns.right)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1)
        axes.vlines(
            [b.confidence for b in bins], [b.confidence for b in bins], [b.accuracy for b in bins], color=SECOND
        )
        axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o-", color=ACCENT, linewidth=2)
        axes.set(xlabel="stated confidence", ylabel="share right", xlim=(0, 1.01), ylim=(0, 1.01))

    return svg(draw, "Reliability: stated confidence and share right")


def confidence_chart(columns: Columns, threshold: float) -> str:
    kinds = [(columns.confidence[columns.right], ACCENT, "answered rightly")]
    kinds.append((columns.confidence[~columns.right & columns.answerable], SECOND, "answered wrongly"))
    if not columns.answerable.all():
        kinds.append((columns.confidence[~columns.answerable], FAINT, "unanswerable"))

    def draw(axes: Axes) -> None:
        for values, colour, label in kinds:
            axes.hist(
                values, bins=np.linspace(0, 1, 21).tolist(), histtype="step", linewidth=2, color=colour, label=label
            )
        axes.axvline(threshold, color=INK, linestyle=":", label=f"served threshold {threshold:.2f}")
        axes.set(xlabel="confidence", ylabel="questions", xlim=(0, 1))
        axes.legend(loc="best", fontsize=9)

    title = "Confidence by kind of question"
    area = auroc(columns.confidence, columns.answerable)
    return svg(draw, title if area is None else f"{title}; AUROC {area:.3f}")


def latency_chart(times: Sequence[Times]) -> str:
    """The durations of the stages, up to the 99.5th percentile of the total."""
    wall = np.array([each.wall for each in times])
    edges = np.linspace(0, float(np.quantile(wall, 0.995)) or 1.0, BUCKETS)

    def draw(axes: Axes) -> None:
        for stage, colour in zip(STAGES, (FAINT, SECOND, ACCENT), strict=True):
            values = np.array([getattr(each, stage) for each in times])
            label = "whole question" if stage == "wall" else stage
            axes.hist(values, bins=edges.tolist(), histtype="step", linewidth=2, color=colour, label=label)
        axes.set(xlabel="milliseconds", ylabel="questions", xlim=(0, edges[-1]))
        axes.legend(loc="best", fontsize=9)

    return svg(draw, "Latency of a question")


def svg(draw: Callable[[Axes], None], title: str) -> str:
    """An SVG element with one pair of axes. `title` is read by screen readers and shown by browsers."""
    with rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    text = file.getvalue()
    for stand_in, variable in COLOURS.items():
        text = text.replace(stand_in, variable)
    return text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
