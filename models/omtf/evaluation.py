"""What the trigger group decides by: rates at equal efficiency, turn-on, resolution, charge. NumPy only.

All algorithms are cut the same way: so that nine tenths of the candidates just above the threshold pass. Where many
muons have the same score (there are 28 patterns) the cut passes a share of them, so that the efficiency is 0.9 and not
the next step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import readout
from .momentum_bins import N_BINS, bin_of
from .truth import Truth

Doubles = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

THRESHOLDS = (20.0, 22.0, 26.0)
"""GeV. 22 is CMS's single-muon trigger."""

RATE_CURVE = (6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 26.0, 28.0, 30.0, 35.0, 40.0)
"""Thresholds at which the rate is drawn, GeV."""

EFFICIENCY = 0.9
WINDOW = 2.0
"""GeV above the threshold in which the efficiency is set."""

PROMOTED_BELOW = 0.6
"""A muon below this share of the threshold that passes is promoted."""

REPLICAS = 60
"""Of the bootstrap."""

RESOLUTION_RANGES = ((6.0, 9.0), (18.0, 26.0), (40.0, 60.0))
"""GeV."""

GOLDEN = "golden patterns"
PRESENT = "present algorithm"


@dataclass(frozen=True, eq=False)
class Answer:
    """What an algorithm says of each muon: a score for each threshold, larger for more momentum; pT [GeV]; charge."""

    scores: Mapping[float, npt.NDArray[Any]]
    pt: Doubles
    charge: npt.NDArray[Any]
    bins: npt.NDArray[np.int64] | None = None
    """Most probable class, of a network."""


@dataclass(frozen=True)
class Cut:
    """Scores above `value` pass, and this share of those equal to it."""

    value: float
    share: float

    def passing(self, scores: npt.NDArray[Any]) -> Doubles:
        """Probability to pass."""
        return np.where(scores > self.value, 1.0, np.where(scores == self.value, self.share, 0.0))


def network_answer(logits: npt.NDArray[Any], thresholds: Sequence[float] = RATE_CURVE) -> Answer:
    """The answer that outputs (muons, 44) of any form of the network stand for."""
    weights = readout.posterior(logits)
    return Answer(
        {threshold: readout.score(weights, threshold) for threshold in {*thresholds, *THRESHOLDS}},
        readout.expected_pt(weights),
        readout.charge(logits),
        np.asarray(logits)[:, :N_BINS].argmax(axis=1),
    )


def golden_answer(truth: Truth, thresholds: Sequence[float] = RATE_CURVE) -> Answer:
    """That of the golden patterns."""
    return Answer(
        dict.fromkeys({*thresholds, *THRESHOLDS}, truth.pattern_pt),
        np.maximum(truth.pattern_pt, 1.0),
        truth.pattern_charge,
    )


def present_answer(truth: Truth, thresholds: Sequence[float] = RATE_CURVE) -> Answer:
    """That of the experiment's own algorithm to its events."""
    return Answer(
        dict.fromkeys({*thresholds, *THRESHOLDS}, truth.present_pt),
        np.maximum(truth.present_pt, 1.0),
        truth.present_charge,
    )


def cut_at(scores: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None, efficiency: float = EFFICIENCY) -> Cut:
    """The cut that passes this share of muons with these scores, each counted `weights` times."""
    if scores.size == 0:
        raise ValueError("no muons to set a cut with")
    values, group = np.unique(scores, return_inverse=True)
    counts = np.bincount(group.reshape(-1), weights=weights, minlength=values.size)[::-1]
    passed = np.cumsum(counts)
    wanted = efficiency * passed[-1]
    at = int(np.searchsorted(passed, wanted))
    before = passed[at - 1] if at else 0.0
    share = (wanted - before) / counts[at] if counts[at] else 0.0
    return Cut(float(values[::-1][at]), float(share))


def near(truth: Truth, threshold: float, width: float = WINDOW) -> Booleans:
    """Candidates just above a threshold."""
    result: Booleans = truth.candidate & (truth.pt > threshold) & (truth.pt <= threshold + width)
    return result


def cut_for(truth: Truth, answer: Answer, threshold: float) -> Cut:
    """The cut at equal efficiency."""
    return cut_at(answer.scores[threshold][near(truth, threshold)])


def passing(truth: Truth, answer: Answer, threshold: float) -> Doubles:
    """Probability of each muon to pass at equal efficiency; one without a candidate never does."""
    return cut_for(truth, answer, threshold).passing(answer.scores[threshold]) * truth.candidate


def rate(truth: Truth, answer: Answer, threshold: float) -> float:
    """Rate at equal efficiency, arbitrary unit: sum of the weights of the muons that pass."""
    return float(truth.weight @ passing(truth, answer, threshold))


def rate_uncertainties(
    truth: Truth,
    answers: Mapping[str, Answer],
    reference: str,
    thresholds: Sequence[float] = THRESHOLDS,
    replicas: int = REPLICAS,
    width: float = WINDOW,
) -> dict[str, dict[float, float]]:
    """Standard deviation of ln(rate / rate of `reference`) by form and threshold: how it varies with the test muons.

    A bootstrap: every muon is counted a Poisson number of times, the same for all forms, and the cuts are set anew.
    """
    rng = np.random.default_rng(0)
    prepared = {t: np.flatnonzero(near(truth, t, width)) for t in thresholds}
    # A muon that passes no cut by far never matters.
    kept = {
        (form, t): np.flatnonzero(
            truth.candidate
            & (answer.scores[t] >= cut_at(answer.scores[t][prepared[t]], efficiency=(1 + EFFICIENCY) / 2).value)
        )
        for form, answer in answers.items()
        for t in thresholds
    }
    logs: dict[tuple[str, float], list[float]] = {key: [] for key in kept}
    for _ in range(replicas):
        counts = rng.poisson(1.0, len(truth)).astype(np.float64)
        for form, t in kept:
            scores, muons = answers[form].scores[t], kept[form, t]
            cut = cut_at(scores[prepared[t]], counts[prepared[t]])
            passed = float((truth.weight[muons] * counts[muons]) @ cut.passing(scores[muons]))
            logs[form, t].append(np.log(max(passed, 1e-300)))
    return {
        form: {t: float(np.std(np.subtract(logs[form, t], logs[reference, t]))) for t in thresholds} for form in answers
    }


def turn_on(truth: Truth, pass_probability: Doubles, edges: npt.ArrayLike) -> tuple[Doubles, Doubles, Doubles]:
    """Share of all muons that pass, by bins of pT: mean pT, efficiency, its statistical uncertainty."""
    edges = np.asarray(edges, np.float64)
    where = np.digitize(truth.pt, edges) - 1
    inside = (where >= 0) & (where < edges.size - 1)
    counts = np.bincount(where[inside], minlength=edges.size - 1)
    safe = np.maximum(counts, 1)
    mean = np.bincount(where[inside], weights=truth.pt[inside], minlength=edges.size - 1) / safe
    share = np.bincount(where[inside], weights=pass_probability[inside], minlength=edges.size - 1) / safe
    filled = counts > 0
    return mean[filled], share[filled], np.sqrt(np.maximum(share * (1 - share), 0) / safe)[filled]


def half_width(truth: Truth, answer: Answer, low: float, high: float) -> float:
    """Half of the central 68 % of (1/pT answered) / (1/pT), its median set to 1, for candidates in a range of pT."""
    chosen = truth.candidate & (truth.pt > low) & (truth.pt <= high)
    if not chosen.any():
        return float("nan")
    ratio = truth.pt[chosen] / answer.pt[chosen]
    below, above = np.percentile(ratio / np.median(ratio), [16.0, 84.0])
    return float(above - below) / 2.0


def wrong_charge(truth: Truth, answer: Answer, low: float = 0.0, high: float = np.inf) -> float:
    """Share of the candidates in a range of pT [GeV] that get the wrong charge."""
    chosen = truth.candidate & (truth.pt > low) & (truth.pt <= high)
    return float(np.mean(answer.charge[chosen] != truth.charge[chosen])) if chosen.any() else float("nan")


def measure(truth: Truth, answers: Mapping[str, Answer]) -> dict[str, dict[str, Any]]:
    """All numbers of every form, by name, as JSON values; the golden patterns are one of them.

    rate_ratio: to the golden patterns at equal efficiency. rate_reduction: 1 - rate_ratio. rate_gain: -ln(rate_ratio),
    whose difference between two forms is the logarithm of the ratio of their rates; `mean` over the thresholds.
    rate_uncertainty: relative, of rate_ratio, from the number of test muons.
    """
    golden = answers[GOLDEN]
    reference = {t: rate(truth, golden, t) for t in THRESHOLDS}
    uncertainty = rate_uncertainties(truth, answers, GOLDEN)
    return {form: _measure(truth, answer, golden, reference, uncertainty[form]) for form, answer in answers.items()}


def _measure(
    truth: Truth, answer: Answer, golden: Answer, reference: Mapping[float, float], uncertainty: Mapping[float, float]
) -> dict[str, Any]:
    soft = {t: truth.pt < PROMOTED_BELOW * t for t in THRESHOLDS}
    passed = {t: passing(truth, answer, t) for t in THRESHOLDS}
    rates = {t: float(truth.weight @ passed[t]) for t in THRESHOLDS}
    plateau = {t: (truth.pt > 1.5 * t) & (truth.pt < 100.0) for t in THRESHOLDS}
    gains = {t: float(-np.log(rates[t] / reference[t])) for t in THRESHOLDS}
    found: dict[str, Any] = {
        "rate": {_at(t): rates[t] for t in THRESHOLDS},
        "rate_ratio": {_at(t): rates[t] / reference[t] for t in THRESHOLDS},
        "rate_uncertainty": {_at(t): uncertainty[t] for t in THRESHOLDS},
        "rate_reduction": {_at(t): 1.0 - rates[t] / reference[t] for t in THRESHOLDS},
        "rate_gain": {**{_at(t): gains[t] for t in THRESHOLDS}, "mean": float(np.mean(list(gains.values())))},
        "efficiency_at_golden_rate": {
            _at(t): _efficiency_at_rate(truth, answer.scores[t], reference[t], near(truth, t)) for t in THRESHOLDS
        },
        "low_pt_promotion": {_at(t): float(passed[t][soft[t]].mean()) for t in THRESHOLDS},
        "plateau": {_at(t): float(passed[t][plateau[t]].mean()) for t in THRESHOLDS},
        "resolution": {f"{low:g}_to_{high:g}": half_width(truth, answer, low, high) for low, high in RESOLUTION_RANGES},
        "charge_misid": {
            "all": wrong_charge(truth, answer),
            "below_10": wrong_charge(truth, answer, high=10.0),
            "above_30": wrong_charge(truth, answer, low=30.0),
        },
    }
    if answer.bins is not None:
        chosen = truth.candidate
        found = {"accuracy": float(np.mean(answer.bins[chosen] == bin_of(truth.pt[chosen]))), **found}
    return found


def _efficiency_at_rate(truth: Truth, scores: npt.NDArray[Any], allowed: float, chosen: Booleans) -> float:
    """Efficiency for the chosen muons where the cut is set for a rate."""
    candidates = truth.candidate
    total = float(truth.weight[candidates].sum())
    cut = cut_at(scores[candidates], truth.weight[candidates], allowed / total)
    return float(cut.passing(scores[chosen]).mean())


def integer_cuts(truth: Truth, logits: npt.NDArray[Any]) -> dict[float, tuple[int, float]]:
    """Threshold -> constant of the firmware's comparison, set with every second muon, and the efficiency that the
    comparison has for the others."""
    weights = readout.posterior(logits)
    odd = np.arange(len(truth)) % 2 == 1
    found = {}
    for t in THRESHOLDS:
        chosen = near(truth, t)
        constant = readout.constant_for(readout.score(weights[chosen & ~odd], t), EFFICIENCY)
        found[t] = constant, float(readout.passes(weights[chosen & odd], t, constant).mean())
    return found


def _at(threshold: float) -> str:
    return f"at_{threshold:g}"
