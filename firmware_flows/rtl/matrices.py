"""Constant matrix times a vector of wires: alkaid's shared adder trees, solved once for each distinct problem."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.rtl.prediction import solving_seconds
from firmware_flows.rtl.wires import LIMB, ZERO, Variable, Wire, added, folded, power, rebased

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Effort:
    """How hard to look for small adder trees.

    delay: adder levels that a tree may have beyond the fewest possible; -1 for any number.
    seconds: a matrix predicted to take longer is solved in blocks of columns, which share nothing: faster, larger.
    """

    delay: int = 2
    seconds: float = 20.0


class Solver:
    """Remembers solutions: positions of a convolution, and events' worth of equal particles, have the same problem."""

    def __init__(self, effort: Effort | None = None, threads: int | None = None) -> None:
        self.effort = effort or Effort()
        self._threads = threads or len(os.sched_getaffinity(0))
        self._solutions: dict[Any, Any] = {}

    def products(self, sources: list[Wire], weights: Integers, fractional: int) -> list[Wire]:
        """Sum over i of sources[i] * weights[i, j] * 2**-fractional, for every j."""
        unit = power(-fractional)
        known = [i for i, s in enumerate(sources) if isinstance(s, Fraction)]
        totals: list[Wire] = [
            sum((sources[i] * int(weights[i, j]) for i in known), ZERO) * unit for j in range(weights.shape[1])
        ]
        rows = [i for i, s in enumerate(sources) if not isinstance(s, Fraction) and weights[i].any()]
        columns = [j for j in range(weights.shape[1]) if weights[rows, j].any()] if rows else []
        if not columns:
            return totals
        variables = [sources[i] for i in rows]
        pieces = _limbs(weights[np.ix_(rows, columns)])
        for shift, piece in pieces:
            results = self._matrix(variables, piece, shift - fractional)
            for j, result in zip(columns, results, strict=True):
                # alone, each limb has few significant bits; alkaid would see their sum
                wire = folded(result) if not isinstance(result, float | int) else Fraction(result)
                totals[j] = added(totals[j], rebased(wire) if len(pieces) > 1 else wire)
        return totals

    def _matrix(self, variables: list[Variable], weights: Integers, exponent: int) -> list[Any]:
        kernel = weights.astype(np.float64) * float(power(exponent))
        used = np.flatnonzero(kernel.any(axis=0))
        results: list[Any] = [0.0] * kernel.shape[1]
        if not used.size:
            return results
        intervals = tuple((float(v.low), float(v.high), float(v.step)) for v in variables)
        delays = tuple(float(v.latency) for v in variables)
        blocks = np.array_split(used, self._blocks(weights[:, used]))
        keys = [(kernel[:, block].tobytes(), kernel.shape[0], intervals, delays) for block in blocks]
        missing = {key: block for key, block in zip(keys, blocks, strict=True) if key not in self._solutions}
        with ThreadPoolExecutor(self._threads, thread_name_prefix="adder trees") as pool:
            solved = pool.map(lambda block: self._solve(kernel[:, block], intervals, delays), missing.values())
            self._solutions.update(zip(missing, solved, strict=True))
        inputs = np.empty(len(variables), dtype=object)
        inputs[:] = variables
        for key, block in zip(keys, blocks, strict=True):
            first, second = self._solutions[key]
            for j, result in zip(block, second(first(inputs, quantize=False), quantize=False), strict=True):
                results[j] = result
        return results

    def _blocks(self, weights: Integers) -> int:
        """Blocks of columns, so that one is solved in the time wanted."""
        count, columns = 1, weights.shape[1]
        while count < columns and solving_seconds(weights[:, : ceil(columns / count)]) > self.effort.seconds:
            count += 1
        return count

    def _solve(self, kernel: npt.NDArray[np.float64], intervals: Any, delays: Any) -> Any:
        from alkaid.cmvm import cmvm_solve

        return cmvm_solve(
            np.ascontiguousarray(kernel, dtype=np.float32),
            qintervals=list(intervals),
            latencies=list(delays),
            hard_dc=self.effort.delay,
            # a search over decompositions doubles the time and gains half a percent
            search_all_decompose_dc=False,
        )


def _limbs(weights: Integers) -> list[tuple[int, Integers]]:
    """Weights as a sum of matrices of few bits, each with its shift."""
    pieces, shift = [], 0
    rest = weights.astype(object)
    while True:
        if max(abs(int(rest.min())), abs(int(rest.max()))) < 1 << LIMB:
            pieces.append((shift, rest.astype(np.int64)))
            return [(s, p) for s, p in pieces if p.any()]
        half = 1 << (LIMB - 1)
        lowest = ((rest + half) % (1 << LIMB)) - half
        pieces.append((shift, lowest.astype(np.int64)))
        rest, shift = (rest - lowest) >> LIMB, shift + LIMB
