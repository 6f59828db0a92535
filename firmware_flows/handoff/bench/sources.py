"""The C++ of the test benches: golden hex words in, one form of the network run, outputs compared bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from firmware_flows.errors import InputError
from firmware_flows.handoff.cpp import namespace_of
from firmware_flows.handoff.interface.from_hls import Variable
from firmware_flows.program import Program
from firmware_flows.rtl.ports import Port, ports_of

_RUN = "void run(std::vector<std::vector<std::int64_t>>& given, std::vector<std::vector<std::int64_t>>& found, "

FLOAT_BITS = 24
"""The bridge to hls4ml's C++ takes float32."""

# mantissas become the real numbers that they stand for, which the inputs' types take as they are
_HLS = """
#include "{simulation}"

namespace bench {{
{run}std::size_t events) {{
    std::vector<float> x;
    for (std::size_t event = 0; event < events; ++event)
        for (std::size_t p : {{{read}}})
            for (std::size_t k = 0; k < inputs[p].elements; ++k)
                x.push_back(float(std::ldexp(double(given[p][event * inputs[p].elements + k]), -inputs[p].fractional)));
    std::vector<std::int64_t*> results;
    for (auto& output : found) results.push_back(output.data());
    char message[512] = "a value was left in a stream, or no thread could be started";
    if (ff_run(x.data(), std::int64_t(events), results.data(), nullptr, message)) throw std::runtime_error(message);
}}
}}  // namespace bench
"""

# the top function itself, as the vendors' C and RTL simulation call it: C++11, no threads
_VENDOR = """
#include <map>

#include "{header}"
namespace nnet {{
bool trace_enabled = false;
std::map<std::string, void*>* trace_outputs = nullptr;
std::size_t trace_type_size = sizeof(double);
}}  // namespace nnet

namespace bench {{

template <class T> T number(std::int64_t mantissa) {{
    T value = 0;
    value.range() = mantissa;
    return value;
}}

template <class T> std::int64_t mantissa(const T& value, const Port& port) {{
    std::uint64_t bits = value.range().to_uint64();
    if (port.is_signed && bits >> (port.width - 1) & 1) bits -= std::uint64_t(1) << (port.width - 1) << 1;
    return std::int64_t(bits);
}}

{run}std::size_t events) {{
    for (std::size_t event = 0; event < events; ++event) {{
{body}
    }}
}}
}}  // namespace bench
"""

_EMULATOR = """
#include "{header}"

namespace bench {{
{run}std::size_t events) {{
    {namespace}::emulate_mantissas({arguments}, events);
}}
}}  // namespace bench
"""


def hls_bench(program: Program, simulation: str, read: Sequence[str] | None = None) -> str:
    """For an HLS project; `simulation`: path of its simulation.cpp, as the source is to include it.

    read: names of the inputs that the project has, in its order (`plan.inputs`); by default the Program's. An input
    that no layer reads is none of the project's.
    Compile with -std=c++17 -pthread and the project's own include directories and WEIGHTS_DIR. Raises InputError for
    inputs of more than 24 bits.
    """
    for port in program.inputs:
        if port.type.width - port.type.signed > FLOAT_BITS:
            raise InputError(f"input {port.port!r} has {port.type.width} bits, more than this test bench takes")
    names = [port.port for port in program.inputs]
    order = ", ".join(f"std::size_t({names.index(name)})" for name in (names if read is None else read))
    return _bench(program, "HLS C++", _HLS.format(simulation=simulation, run=_RUN, read=order))


def vendor_bench(
    program: Program,
    header: str,
    top: str,
    variables: Sequence[Variable],
    *,
    stream: bool,
    read: Sequence[str] | None = None,
) -> str:
    """For C simulation and RTL co-simulation by Vitis and Vivado HLS: fails when a bit differs, as hls4ml's does not.

    header: path of the project's header, as the source is to include it; variables: of the top function `top`; read: as
    of `hls_bench`. g++ compiles it too, together with the project's C++ file.
    """
    names = [v.name for v in variables]
    lines: list[str] = []
    inputs, outputs = ports_of(program)
    sources = [port.source for port in inputs]
    entered = [(sources.index(name), True) for name in (sources if read is None else read)]
    places = [*entered, *((p, False) for p in range(len(outputs)))]
    for (p, entering), variable in zip(places, variables, strict=True):
        port = inputs[p] if entering else outputs[p]
        element = f"{variable.type}::value_type" if stream else variable.type
        value = f"number<{element}>(given[{p}][event * {port.size} + i])"
        if not stream:
            lines.append(f"{variable.type} {variable.name}[{port.size}];")
            if entering:
                lines.append(f"for (std::size_t i = 0; i < {port.size}; ++i) {variable.name}[i] = {value};")
            continue
        lines.append(f'hls::stream<{variable.type}> {variable.name}("{variable.name}");')
        if entering:
            lines += [
                f"for (std::size_t i = 0; i < {port.size};) {{",
                f"    {variable.type} word;",
                f"    for (std::size_t j = 0; j < {variable.type}::size; ++j, ++i) word[j] = {value};",
                f"    {variable.name}.write(word);",
                "}",
            ]
    lines.append(f"{top}({', '.join(names)});")
    for p, (port, variable) in enumerate(zip(outputs, variables[len(entered) :], strict=True)):
        target = f"found[{p}][event * {port.size} + i] = mantissa"
        if not stream:
            lines.append(f"for (std::size_t i = 0; i < {port.size}; ++i) {target}({variable.name}[i], outputs[{p}]);")
            continue
        lines += [
            f"for (std::size_t i = 0; i < {port.size};) {{",
            f'    if ({variable.name}.empty()) throw std::runtime_error("{variable.name} has too few words");',
            f"    {variable.type} word = {variable.name}.read();",
            f"    for (std::size_t j = 0; j < {variable.type}::size; ++j, ++i) {target}(word[j], outputs[{p}]);",
            "}",
            f'if (!{variable.name}.empty()) throw std::runtime_error("{variable.name} has too many words");',
        ]
    body = "\n".join(" " * 8 + line for line in lines)
    return _bench(program, "HLS top function", _VENDOR.format(header=header, run=_RUN, body=body))


def weights_bench() -> str:
    """Compares the weights that synthesis takes with those that C simulation reads; g++ compiles it."""
    return files("firmware_flows.handoff.bench").joinpath("weights.cpp").read_text(encoding="utf-8")


def emulator_bench(program: Program, header: str, namespace: str | None = None) -> str:
    """For the emulator header; `header`: its path, as the source is to include it."""
    arguments = [f"given[{k}].data()" for k in range(len(program.inputs))]
    arguments += [f"found[{k}].data()" for k in range(len(program.outputs))]
    name = namespace or namespace_of(program)
    text = _EMULATOR.format(header=header, run=_RUN, namespace=name, arguments=", ".join(arguments))
    return _bench(program, "emulator header", text)


def _bench(program: Program, form: str, run: str) -> str:
    main = files("firmware_flows.handoff.bench").joinpath("main.cpp").read_text(encoding="utf-8")
    inputs, outputs = ports_of(program)
    ports = "\n".join(_array(name, given) for name, given in (("inputs", inputs), ("outputs", outputs)))
    head, tail = main.replace("@ports@", ports).replace("@form@", form).split("int main(")
    return f"{head}{run.lstrip()}\nint main({tail}"


def _array(name: str, ports: tuple[Port, ...]) -> str:
    entries = ", ".join(
        f'{{"{p.name}", {p.size}, {p.type.width}, {p.type.fractional}, {str(p.type.signed).lower()}}}' for p in ports
    )
    return f"constexpr Port {name}[] = {{{entries}}};"
