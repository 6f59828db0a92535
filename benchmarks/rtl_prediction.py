"""Predicted against real cost and time of tracing, for dense layers and for Programs given on the command line.

    python benchmarks/rtl_prediction.py [PROGRAM.ffp ...]

Prints one line a case, and the spread of the ratios. About a minute without Programs.
"""

from __future__ import annotations

import sys
import time
from itertools import product

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.rtl import Effort, predict
from firmware_flows.rtl.tracing import trace
from firmware_flows.serialization import load_program

SIZES = ((9, 16), (16, 16), (16, 64), (32, 32), (48, 64), (64, 32), (64, 64))
WEIGHT_AND_INPUT_BITS = ((3, 8), (6, 7), (8, 8), (12, 12))
DENSITIES = (1.0, 0.3)
MOST_DIGITS = 64 * 64 * 6


def dense(size: tuple[int, int], weight_bits: int, input_bits: int, density: float) -> Program:
    """One dense layer with weights drawn evenly."""
    rng = np.random.default_rng([*size, weight_bits])
    weights = rng.integers(-(2 ** (weight_bits - 1)) + 1, 2 ** (weight_bits - 1), size) * (rng.random(size) < density)
    b = Builder(f"{size[0]}x{size[1]}, weights {weight_bits} bit, inputs {input_bits} bit, {density:.0%}")
    b.begin_layer("x", "Input")
    x = b.input("x", (size[0],), FixedPoint(input_bits, 2))
    b.end_layer(x)
    b.begin_layer("dense", "Dense", inputs=("x",))
    y = b.affine(x, weights, weight_bits)
    b.end_layer(y)
    return b.build({"y": y})


def main() -> None:
    programs = [load_program(path) for path in sys.argv[1:]] or [
        dense(size, w, x, density)
        for size, (w, x), density in product(SIZES, WEIGHT_AND_INPUT_BITS, DENSITIES)
        if size[0] * size[1] * w <= MOST_DIGITS
    ]
    ratios = []
    for program in programs:
        predicted = predict(program, Effort().seconds)
        start = time.process_time()
        cost = trace(program).cost
        seconds = time.process_time() - start
        ratios.append((predicted.cost / cost, predicted.seconds / seconds))
        print(
            f"{program.name:45} cost {cost:9,.0f}, predicted {predicted.cost:9,.0f}; "
            f"{seconds:7.2f} s, predicted {predicted.seconds:7.2f}",
            flush=True,
        )
    for name, values in zip(("cost", "seconds"), np.array(ratios).T, strict=True):
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(f"predicted / real {name}: median {middle:.2f}, 5 to 95 %: {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
