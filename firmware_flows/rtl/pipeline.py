"""Registers in the logic: as few stages as keep every path within the budget of the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from firmware_flows.rtl.alkaid_library import reproducible
from firmware_flows.rtl.delays import DelayModel


@dataclass(frozen=True, eq=False)
class Pipeline:
    """alkaid's state machine, the clock edges from input to output, and what it costs.

    longest_path: of the slowest stage, in alkaid's units of delay.
    """

    machine: Any = field(repr=False)
    depth: int
    cost: float
    register_bits: int
    longest_path: float


def pipelined(combinational: Any, delays: DelayModel, clock_mhz: float) -> Pipeline:
    """Registers at the inputs, at the outputs, and in between as often as the clock needs.

    Every operation goes into the earliest stage in which its path fits. (alkaid itself cuts at equal distances of
    delay, where an operation that straddles a cut adds its whole delay to the next stage: half as many registers again
    for the same clock.) One operation slower than the budget cannot be cut: then the paths are as long as that one.
    """
    with reproducible():
        return _pipelined(combinational, delays.budget(clock_mhz), delays)


def _pipelined(combinational: Any, budget: float, delays: DelayModel) -> Pipeline:
    from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders
    from alkaid.trace.pipeline import to_pipeline

    logic = fuse_ternary_adders(combinational) if delays.three_input_adders else combinational
    logic = add_surrogate(dead_code_elimin(logic), _skip_op8_cost=True)
    scheduled, stages = _scheduled(logic, budget)
    machine = to_pipeline(scheduled, n_stages=stages, verbose=False)
    paths = [float(add_surrogate(part, _skip_op8_cost=True).latency[1]) for part in machine.logic.values()]
    registers = sum(signal.width for signal in machine.signals.values() if signal.reg)
    return Pipeline(machine, stages + 1, float(logic.cost), int(registers), max(paths, default=0.0))


def _scheduled(logic: Any, budget: float) -> tuple[Any, int]:
    """The logic with latencies that make alkaid's equal cuts fall between our stages; and the number of stages."""
    places: list[tuple[int, float]] = []
    for op in logic.ops:
        sources = [logic.ops[k] for k in op.input_ids]
        delay = op.latency - max((source.latency for source in sources), default=0.0)
        stage, time = max((places[k] for k in op.input_ids), default=(0, 0.0))
        if time > 0 and delay > 0 and time + delay > budget:
            stage, time = stage + 1, 0.0
        places.append((stage, time + delay))
    stages = max((stage for stage, _ in places), default=0) + 1
    longest = max((time for _, time in places), default=0.0) or 1.0
    # within (stage, stage + 1), in the order of time; the cuts are multiples of the last latency over `stages`
    latencies = [stage + 0.25 + 0.5 * time / longest for stage, time in places]
    last = max(range(len(latencies)), key=lambda k: (latencies[k], k))  # of equals the one that the others lead to
    latencies[last] = float(stages)
    ops = [op._replace(latency=latency) for op, latency in zip(logic.ops, latencies, strict=True)]
    return logic._replace(ops=ops), stages
