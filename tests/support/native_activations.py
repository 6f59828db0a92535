"""hls4ml's own activation functions, compiled by themselves and run on every value of an input type."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint

_HEAD = """\
#include <cstdio>
#include <cstdint>
#include "nnet_activation.h"
#include "nnet_activation_stream.h"
template <class T> long long mantissa(T v, int fractional) {
    return (long long)(v.to_double() * std::pow(2.0, fractional));
}
"""

_CASE = """
namespace case{k} {{
typedef {x} x_t; typedef {r} r_t;
struct config : nnet::activ_config {{
    static const unsigned n_in = 1; static const unsigned table_size = 1024;
    static const unsigned io_type = nnet::io_parallel; static const unsigned reuse_factor = 1;
    typedef {t} table_t;
}};
void run() {{
    for (long long m = {low}; m <= {high}; m++) {{
        x_t in[1]; r_t out[1];
        in[0] = (double)m * std::pow(2.0, -({fx}));
        nnet::{f}<x_t, r_t, config>(in, out);
        hls::stream<nnet::array<x_t, 1>> a("a"); hls::stream<nnet::array<r_t, 1>> b("b");
        nnet::array<x_t, 1> p; p[0] = in[0]; a.write(p);
        nnet::{f}<nnet::array<x_t, 1>, nnet::array<r_t, 1>, config>(a, b);
        std::printf("%lld %lld\\n", mantissa(out[0], {fr}), mantissa(b.read()[0], {fr}));
    }}
}}
}}
"""


@dataclass(frozen=True)
class Case:
    """A function, the types of its input, of its table and of its result."""

    function: str
    x: FixedPoint
    table: FixedPoint
    result: FixedPoint


def include_directories() -> list[Path]:
    """Where hls4ml keeps its C++."""
    import hls4ml

    templates = Path(hls4ml.__file__).parent / "templates" / "vivado"
    return [templates / "nnet_utils", templates / "ap_types"]


def compile_and_run(source: str, directory: Path) -> list[list[int]]:
    """The numbers of every line that the program prints."""
    file, program = directory / "native.cpp", directory / "native"
    file.write_text(source)
    includes = [f"-I{path}" for path in include_directories()]
    subprocess.run(["g++", "-O0", "-std=c++14", "-w", *includes, str(file), "-o", str(program)], check=True)
    text = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return [[int(n) for n in line.split()] for line in text.splitlines()]


def every_value(cases: Sequence[Case], directory: Path) -> list[tuple[Any, Any]]:
    """For each case the mantissas of the results, of the parallel and of the streaming C++, for all inputs in order."""
    source = _HEAD
    for k, c in enumerate(cases):
        source += _CASE.format(
            k=k, x=c.x, r=c.result, t=c.table, f=c.function, low=c.x.minimum, high=c.x.maximum,
            fx=c.x.fractional, fr=c.result.fractional,
        )  # fmt: skip
    source += "int main() {" + "".join(f" case{k}::run();" for k in range(len(cases))) + " }\n"
    rows = np.array(compile_and_run(source, directory), dtype=np.int64)
    sizes = np.cumsum([1 << c.x.width for c in cases])[:-1]
    return [(part[:, 0], part[:, 1]) for part in np.split(rows, sizes)]


_SOFTMAX = """
typedef {x} x_t; typedef ap_fixed<32, 4> r_t; typedef {norm} norm_t;
struct config : nnet::activ_config {{
    static const unsigned n_in = {n}; static const unsigned n_slice = {n};
    static const unsigned exp_table_size = {size}; static const unsigned inv_table_size = 1024;
    static constexpr float exp_scale = 1.0;
    typedef ap_ufixed<18, 2> exp_table_t; typedef ap_ufixed<18, 2> inv_table_t; typedef ap_ufixed<24, 6> accum_t;
    typedef ap_ufixed<10, 2, AP_TRN, AP_SAT> inv_inp_t; typedef norm_t inp_norm_t;
}};
int main() {{
    static const double events[] = {{{events}}};
    for (int i = 0; i < {count}; i++) {{
        x_t in[{n}]; r_t out[{n}];
        for (int j = 0; j < {n}; j++) in[j] = events[i * {n} + j];
        nnet::softmax_stable<x_t, r_t, config>(in, out);
        for (int j = 0; j < {n}; j++) std::printf("%lld ", mantissa(out[j], 28));
        std::printf("\\n");
    }}
}}
"""


def softmax_stable(events: Any, x: FixedPoint, norm: FixedPoint, directory: Path) -> Any:
    """hls4ml's stable softmax with a given type of the difference from the largest input."""
    count, n = events.shape
    source = _HEAD + _SOFTMAX.format(
        x=x, norm=norm, n=n, count=count, size=1 << norm.width, events=", ".join(str(float(v)) for v in events.flat)
    )
    return np.array(compile_and_run(source, directory)) * 2.0**-28
