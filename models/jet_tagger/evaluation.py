"""How well a tagger tells the five classes apart. NumPy only.

Scores of a class are its softmax probabilities, computed here in float64 from the logits that all forms of the network
give: firmware has no softmax, and whoever cuts on logits directly has other curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

WORKING_POINTS = (0.3, 0.5, 0.8)
"""Signal efficiencies at which the background efficiency is given."""


@dataclass(frozen=True)
class Roc:
    """One point a distinct score, from nothing accepted to everything; both efficiencies never fall."""

    signal: Floats
    background: Floats
    thresholds: Floats
    """Events with a score of at least this pass; the first is infinite."""


def probabilities(logits: npt.ArrayLike) -> Floats:
    """Softmax over the last axis, in float64: equal logits give equal probabilities, bit for bit."""
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def labels_of(y: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Labels (events,) of labels or of one-hot rows."""
    y = np.asarray(y)
    return (y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)).astype(np.int64)


def accuracy(logits: npt.ArrayLike, labels: npt.NDArray[np.int64]) -> float:
    """Share of events whose largest logit, the first on ties as in firmware, is that of the true class."""
    return float(np.mean(np.asarray(logits).argmax(axis=1) == labels))


def confusion_matrix(logits: npt.ArrayLike, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number of events by (true class, class given)."""
    logits = np.asarray(logits)
    matrix = np.zeros((logits.shape[1], logits.shape[1]), np.int64)
    np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
    return matrix


def auc(scores: npt.ArrayLike, signal: Booleans) -> float:
    """Probability that a signal event scores above a background event, ties counted half; NaN without either.

    Exact: from the ranks (Mann and Whitney), not from a curve. Ranks are doubled to stay whole.
    """
    scores = np.asarray(scores)
    n_signal = int(signal.sum())
    n_background = signal.size - n_signal
    if n_signal == 0 or n_background == 0:
        return float("nan")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    doubled_ranks = 2 * ends - counts + 1
    doubled = int(doubled_ranks[group.reshape(-1)][signal].sum()) - n_signal * (n_signal + 1)
    return doubled / (2 * n_signal * n_background)


def roc(scores: npt.ArrayLike, signal: Booleans) -> Roc:
    """Efficiencies at every distinct score; events of equal score pass together."""
    scores = np.asarray(scores, dtype=np.float64)
    values, group = np.unique(scores, return_inverse=True)
    group = group.reshape(-1)
    counts = [np.bincount(group[chosen], minlength=values.size)[::-1] for chosen in (signal, ~signal)]
    passed = [np.concatenate([[0], np.cumsum(count)]) for count in counts]
    return Roc(
        signal=passed[0] / max(passed[0][-1], 1),
        background=passed[1] / max(passed[1][-1], 1),
        thresholds=np.concatenate([[np.inf], values[::-1]]),
    )


def background_efficiency(curve: Roc, signal_efficiency: float) -> float:
    """At the tightest cut that keeps at least this much signal: a cut that exists, nothing between two scores."""
    return float(curve.background[np.searchsorted(curve.signal, signal_efficiency, side="left")])


def measure(logits: npt.ArrayLike, y: npt.ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """All numbers of one form of the network, by name, as JSON values.

    `background_efficiency[class]["at_0.5"]` is the share of all other jets passing where half of the class does.
    `classes` states the order of the outputs, and that of the rows (true) and columns (given) of `confusion`.
    """
    logits, labels = np.asarray(logits), labels_of(y)
    if logits.ndim != 2 or logits.shape[1] != len(classes):
        raise ValueError(f"the tagger has outputs of shape {logits.shape[1:]}, there are {len(classes)} classes")
    scores = probabilities(logits)
    right = accuracy(logits, labels)
    areas: dict[str, float] = {}
    efficiencies: dict[str, dict[str, float]] = {}
    for index, name in enumerate(classes):
        signal = labels == index
        areas[name] = auc(scores[:, index], signal)
        curve = roc(scores[:, index], signal)
        efficiencies[name] = {f"at_{point:g}": background_efficiency(curve, point) for point in WORKING_POINTS}
    matrix = confusion_matrix(logits, labels)
    return {
        "classes": list(classes),
        "accuracy": right,
        "accuracy_uncertainty": float(np.sqrt(right * (1.0 - right) / max(len(labels), 1))),
        "macro_auc": float(np.mean(list(areas.values()))),
        "auc": areas,
        "class_accuracy": {name: float(matrix[i, i] / max(matrix[i].sum(), 1)) for i, name in enumerate(classes)},
        "background_efficiency": efficiencies,
        "confusion": matrix.tolist(),
    }


def compare(reference: npt.ArrayLike, logits: npt.ArrayLike, y: npt.ArrayLike) -> dict[str, float]:
    """Accuracy of `reference` minus that of `logits`, with its uncertainty, as JSON values.

    Both classify the same events, so that only those count of which one is right and the other wrong: the uncertainty
    is that of paired samples, far smaller than that of either accuracy.
    """
    labels = labels_of(y)
    right = [np.asarray(form).argmax(axis=1) == labels for form in (reference, logits)]
    difference = right[0].astype(np.int8) - right[1].astype(np.int8)
    return {
        "accuracy_loss": float(difference.mean()),
        "accuracy_loss_uncertainty": float(difference.std() / np.sqrt(max(len(labels), 1))),
    }


def remarks_on(outputs: dict[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    """How many events each two forms put into different classes."""
    found = []
    names = list(outputs)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            different = int((outputs[first].argmax(axis=1) != outputs[second].argmax(axis=1)).sum())
            total = len(outputs[first])
            found.append(f"{first} and {second} give {different:,} of {total:,} jets different classes")
    return tuple(found)
