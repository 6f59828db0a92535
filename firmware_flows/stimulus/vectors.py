"""Events to compare on: random ones, and those built from the Program to reach its corners.

A stimulus is a list with one float32 array (events, ...) for each input port.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import Integers
from firmware_flows.program import Input, Program
from firmware_flows.stimulus.search import drive_values, meet_cast_edges

Stimulus = list[npt.NDArray[np.float32]]

CHUNK = 16384
"""Events made at a time."""

FAR = 1000.0
"""How many times its range an input is driven beyond, to see that it saturates or wraps and nothing else."""

MOST_ALONE = 256
"""Elements of an input that are driven one by one: a random choice of a larger input's."""


def random_stimulus(program: Program, events: int, seed: int) -> Iterator[Stimulus]:
    """Chunks of random events. Magnitudes from one LSB to beyond the range; some inputs zero, as padding is."""
    for number, first in enumerate(range(0, events, CHUNK)):
        rng = np.random.default_rng([seed, number])
        yield [_random(port, min(CHUNK, events - first), rng) for port in program.inputs]


def _random(port: Input, events: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    t = port.type
    ones = (1,) * len(port.shape)
    reach = float(max(-t.lowest, t.maximum)) * t.lsb
    # every event has its own scale, so that small and saturating events both occur, in every layer
    scale = reach * np.exp2(rng.uniform(-min(t.width, 12), 0.6, (events, *ones)))
    x = rng.uniform(-1.0, 1.0, (events, *port.shape)) * scale
    x *= rng.random((events, *port.shape)) >= rng.choice([0.0, 0.5, 0.9], (events, *ones), p=[0.7, 0.2, 0.1])
    return x.astype(np.float32)


def adversarial_stimuli(program: Program, seed: int) -> dict[str, Stimulus]:
    """Events built from the Program, by what they aim at."""
    rng = np.random.default_rng([seed, 1 << 20])
    ports = program.inputs
    targets, low, high = drive_values(program, rng)
    return {
        "input extremes": _joined([_extremes(p, rng) for p in ports]),
        "rounding ties": _joined([_ties(p, rng) for p in ports]),
        "accumulator ends": _as_real(program, [np.concatenate(pair) for pair in zip(low, high, strict=True)]),
        "cast edges": _as_real(program, meet_cast_edges(program, targets, low, high)),
    }


def _as_real(program: Program, mantissas: list[Integers]) -> Stimulus:
    """Events for mantissas; float32 rounds them where the input type has more than 24 bits."""
    return [
        np.ldexp(m.astype(np.float64), -p.type.fractional).astype(np.float32)
        for p, m in zip(program.inputs, mantissas, strict=True)
    ]


def _joined(parts: Stimulus) -> Stimulus:
    """Ports' own events side by side; shorter ones repeated."""
    events = max(p.shape[0] for p in parts)
    return [np.resize(p, (events, *p.shape[1:])) for p in parts]


def _extremes(port: Input, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Every input at its ends, one LSB inside and outside, and far outside: together, alone (of large ones some), and
    at random.
    """
    t, size = port.type, int(np.prod(port.shape, dtype=np.int64))
    marks = np.array(
        [t.lowest - 1, t.lowest, t.lowest + 1, -1, 0, 1, t.maximum - 1, t.maximum, t.maximum + 1], dtype=np.float64
    )
    marks = np.concatenate([marks, [FAR * t.maximum, -FAR * t.maximum, FAR * t.minimum]])
    together = np.repeat(marks[:, None], size, axis=1)
    driven = np.arange(size) if size <= MOST_ALONE else np.sort(rng.choice(size, MOST_ALONE, replace=False))
    chosen = np.arange(size) == driven[:, None]
    alone = np.where(chosen, marks[:, None, None], 0.0)
    background = rng.integers(t.lowest, t.maximum, size=alone.shape, endpoint=True, dtype=np.int64)
    among = np.where(chosen, alone, background)
    mixed = rng.choice(marks, (512, size))
    events = np.concatenate([together, alone.reshape(-1, size), among.reshape(-1, size), mixed])
    return _as_float32(events, t.lsb, port)


def _ties(port: Input, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Half-way between neighbours, even and odd, and the float32 on either side of it."""
    t, size = port.type, int(np.prod(port.shape, dtype=np.int64))
    centres = rng.integers(t.lowest, t.maximum, size=(1024, size), endpoint=True, dtype=np.int64) + 0.5
    small = rng.integers(-4, 5, size=(256, size)) + 0.5
    ties = _as_float32(np.concatenate([centres, small]), t.lsb, port)
    above, below = np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))
    return np.concatenate([ties, above, below])


def _as_float32(mantissas: npt.NDArray[np.float64], lsb: float, port: Input) -> npt.NDArray[np.float32]:
    return (mantissas * lsb).astype(np.float32).reshape(-1, *port.shape)
