"""Fitting: delays by a search, weights of terms by least squares; both robust, both drawn to physical values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log

import numpy as np
import numpy.typing as npt

from firmware_flows.estimation.building_blocks import build
from firmware_flows.estimation.design import Design, assemble
from firmware_flows.estimation.parameters import DELAYS, FF_WEIGHTS, LUT_WEIGHTS
from firmware_flows.estimation.report_rows import Module, Row
from firmware_flows.estimation.work import Kind

FITTED_DELAYS = (*("adder", "dsp", "fabric", "choice", "rectifier", "memory", "speed_ultrascale+"),)

PULL_DELAYS = 0.1
"""Weight of the pull to the physical value, per factor e, against the errors of one family."""

PULL_WEIGHTS = 0.02
"""The same for the weights of terms, per relative deviation squared."""

STARTS = 4
"""Descents from different points; the delays enter through whole cycles, so that there are many local minima."""

LARGEST_ERROR = 0.35
"""Errors (logarithm) beyond this one count no more: some reports are of something else than what they seem."""

GOOD = ("A", "A-")

OF_LESS_QUALITY = 0.3
"""Weight of rows of quality B beside those of quality A: single layers of a sweep, types reconstructed."""

FloatArray = npt.NDArray[np.float64]


def fit_delays(rows: Sequence[Row], modules: Sequence[Module]) -> dict[str, float]:
    """Delays for the latency of whole designs and of single layers, every family with the same weight per root."""

    def loss(delays: Mapping[str, float]) -> float:
        return _latency_loss(rows, modules, delays)

    generator = np.random.default_rng(0)
    starts = [dict(DELAYS)]
    for _ in range(STARTS - 1):
        moved = dict(DELAYS)
        for name in FITTED_DELAYS:
            moved[name] *= float(np.exp(generator.normal(0.0, 0.2)))
        starts.append(moved)
    return min((_descend(start, loss) for start in starts), key=loss)


def _descend(delays: dict[str, float], loss: Callable[[Mapping[str, float]], float]) -> dict[str, float]:
    best, step = loss(delays), 0.3
    while step > 0.02:
        improved = False
        for name in FITTED_DELAYS:
            for factor in (1.0 + step, 1.0 / (1.0 + step)):
                trial = {**delays, name: delays[name] * factor}
                value = loss(trial)
                if value < best - 1e-6:
                    delays, best, improved = trial, value, True
        step = step if improved else step / 2
    return delays


def _latency_loss(rows: Sequence[Row], modules: Sequence[Module], delays: Mapping[str, float]) -> float:
    of_rows, of_modules = Counter(r.family for r in rows), Counter(m.row.family for m in modules)
    value = 0.0
    for row in rows:
        estimate = assemble(row.work, row.conditions, delays).latency
        error = abs(log((estimate + 1.0) / (row.measured.latency + 1.0)))
        value += min(error, LARGEST_ERROR) / of_rows[row.family] ** 0.5
    for module in modules:
        estimate = build(module.work, module.row.conditions, delays).latency
        error = abs(log((estimate + 1.0) / (module.latency + 1.0)))
        value += 0.5 * min(error, 0.5) / of_modules[module.row.family] ** 0.5
    return value + PULL_DELAYS * sum(abs(log(delays[n] / DELAYS[n])) for n in FITTED_DELAYS)


def fit_weights(
    rows: Sequence[Row], delays: Mapping[str, float], quantity: str, prior: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Weights of the terms of `lut` or `ff`: relative errors squared, with less weight where they are large."""
    start = prior or (LUT_WEIGHTS if quantity == "lut" else FF_WEIGHTS)
    designs = [assemble(r.work, r.conditions, delays) for r in rows]
    names = list(start)
    families = Counter(r.family for r in rows)
    measured = np.array([getattr(r.measured, quantity) for r in rows])
    terms = np.array([[_terms(d, quantity).get(n, 0.0) for n in names] for d in designs]) / measured[:, None]
    importance = np.array([families[r.family] ** -0.5 * (1.0 if r.quality in GOOD else OF_LESS_QUALITY) for r in rows])
    prior_values = np.array([start[n] for n in names])
    weights = prior_values.copy()
    for _ in range(30):
        ratio = np.maximum(terms @ weights, 1e-3)  # estimated over measured
        error = np.abs(np.log(ratio))
        # The first factor makes the relative error a logarithm, which treats too much and too little alike.
        # The second makes the sum one of absolute values, whose minimum is a median and does not follow single rows.
        robust = importance / ratio / (1.0 + (error / LARGEST_ERROR) ** 2) ** 2
        weights = _solve(terms, robust, prior_values, weights)
    return {name: float(value) for name, value in zip(names, weights, strict=True)}


def _solve(terms: FloatArray, importance: FloatArray, prior: FloatArray, start: FloatArray) -> FloatArray:
    """Non-negative weighted least squares with a pull to `prior`, by coordinate descent."""
    pull = PULL_WEIGHTS * importance.sum() / len(prior) / prior**2
    gram = (terms * importance[:, None]).T @ terms + np.diag(pull)
    right = terms.T @ importance + pull * prior
    weights = start.copy()
    for _ in range(300):
        for k in range(len(weights)):
            weights[k] = max((right[k] - gram[k] @ weights + gram[k, k] * weights[k]) / gram[k, k], 0.0)
    return weights


def _terms(design: Design, quantity: str) -> dict[str, float]:
    return design.lut_terms() if quantity == "lut" else design.ff_terms()


def usable_modules(modules: Sequence[Module]) -> list[Module]:
    """Those whose latency says something: products, rectifiers, softmax."""
    return [m for m in modules if m.work.kind in (Kind.PRODUCT, Kind.RECTIFIER, Kind.SOFTMAX)]
