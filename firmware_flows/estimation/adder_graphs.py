"""Matrices of constants as graphs of shared adders without a multiplier: distributed arithmetic, and our RTL."""

from __future__ import annotations

from math import ceil, log2

from firmware_flows.estimation.work import Conditions, Work

NANOSECONDS = {
    "7series": 1.9,
    "ultrascale": 1.4,
    "ultrascale+": 1.0,
    "versal": 0.9,
    "stratix10": 1.2,
    "agilex": 1.2,
    "ecp5": 2.5,
}
"""Of a unit of delay in each technology, as the RTL generator takes it (rtl/delays.py; importing it takes longer than
an estimate may, so that the numbers stand here too, and a test compares them)."""

OVERHEAD_NS = 0.35
"""Clock to output, set-up and uncertainty, from the same place."""

DEEPER = 1.9
"""Levels of adders over those of the shortest tree: sharing makes graphs deeper. Like the next one a median over 15
designs written by this package (9 networks, 120 to 360 MHz, three technologies)."""

WAITING = 2.85
"""Bits in registers for each bit of an adder, where every adder has a stage of its own: results wait for others."""

LUT_PER_COST = 1.05
"""LUT after place and route for a unit of alkaid's cost: 1.05 +- 0.04 (20 published designs)."""

TRAINED = 0.70
"""Cost of trained networks over that of weights drawn evenly, with adders of three numbers: median of the same 15."""


def adder_graph_cost(work: Work) -> float:
    """LUT of a matrix as a graph of shared adders.

    Fitted by this project to 62 matrices traced with alkaid 0.8.2 (residuals 8 %, at most 23 %); trained weights share
    more than those, evenly drawn.
    """
    matrix = work.matrix
    inputs = max(matrix.inputs / matrix.block, 1.0)
    width = work.input_bits + work.weight_bits / 2 + log2(inputs) / 2
    return LUT_PER_COST * 0.80 * float(max(matrix.csd_digits, 1)) ** 0.92 * width


def levels(work: Work) -> int:
    """Adders one behind another from an input to an output."""
    return ceil(DEEPER * log2(max(work.matrix.csd_digits / max(work.matrix.outputs, 1), 1.0) + 1))


def adder(work: Work, conditions: Conditions) -> float:
    """Nanoseconds of one of these adders in our RTL, wires included (see rtl/delays.py)."""
    bits = work.input_bits + work.weight_bits / 2
    return (1.09 + 0.025 * bits) * NANOSECONDS.get(conditions.technology, 1.0)


def stage(conditions: Conditions) -> float:
    """Nanoseconds between two registers of our RTL that logic may take."""
    return max(conditions.clock - OVERHEAD_NS, 0.25 * conditions.clock)


def registers(lut: float, adder_ns: float, stage_ns: float) -> float:
    """Registers among adders of so many LUT: the fewer, the more of them fit between two registers."""
    return WAITING * lut * min(adder_ns / stage_ns, 1.0)
