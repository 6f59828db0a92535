"""Plots of the track finder's performance. matplotlib is imported inside, and writes files only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.errors import MissingToolError
from firmware_flows.files import atomic_path
from firmware_flows.model_source import Plot

from .evaluation import (
    EFFICIENCY,
    GOLDEN,
    PRESENT,
    PROMOTED_BELOW,
    RATE_CURVE,
    THRESHOLDS,
    Answer,
    cut_at,
    half_width,
    near,
    passing,
    rate,
    turn_on,
    wrong_charge,
)
from .real_evaluation import WIDTH
from .truth import Truth

_STYLES: dict[str, dict[str, Any]] = {
    PRESENT: {"color": "#D55E00", "linestyle": "-", "marker": "s"},
    GOLDEN: {"color": "#000000", "linestyle": "-", "marker": "o"},
    "float": {"color": "#E69F00", "linestyle": ":", "marker": "^"},
    "quantized": {"color": "#009E73", "linestyle": "--", "marker": "v"},
    "bit-accurate": {"color": "#0072B2", "linestyle": "-", "marker": "D"},
}
"""Told apart by colour-blind readers too (Okabe and Ito)."""

_TURN_ON = np.array(
    [2.5, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 28, 30, 35, 40]
)
_REAL_TURN_ON = np.array([4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 25, 30, 35, 40, 50, 60])
_MOMENTA = np.array([4, 5, 6, 7, 9, 11, 14, 18, 22, 26, 32, 40, 50, 65, 80, 100])


def plot_all(truth: Truth, answers: Mapping[str, Answer], directory: Path) -> tuple[Plot, ...]:
    """Turn-on, rate, promotion, resolution and charge of all forms; written as SVG below `directory`."""
    return (
        _turn_on_curves(truth, answers, directory / "turn_on.svg"),
        _rates(truth, answers, directory / "rate.svg"),
        _promotion(truth, answers, directory / "promotion.svg"),
        _by_momentum(
            truth,
            answers,
            half_width,
            "68 % half-width of (1/pT answered) / (1/pT)",
            directory / "resolution.svg",
            ("Resolution of 1/pT", "Half of the central 68 %, the median set to 1. Patterns have 28 momenta."),
        ),
        _by_momentum(
            truth,
            answers,
            wrong_charge,
            "share of candidates with the wrong charge",
            directory / "charge.svg",
            ("Charge", "Share of the candidates that get the wrong charge."),
        ),
    )


def plot_real(truth: Truth, answers: Mapping[str, Answer], directory: Path) -> Plot:
    """Turn-on of all forms and of the experiment's algorithm on its own simulated events, already selected."""
    figure, grid = _figure(10.0, 3.6, len(THRESHOLDS))
    for axes, t in zip(grid, THRESHOLDS, strict=True):
        for form, answer in answers.items():
            cut = cut_at(answer.scores[t][near(truth, t, WIDTH)], efficiency=EFFICIENCY)
            mean, share, error = turn_on(truth, cut.passing(answer.scores[t]), _REAL_TURN_ON)
            axes.errorbar(mean, share, error, label=form, markersize=2.5, linewidth=1.0, **_style(form))
        _decorate(axes, t)
    grid[0].set_ylabel("share of the muons that pass")
    grid[-1].legend(fontsize=7)
    caption = f"{len(truth):,} simulated CMS events; all at 90 % within {WIDTH:g} GeV above the threshold."
    return _save(figure, directory / "real_turn_on.svg", "Real events: turn-on", caption)


def _turn_on_curves(truth: Truth, answers: Mapping[str, Answer], path: Path) -> Plot:
    figure, grid = _figure(10.0, 6.2, len(THRESHOLDS), 2)
    for column, t in enumerate(THRESHOLDS):
        for form, answer in answers.items():
            mean, share, error = turn_on(truth, passing(truth, answer, t), _TURN_ON)
            for axes in grid[:, column]:
                axes.errorbar(mean, share, error, label=form, markersize=2.5, linewidth=1.0, **_style(form))
        for axes in grid[:, column]:
            _decorate(axes, t)
        grid[1, column].set_yscale("log")
        grid[1, column].set_ylim(3e-4, 1.5)
    for row in grid:
        row[0].set_ylabel("share of the muons that pass")
    grid[0, -1].legend(fontsize=7)
    caption = "All at 90 % of the candidates within 2 GeV above the threshold (dashed line); below, logarithmic."
    return _save(figure, path, "Turn-on", caption)


def _rates(truth: Truth, answers: Mapping[str, Answer], path: Path) -> Plot:
    figure, grid = _figure(9.0, 3.8, 2)
    reference = np.array([rate(truth, answers[GOLDEN], t) for t in RATE_CURVE])
    for form, answer in answers.items():
        rates = np.array([rate(truth, answer, t) for t in RATE_CURVE])
        grid[0].plot(RATE_CURVE, rates, label=form, markersize=3, linewidth=1.0, **_style(form))
        grid[1].plot(RATE_CURVE, rates / reference, label=form, markersize=3, linewidth=1.0, **_style(form))
    grid[0].set_yscale("log")
    grid[0].set_ylabel("rate, arbitrary unit")
    grid[1].set_ylabel("rate / rate of golden patterns")
    grid[1].set_ylim(bottom=0.0)
    for axes in grid:
        axes.set_xlabel("threshold [GeV]")
        axes.grid(True, alpha=0.3)
    grid[0].legend(fontsize=7)
    return _save(figure, path, "Rate", "Rate against threshold, all at 90 % efficiency just above it. Lower is better.")


def _promotion(truth: Truth, answers: Mapping[str, Answer], path: Path) -> Plot:
    figure, axes = _figure(5.6, 3.8)
    thresholds = [t for t in RATE_CURVE if t >= 10.0]
    for form, answer in answers.items():
        shares = [passing(truth, answer, t)[truth.pt < PROMOTED_BELOW * t].mean() for t in thresholds]
        axes.plot(thresholds, shares, label=form, markersize=3, linewidth=1.0, **_style(form))
    axes.set_yscale("log")
    axes.set_xlabel("threshold [GeV]")
    axes.set_ylabel(f"share passing of muons below {PROMOTED_BELOW:g} of it")
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=7)
    caption = "Muons of low momentum that pass, as generated, at 90 % efficiency just above the threshold."
    return _save(figure, path, "Promotion of soft muons", caption)


def _by_momentum(
    truth: Truth,
    answers: Mapping[str, Answer],
    quantity: Callable[[Truth, Answer, float, float], float],
    label: str,
    path: Path,
    words: tuple[str, str],
) -> Plot:
    figure, axes = _figure(5.6, 3.8)
    middle = np.sqrt(_MOMENTA[:-1] * _MOMENTA[1:])
    for form, answer in answers.items():
        values = [quantity(truth, answer, low, high) for low, high in pairwise(_MOMENTA)]
        axes.plot(middle, values, label=form, markersize=3, linewidth=1.0, **_style(form))
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("pT [GeV]")
    axes.set_ylabel(label)
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=7)
    return _save(figure, path, *words)


def _decorate(axes: Any, threshold: float) -> None:
    axes.axvline(threshold, color="#888888", linestyle="--", linewidth=0.8)
    axes.set_title(f"threshold {threshold:g} GeV", fontsize=9)
    axes.set_xlabel("pT [GeV]")
    axes.grid(True, alpha=0.3)


def _style(form: str) -> dict[str, Any]:
    return _STYLES.get(form, {"color": "#CC79A7", "linestyle": "-.", "marker": "x"})


def _figure(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "matplotlib", "to draw the plots", 'install the plots extra: pip install "firmware-flows[plots]"'
        ) from error
    # Without pyplot: no global state, no display, whatever back end the user has set.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def _save(figure: Any, path: Path, title: str, caption: str) -> Plot:
    from matplotlib import rc_context

    # Without the date and random ids the same numbers give the same file.
    with atomic_path(path) as temporary, rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, metadata={"Date": None})
    return Plot(title, path, caption)
