"""Plots of a tagger's performance. matplotlib is imported inside, and writes files only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import MissingToolError
from firmware_flows.files import atomic_path
from firmware_flows.model_source import Plot

from .evaluation import auc, labels_of, probabilities, roc

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
"""Told apart by colour-blind readers too (Okabe and Ito)."""

_LINES = {"float": ":", "quantized": "--", "bit-accurate": "-"}

_SMALLEST_BACKGROUND = 1e-4


def plot_all(
    outputs: Mapping[str, npt.NDArray[Any]], y: npt.ArrayLike, classes: Sequence[str], directory: Path
) -> tuple[Plot, ...]:
    """ROC curves of all forms, confusion matrix and scores of the last form; written as SVG."""
    labels = labels_of(y)
    last = list(outputs)[-1]
    return (
        _roc_curves(outputs, labels, classes, directory / "roc.svg"),
        _confusion(last, outputs[last], labels, classes, directory / "confusion.svg"),
        _scores(last, outputs[last], labels, classes, directory / "scores.svg"),
    )


def _roc_curves(
    outputs: Mapping[str, npt.NDArray[Any]], labels: npt.NDArray[np.int64], classes: Sequence[str], path: Path
) -> Plot:
    figure, axes = _figure(6.4, 5.2)
    for form, logits in outputs.items():
        scores = probabilities(logits)
        for index, name in enumerate(classes):
            curve = roc(scores[:, index], labels == index)
            shown = _thinned(curve.background)
            axes.plot(
                curve.signal[shown],
                curve.background[shown],
                _LINES.get(form, "-."),
                color=_COLOURS[index % len(_COLOURS)],
                linewidth=1.2,
                label=f"{name}, {form} (AUC {auc(scores[:, index], labels == index):.4f})",
            )
    axes.set_yscale("log")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(_SMALLEST_BACKGROUND, 1.0)
    axes.set_xlabel("efficiency for the class")
    axes.set_ylabel("efficiency for all other jets")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=6.5, ncols=len(outputs), loc="lower center", bbox_to_anchor=(0.5, 1.01), frameon=False)
    return _save(figure, path, "ROC curves", "Each class against all others, by softmax probability. Lower is better.")


def _confusion(
    form: str, logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], classes: Sequence[str], path: Path
) -> Plot:
    from .evaluation import confusion_matrix

    matrix = confusion_matrix(logits, labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(4.6, 4.2)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row in range(len(classes)):
        for column in range(len(classes)):
            share = shares[row, column]
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", color="white" if share > 0.5 else "black")
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("class given")
    axes.set_ylabel("true class")
    caption = (
        f"Share of the jets of each true class (rows add up to 1), in the order {', '.join(classes)}; {form} form."
    )
    return _save(figure, path, "Confusion matrix", caption)


def _scores(
    form: str, logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], classes: Sequence[str], path: Path
) -> Plot:
    scores = probabilities(logits)
    figure, grid = _figure(9.0, 2.4, columns=len(classes))
    bins = np.linspace(0.0, 1.0, 41)
    for index, (axes, name) in enumerate(zip(np.atleast_1d(grid), classes, strict=True)):
        for true, true_name in enumerate(classes):
            axes.hist(
                scores[labels == true, index],
                bins,
                histtype="step",
                density=True,
                color=_COLOURS[true % len(_COLOURS)],
                label=true_name,
            )
        axes.set_yscale("log")
        axes.set_xlabel(f"probability of {name}")
    np.atleast_1d(grid)[0].set_ylabel("jets (normalised)")
    np.atleast_1d(grid)[-1].legend(fontsize=7, title="true class", title_fontsize=7)
    return _save(figure, path, "Scores", f"Distribution of each class's probability by true class; {form} form.")


def _thinned(values: npt.NDArray[np.float64], points: int = 1500) -> npt.NDArray[np.intp]:
    """Indices of points spread evenly over the drawn curve: a test set has more points than a file should hold."""
    logarithms = np.log(np.maximum(values, _SMALLEST_BACKGROUND))
    order = np.arange(values.size, dtype=np.intp)
    even = np.searchsorted(logarithms, np.linspace(logarithms[0], logarithms[-1], points))
    spread = np.linspace(0, values.size - 1, points).astype(np.intp)
    result: npt.NDArray[np.intp] = np.unique(np.concatenate([order[:1], even, spread, order[-1:]]))
    return result


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
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
    return figure, figure.subplots(1, columns)


def _save(figure: Any, path: Path, title: str, caption: str) -> Plot:
    from matplotlib import rc_context

    # Without the date and random ids the same numbers give the same file.
    with atomic_path(path) as temporary, rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, metadata={"Date": None})
    return Plot(title, path, caption)
