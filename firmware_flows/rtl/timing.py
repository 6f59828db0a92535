"""Latency and initiation interval of a design, found by watching its outputs.

Nothing that the generator says enters, except that the result is compared with it at the end. The Program is only asked
which events have different outputs, so that outputs which never change cannot be taken for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import CheckFailedError
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program
from firmware_flows.rtl.ports import Mantissas, Port

Cycles = Callable[[Sequence[Mantissas], int], list[Mantissas]]
"""(inputs of every clock cycle, seed of the registers' first values) -> outputs in every cycle, from power-up on."""

CANDIDATES = 512
PAIRS = 4
FIRST_HOLD = 64
LONGEST_HOLD = 1 << 14
"""Clock cycles that an event is held for, until the outputs are quiet."""

STREAMED = 64
"""Different events that follow each other without a gap."""

MOST_CYCLES = 1 << 13
"""For holding each of them alone: a simulator of VHDL does some hundred cycles a second."""


class TimingError(CheckFailedError):
    """The outputs do not behave as those of a pipeline, or not as the generator says.

    measured and stated: latencies in clock cycles, where both are known.
    """

    def __init__(self, reason: str, measured: int | None = None, stated: int | None = None) -> None:
        self.measured = measured
        self.stated = stated
        super().__init__(f"timing of the RTL: {reason}")


def measure_timing(program: Program, inputs: Sequence[Port], cycles: Cycles, stated: int | None) -> tuple[int, int]:
    """Latency in clock edges from an input to its output, and the least number of cycles between two events.

    Latency: an event A is held; in a second run, equal until then, the input changes to B. Until the two runs differ,
    and from the cycle in which the outputs are those of B held for good, the cycles are counted; several pairs of
    events must agree. Interval: different events, in an order without pattern, one every n clocks; each must give,
    after the latency, the outputs that it gives when held alone: so neighbours do not disturb each other.

    A network whose outputs are the same for all events tried has no latency to observe: then it is the number of
    cycles after power-up until the outputs are constant (0 without registers), the interval is 1, and neither is
    compared with what the generator states. Raises TimingError.
    """
    rng = np.random.default_rng(20_05)
    events = _candidates(inputs, rng)
    answers = _outputs(program, inputs, events)
    if (answers == answers[0]).all():
        return _constant(cycles, events), 1
    pairs = _pairs(answers, rng)
    found: dict[int, tuple[int, int]] = {}
    longest = FIRST_HOLD
    for a, b in pairs:
        latency, longest = _latency(cycles, _pick(events, a), _pick(events, b), longest)
        found.setdefault(latency, (a, b))
    if len(found) > 1:
        raise TimingError(f"the latency depends on the events: {sorted(found)} clock cycles were measured")
    latency = next(iter(found))
    if stated is not None and latency != stated:
        raise TimingError(
            f"{latency} clock cycles were measured from input to output, and the generator states {stated}: "
            "whoever aligns other signals with these outputs would be wrong by the difference",
            latency,
            stated,
        )
    return latency, _interval(cycles, events, [k for pair in pairs for k in pair], latency, longest, rng)


def _candidates(inputs: Sequence[Port], rng: np.random.Generator) -> list[Mantissas]:
    """Events of all magnitudes, zero first, (CANDIDATES, size) for every port."""
    result = []
    for port in inputs:
        t = port.type
        values = rng.integers(t.minimum, t.maximum, (CANDIDATES, port.size), endpoint=True, dtype=np.int64)
        values >>= rng.integers(0, t.width, (CANDIDATES, 1))
        values[0] = 0
        result.append(values)
    return result


def _outputs(program: Program, inputs: Sequence[Port], events: Sequence[Mantissas]) -> npt.NDArray[np.int64]:
    """What the Program answers, (events, all outputs)."""
    values = list(interpret(program, [e.reshape(-1, *p.shape) for e, p in zip(events, inputs, strict=True)]))
    count = events[0].shape[0]
    parts = [np.broadcast_to(values[o.value], (count, *values[o.value].shape[1:])) for o in program.outputs]
    return np.concatenate([p.reshape(count, -1) for p in parts], axis=1)


def _pairs(answers: npt.NDArray[np.int64], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs of events that differ in as many outputs as any do."""
    result = []
    for first in [0, *(int(k) for k in rng.integers(0, len(answers), PAIRS - 1))]:
        differing = (answers != answers[first]).sum(axis=1)
        result.append((first, int(differing.argmax())))
    return [(a, b) for a, b in result if (answers[a] != answers[b]).any()]


def _pick(events: Sequence[Mantissas], number: int | npt.NDArray[np.int64]) -> list[Mantissas]:
    return [np.ascontiguousarray(e[np.atleast_1d(number)]) for e in events]


def _held(event: Sequence[Mantissas], times: int) -> list[Mantissas]:
    return [np.repeat(e, times, axis=0) for e in event]


def _joined(outputs: Sequence[Mantissas]) -> npt.NDArray[np.int64]:
    return np.concatenate(list(outputs), axis=1)


def _latency(cycles: Cycles, a: Sequence[Mantissas], b: Sequence[Mantissas], hold: int) -> tuple[int, int]:
    """Cycles from A's change to B until the outputs are B's; and the hold that was long enough to see it."""
    restless = False
    while hold <= LONGEST_HOLD:
        before, after = _held(a, hold), _held(b, hold)
        kept = _joined(cycles(_held(a, 2 * hold), 1))
        changed = _joined(cycles([np.concatenate(pair) for pair in zip(before, after, strict=True)], 1))
        quiet = (kept[hold // 2 :] == kept[-1]).all() and (changed[hold + hold // 2 :] == changed[-1]).all()
        differs = np.flatnonzero((kept != changed).any(axis=1))
        if quiet and differs.size:
            wrong = np.flatnonzero((changed != changed[-1]).any(axis=1))
            first, settled = int(differs[0]) - hold, int(wrong[-1]) + 1 - hold
            if first < 0:
                raise TimingError("two runs on the same events differ: outputs depend on more than the inputs")
            if first != settled:
                raise TimingError(
                    f"outputs begin to change {first} clock cycles after the input and are complete after {settled}"
                )
            return settled, hold
        restless = not quiet
        hold *= 4
    if restless:
        raise TimingError(f"outputs do not come to rest within {LONGEST_HOLD} clock cycles of an unchanged input")
    raise TimingError(
        f"outputs do not answer within {LONGEST_HOLD} clock cycles to a change of the input for which the "
        "Program's outputs differ"
    )


def _interval(
    cycles: Cycles,
    events: Sequence[Mantissas],
    chosen: Sequence[int],
    latency: int,
    hold: int,
    rng: np.random.Generator,
) -> int:
    """The least number of cycles between events at which every event gives the outputs that it gives alone."""
    count = max(8, min(STREAMED, MOST_CYCLES // hold))
    numbers = np.concatenate([chosen, rng.integers(0, CANDIDATES, max(0, count - len(chosen)))])
    alone = _joined(cycles([np.repeat(e, hold, axis=0) for e in _pick(events, numbers)], 1))[hold - 1 :: hold]
    order = np.concatenate([rng.permutation(len(numbers)) for _ in range(4)])
    for interval in range(1, latency + 2):
        streamed = [np.repeat(e, interval, axis=0) for e in _pick(events, numbers[order])]
        padded = [np.concatenate([s, np.repeat(s[-1:], latency, axis=0)]) for s in streamed]
        found = _joined(cycles(padded, 2))[latency::interval][: len(order)]
        if (found == alone[order]).all():
            return interval
    raise TimingError(f"events fed one every {latency + 1} clock cycles do not give the outputs that they give alone")


def _constant(cycles: Cycles, events: Sequence[Mantissas]) -> int:
    """Cycles after power-up until the outputs of a network that always answers the same are constant."""
    settled = 0
    for seed in (1, 2, 3):
        outputs = _joined(cycles(events, seed))
        wrong = np.flatnonzero((outputs != outputs[-1]).any(axis=1))
        settled = max(settled, int(wrong[-1]) + 1 if wrong.size else 0)
    if settled > CANDIDATES // 2:
        raise TimingError("the Program answers the same for all events tried, the RTL does not")
    return settled
