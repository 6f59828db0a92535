"""What matters in a matrix of constants for the hardware that multiplies by it.

A synthesis tool multiplies by a constant in canonical-signed-digit form (CSD: digits -1, 0, +1, no two neighbours
non-zero; Reitwiesner 1960). No digit: nothing is built. One digit: a shift, which is wiring. Two digits: one adder.
Three and more: vendor HLS tools build a multiplier, in a DSP block or in fabric, and build it once where one input is
multiplied by the same constant twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MULTIPLIER_DIGITS = 3
"""From this many CSD digits on, HLS tools build a multiplier rather than adders."""


@dataclass(frozen=True)
class ConstantMatrix:
    """Counts over a matrix (inputs, outputs) of constants.

    `multiplications[w]`: different products of one input and one constant of three or more digits and w bits (a
    negative one has one more). `additions`: different products with constants of two digits.
    """

    inputs: int
    outputs: int
    nonzero: int
    power_of_two: int
    csd_digits: int
    multiplications: Mapping[int, float]
    additions: float
    block: int = 1

    @property
    def size(self) -> int:
        """Number of constants; `block` equal matrices stand side by side, each on inputs of its own."""
        return self.inputs * self.outputs // self.block

    @property
    def zeros(self) -> int:
        """Number of constants that are zero."""
        return self.size - self.nonzero

    @property
    def terms(self) -> float:
        """Terms in the sum of one output, on average."""
        return self.nonzero / max(self.outputs, 1)

    def multipliers(self, least_bits: int = 0) -> float:
        """Products that need a multiplier, with constants of at least this many bits."""
        return sum(n for bits, n in self.multiplications.items() if bits >= least_bits)


def side_by_side(matrices: Sequence[ConstantMatrix]) -> ConstantMatrix:
    """Several matrices of one shape, each on inputs and for outputs of its own: a depthwise convolution."""
    widths = sorted({w for m in matrices for w in m.multiplications})
    return ConstantMatrix(
        sum(m.inputs for m in matrices),
        sum(m.outputs for m in matrices),
        sum(m.nonzero for m in matrices),
        sum(m.power_of_two for m in matrices),
        sum(m.csd_digits for m in matrices),
        {w: sum(m.multiplications.get(w, 0.0) for m in matrices) for w in widths},
        sum(m.additions for m in matrices),
        len(matrices),
    )


def csd_digits(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Number of non-zero canonical-signed digits of every integer (below 2**61 in magnitude).

    >>> csd_digits([0, 1, 3, 7, 11, -6]).tolist()
    [0, 1, 2, 2, 3, 2]
    """
    magnitudes = np.abs(np.asarray(values, dtype=np.int64))
    # The digits of n stand where n and 3n differ (Reitwiesner): their number is the population count of n xor 3n.
    return np.bitwise_count(magnitudes ^ (3 * magnitudes)).astype(np.int64)


def from_weights(weights: npt.NDArray[np.int64]) -> ConstantMatrix:
    """Exact counts for a matrix (inputs, outputs) of integers."""
    # Sorted within each input, equal constants stand side by side and are counted once.
    matrix = np.sort(np.asarray(weights, dtype=np.int64), axis=1)
    inputs, outputs = matrix.shape
    digits = csd_digits(matrix)
    first = np.ones(matrix.shape, dtype=bool)
    first[:, 1:] = matrix[:, 1:] != matrix[:, :-1]
    products = matrix[first & (digits >= MULTIPLIER_DIGITS)]
    bits = np.frexp(np.abs(products).astype(np.float64))[1] + (products < 0)
    counts = np.bincount(bits) if products.size else np.zeros(0, np.int64)
    return ConstantMatrix(
        inputs,
        outputs,
        int(np.count_nonzero(matrix)),
        int(np.count_nonzero(digits == 1)),
        int(digits.sum()),
        {int(w): float(counts[w]) for w in np.flatnonzero(counts)},
        float(np.count_nonzero(first & (digits == 2))),
    )


def from_summary(
    inputs: int, outputs: int, nonzero: int, power_of_two: int, digits: int, distinct: int, width: int
) -> ConstantMatrix:
    """Expected counts where only a summary of the matrix is known, as in a table of published reports.

    The number of digits beyond two is taken as binomial: of at most (width + 1) / 2 digits, with the mean that the
    summary has. Sharing is that of values drawn evenly from those that occur.
    """
    several = max(nonzero - power_of_two, 0)
    if several == 0:
        return ConstantMatrix(inputs, outputs, nonzero, power_of_two, digits, {}, 0.0)
    extra = max((digits - power_of_two) / several - 2.0, 0.0)
    most = max((width + 1) // 2 - 2, 1)
    two = (1.0 - min(extra / most, 1.0)) ** most
    different = max(distinct * several / max(nonzero, 1), 1.0)
    multipliers = _shared((1.0 - two) * several, inputs, different * (1.0 - two))
    largest = min(float(width), float(np.log2(max(distinct, 2))) + 1.0)
    return ConstantMatrix(
        inputs,
        outputs,
        nonzero,
        power_of_two,
        digits,
        _spread(multipliers, largest),
        _shared(two * several, inputs, different * two),
    )


def random_matrix(inputs: int, outputs: int, width: int, density: float = 1.0) -> ConstantMatrix:
    """Expected counts for evenly distributed constants of this many bits, where nothing is known of the weights."""
    drawn = min(width, 16)
    values = np.arange(-(1 << (drawn - 1)) + 1, 1 << (drawn - 1)) if drawn > 1 else np.array([-1, 1])
    digits = csd_digits(values)
    n = inputs * outputs * density
    one, two, many = (float(np.mean(x)) for x in (digits == 1, digits == 2, digits >= MULTIPLIER_DIGITS))
    return ConstantMatrix(
        inputs,
        outputs,
        round(n * (one + two + many)),
        round(n * one),
        round(n * float(digits.mean())),
        _spread(_shared(n * many, inputs, max(len(values) * many, 1.0)), float(width)),
        _shared(n * two, inputs, max(len(values) * two, 1.0)),
    )


def _spread(count: float, largest: float) -> dict[int, float]:
    """Constants by their bits, where values up to `largest` bits are evenly distributed: half have all the bits."""
    if count <= 0:
        return {}
    smallest = MULTIPLIER_DIGITS + 1  # 11 = 1011 is the smallest constant of three digits
    top = max(smallest, round(largest))
    shares = {bits: 2.0 ** (bits - top) for bits in range(smallest, top + 1)}
    return {bits: count * share / sum(shares.values()) for bits, share in shares.items()}


def _shared(count: float, inputs: int, different: float) -> float:
    """Expected number of different values when each input draws count / inputs of them."""
    if count <= 0:
        return 0.0
    if different <= 1.0:
        return float(min(count, inputs))
    return float(inputs * different * (1.0 - (1.0 - 1.0 / different) ** (count / inputs)))
