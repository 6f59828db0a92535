"""How far the reports of a calibration reach, and what of a design lies beyond."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from firmware_flows.estimation.work import Conditions, Kind, Strategy, Work

WIDENED = 2.0
"""Factor on the logarithmic width of every interval outside the calibrated domain: a convention."""


def beyond(work: Sequence[Work], conditions: Conditions, area: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about what no report has; none for a design within the domain `area`."""
    products = [w for w in work if w.kind is Kind.PRODUCT]
    if conditions.technology not in area["technologies"]:
        yield f"technology {conditions.technology}: reports are of {', '.join(area['technologies'])}"
    low, high = area["clock_ns"]
    if not low - 1e-6 <= conditions.clock <= high + 1e-6:
        yield f"clock {1000 / conditions.clock:.0f} MHz: reports are of {1000 / high:.0f} to {1000 / low:.0f} MHz"
    for each in products:
        size = each.matrix.size
        largest = area["products_resource"][1] if each.strategy is Strategy.RESOURCE else area["products"][1]
        if size > largest:
            yield f"layer {each.name!r}: {size:,} products, in the reports at most {largest:,}"
        for name in ("input_bits", "weight_bits"):
            bits = getattr(each, name)
            if bits > area[name][1]:
                yield f"layer {each.name!r}: {name} {bits}, in the reports at most {area[name][1]}"
    if len(products) > area["layers"]:
        yield f"{len(products)} layers with weights, in the reports at most {area['layers']}"
