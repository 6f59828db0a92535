"""Every layer that is converted, one file a family: how to draw it, what is stated of it."""

from __future__ import annotations

from benchmarks.sweep.cases import Case
from benchmarks.sweep.families import (
    activations,
    convolution,
    dense,
    merges,
    normalization,
    pooling,
    products,
    recurrent,
    shapes,
)

FAMILIES: dict[str, list[Case]] = {
    "dense": dense.CASES,
    "convolution": convolution.CASES,
    "activations": activations.CASES,
    "normalization": normalization.CASES,
    "pooling": pooling.CASES,
    "merges": merges.CASES,
    "shapes": shapes.CASES,
    "products": products.CASES,
    "recurrent": recurrent.CASES,
}

CASES = tuple(case for family in FAMILIES.values() for case in family)

GENERAL = (
    ("63 bits", "sums of more than 63 bits"),
    ("random rounding", "stochastic rounding of any quantizer"),
    ("mixes unquantized values", "a `qnoise_factor` other than 1"),
    ("one bit with keep_negative", "an activation of one bit that keeps negative values"),
    ("least significant bit is more than the whole range", "a cast to a grid coarser than the whole source, which the "
     "vendor's headers cannot simulate (they read a bit that is not there)"),
    ("a stream feeds at most", "a value that more than seven layers read, in io_stream"),
)  # fmt: skip
"""Refusals that any layer can meet: regular expression, when."""

GENERAL_RTL = (
    (r"a number of \d+ bits, and alkaid carries", "sums and products of more than {bits} bits"),
    (r"a table of 2\^\d+ entries; at most", "tables of more than 2^{table} entries"),
)
"""What any layer can have that is no RTL: regular expression, when."""


UNAVAILABLE = (*convolution.ABSENT, "QEmbedding")
"""Names in LOWERINGS that no class of Keras or QKeras bears."""

BY_NAME = {case.name: case for case in CASES}
