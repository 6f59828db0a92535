"""Memory for the values of one block of events, planned once and used again for every block.

Fresh arrays for every step would cost page faults and cache misses; so each value is given a slot, and a slot is given
on as soon as the last reader of its value has run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firmware_flows.carriers import Array


@dataclass(frozen=True)
class _Place:
    slot: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Bytes an event."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class MemoryPlan:
    """Which slot each value is written to. Built while the steps are compiled, in their order."""

    def __init__(self) -> None:
        self.places: dict[int, _Place] = {}
        self._users: list[int] = []  # values in each slot that are still to be read
        self._slot_of: dict[int, int] = {}

    def place(self, value: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Give `value` a slot that nobody needs any more."""
        free = [slot for slot, users in enumerate(self._users) if users == 0]
        if not free:
            free = [len(self._users)]
            self._users.append(0)
        self.places[value] = _Place(free[0], shape, dtype)
        self._use(value, free[0])

    def reshape(self, value: int, shape: tuple[int, ...]) -> None:
        """Let a placed value have another shape."""
        self.places[value] = replace(self.places[value], shape=shape)

    @property
    def sizes(self) -> list[int]:
        """Bytes an event of every slot."""
        sizes = [0] * len(self._users)
        for place in self.places.values():
            sizes[place.slot] = max(sizes[place.slot], place.bytes)
        return sizes

    def share(self, value: int, source: int) -> None:
        """`value` lies in the memory of `source` (a view of it, or written over it)."""
        if source in self._slot_of:
            self._use(value, self._slot_of[source])

    def release(self, value: int) -> None:
        """Nobody reads `value` after the present step."""
        if value in self._slot_of:
            self._users[self._slot_of.pop(value)] -= 1

    def _use(self, value: int, slot: int) -> None:
        self._slot_of[value] = slot
        self._users[slot] += 1


class Block:
    """The values of one block while its steps run, for one thread; used for one block after the other."""

    def __init__(self, plan: MemoryPlan, steps: int, capacity: int) -> None:
        self._plan = plan
        self._memory = [np.empty(size * capacity, dtype=np.uint8) for size in plan.sizes]
        self._arrays: dict[int, Array] = {}
        self._events = -1
        self.inputs: list[Array] = []
        self.values: list[Any] = [None] * steps

    def begin(self, inputs: list[Array]) -> None:
        """Start with these inputs (events, ...), at most `capacity` events."""
        self.inputs = inputs
        events = inputs[0].shape[0]
        if events != self._events:
            self._events = events
            self._arrays = {value: self._array(place, events) for value, place in self._plan.places.items()}

    def out(self, value: int) -> Array:
        """Where the step of that value writes: (events, ...), contiguous, with any content."""
        return self._arrays[value]

    def _array(self, place: _Place, events: int) -> Array:
        flat = self._memory[place.slot][: place.bytes * events].view(place.dtype)
        return flat.reshape(events, *place.shape)
