"""The interface of an RTL design: exact, since we write the ports ourselves."""

from __future__ import annotations

from firmware_flows.handoff.interface.elements import elements_of
from firmware_flows.handoff.interface.model import Interface, InterfacePort, Stated
from firmware_flows.program import Program
from firmware_flows.rtl import Design
from firmware_flows.rtl.ports import Port

STATED = "pipeline depth as generated; the test bench compares at exactly this latency"


def rtl_interface(design: Design, measured: tuple[int, int] | None = None, source: str = "") -> Interface:
    """`measured`: latency and interval in cycles as seen in simulation, where known, and by which `source`."""
    depth = Stated(design.pipeline_depth, STATED)
    latency, interval = depth, Stated(1, "by construction: every register takes a new value with every clock edge")
    if measured is not None:
        latency, interval = Stated(measured[0], source), Stated(measured[1], source)
    clock = InterfacePort(design.clock, "input", "clock", 1, "all registers take their value at its rising edge")
    combinational = "" if design.pipeline_depth else " There are no registers: outputs follow inputs without a clock."
    return Interface(
        form="RTL",
        top=design.top,
        network=design.program.name,
        digest=design.program.digest,
        target=design.target,
        clock=design.clock,
        clock_mhz=design.clock_mhz,
        reset="none: there is no state beyond the pipeline, and after as many clock edges as the latency every output "
        "belongs to an event. Until then outputs are undefined.",
        protocol=(
            "There is no valid or ready signal: an event is taken at every rising clock edge, and its result stands "
            "at the outputs as many edges later as the latency says." + combinational,
            "Carry a valid bit beside the block in a shift register as long as the latency.",
            "Words of one event are given to all input ports in the same cycle.",
        ),
        latency_cycles=latency,
        interval_cycles=interval,
        ports=(clock, *(data_port(design.program, p) for p in (*design.inputs, *design.outputs))),
        authority="the top module, whose first lines are written from the same ports",
    )


def data_port(program: Program, port: Port) -> InterfacePort:
    """A packed word with its elements."""
    t = port.type
    return InterfacePort(
        name=port.name,
        direction=port.direction,
        role="data",
        width=port.width,
        description=(
            f"a number of {t.width} bits"
            if port.size == 1
            else f"{port.size} numbers of {t.width} bits, element 0 in the lowest bits"
        ),
        source=port.source,
        type=str(t),
        signed=t.signed,
        element_width=t.width,
        binary_point=t.fractional,
        minimum=t.lowest * t.lsb,
        maximum=t.maximum * t.lsb,
        elements=elements_of(
            program, port.source, port.direction, port.shape, [(f.offset + f.width - 1, f.offset) for f in port.fields]
        ),
    )
