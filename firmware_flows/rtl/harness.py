"""What is put around a design to run it: a Verilog module with ports of fixed names, and the C++ that clocks it.

The C++ takes and gives mantissas (int64), packs and unpacks the ports itself, and applies a new event in every clock.
In each clock cycle it applies the inputs, lets the logic settle, reads the outputs, and then lets the clock rise.
Registers begin with random values, as they may in hardware: outputs must not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_flows.rtl.ports import Port

TOP = "ff_harness"
"""Name of the module around the design."""


def wrapper_source(top: str, clock: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """Verilog of a module with ports clk, in0, in1, ..., out0, ...: names that are also good C++."""
    given = [(f"in{k}", "input", port) for k, port in enumerate(inputs)]
    given += [(f"out{k}", "output", port) for k, port in enumerate(outputs)]
    ports = ",\n".join(f"    {kind} wire [{port.width - 1}:0] {name}" for name, kind, port in given)
    connections = ",\n".join(f"        .{port.name}({name})" for name, _, port in given)
    return (
        f"module {TOP} (\n    input wire clk,\n{ports}\n);\n"
        f"    {top} design_under_test (\n        .{clock}(clk),\n{connections}\n    );\n"
        "endmodule\n"
    )


def harness_source(prefix: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """C++ of the library; `prefix` is the class that Verilator writes for the wrapper."""
    apply = "\n".join(
        f"    pack<{p.type.width}, {p.size}>(inputs[{k}] + event * {p.size}, words);\n    put(model.top.in{k}, words);"
        for k, p in enumerate(inputs)
    )
    read = "\n".join(
        f"    get(model.top.out{k}, words);\n"
        f"    unpack<{p.type.width}, {p.size}, {str(p.type.signed).lower()}>(words, outputs[{k}] + event * {p.size});"
        for k, p in enumerate(outputs)
    )
    # a port of up to 64 bits is moved as 64
    words = max(2, *(p.words for p in (*inputs, *outputs)))
    return _SOURCE.format(prefix=prefix, apply=apply, read=read, words=words)


_SOURCE = """\
// Clocks a design over arrays of events. Written by firmware-flows.
#include "{prefix}.h"
#include "verilated.h"
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {{
typedef unsigned __int128 Wide;

// N elements of W bits, one after the other, into 32-bit words
template <int W, int N> void pack(const int64_t *values, uint32_t *words) {{
    const uint64_t mask = W == 64 ? ~uint64_t(0) : (uint64_t(1) << (W % 64)) - 1;
    Wide waiting = 0;
    int filled = 0;
    for (int k = 0; k < N; k++) {{
        waiting |= Wide(uint64_t(values[k]) & mask) << filled;
        for (filled += W; filled >= 32; filled -= 32) {{
            *words++ = uint32_t(waiting);
            waiting >>= 32;
        }}
    }}
    if (filled)
        *words = uint32_t(waiting);
}}

template <int W, int N, bool S> void unpack(const uint32_t *words, int64_t *values) {{
    const uint64_t mask = W == 64 ? ~uint64_t(0) : (uint64_t(1) << (W % 64)) - 1;
    Wide waiting = 0;
    int filled = 0;
    for (int k = 0; k < N; k++) {{
        for (; filled < W; filled += 32)
            waiting |= Wide(*words++) << filled;
        const uint64_t bits = uint64_t(waiting) & mask;
        const bool negative = S && (bits >> (W - 1)) & 1;
        values[k] = int64_t(negative ? bits | ~mask : bits);
        waiting >>= W;
        filled -= W;
    }}
}}

// Verilator holds ports of up to 8, 16, 32, 64 bits as numbers, wider ones as an array of 32-bit words
template <class T> void put(T &port, const uint32_t *words) {{
    if constexpr (!std::is_integral<T>::value)
        std::memcpy(port.data(), words, sizeof(T));
    else if constexpr (sizeof(T) == 8)
        port = uint64_t(words[0]) | uint64_t(words[1]) << 32;
    else
        port = T(words[0]);
}}

template <class T> void get(const T &port, uint32_t *words) {{
    if constexpr (!std::is_integral<T>::value)
        std::memcpy(words, port.data(), sizeof(T));
    else {{
        words[0] = uint32_t(port);
        words[1] = uint32_t(uint64_t(port) >> 32);
    }}
}}

struct Model {{
    VerilatedContext context;
    {prefix} *design;
    {prefix} &top;
    // every register begins with random bits
    static {prefix} *make(VerilatedContext &context, int seed) {{
        context.randReset(2);
        context.randSeed(seed);
        return new {prefix}{{&context}};
    }}
    explicit Model(int seed) : design(make(context, seed)), top(*design) {{
        top.clk = 0;
        top.eval();
    }}
    ~Model() {{
        top.final();
        delete design;
    }}
}};

void apply(Model &model, const int64_t *const *inputs, int64_t event) {{
    uint32_t words[{words}];
    words[1] = 0;
{apply}
}}

void read(const Model &model, int64_t *const *outputs, int64_t event) {{
    uint32_t words[{words}];
{read}
}}
}} // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void *ff_new(int seed) {{ return new Model(seed); }}
EXPORT void ff_delete(void *model) {{ delete static_cast<Model *>(model); }}

// A new event every clock; the outputs of the first `skip` cycles are not read. The last event stays on the inputs
// until the outputs of `events` cycles have been read.
EXPORT void ff_run(void *of, const int64_t *const *inputs, int64_t events, int64_t skip, int64_t *const *outputs) {{
    Model &model = *static_cast<Model *>(of);
    for (int64_t cycle = 0; cycle < events + skip; cycle++) {{
        if (cycle < events)
            apply(model, inputs, cycle);
        model.top.clk = 0;
        model.top.eval();
        if (cycle >= skip)
            read(model, outputs, cycle - skip);
        model.top.clk = 1;
        model.top.eval();
    }}
}}
"""
