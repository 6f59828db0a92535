"""What a Program computes, said a second time: real numbers as fractions, one event, nothing shared with the package.

Values are arrays of Fractions (dtype object) in real units, never mantissas, and lossy sums are always done term by
term, whatever the ranges prove.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows import program as p
from firmware_flows.fixed_point import FixedPoint

Values = npt.NDArray[Any]
HALF = Fraction(1, 2)


def unit(fractional: int) -> Fraction:
    return Fraction(2) ** -fractional


def to_integer(value: Fraction, mode: str) -> int:
    down = floor(value)
    rest = value - down
    if mode == "TRN" or rest == 0:
        return down
    toward_zero = down if value > 0 else down + 1
    if mode == "TRN_ZERO":
        return toward_zero
    if rest != HALF:
        return down + (rest > HALF)
    away = down + 1 if value > 0 else down
    even = down if down % 2 == 0 else down + 1
    ties = {"RND": down + 1, "RND_MIN_INF": down, "RND_ZERO": toward_zero, "RND_INF": away, "RND_CONV": even}
    return ties[mode]


def cast(value: Fraction, t: FixedPoint) -> Fraction:
    """One real number in the type `t`."""
    n = to_integer(value / unit(t.width - t.integer), str(t.rounding))
    low, high = (-(2 ** (t.width - 1)), 2 ** (t.width - 1) - 1) if t.signed else (0, 2**t.width - 1)
    if not low <= n <= high or (str(t.overflow) == "SAT_SYM" and n == low):
        match str(t.overflow):
            case "WRAP":
                n = (n - low) % 2**t.width + low
            case "SAT_ZERO":
                n = 0
            case "SAT":
                n = high if n > high else low
            case "SAT_SYM":
                symmetric = -high if t.signed and t.width > 1 else low
                n = high if n > high else symmetric
    return n * unit(t.width - t.integer)


def cast_all(values: Values, t: FixedPoint) -> Values:
    return apply(values, lambda v: cast(v, t))


def apply(values: Values, function: Any) -> Values:
    result = np.empty(values.shape, dtype=object)
    for index in np.ndindex(*values.shape):
        result[index] = function(values[index])
    return result


def reals(mantissas: Any, fractional: int) -> Values:
    return apply(np.asarray(mantissas, dtype=object), lambda m: int(m) * unit(fractional))


def evaluate(program: p.Program, event: list[npt.NDArray[np.float32]]) -> list[Values]:
    """All values of one event; `event` holds one float32 array an input."""
    values: list[Values] = []
    waiting = iter(event)
    for i in program.instructions:
        sources = [values[s] for s in i.sources]
        types = [program.instructions[s].type for s in i.sources]
        if isinstance(i, p.Input):
            exact = apply(np.asarray(next(waiting)), lambda v: Fraction(float(v)))
            values.append(cast_all(exact, i.type))
        else:
            values.append(np.asarray(step(i, sources, types), dtype=object).reshape(i.shape))
    return values


def step(i: p.Instruction, sources: list[Values], types: list[FixedPoint]) -> Any:
    f = i.type.width - i.type.integer
    match i:
        case p.Constant():
            return reals(i.mantissas, f)
        case p.Cast():
            return cast_all(sources[0], i.type)
        case p.Affine():
            return affine(i, sources[0], f)
        case p.Rearrange():
            flat = [v for s in sources for v in s.reshape(-1)]
            return apply(i.indices, lambda k: flat[k] if k >= 0 else i.fill * unit(f))
        case p.Combine():
            left, right = np.broadcast_arrays(*sources)
            operation = {
                "add": lambda a, b: a + b,
                "subtract": lambda a, b: a - b,
                "multiply": lambda a, b: a * b,
                "maximum": max,
                "minimum": min,
            }[str(i.operation)]
            return np.array([operation(a, b) for a, b in zip(left.reshape(-1), right.reshape(-1), strict=True)], object)
        case p.Reduce():
            return reduce(i, sources[0])
        case p.Table():
            t = types[0]
            low = -(2 ** (t.width - 1)) if t.signed else 0
            result = np.empty(i.shape, dtype=object)
            for index in np.ndindex(*i.shape):
                row = i.entries[index[-1] if i.entries.shape[0] > 1 else 0]
                number = sources[0][index] / unit(t.width - t.integer) - low
                assert number.denominator == 1
                result[index] = int(row[int(number)]) * unit(f)
            return result
        case p.Argmax():
            return np.apply_along_axis(lambda row: Fraction(max(range(len(row)), key=row.__getitem__)), -1, sources[0])
    raise AssertionError(i)


def affine(i: p.Affine, x: Values, f: int) -> Values:
    weights, bias = reals(i.weights, i.weight_fractional), reals(i.bias, f)
    result = np.empty(i.shape, dtype=object)
    for index in np.ndindex(*i.shape):
        total = bias[index[-1]]
        for k in range(weights.shape[0]):
            term = x[(*index[:-1], k)] * weights[k, index[-1]]
            if i.product is not None and i.accumulator is not None:
                total = cast(total + cast(term, i.product), i.accumulator)
            else:
                total += term
        result[index] = total
    return result


def reduce(i: p.Reduce, x: Values) -> Values:
    rows = np.moveaxis(x, i.axis, -1)
    result = np.empty(i.shape, dtype=object)
    for index in np.ndindex(*i.shape):
        result[index] = reduce_row(i, list(rows[index]))
    return result


def reduce_row(i: p.Reduce, row: list[Fraction]) -> Fraction:
    t = i.accumulator
    if str(i.operation) != "sum":
        chosen = [v if t is None else cast(v, t) for v in row]
        return max(chosen) if str(i.operation) == "maximum" else min(chosen)
    if t is None:
        return sum(row, Fraction(0))
    if str(i.order) == "sequential":
        total = Fraction(0)
        for v in row:
            total = cast(total + v, t)
        return total
    level = [cast(v, t) for v in row]
    while len(level) > 1:
        level = [cast(sum(level[k : k + 2], Fraction(0)), t) for k in range(0, len(level), 2)]
    return level[0]
