"""FixedPoint against the C++ that hls4ml compiles: the ap_fixed and ac_fixed headers it ships, built by g++ here.

Every combination of two types is a template to be compiled (10 ms). The quick tests therefore take all pairs of modes
for the geometries of one pair of widths and a rotating choice of modes for the others. Those that take all of all need
minutes: they run when FIRMWARE_FLOWS_EXHAUSTIVE is set, and are to be run when `fixed_point.py` or hls4ml changes.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding, all_modes

pytestmark = pytest.mark.cpp
exhaustive = pytest.mark.skipif(
    not os.environ.get("FIRMWARE_FLOWS_EXHAUSTIVE"), reason="compiles for minutes: set FIRMWARE_FLOWS_EXHAUSTIVE=1"
)

MODES = list(all_modes())
ABORTED = np.iinfo(np.int64).min
REAL = {"float": np.float32, "double": np.float64}
Array = npt.NDArray[Any]

PROLOGUE = """
#include <csetjmp>
#include <cstdint>
#include <{header}>

// an assertion in the headers ends hls4ml's simulation: here it becomes an answer
const int64_t ABORTED = INT64_MIN;
static jmp_buf aborted;
extern "C" __attribute__((visibility("hidden"))) void __assert_fail(const char*, const char*, unsigned, const char*) {{
    longjmp(aborted, 1);
}}

// both ways in which hls4ml's code changes a type: the constructor and the assignment
template <class D, class S> void cast(const int64_t* in, void* result, int64_t n) {{
    int64_t* out = static_cast<int64_t*>(result);
    for (int64_t i = 0; i < n; ++i) {{
        out[2 * i] = out[2 * i + 1] = ABORTED;
        if (setjmp(aborted)) continue;
        S source;
        {set_source}
        D built(source);
        D assigned;
        assigned = source;
        out[2 * i] = {get_built};
        out[2 * i + 1] = {get_assigned};
    }}
}}
template <class D, class R> void from_real(const int64_t* in, void* result, int64_t n) {{
    const R* real = reinterpret_cast<const R*>(in);
    int64_t* out = static_cast<int64_t*>(result);
    for (int64_t i = 0; i < n; ++i) {{
        out[2 * i] = out[2 * i + 1] = ABORTED;
        if (setjmp(aborted)) continue;
        D built(real[i]);
        D assigned;
        assigned = real[i];
        out[2 * i] = {get_built};
        out[2 * i + 1] = {get_assigned};
    }}
}}
template <class S, class R> void to_real(const int64_t* in, void* result, int64_t n) {{
    R* out = static_cast<R*>(result);
    for (int64_t i = 0; i < n; ++i) {{
        S source;
        {set_source}
        out[i] = {to_real};
    }}
}}
typedef void (*Case)(const int64_t*, void*, int64_t);
extern "C" {{
Case cases[] = {{
"""
EPILOGUE = "};\nvoid run(int64_t which, const int64_t* in, void* out, int64_t n) { cases[which](in, out, n); }\n}\n"

# the mantissa of an ap_fixed is its member V; an ac_fixed's bits are reached through slices
FLAVOURS = {
    "ap_fixed": {
        "header": "ap_fixed.h",
        "set_source": "source.V = in[i];",
        "get_built": "int64_t(built.V)",
        "get_assigned": "int64_t(assigned.V)",
        "to_real": "R(source)",
    },
    "ac_fixed": {
        "header": "ac_fixed.h",
        "set_source": "source.set_slc(0, ac_int<S::width, S::sign>(in[i]));",
        "get_built": "int64_t(built.template slc<D::width>(0).to_int64())",
        "get_assigned": "int64_t(assigned.template slc<D::width>(0).to_int64())",
        "to_real": "R(source.to_double())",
    },
}


@dataclass(frozen=True)
class Cast:
    """One change of type in C++: between fixed-point types, or from or to `float` or `double`."""

    source: Any
    target: Any

    def line(self, flavour: str) -> str:
        if isinstance(self.source, str):
            return f"from_real<{cpp(self.target, flavour)}, {self.source}>,\n"
        if isinstance(self.target, str):
            return f"to_real<{cpp(self.source, flavour)}, {self.target}>,\n"
        return f"cast<{cpp(self.target, flavour)}, {cpp(self.source, flavour)}>,\n"


def cpp(t: FixedPoint, flavour: str) -> str:
    if flavour == "ac_fixed":
        return f"ac_fixed<{t.width},{t.integer},{str(t.signed).lower()},AC_{t.rounding},AC_{t.overflow}>"
    return f"ap_{'' if t.signed else 'u'}fixed<{t.width},{t.integer},AP_{t.rounding},AP_{t.overflow}>"


class Compiled:
    """Casts as a shared library; calling gives what C++ answers (rows of: constructor, assignment)."""

    def __init__(self, library: Path, casts: list[Cast]) -> None:
        self.casts = casts
        self._library = ctypes.CDLL(str(library))

    def __call__(self, which: int, values: Array) -> Array:
        values = np.ascontiguousarray(values)
        target = self.casts[which].target
        if isinstance(target, str):
            result: Array = np.zeros(len(values), dtype=REAL[target])
        else:
            result = np.zeros((len(values), 2), dtype=np.int64)
        into, out_of = ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(result.ctypes.data)
        self._library.run(ctypes.c_int64(which), into, out_of, ctypes.c_int64(len(values)))
        return result


def headers(flavour: str) -> Path:
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or spec.origin is None:
        pytest.skip("hls4ml, which ships the ap_fixed and ac_fixed headers, is not installed")
    templates = Path(spec.origin).parent / "templates"
    return templates / {"ap_fixed": "vivado/ap_types", "ac_fixed": "quartus/ac_types"}[flavour]


def compile_casts(casts: list[Cast], directory: Path, flavour: str = "ap_fixed", name: str = "casts") -> Compiled:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    source = directory / f"{name}.cpp"
    library = source.with_suffix(".so")
    lines = "".join(cast.line(flavour) for cast in casts)
    source.write_text(PROLOGUE.format(**FLAVOURS[flavour]) + lines + EPILOGUE)
    options = ["-std=c++17", "-O0", "-w", "-fno-exceptions", "-fPIC", "-shared", f"-I{headers(flavour)}"]
    subprocess.run(["g++", *options, str(source), "-o", str(library)], check=True)
    return Compiled(library, casts)


def compile_in_parallel(casts: list[Cast], directory: Path, flavour: str = "ap_fixed") -> list[Compiled]:
    """Shared out over two compiler processes, a thousand casts each at most, to bound their memory."""
    headers(flavour)
    parts = max(2, -(-len(casts) // 1000))
    # a library of the same path would be taken for one that is already loaded: the name carries the number of casts
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(compile_casts, casts[part::parts], directory, flavour, f"casts_{len(casts)}_{part}")
            for part in range(parts)
        ]
        return [job.result() for job in jobs]


def every_value(source: FixedPoint, _target: FixedPoint) -> Array:
    return np.arange(source.minimum, source.maximum + 1)


def edges(source: FixedPoint, target: FixedPoint) -> Array:
    """Mantissas around everything at which a cast changes its mind: range ends, zero, ties, powers of two."""
    shift = source.fractional - target.fractional
    step = 1 << max(shift, 0)
    marks = {source.minimum, source.maximum}
    for end in (target.minimum, target.maximum, target.minimum + 1, target.maximum + 1, 0, 1, 2, 3, -1, -2, -3):
        scaled = end * step if shift >= 0 else end >> -shift
        marks |= {scaled, scaled + step // 2, scaled - step // 2}
    marks |= {sign << bit for bit in range(source.width) for sign in (1, -1)}
    near = {mark + offset for mark in marks for offset in (-2, -1, 0, 1, 2)}
    return np.array(sorted(v for v in near if source.minimum <= v <= source.maximum), dtype=np.int64)


def real_edges(target: FixedPoint, kind: type[np.floating[Any]]) -> Array:
    """Real numbers of this kind on, between and beside the target's values, beyond its range, huge and tiny."""
    ends = [target.minimum, target.maximum, 2 * target.minimum, 2 * target.maximum + 1, 8 * target.maximum + 3, 0]
    near = [end + offset for end in ends for offset in range(-3, 4)]
    on = [np.ldexp(kind(m) + kind(part), -target.fractional) for m, part in product(near, (0, 0.25, 0.5, 0.75))]
    info = np.finfo(kind)
    powers = [*range(-30, 70), -100, 100, info.maxexp - 1, info.minexp]
    on += [np.ldexp(kind(start), power) for start, power in product((1.0, 1.5, 1.2345678901234567), powers)]
    on += [info.max, kind(0.0)]
    values = np.array(on, dtype=kind)
    with np.errstate(over="ignore", under="ignore"):
        beside = [values, np.nextafter(values, kind(-np.inf)), np.nextafter(values, kind(np.inf))]
    several = np.concatenate(beside)
    return np.concatenate([several, -several])[np.isfinite(np.tile(several, 2))]


def disagreements(
    compiled: Iterable[Compiled],
    values: Callable[[FixedPoint, FixedPoint], Array],
    excepted: Callable[[FixedPoint, FixedPoint], bool] = lambda source, target: False,
) -> list[str]:
    """What C++ answers otherwise than FixedPoint; the excepted casts must have something to except."""
    found = []
    for library in compiled:
        for which, cast in enumerate(library.casts):
            source, target = cast.source, cast.target
            mantissas = values(source, target)
            ours = target.cast(mantissas, source.fractional)
            theirs = library(which, mantissas)
            wrong = np.flatnonzero((theirs != ours[:, None]).any(axis=1))
            if excepted(source, target):
                found += [] if len(wrong) else [f"{source} -> {target}: excepted, but the same"]
                continue
            found += [f"{source} -> {target}: {mantissas[i]} gives {theirs[i]}, not {ours[i]}" for i in wrong]
    return found


def real_disagreements(compiled: Iterable[Compiled]) -> list[str]:
    found = []
    for library in compiled:
        for which, cast in enumerate(library.casts):
            reals = real_edges(cast.target, REAL[cast.source])
            ours = cast.target.quantize(reals)
            theirs = library(which, reals)
            wrong = np.flatnonzero((theirs != ours[:, None]).any(axis=1))
            found += [f"{cast.source} {reals[i].hex()} -> {cast.target}: {theirs[i]}, not {ours[i]}" for i in wrong]
    return found


Pair = tuple[FixedPoint, FixedPoint]


def geometries(sources: Iterable[int], targets: Iterable[int]) -> list[Pair]:
    """Pairs of types of these widths, of both signs, with every distance of their binary points that matters:
    from shifting everything out on the left to one more than shifting everything out on the right.
    """
    return [
        (FixedPoint(source, source - shift, source_signed), FixedPoint(target, target, target_signed))
        for target, source in product(targets, sources)
        for target_signed, source_signed in product((True, False), repeat=2)
        for shift in range(-target - 1, source + 2)
    ]


def with_all_modes(pairs: Iterable[Pair]) -> list[Cast]:
    return [Cast(source, target.with_modes(*modes)) for source, target in pairs for modes in MODES]


def with_rotating_modes(pairs: Iterable[Pair], each: int = 1) -> list[Cast]:
    """`each` pairs of modes for every geometry; successive geometries take the next ones."""
    return [
        Cast(source, target.with_modes(*MODES[(5 * (each * i + j)) % len(MODES)]))
        for i, (source, target) in enumerate(pairs)
        for j in range(each)
    ]


def large_pairs() -> list[Pair]:
    """Accumulators to results, widening, binary points far apart, and the ends of 64 bits; both signs of each."""
    signed = [
        (FixedPoint(32, 12), FixedPoint(16, 6)),
        (FixedPoint(48, 20), FixedPoint(20, 8)),
        (FixedPoint(60, 30), FixedPoint(18, 9)),
        (FixedPoint(60, 30), FixedPoint(60, 29)),
        (FixedPoint(16, 6), FixedPoint(48, 40)),
        (FixedPoint(8, -4), FixedPoint(24, 3)),
        (FixedPoint(63, 30), FixedPoint(33, 30)),
        (FixedPoint(33, 33), FixedPoint(32, 31)),
        (FixedPoint(40, 20), FixedPoint(31, 12)),
        (FixedPoint(20, 25), FixedPoint(12, 20)),
        (FixedPoint(62, 20), FixedPoint(1, 1)),
        (FixedPoint(50, -10), FixedPoint(20, -15)),
    ]
    unsigned_source = [(replace(source, signed=False), target) for source, target in signed]
    unsigned_target = [(source, replace(target, signed=False)) for source, target in signed]
    return signed + unsigned_source + unsigned_target + [(FixedPoint(64, 32), FixedPoint(63, 30))]


def real_targets() -> list[FixedPoint]:
    sizes = [(1, 1), (1, 0), (3, -2), (4, 9), (16, 6), (32, 10), (40, 20), (54, 30), (62, 62)]
    return [FixedPoint(width, integer, signed) for width, integer in sizes for signed in (True, False)]


def from_reals(targets: Iterable[FixedPoint], modes: Callable[[int], list[Any]]) -> list[Cast]:
    return [
        Cast(kind, target.with_modes(*pair)) for i, target in enumerate(targets) for pair in modes(i) for kind in REAL
    ]


def aborts_csim(source: FixedPoint, target: FixedPoint) -> bool:
    """ap_fixed_base::operator= reads bit `shift - 1` of the source before asking whether it has that bit; in
    simulations compiled without NDEBUG (hls4ml's) the bounds assertion then ends the process, for any value.
    """
    truncates = target.rounding is Rounding.TRN or (target.rounding is Rounding.TRN_ZERO and not source.signed)
    return source.fractional - target.fractional > source.width and not truncates


@pytest.mark.slow
def test_every_value_of_small_types(tmp_path: Path) -> None:
    casts = with_all_modes(geometries([3], [2])) + with_rotating_modes(geometries([1, 4, 7], [1, 3, 6]))
    assert disagreements(compile_in_parallel(casts, tmp_path), every_value, aborts_csim) == []


@exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("target", [1, 2, 3, 5])
def test_every_value_of_more_small_types_in_all_modes(tmp_path: Path, target: int) -> None:
    casts = with_all_modes(geometries([1, 2, 5], [target]))
    assert disagreements(compile_in_parallel(casts, tmp_path), every_value, aborts_csim) == []


@pytest.mark.slow
def test_edges_of_large_types(tmp_path: Path) -> None:
    compiled = compile_in_parallel(with_rotating_modes(large_pairs(), each=4), tmp_path)
    assert disagreements(compiled, edges) == []


@exhaustive
@pytest.mark.timeout(900)
def test_edges_of_large_types_in_all_modes(tmp_path: Path) -> None:
    assert disagreements(compile_in_parallel(with_all_modes(large_pairs()), tmp_path), edges) == []


@pytest.mark.slow
def test_real_numbers(tmp_path: Path) -> None:
    """`float` and `double` take the same way through the header: equal numbers give equal bits, ties included."""
    casts = from_reals([FixedPoint(8, 3)], lambda _: MODES)
    casts += from_reals(real_targets(), lambda i: [MODES[(9 * i + 5 * j) % len(MODES)] for j in range(2)])
    assert real_disagreements(compile_in_parallel(casts, tmp_path)) == []


@exhaustive
@pytest.mark.timeout(900)
def test_real_numbers_in_all_modes(tmp_path: Path) -> None:
    assert real_disagreements(compile_in_parallel(from_reals(real_targets(), lambda _: MODES), tmp_path)) == []


def test_a_float64_input_rounds_twice_when_passed_as_float32_quirk(tmp_path: Path) -> None:
    """Why hls4ml's `predict` answers float32 and float64 input differently: the array's conversion, not the header."""
    compiled = compile_casts([Cast("double", FixedPoint.parse("ap_fixed<8,3,AP_RND,AP_SAT>"))], tmp_path)
    just_below_a_tie = np.array([np.nextafter(2.0**-6, 0.0)])
    as_float32 = just_below_a_tie.astype(np.float32).astype(np.float64)
    assert compiled(0, just_below_a_tie).tolist() == [[0, 0]]
    assert compiled(0, as_float32).tolist() == [[1, 1]]


def test_values_read_back_as_real_numbers(tmp_path: Path) -> None:
    sizes = [(1, 1), (3, -2), (8, 3), (24, 9), (53, 20), (63, 30)]
    types = [FixedPoint(width, integer, signed) for width, integer in sizes for signed in (True, False)]
    compiled = compile_casts([Cast(t, kind) for t in types for kind in REAL], tmp_path)
    for which, cast in enumerate(compiled.casts):
        mantissas = edges(cast.source, cast.source)
        exact = mantissas if cast.source.width - cast.source.signed > 53 else cast.source.to_float(mantissas)
        nearest = np.ldexp(exact.astype(REAL[cast.target]), -cast.source.fractional if exact is mantissas else 0)
        assert compiled(which, mantissas).tolist() == nearest.tolist(), cast


def test_a_binary_point_beyond_the_source_aborts_the_simulation_quirk(tmp_path: Path) -> None:
    source, target = FixedPoint(4, 0), FixedPoint(4, 5)
    casts = [Cast(source, replace(target, integer=integer, rounding=Rounding.RND)) for integer in (4, 5)]
    still_right, aborted = (compile_casts([cast], tmp_path, name=f"abort_{i}") for i, cast in enumerate(casts))
    assert (still_right(0, np.arange(-8, 8)) != ABORTED).all()
    assert (aborted(0, np.arange(-8, 8)) == ABORTED).all()


def carry_is_lost(source: FixedPoint, target: FixedPoint) -> bool:
    """ac_fixed computes in 32-bit words. When an unsigned source's rounded bits fill the target's words exactly, the
    carry of rounding up all ones is dropped, and the largest values saturate to zero instead of the maximum.
    """
    words = (target.width + 31 + (not target.signed)) // 32
    shift = source.fractional - target.fractional
    rounds_up = target.rounding not in (Rounding.TRN, Rounding.TRN_ZERO) and shift > 0
    saturates = target.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    return rounds_up and saturates and not source.signed and source.width - shift == 32 * words


@pytest.mark.slow
def test_ac_fixed(tmp_path: Path) -> None:
    small = with_rotating_modes(geometries([1, 5], [1, 4]))
    large = with_rotating_modes(large_pairs(), each=4)
    assert disagreements(compile_in_parallel(small, tmp_path, "ac_fixed"), every_value) == []
    assert disagreements(compile_in_parallel(large, tmp_path, "ac_fixed"), edges, carry_is_lost) == []


def test_ac_fixed_loses_a_carry_between_words_quirk(tmp_path: Path) -> None:
    source, target = FixedPoint(48, 20, signed=False), FixedPoint.parse("ac_fixed<20,8,true,AC_RND,AC_SAT>")
    assert carry_is_lost(source, target)
    compiled = compile_casts([Cast(source, target)], tmp_path, "ac_fixed")
    largest = np.array([source.maximum])
    assert target.cast(largest, source.fractional).tolist() == [target.maximum]
    assert compiled(0, largest).tolist() == [[0, 0]]
