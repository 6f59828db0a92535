"""Which layers of a Program can become RTL, without tracing anything."""

from __future__ import annotations

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program, Table
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.ports import ports_of
from firmware_flows.rtl.tracing import Context, check_table, check_width, needed_instructions


def obstacles(program: Program) -> dict[str, RtlError]:
    """Layer name -> the first thing in it that cannot be RTL; empty where all of it can.

    Says nothing about size: see `predict`. Instructions that no output needs are not traced, and not looked at.
    """
    found: dict[str, RtlError] = {}
    try:
        ports_of(program)
    except RtlError as error:
        found[error.layer] = error
    for number in sorted(needed_instructions(program)):
        i = program.instructions[number]
        sources = [program.instructions[s] for s in i.sources]
        intervals = [program.ranges[s] for s in i.sources]
        try:
            check_width(i, program.ranges[number], Context(sources, intervals))
            if isinstance(i, Table):
                widest = FixedPoint.holding(intervals[0].lowest, intervals[0].highest, 0).width
                check_table(i, widest)
        except RtlError as error:
            found.setdefault(i.layer, error)
    return found
