"""A Program as one C++17 header: needs a compiler and nothing else, and computes the same bits."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from firmware_flows.handoff.cpp.numbers import from_real, literal, power
from firmware_flows.handoff.cpp.statements import Statements, carried_name
from firmware_flows.program import Instruction, Program

INCLUDES = ("cmath", "cstddef", "cstdint", "memory", "stdexcept", "type_traits", "vector")


def namespace_of(program: Program) -> str:
    """A namespace of the Program's own: two networks, or two versions of one, never share a symbol."""
    name = re.sub(r"\W+", "_", program.name, flags=re.ASCII).strip("_") or "network"
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_{program.digest[:12]}"


def header_text(program: Program, namespace: str | None = None) -> str:
    """The header. It offers, in the namespace:

    - `emulate(const float* input..., double* output..., std::size_t events)`: real numbers (events, elements) to the
      exact values of the outputs; throws std::domain_error on NaN and infinity. Left out where an output has more than
      53 bits.
    - `emulate_mantissas(const std::int64_t* input..., std::int64_t* output..., std::size_t events)`: the same for
      integers; throws std::out_of_range where one is beyond its type.
    - name, digest and, for every port, elements, width, fractional bits and signedness.

    Ports come in the Program's order. Raises EmulatorError where numbers have too many bits.
    """
    name = namespace or namespace_of(program)
    statements = Statements(program)
    values = [f"    alignas(64) {t} v{k}[{statements.size(k)} * block] = {{}};" for k, t in enumerate(statements.types)]
    values += [
        f"    alignas(64) {c} {carried_name(c)}[{n} * block] = {{}};" for c, n in sorted(statements.carried.items())
    ]
    title = " ".join(program.name.split())
    parts = [
        f"// {title}: bit-accurate emulator, written by firmware-flows from Program {program.digest}.",
        "// Any C++17 compiler of the GCC family; exact only without -ffast-math.",
        "#pragma once\n",
        '#ifdef __FAST_MATH__\n#error "this emulator is exact only without -ffast-math"\n#endif\n',
        *(f"#include <{i}>" for i in INCLUDES),
        f"\nnamespace {name} {{\n",
        _support(),
        _description(program),
        *statements.constants,
        "\nstruct Workspace {",
        *values,
        "\n    Workspace() {",
        *(f"        {line}" for line in statements.once),
        "    }\n",
        "    void run() {",
        *(f"        {line}" for line in statements.each_block),
        "    }\n};\n",
        _entry(program, statements, real=False),
        _entry(program, statements, real=True) if _outputs_are_doubles(program) else "",
        f"}}  // namespace {name}",
    ]
    return "\n".join(parts) + "\n"


def _support() -> str:
    return files("firmware_flows.handoff.cpp").joinpath("support.hpp").read_text(encoding="utf-8")


def _ports(program: Program) -> tuple[list[tuple[str, int, Instruction]], list[tuple[str, int, Instruction]]]:
    """Inputs and outputs as (identifier, value, instruction)."""
    i = program.instructions
    inputs = [(f"input_{n}", k) for n, k in enumerate(k for k, x in enumerate(i) if x in program.inputs)]
    outputs = [(f"output_{n}", o.value) for n, o in enumerate(program.outputs)]
    return [(n, k, i[k]) for n, k in inputs], [(n, k, i[k]) for n, k in outputs]


def _description(program: Program) -> str:
    lines = [
        f"static constexpr char name[] = {_quoted(program.name)};",
        f'static constexpr char digest[] = "{program.digest}";',
    ]
    names = [i.port for i in program.inputs] + [o.name for o in program.outputs]
    ports = [p for side in _ports(program) for p in side]
    lines.insert(0, "struct Port { const char* name; std::size_t elements; int width, fractional; bool is_signed; };")
    for (identifier, _, i), port in zip(ports, names, strict=True):
        elements = 1
        for n in i.shape:
            elements *= n
        fields = f"{_quoted(port)}, {elements}, {i.type.width}, {i.type.fractional}, {str(i.type.signed).lower()}"
        lines.append(f"static constexpr Port {identifier}_port = {{{fields}}};")
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    """A name as a string of C++, whose escapes are those of JSON."""
    return json.dumps(name, ensure_ascii=False)


def _outputs_are_doubles(program: Program) -> bool:
    return all(program.ranges[o.value].magnitude <= 1 << 53 for o in program.outputs)


def _entry(program: Program, statements: Statements, *, real: bool) -> str:
    inputs, outputs = _ports(program)
    source, target = ("float", "double") if real else ("std::int64_t", "std::int64_t")
    parameters = [f"const {source}* {n}" for n, _, _ in inputs] + [f"{target}* {n}" for n, _, _ in outputs]
    lines = [
        f"inline void {'emulate' if real else 'emulate_mantissas'}({', '.join(parameters)}, std::size_t events) {{",
        "    if (events == 0) return;",
        "    const auto w = std::make_unique<Workspace>();",
    ]
    for n, k, i in inputs:
        test, error = (
            (f"!std::isfinite({n}[k])", f'std::domain_error("NaN or infinity in {n}")')
            if real
            else (
                f"{n}[k] < {literal(i.type.minimum)} || {n}[k] > {literal(i.type.maximum)}",
                f'std::out_of_range("a mantissa of {n} is beyond its type")',
            )
        )
        lines.append(f"    for (std::size_t k = 0; k < events * {statements.size(k)}; ++k) if ({test}) throw {error};")
    lines.append("    for (std::size_t first = 0; first < events; first += block) {")
    lines.append("        const std::size_t count = events - first < block ? events - first : block;")
    for n, k, i in inputs:
        convert = from_real(i.type) if real else f"[](std::int64_t v) {{ return {statements.types[k]}(v); }}"
        size = statements.size(k)
        lines.append(f"        load({n} + first * {size}, w->v{k}, {size}, count, {convert});")
    lines.append("        w->run();")
    for n, k, i in outputs:
        size = statements.size(k)
        factor = power(-i.type.fractional) if real else "std::int64_t(1)"
        lines.append(f"        store(w->v{k}, {n} + first * {size}, {size}, count, {factor});")
    return "\n".join([*lines, "    }", "}\n"])
