"""The interface of an HLS project: what its source states for certain, and who states the rest.

hls4ml's pragmas say how arrays become ports; names and handshakes follow from the vendor's rules for them (AMD UG1399,
"Block-level control protocols", "ap_vld", "Array reshape"). Where a tool's version matters, nothing is claimed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_flows.errors import InputError
from firmware_flows.handoff.interface.elements import elements_of
from firmware_flows.handoff.interface.model import Direction, Interface, InterfacePort, Stated
from firmware_flows.rtl.ports import Port, ports_of

if TYPE_CHECKING:
    from firmware_flows.hls import Project

AMD = ("Vitis", "Vivado")
REPORT = "the tool's synthesis report and the module it writes (<project>_prj/solution1/syn)"
UNKNOWN = "not known before synthesis; the tool's report states it"

_START = (
    "Block control is ap_ctrl_hs, the default: hold ap_start at 1 to take an event whenever ap_ready allows; ap_done "
    "and ap_idle may be left open. ap_rst is synchronous and active high.",
    "Inputs are qualified by <input>_ap_vld, outputs by <output>_ap_vld, which is 1 in the cycle of the result.",
)
_STREAM = (
    "Every port is an AXI4-Stream: TDATA, TVALID, TREADY; a word is taken in each cycle in which both are 1. ap_rst_n "
    "is synchronous and active low, since there are AXI ports.",
    "One word carries the numbers of one position (the last axis of the array), the first in the lowest bits; an event "
    "is as many words as there are positions. The width of TDATA and the padding of numbers within it are the tool's.",
    "Block control is ap_ctrl_hs, the default: hold ap_start at 1.",
)


@dataclass(frozen=True)
class Variable:
    """A parameter of the top function: its C++ type and name, and how many elements an array has (1: a stream)."""

    type: str
    name: str


def top_variables(project: Project) -> tuple[Variable, ...]:
    """Parameters of the top function, inputs first, as the project's own header declares them. Raises InputError."""
    name = project.settings.project_name
    path = Path(project.directory) / "firmware" / f"{name}.h"
    found = re.search(rf"\bvoid {name}\(([^)]*)\);", path.read_text(encoding="utf-8"))
    text = found[1] if found else ""
    pattern = r"(\w+) (\w+)\[[^\]]*\]" if project.settings.io == "parallel" else r"hls::stream<(\w+)> &(\w+)"
    variables = tuple(Variable(*m) for m in re.findall(pattern, text))
    if len(variables) != len(project.plan.inputs) + len(project.plan.outputs):
        raise InputError(f"{path} does not declare the ports of {project.program.name!r}: write the project again")
    return variables


def hls_interface(project: Project, latency: Stated | None = None, interval: Stated | None = None) -> Interface:
    """`latency`, `interval` in cycles: as a vendor's report or an estimate states them."""
    settings, amd = project.settings, project.settings.backend in AMD
    parallel = settings.io == "parallel"
    ports, protocol, remarks = _others(project)
    if amd:
        ports, protocol = (_parallel(project), _START) if parallel else (_stream(project), _STREAM)
        remarks = () if settings.backend == "Vitis" else (
            "Vivado HLS appends _V to the names of ports of fixed-point numbers: x becomes x_V, x_ap_vld x_V_ap_vld.",
        )  # fmt: skip
    read = {port.name for port in project.plan.inputs}
    unread = [port.port for port in project.program.inputs if port.port not in read]
    remarks += tuple(f"Input {name!r} has no port: no layer reads it." for name in unread)
    return Interface(
        form="HLS",
        top=settings.project_name,
        network=project.program.name,
        digest=project.program.digest,
        target=settings.target,
        clock="ap_clk" if amd else "the tool's",
        clock_mhz=round(1e3 / settings.clock_period, 6),
        reset=("ap_rst, synchronous, active high" if parallel else "ap_rst_n, synchronous, active low")
        if amd
        else "the tool's",
        protocol=protocol,
        latency_cycles=latency or Stated(None, UNKNOWN),
        interval_cycles=interval or Stated(None, UNKNOWN),
        ports=ports,
        authority=REPORT,
        remarks=remarks,
    )


def _pairs(project: Project) -> list[tuple[Variable, Port]]:
    return list(zip(top_variables(project), _ports(project), strict=True))


def _ports(project: Project) -> tuple[Port, ...]:
    """Of the project: an input that no layer reads is none of its."""
    inputs, outputs = ports_of(project.program)
    by_name = {port.source: port for port in inputs}
    return (*(by_name[port.name] for port in project.plan.inputs), *outputs)


def _control(reset: str) -> tuple[InterfacePort, ...]:
    return (
        InterfacePort("ap_clk", "input", "clock", 1, "all registers take their value at its rising edge"),
        InterfacePort(reset, "input", "reset", 1, f"synchronous, active {'low' if reset.endswith('_n') else 'high'}"),
        InterfacePort("ap_start", "input", "control", 1, "hold at 1 to run"),
        InterfacePort("ap_ready", "output", "control", 1, "1 when the next event can be given"),
        InterfacePort("ap_done", "output", "control", 1, "1 when an event is finished"),
        InterfacePort("ap_idle", "output", "control", 1, "1 when nothing is in the pipeline"),
    )


def _parallel(project: Project) -> tuple[InterfacePort, ...]:
    """Inputs are reshaped to one word each, outputs partitioned to a port an element."""
    ports = list(_control("ap_rst"))
    for variable, port in _pairs(project):
        if port.direction == "input":
            places = [(f.offset + f.width - 1, f.offset) for f in port.fields]
            ports.append(_data(project, port, variable.name, port.width, range(port.size), places))
            ports.append(_valid(variable.name, "input"))
            continue
        for k in range(port.size):
            name = f"{variable.name}_{k}"
            ports.append(_data(project, port, name, port.type.width, (k,), [(port.type.width - 1, 0)]))
            ports.append(_valid(name, "output"))
    return tuple(ports)


def _valid(name: str, direction: Direction) -> InterfacePort:
    return InterfacePort(f"{name}_ap_vld", direction, "control", 1, f"1 when {name} is valid")


def _stream(project: Project) -> tuple[InterfacePort, ...]:
    ports = list(_control("ap_rst_n"))
    for variable, port in _pairs(project):
        other: Direction = "output" if port.direction == "input" else "input"
        ports += [
            _data(project, port, f"{variable.name}_TDATA", None, range(port.size), None),
            InterfacePort(f"{variable.name}_TVALID", port.direction, "control", 1, "the sender has a word"),
            InterfacePort(f"{variable.name}_TREADY", other, "control", 1, "the receiver takes a word"),
        ]
    return tuple(ports)


def _others(project: Project) -> tuple[tuple[InterfacePort, ...], tuple[str, ...], tuple[str, ...]]:
    """Other vendors: the numbers and their order, nothing about wires."""
    ports = tuple(_data(project, port, port.name, None, range(port.size), None) for port in _ports(project))
    text = f"Ports and handshakes are those that the compiler of {project.settings.backend} writes: read its report."
    return ports, (text,), ("Names of ports are the network's, not those of wires.",)


def _data(
    project: Project, port: Port, name: str, width: int | None, chosen: range | tuple[int, ...],
    places: list[tuple[int, int]] | None,
) -> InterfacePort:  # fmt: skip
    t = port.type
    elements = elements_of(
        project.program, port.source, port.direction, port.shape,
        [(f.offset + f.width - 1, f.offset) for f in port.fields],
    )  # fmt: skip
    shown = []
    for k, element in enumerate(elements[i] for i in chosen):
        high, low = places[k] if places else (t.width - 1, 0)
        shown.append(type(element)(**{**element.__dict__, "high": high, "low": low}))
    count = f"{len(shown)} numbers" if len(shown) > 1 else "a number"
    return InterfacePort(
        name=name,
        direction=port.direction,
        role="data",
        width=width,
        description=f"{count} of {t.width} bits, element 0 in the lowest bits"
        if places and len(shown) > 1
        else f"{count} of {t.width} bits"
        + ("" if places else "; bits are those of the number itself, places in the word the report's"),
        source=port.source,
        type=str(t),
        signed=t.signed,
        element_width=t.width,
        binary_point=t.fractional,
        minimum=t.lowest * t.lsb,
        maximum=t.maximum * t.lsb,
        elements=tuple(shown),
    )
