"""Comparing all forms of a network on all events, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from firmware_flows.emulator import Events, emulate, events_of, finite_float32, trace_mantissas
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint, Integers
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program
from firmware_flows.stimulus import CHUNK, Stimulus, adversarial_stimuli, random_stimulus
from firmware_flows.verification.coverage import CoverageCounter
from firmware_flows.verification.result import Divergence, FormResult, Verification
from firmware_flows.verification.witness import KerasWitness, keras_witness

Progress = Callable[[str, int, int], None]

INTERPRETED = 8192
"""Events of every group on which the emulator is also compared with the plain integer interpretation."""

INTERPRETED_NUMBERS = 1 << 26
"""Fewer events are interpreted where they would make more numbers than this: wide networks, as of images."""

BLOCK_NUMBERS = 1 << 23
"""Numbers that are held at once while a block of events is interpreted: 64 MB, and as much again while computing."""


class Simulated(Protocol):
    """A form that runs events: an RTL design."""

    def simulate(self, x: Any, raw: bool = False) -> Any:
        """Outputs for events; mantissas with `raw`."""


class Traced(Simulated, Protocol):
    """One that also tells the values of layers: an HLS project's C++."""

    def trace(self, x: Any) -> dict[str, npt.NDArray[np.float64]]:
        """Values of the layers."""


def verify(
    program: Program,
    x: Events | None = None,
    *,
    keras_model: Any = None,
    project: Traced | None = None,
    design: Simulated | None = None,
    random_events: int = 100_000,
    adversarial: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Compare the Program with Keras, HLS C++ (`project`) and RTL (`design`), whichever are given.

    x: the user's own events, or None. Equal means equal in every bit of every output; Keras is compared where its
    float32 is proven exact. The emulator itself is always compared with the plain integer interpretation.
    `progress` is called with (group, events done, events in all). Raises InputError when there is nothing to
    compare on.
    """
    groups: dict[str, Stimulus] = {}
    if x is not None:
        data = events_of(program, x)
        groups["data"] = [finite_float32(a, p.port, 0) for a, p in zip(data, program.inputs, strict=True)]
    if adversarial:
        groups.update(adversarial_stimuli(program, seed))
    sizes = {name: s[0].shape[0] for name, s in groups.items()}
    if random_events < 0:
        raise InputError(f"random_events = {random_events}: give a number of events, or 0")
    sizes["random"] = random_events
    sizes = {name: n for name, n in sizes.items() if n}
    if not sizes:
        raise InputError("nothing to compare on: give events, random_events above 0, or adversarial=True")

    forms = [_Emulator(program), *_simulations(project, design)]
    if keras_model is not None:
        forms.append(_Keras(keras_witness(program, keras_model)))
    coverage = CoverageCounter(program)
    tallies = [_Tally(form) for form in forms]
    done, total = 0, sum(sizes.values())
    for group in sizes:
        first = 0
        for block in _blocks(program, groups.get(group), random_events, seed):
            expected = _tuple(emulate(program, _as_events(block), raw=True))
            if _interprets(program, group, first):
                coverage.add(list(interpret(program, _mantissas(program, block))))
            for tally in tallies:
                tally.compare(program, group, first, block, expected)
            first += block[0].shape[0]
            done += block[0].shape[0]
            if progress:
                progress(group, done, total)
    results = tuple(t.result() for t in tallies)
    compared = any(r.compared for r in results[1:]) or len(results) == 1
    remarks = [r for layer in program.layers for r in layer.remarks]
    if not compared:
        remarks.append("no given form could be compared on any event, so nothing is proven: give an HLS project")
    if any(t.divergence for t in tallies if isinstance(t.form, _Rtl)):
        remarks.append(_Rtl.remark)
    return Verification(
        passed=compared and not any(r.differing for r in results),
        program=program.name,
        digest=program.digest,
        seed=seed,
        groups=sizes,
        forms=results,
        divergences=tuple(t.divergence for t in tallies if t.divergence),
        coverage=coverage.result(),
        remarks=tuple(dict.fromkeys(remarks)),
    )


@dataclass
class _Tally:
    """Running result of one form."""

    form: _Form
    compared: int = 0
    differing: int = 0
    skipped: int = 0
    divergence: Divergence | None = None

    def compare(self, program: Program, group: str, first: int, block: Stimulus, expected: Sequence[Integers]) -> None:
        valid, found = self.form.outputs(block, group, first)
        self.skipped += int((~valid).sum())
        self.compared += int(valid.sum())
        if found is None or not valid.any():
            return
        differs = np.zeros(valid.shape, dtype=bool)
        for e, f, output in zip(expected, found, program.outputs, strict=True):
            t = program.instructions[output.value].type
            equal = e == f if f.dtype.kind in "iO" else np.ldexp(e.astype(np.float64), -t.fractional) == f
            differs |= ~equal.reshape(len(equal), -1).all(axis=1)
        differs &= valid
        self.differing += int(differs.sum())
        if differs.any() and self.divergence is None:
            event = int(np.flatnonzero(differs)[0])
            one = [b[event : event + 1] for b in block]
            self.divergence = _locate(program, self.form, group, first + event, one, expected, found, event)

    def result(self) -> FormResult:
        return FormResult(self.form.name, self.compared, self.differing, self.skipped, self.form.reason)


class _Form(Protocol):
    name: str
    reason: str

    def outputs(
        self, block: Stimulus, group: str, first: int
    ) -> tuple[npt.NDArray[np.bool_], Sequence[npt.NDArray[Any]] | None]: ...

    def layers(self, block: Stimulus) -> dict[str, npt.NDArray[Any]]: ...

    def type_text(self, t: FixedPoint) -> str: ...


class _Emulator:
    """The Program's plain integer interpretation, against the emulator's floating-point carriers."""

    name = "Program, interpreted"

    def __init__(self, program: Program) -> None:
        self.program = program
        self.reason = f"the first {_interpreted(program):,} events of each group are interpreted"

    def outputs(self, block: Stimulus, group: str, first: int) -> Any:
        events = block[0].shape[0]
        if not _interprets(self.program, group, first):
            return np.zeros(events, dtype=bool), None
        values = list(interpret(self.program, _mantissas(self.program, block)))
        return np.ones(events, dtype=bool), [
            np.broadcast_to(values[o.value], (events, *values[o.value].shape[1:])) for o in self.program.outputs
        ]

    def layers(self, block: Stimulus) -> dict[str, npt.NDArray[Any]]:
        return {}

    def type_text(self, t: FixedPoint) -> str:
        return str(t)


VHDL_EVENTS = 500
"""Events of every group that VHDL is compared on: its simulator does tens to hundreds of events a second."""


class _Rtl:
    """RTL in simulation: outputs only."""

    name = "RTL"
    remark = (
        "the RTL has outputs only, no inner layers: its first difference is located to the output's element and bit, "
        "not to a layer; where another form differs too, that one names the layer"
    )

    def __init__(self, design: Simulated) -> None:
        self.design = design
        slow = getattr(design, "language", "verilog") == "vhdl"
        self.limit = VHDL_EVENTS if slow else None
        self.reason = (
            f"VHDL simulates slowly: the first {VHDL_EVENTS} events of each group are compared" if slow else ""
        )

    def outputs(self, block: Stimulus, group: str, first: int) -> Any:
        events = block[0].shape[0]
        compared = events if self.limit is None else min(events, max(0, self.limit - first))
        valid = np.arange(events) < compared
        if not compared:
            return valid, None
        found = _tuple(self.design.simulate(_as_events([b[:compared] for b in block]), raw=True))
        # what is not compared is filled up, so that all arrays are of one length
        return valid, [np.pad(f, [(0, events - compared), *[(0, 0)] * (f.ndim - 1)]) for f in found]

    def layers(self, block: Stimulus) -> dict[str, npt.NDArray[Any]]:
        return {}

    def type_text(self, t: FixedPoint) -> str:
        return str(t)  # every element of a port takes the full width of its type


class _Cpp:
    """HLS C++."""

    name = "HLS C++"
    reason = ""

    def __init__(self, simulated: Traced) -> None:
        self.simulated = simulated

    def outputs(self, block: Stimulus, group: str, first: int) -> Any:
        found = _tuple(self.simulated.simulate(_as_events(block), raw=True))
        return np.ones(block[0].shape[0], dtype=bool), found

    def layers(self, block: Stimulus) -> dict[str, npt.NDArray[Any]]:
        return dict(self.simulated.trace(_as_events(block)))

    def type_text(self, t: FixedPoint) -> str:
        return str(t)  # read back from the project when it was written, and equal


class _Keras:
    """Keras, for the events in which its float32 is proven exact."""

    name = "Keras"
    reason = "beyond what Keras' float32 holds exactly"

    def __init__(self, witness: KerasWitness) -> None:
        self.witness = witness
        if not witness.outputs_comparable:
            self.reason = "a layer before the outputs is defined by the hardware, not by Keras (see remarks)"

    def outputs(self, block: Stimulus, group: str, first: int) -> Any:
        valid = self.witness.valid(block)
        if not self.witness.outputs_comparable:
            return np.zeros_like(valid), None
        values = dict(zip((x.value for x in self.witness.layers), self.witness.predict(block), strict=True))
        return valid, [values[o.value] for o in self.witness.program.outputs]

    def layers(self, block: Stimulus) -> dict[str, npt.NDArray[Any]]:
        return dict(zip((x.name for x in self.witness.layers), self.witness.predict(block), strict=True))

    def type_text(self, t: FixedPoint) -> str:
        return "float32"


def _simulations(project: Traced | None, design: Simulated | None) -> list[_Form]:
    forms: list[_Form] = []
    if project is not None:
        forms.append(_Cpp(project))
    if design is not None:
        forms.append(_Rtl(design))
    return forms


def _locate(
    program: Program,
    form: _Form,
    group: str,
    event: int,
    block: Stimulus,
    expected: Sequence[Integers],
    found: Sequence[npt.NDArray[Any]],
    row: int,
) -> Divergence:
    """The first layer that differs for one event; the output itself where no layer tells."""
    inputs = tuple(float(v) for b in block for v in b.reshape(-1))
    mantissas, layers = trace_mantissas(program, _as_events(block)), form.layers(block)
    for layer in program.layers:
        if layer.name not in layers:
            continue
        t, m = layer.type, mantissas[layer.name]
        differs = np.argwhere(np.ldexp(m.astype(np.float64), -t.fractional) != layers[layer.name])
        if len(differs):
            at = tuple(int(k) for k in differs[0])
            value = float(layers[layer.name][at])
            return Divergence(
                form.name, group, event, layer.name, at[1:], int(m[at]), value, t, form.type_text(t), inputs
            )
    for e, f, output in zip(expected, found, program.outputs, strict=True):
        t = program.instructions[output.value].type
        real = np.ldexp(f[row].astype(np.float64), -t.fractional) if f.dtype.kind in "iO" else f[row]
        differs = np.argwhere(np.ldexp(e[row].astype(np.float64), -t.fractional) != real)
        if len(differs):
            at = tuple(int(k) for k in differs[0])
            return Divergence(form.name, group, event, output.name, at, int(e[row][at]), float(real[at]), t,
                              form.type_text(t), inputs)  # fmt: skip
    raise AssertionError("a difference was counted that is not found again")


def _blocks(program: Program, stimulus: Stimulus | None, random_events: int, seed: int) -> Iterator[Stimulus]:
    length = min(CHUNK, max(16, BLOCK_NUMBERS // _numbers(program)))
    for chunk in [stimulus] if stimulus is not None else random_stimulus(program, random_events, seed):
        for first in range(0, chunk[0].shape[0], length):
            yield [s[first : first + length] for s in chunk]


def _numbers(program: Program) -> int:
    """How many numbers the instructions make for one event."""
    return sum(prod(i.shape) for i in program.instructions)


def _interpreted(program: Program) -> int:
    return min(INTERPRETED, max(64, INTERPRETED_NUMBERS // _numbers(program)))


def _interprets(program: Program, group: str, first: int) -> bool:
    """Whether the block that begins at this event of a group is interpreted; of small networks all built events are."""
    limit = _interpreted(program)
    return first < limit or (limit == INTERPRETED and group not in ("data", "random"))


def _mantissas(program: Program, block: Stimulus) -> list[Integers]:
    return [p.type.quantize(b) for p, b in zip(program.inputs, block, strict=True)]


def _as_events(block: Stimulus) -> Any:
    return block[0] if len(block) == 1 else block


def _tuple(outputs: Any) -> Sequence[Any]:
    return outputs if isinstance(outputs, tuple | list) else (outputs,)
