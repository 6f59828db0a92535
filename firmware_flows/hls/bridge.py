"""The C++ that runs the project over blocks of events: written by us, around hls4ml's unchanged files.

hls4ml's own bridge is called once per event from Python and returns floats. This one loops over events in C++,
returns the integers, and records any layer by redirecting the calls that hls4ml's writer puts after each layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod

from firmware_flows.hls.plan import AP_BACKENDS, Plan
from firmware_flows.hls.settings import Settings

STACK_BYTES = 256 * 1024 * 1024
"""hls4ml keeps every product of a layer on the stack."""

_HEAD = """\
// Runs the network over a block of events. Written by firmware-flows; the files of firmware/ are hls4ml's.
#include "firmware/{project}.h"
#include "firmware/nnet_utils/nnet_helpers.h"
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <pthread.h>

namespace nnet {{
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = NULL;
size_t trace_type_size = sizeof(double);
}} // namespace nnet

namespace {{
// an assert of hls4ml's ends the block, not the process
thread_local jmp_buf *on_assert = nullptr;
thread_local char failed[512];
}} // namespace

extern "C" __attribute__((visibility("hidden"), noreturn)) void __assert_fail(const char *what, const char *file,
                                                                              unsigned line, const char *) noexcept {{
    std::snprintf(failed, sizeof failed, "%s:%u: %s", file, line, what);
    if (on_assert)
        std::longjmp(*on_assert, 1);
    std::abort();
}}

namespace {{
{mantissa}
struct Slot {{
    const char *name;
    int64_t offset;
}};
const Slot slots[] = {{{slots}}};
const int64_t slot_count = {slot_count};
const int64_t trace_size = {trace_size};
thread_local int64_t *trace_row = nullptr;

int64_t *slot(const char *name) {{
    for (int64_t i = 0; i < slot_count; i++)
        if (!std::strcmp(slots[i].name, name))
            return trace_row + slots[i].offset;
    return nullptr;
}}
}} // namespace

namespace nnet {{
template <class T> void ff_record(T *data, const char *name, size_t size) {{
    int64_t *to = trace_row ? slot(name) : nullptr;
    for (size_t i = 0; to && i < size; i++)
        to[i] = ff_mantissa(data[i]);
}}
{record_stream}
}} // namespace nnet

#define save_layer_output ff_record
#include "firmware/{project}.cpp"
#undef save_layer_output
{weights}"""

_AP_MANTISSA = """\
template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int N>
inline int64_t ff_mantissa(const ap_fixed_base<W, I, S, Q, O, N> &x) {
    ap_int_base<W, S> bits;
    bits.V = x.V;
    return bits.to_int64();
}
"""

_AC_MANTISSA = """\
template <int W, int I, bool S, ac_q_mode Q, ac_o_mode O>
inline int64_t ff_mantissa(const ac_fixed<W, I, S, Q, O> &x) {
    const ac_int<W, S> bits = x.template slc<W>(0);
    return bits.to_int64();
}
"""

_RECORD_STREAM = """\
template <class T> void ff_record(hls::stream<T> &data, const char *name, size_t size) {
    int64_t *to = trace_row ? slot(name) : nullptr;
    for (size_t i = 0; to && i < size / T::size; i++) {
        T pack = data.read();
        for (size_t j = 0; j < T::size; j++)
            to[i * T::size + j] = ff_mantissa(pack[j]);
        data.write(pack);
    }
}
"""

_TAIL = """
namespace {{
struct Block {{
    const float *x;
    int64_t events;
    int64_t *const *outputs;
    int64_t *trace;
    int64_t result;
    char *message;
}};

int64_t run(const float *x, int64_t events, int64_t *const *outputs, int64_t *trace) {{
    for (int64_t event = 0; event < events; event++) {{
        trace_row = trace ? trace + event * trace_size : nullptr;
        const float *in = x + event * {input_size};
{body}
    }}
    trace_row = nullptr;
    return 0;
}}

void *run_block(void *argument) {{
    Block *block = static_cast<Block *>(argument);
    jmp_buf here;
    if (setjmp(here)) {{
        std::strncpy(block->message, failed, sizeof failed);
        block->result = 3;
        return nullptr;
    }}
    on_assert = &here;
    block->result = run(block->x, block->events, block->outputs, block->trace);
    on_assert = nullptr;
    return nullptr;
}}
}} // namespace

extern "C" {{
// x: events * all inputs, side by side. outputs[k]: events * size of output k. trace: events * ff_trace_size() or null.
// Returns 0, or what went wrong: 1 no thread, 2 values left in a stream, 3 an assert (text in message, 512 bytes).
__attribute__((visibility("default"))) int64_t ff_run(const float *x, int64_t events, int64_t *const *outputs,
                                                      int64_t *trace, char *message) {{
    Block block = {{x, events, outputs, trace, 0, message}};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, {stack});
    const int failed = pthread_create(&thread, &attributes, run_block, &block);
    pthread_attr_destroy(&attributes);
    if (failed)
        return 1;
    pthread_join(thread, nullptr);
    return block.result;
}}

__attribute__((visibility("default"))) int64_t ff_trace_size() {{ return trace_size; }}
}}
"""


def trace_offsets(plan: Plan) -> dict[str, int]:
    """Where each node's result lies in the row of integers that is recorded for an event."""
    offsets: dict[str, int] = {}
    position = 0
    for node in plan.nodes:
        offsets[node.name] = position
        position += node.size
    return offsets


def trace_size(plan: Plan) -> int:
    """Integers recorded for an event."""
    return sum(node.size for node in plan.nodes)


@dataclass(frozen=True)
class Ports:
    """hls4ml's names of the types at the ports and of the outputs' variables, and its declarations of weights."""

    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    output_names: tuple[str, ...]
    weights: tuple[str, ...]


def can_simulate(settings: Settings) -> bool:
    """Whether this package compiles and runs the C++ of this backend in this form.

    oneAPI's needs the vendor's compiler. The streams of Quartus and Catapult are global, and the calls that
    record a layer in Quartus' stream form all read the output instead.
    """
    return settings.backend in AP_BACKENDS or (
        settings.backend in ("Quartus", "Catapult") and settings.io == "parallel"
    )


def bridge_source(plan: Plan, settings: Settings, ports: Ports) -> str:
    """The C++ file."""
    stream = settings.io == "stream"
    offsets = trace_offsets(plan)
    body = _stream_body if stream else _struct_body if settings.backend == "Quartus" else _parallel_body
    head = _HEAD.format(
        project=settings.project_name,
        mantissa=_AP_MANTISSA if settings.backend in AP_BACKENDS else _AC_MANTISSA,
        slots=", ".join(f'{{"{name}", {offset}}}' for name, offset in offsets.items()),
        slot_count=len(offsets),
        trace_size=trace_size(plan),
        # Catapult's headers leave the arrays to the test bench
        weights="".join(f"{w};\n" for w in ports.weights) if settings.backend == "Catapult" else "",
        record_stream=_RECORD_STREAM if stream else "",
    )
    return head + _TAIL.format(input_size=plan.input_size, body=body(plan, settings, ports), stack=STACK_BYTES)


def _parallel_body(plan: Plan, settings: Settings, ports: Ports) -> str:
    inputs = [f"input{k}" for k in range(len(plan.inputs))]
    lines = [f"{t} {name}[{prod(p.shape)}];" for t, name, p in zip(ports.input_types, inputs, plan.inputs, strict=True)]
    lines += _copy_in(plan, ports, inputs)
    lines += [
        *(f"{t} output{k}[{prod(plan.outputs[k].shape)}];" for k, t in enumerate(ports.output_types)),
        f"{settings.project_name}({_arguments(plan)});",
    ]
    return _indented(lines + _copy_out(plan, [f"output{k}" for k in range(len(plan.outputs))]))


def _struct_body(plan: Plan, settings: Settings, ports: Ports) -> str:
    """Quartus: the ports are members of two structs."""
    lines = [
        "input_data input;",
        *_copy_in(plan, ports, [f"input.{port.node}" for port in plan.inputs]),
        f"output_data output = {settings.project_name}(input);",
    ]
    return _indented(lines + _copy_out(plan, [f"output.{name}" for name in ports.output_names]))


def _arguments(plan: Plan) -> str:
    inputs = [f"input{k}" for k in range(len(plan.inputs))]
    return ", ".join([*inputs, *(f"output{k}" for k in range(len(plan.outputs)))])


def _offsets(plan: Plan) -> list[int]:
    """Where each input begins in the numbers of one event."""
    sizes = [prod(port.shape) for port in plan.inputs]
    return [0, *accumulate(sizes)][:-1]


def _copy_in(plan: Plan, ports: Ports, variables: list[str]) -> list[str]:
    """Real numbers to the inputs' types, and each input recorded."""
    lines: list[str] = []
    for port, t, variable, offset in zip(plan.inputs, ports.input_types, variables, _offsets(plan), strict=True):
        n = prod(port.shape)
        lines += [
            f"for (int i = 0; i < {n}; i++)",
            f"    {variable}[i] = {t}(in[{offset} + i]);",
            f'nnet::ff_record({variable}, "{port.node}", {n});',
        ]
    return lines


def _copy_out(plan: Plan, variables: list[str]) -> list[str]:
    lines: list[str] = []
    for k, (port, variable) in enumerate(zip(plan.outputs, variables, strict=True)):
        n = prod(port.shape)
        lines += [f"for (int i = 0; i < {n}; i++)", f"    outputs[{k}][event * {n} + i] = ff_mantissa({variable}[i]);"]
    return lines


def _indented(lines: list[str]) -> str:
    return "\n".join(" " * 8 + line for line in lines)


def _stream_body(plan: Plan, settings: Settings, ports: Ports) -> str:
    output_types = ports.output_types
    lines: list[str] = []
    for k, (source, t, offset) in enumerate(zip(plan.inputs, ports.input_types, _offsets(plan), strict=True)):
        n = prod(source.shape)
        lines += [
            f'hls::stream<{t}> input{k}("input{k}");',
            f"nnet::convert_data<const float, {t}, {n}>(in + {offset}, input{k});",
            f'nnet::ff_record(input{k}, "{source.node}", {n});',
        ]
    empty = " || ".join(f"!input{k}.empty()" for k in range(len(plan.inputs)))
    lines += [
        *(f'hls::stream<{t}> output{k}("output{k}");' for k, t in enumerate(output_types)),
        f"{settings.project_name}({_arguments(plan)});",
        f"bool left = {empty};",
    ]
    for k, (port, t) in enumerate(zip(plan.outputs, output_types, strict=True)):
        n = prod(port.shape)
        lines += [
            f"for (int i = 0; i < {n} / (int){t}::size; i++) {{",
            f"    if (output{k}.empty())",
            "        return 2;",
            f"    {t} pack = output{k}.read();",
            f"    for (int j = 0; j < (int){t}::size; j++)",
            f"        outputs[{k}][event * {n} + i * {t}::size + j] = ff_mantissa(pack[j]);",
            "}",
            f"left = left || !output{k}.empty();",
        ]
    lines += ["if (left)", "    return 2;"]
    return _indented(lines)
