"""Plots of the energy's measurement. matplotlib is imported inside, and writes files only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import MissingToolError
from firmware_flows.files import atomic_path
from firmware_flows.model_source import Plot

from .evaluation import (
    BASELINE,
    EMPTY_MEV,
    OVERLAPPING_GAP,
    PULSE_MEV,
    binned,
    energy_of,
    pulses,
    residuals,
    resolution,
)
from .truth import Truth
from .windows import UNKNOWN_GAP

Floats = npt.NDArray[np.float64]

_STYLES: dict[str, dict[str, Any]] = {
    # Told apart by colour-blind readers too (Okabe and Ito), and where they coincide by size and line.
    "float": {"color": "#56B4E9", "linestyle": ":", "marker": "s", "markersize": 6, "markerfacecolor": "none"},
    "quantized": {"color": "#E69F00", "linestyle": "--", "marker": "o", "markersize": 5, "markerfacecolor": "none"},
    "bit-accurate": {"color": "#0072B2", "linestyle": "-", "marker": ".", "markersize": 5},
    BASELINE: {"color": "#000000", "linestyle": "-.", "marker": "^", "markersize": 4},
}

_ENERGY_EDGES = np.array([240.0, 500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 3500.0, 4000.0, 4500.0, 5000.0])

_GAP_EDGES = np.array(
    [1.0, 2.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.0, 25.0, 28.0, 31.0, 35.0, 40.0, 46.0, 54.0, 64.0]
)


def plot_all(outputs: Mapping[str, npt.NDArray[Any]], truth: Truth, directory: Path) -> tuple[Plot, ...]:
    """All forms of the network and the optimal filter with maximum finder, in one figure each; written as SVG."""
    energies = {form: energy_of(output) for form, output in outputs.items()}
    energies[BASELINE] = truth.optimal_filter_maximum
    return (
        _against_energy(energies, truth, directory / "energy.svg"),
        _against_gap(energies, truth, directory / "gap.svg"),
        _overlapping(energies, truth, directory / "overlapping.svg"),
        _fakes(energies, truth, directory / "fakes.svg"),
        _series(energies, truth, directory / "series.svg"),
    )


def _against_energy(energies: Mapping[str, Floats], truth: Truth, path: Path) -> Plot:
    caption = f"Pulses above {PULSE_MEV:g} MeV. Above: standard deviation of the residual; below: its mean."
    return _profiles(
        energies, truth, truth.energy, _ENERGY_EDGES, "true transverse energy [MeV]", path, "Against energy", caption
    )


def _against_gap(energies: Mapping[str, Floats], truth: Truth, path: Path) -> Plot:
    caption = (
        f"Pulses above {PULSE_MEV:g} MeV by the crossings since the previous signal, whose tail lasts 25. "
        "Above: standard deviation of the residual; below: its mean."
    )
    gap = np.where(truth.gap >= UNKNOWN_GAP, np.inf, truth.gap)
    return _profiles(
        energies,
        truth,
        gap,
        _GAP_EDGES,
        "crossings since the previous signal",
        path,
        "Against the gap",
        caption,
        logarithmic=True,
    )


def _profiles(
    energies: Mapping[str, Floats],
    truth: Truth,
    by: Floats,
    edges: Floats,
    label: str,
    path: Path,
    title: str,
    caption: str,
    *,
    logarithmic: bool = False,
) -> Plot:
    figure, (upper, lower) = _figure(6.4, 5.6, rows=2, sharex=True)
    chosen = pulses(truth)
    centres = 0.5 * (edges[1:] + edges[:-1])
    for name, energy in energies.items():
        bias, width, error = binned(residuals(energy, truth)[chosen], by[chosen], edges)
        upper.errorbar(centres, width, error, label=name, linewidth=1.0, **_style(name))
        lower.plot(centres, bias, linewidth=1.0, **_style(name))
    if logarithmic:
        _logarithmic(upper, chosen.any())
    else:
        upper.set_ylim(bottom=0.0)
    upper.set_ylabel("resolution [MeV]")
    lower.set_ylabel("bias [MeV]")
    lower.set_xlabel(label)
    lower.axhline(0.0, color="grey", linewidth=0.6)
    _grid(upper, lower)
    upper.legend(fontsize=7.5, frameon=False)
    return _save(figure, path, title, caption)


def _overlapping(energies: Mapping[str, Floats], truth: Truth, path: Path) -> Plot:
    figure, axes = _figure(6.4, 4.0)
    chosen = pulses(truth) & (truth.gap < OVERLAPPING_GAP)
    bins = np.linspace(-1000.0, 1000.0, 81)
    for name, energy in energies.items():
        off = np.clip(residuals(energy, truth)[chosen], bins[0], bins[-1])
        style = {key: value for key, value in _style(name).items() if key in ("color", "linestyle")}
        axes.hist(off, bins, histtype="step", label=f"{name}: {resolution(off)[0]:.0f} MeV", **style)
    _logarithmic(axes, chosen.any())
    axes.set_xlabel("energy given less true transverse energy [MeV]")
    axes.set_ylabel(f"pulses per {bins[1] - bins[0]:g} MeV")
    _grid(axes)
    axes.legend(fontsize=7.5, frameon=False, title="standard deviation within the plot", title_fontsize=7)
    caption = (
        f"Pulses less than {OVERLAPPING_GAP} crossings after the previous signal; the outer bins hold what lies beyond."
    )
    return _save(figure, path, "Overlapping pulses", caption)


def _fakes(energies: Mapping[str, Floats], truth: Truth, path: Path) -> Plot:
    figure, axes = _figure(6.4, 4.0)
    empty = truth.energy < EMPTY_MEV
    thresholds = np.arange(0.0, 1001.0, 20.0)
    for name, energy in energies.items():
        ordered = np.sort(energy[empty])
        share = 1.0 - np.searchsorted(ordered, thresholds, side="right") / max(ordered.size, 1)
        # What no event reached is not drawn, rather than at an arbitrary place of a logarithmic axis.
        axes.plot(thresholds, np.where(share > 0.0, share, np.nan), linewidth=1.0, label=name, **_style(name))
    _logarithmic(axes, empty.any())
    axes.axvline(PULSE_MEV, color="grey", linewidth=0.6)
    axes.set_xlabel("threshold [MeV]")
    axes.set_ylabel("share of empty crossings above")
    _grid(axes)
    axes.legend(fontsize=7.5, frameon=False)
    caption = f"{int(empty.sum()):,} crossings in which nothing was deposited; the line is the cut of the fake rate."
    return _save(figure, path, "Fakes", caption)


def _series(energies: Mapping[str, Floats], truth: Truth, path: Path) -> Plot:
    figure, (upper, lower) = _figure(10.0, 5.0, rows=2, sharex=True)
    inside = np.flatnonzero(truth.series >= 0.0)
    inside = inside[np.argsort(truth.series[inside])]
    time = truth.series[inside]
    for axes in (upper, lower):
        axes.fill_between(
            time, 0.0, truth.filled[inside], step="mid", color="#DDDDDD", linewidth=0, transform=_band(axes), zorder=0
        )
    upper.step(time, truth.adc[inside], where="mid", color="#000000", linewidth=0.7)
    upper.set_ylabel("ADC less pedestal [counts]")
    true = truth.energy[inside]
    lower.vlines(time, 0.0, true, color="#999999", linewidth=2.5, label="true energy")
    for name, energy in energies.items():
        style = {key: value for key, value in _style(name).items() if key != "linestyle"}
        # Only what is told from zero: a mark in each of 380 crossings would hide the pulses.
        shown = (energy[inside] > PULSE_MEV) | (true > PULSE_MEV)
        lower.plot(time[shown], energy[inside][shown], linestyle="none", label=name, **style)
    lower.set_ylabel("transverse energy [MeV]")
    lower.set_xlabel("crossing (25 ns); shaded: with collisions")
    _grid(upper, lower)
    lower.legend(fontsize=7.5, frameon=False, ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.15))
    caption = (
        "One cell during a row of trains: what is digitised, and the energy given where it, or the truth, is above "
        f"{PULSE_MEV:g} MeV. A pulse peaks two crossings after its deposit."
    )
    return _save(figure, path, "Time series", caption)


def _logarithmic(axes: Any, anything: bool | np.bool_) -> None:
    """A logarithmic axis, unless nothing is drawn: matplotlib warns of that."""
    if anything:
        axes.set_yscale("log")


def _band(axes: Any) -> Any:
    """Data along x, the whole height of the axes along y."""
    return axes.get_xaxis_transform()


def _style(name: str) -> dict[str, Any]:
    return _STYLES.get(name, {"color": "#CC79A7", "linestyle": "-", "marker": "x", "markersize": 4})


def _grid(*many: Any) -> None:
    for axes in many:
        axes.grid(True, which="major", alpha=0.3)


def _figure(width: float, height: float, rows: int = 1, sharex: bool = False) -> tuple[Any, Any]:
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
    return figure, figure.subplots(rows, 1, sharex=sharex)


def _save(figure: Any, path: Path, title: str, caption: str) -> Plot:
    from matplotlib import rc_context

    # Without the date and random ids the same numbers give the same file.
    with atomic_path(path) as temporary, rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, metadata={"Date": None})
    return Plot(title, path, caption)
