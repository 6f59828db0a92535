"""Metrics as a flat table, and the recipe's floors and largest losses held against them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from firmware_flows.errors import FirmwareFlowsError, nearest

REFERENCE = "float"
FIRMWARE = "bit-accurate"


class MetricError(FirmwareFlowsError):
    """A floor or loss for something that was not measured."""


def plain(value: Any) -> Any:
    """NumPy numbers and arrays as JSON values; NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested mapping by dotted name: {"auc": {"t": 0.9}} gives {"auc.t": 0.9}."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            flat[f"{prefix}{key}"] = float(value)
    return flat


def check_metrics(
    metrics: Mapping[str, Mapping[str, Any]], floors: Mapping[str, float], max_loss: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One entry a floor or loss: what is asked, the value found, the limit, whether it holds.

    Raises MetricError, with the nearest name, for a metric that was not measured.
    """
    flat = {form: flatten(values) for form, values in metrics.items()}
    checks = []
    for key, floor in floors.items():
        form, _, metric = key.partition(".")
        value = _metric(flat, form, metric)
        checks.append({"check": f"{form} {metric}", "value": value, "at_least": floor, "passed": bool(value >= floor)})
    for metric, limit in max_loss.items():
        loss = _metric(flat, REFERENCE, metric) - _metric(flat, FIRMWARE, metric)
        name = f"loss of {metric}, {REFERENCE} minus {FIRMWARE}"
        checks.append({"check": name, "value": loss, "at_most": limit, "passed": bool(loss <= limit)})
    return checks


def failures(checks: list[dict[str, Any]]) -> tuple[str, ...]:
    """A sentence for each check that does not hold."""
    return tuple(
        f"{c['check']} is {c['value']:.4f}, wanted "
        + (f"at least {c['at_least']:g}" if "at_least" in c else f"at most {c['at_most']:g}")
        for c in checks
        if not c["passed"]
    )


def _metric(flat: Mapping[str, Mapping[str, float]], form: str, metric: str) -> float:
    if form not in flat:
        raise MetricError(f"the recipe asks for metrics of {form!r}, which was not evaluated; {nearest(form, flat)}")
    if metric not in flat[form]:
        raise MetricError(f"the recipe asks for {form}.{metric}, which was not measured; {nearest(metric, flat[form])}")
    return flat[form][metric]
