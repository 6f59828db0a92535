"""The C++ of the test benches: golden hex words in, one form of the network run, outputs compared bit by bit."""

from __future__ import annotations

from importlib.resources import files

from firmware_flows.errors import InputError
from firmware_flows.handoff.cpp import namespace_of
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
        for (std::size_t p = 0; p < input_count; ++p)
            for (std::size_t k = 0; k < inputs[p].elements; ++k)
                x.push_back(float(std::ldexp(double(given[p][event * inputs[p].elements + k]), -inputs[p].fractional)));
    std::vector<std::int64_t*> results;
    for (auto& output : found) results.push_back(output.data());
    char message[512] = "a value was left in a stream, or no thread could be started";
    if (ff_run(x.data(), std::int64_t(events), results.data(), nullptr, message)) throw std::runtime_error(message);
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


def hls_bench(program: Program, simulation: str) -> str:
    """For an HLS project; `simulation`: path of its simulation.cpp, as the source is to include it.

    Compile with -std=c++17 -pthread and the project's own include directories and WEIGHTS_DIR. Raises InputError for
    inputs of more than 24 bits.
    """
    for port in program.inputs:
        if port.type.width - port.type.signed > FLOAT_BITS:
            raise InputError(f"input {port.port!r} has {port.type.width} bits, more than this test bench takes")
    return _bench(program, "HLS C++", _HLS.format(simulation=simulation, run=_RUN))


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
