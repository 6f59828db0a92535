"""Which multipliers become DSP blocks, and how many blocks one takes."""

from __future__ import annotations

from math import ceil

from firmware_flows.estimation.work import Conditions, Multiplier, Work

LEAST_PRODUCT_BITS = 21
"""HLS tools give a multiplier to a DSP block when its two operands together have this many bits.

Read off the exact weights of 14 networks of one layer (Vivado HLS 2020.1): 16 by 4 bits is fabric, 16 by 5 bits a DSP.
"""

DSP_PORTS = {
    "7series": (25, 18),
    "ultrascale": (27, 18),
    "ultrascale+": (27, 18),
    "versal": (27, 24),
    "stratix10": (27, 27),
    "agilex": (27, 27),
    "ecp5": (18, 18),
}
"""Widths of the multiplier in one DSP block: AMD UG479 (7 series), UG579 (UltraScale, both), AM004 (Versal DSP58),
Intel UG-S10-DSP and UG-20213, Lattice FPGA-TN-02205."""


def blocks_per_multiplier(left: int, right: int, technology: str) -> int:
    """DSP blocks for one multiplier of signed operands of these widths.

    >>> blocks_per_multiplier(16, 16, "ultrascale+"), blocks_per_multiplier(28, 18, "ultrascale+")
    (1, 2)
    """
    long, short = DSP_PORTS.get(technology, (27, 18))
    orders = ((left, right), (right, left))
    return min(ceil(max(a, 1) / long) * ceil(max(b, 1) / short) for a, b in orders)


def in_dsp(left: int, right: int, conditions: Conditions) -> bool:
    """Whether a multiplier of operands of these widths goes to DSP blocks."""
    if conditions.multiplier is Multiplier.AUTO:
        return left + right >= LEAST_PRODUCT_BITS
    return conditions.multiplier is Multiplier.DSP


def split(work: Work, conditions: Conditions) -> tuple[float, float, float]:
    """The multipliers of a fully unrolled product: those in DSPs, those in fabric, and the bits of the latter.

    Bits: sum over the fabric multipliers of the product of operand widths.
    """
    dsp = fabric = area = 0.0
    for bits, count in work.matrix.multiplications.items():
        if in_dsp(work.input_bits, bits, conditions):
            dsp += count
        else:
            fabric += count
            area += count * work.input_bits * bits
    return dsp, fabric, area


def limit(work: Work) -> int:
    """Multipliers that hls4ml allows a layer: all products over the reuse factor, less the zeros (nnet_dense.h)."""
    factor = max(work.reuse_factor, 1)
    return max(ceil(work.matrix.size / factor) - work.matrix.zeros // factor, 1)
