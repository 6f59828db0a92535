"""Events as a user gives them: shapes checked, numbers converted once to float32, NaN and infinity refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from firmware_flows.program import Program

Events = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]


def events_of(program: Program, x: Events) -> list[npt.NDArray[Any]]:
    """`x` as one array an input port, shapes checked. Raises InputError naming port, shape and what is wanted."""
    ports = program.inputs
    names = [p.port for p in ports]
    given = given_by_port(x, names, program.name)
    arrays = [_array(name, a) for name, a in zip(names, given, strict=True)]
    for port, array in zip(ports, arrays, strict=True):
        if array.ndim == 0 or array.shape[1:] != port.shape:
            wanted = ", ".join(["events", *map(str, port.shape)])
            raise InputError(f"events for {port.port!r} have shape {array.shape}: give ({wanted})")
    if len({a.shape[0] for a in arrays}) != 1:
        raise InputError(f"inputs have different numbers of events: {[a.shape[0] for a in arrays]}")
    return arrays


def given_by_port(x: Events, names: Sequence[str], network: str = "the network") -> list[Any]:
    """What is given for each input port, in their order. Raises InputError where ports are missing or unknown."""
    if isinstance(x, Mapping):
        if set(x) != set(names):
            raise InputError(f"inputs {sorted(map(str, x))} given, but {network!r} has {list(names)}")
        return [x[name] for name in names]
    if len(names) == 1:
        return [x]
    if not isinstance(x, Sequence) or len(x) != len(names):
        raise InputError(f"{network!r} has {len(names)} inputs: give one array for each of {list(names)}")
    return list(x)


def finite_float32(block: npt.NDArray[Any], port: str, first: int) -> npt.NDArray[np.float32]:
    """Events as float32. Raises InputError naming the first event that holds NaN, infinity, or what becomes one.

    block: some of the events; first: the number of its first event, for the message.
    """
    with np.errstate(all="ignore"):
        converted = np.ascontiguousarray(block, dtype=np.float32)
        flat = converted.reshape(-1)
        # a sum of squares is finite only if every number is, and takes one pass
        if np.isfinite(np.dot(flat, flat)):
            return converted
        finite = np.isfinite(converted)
    if not finite.all():
        where = tuple(int(k) for k in np.argwhere(~finite)[0])
        raise InputError(
            f"event {first + where[0]}, element {where[1:]} of {port!r} is {block[where]}: "
            "not a finite float32. Remove or repair such events"
        )
    return converted


def _array(port: str, values: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"events for {port!r} are no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"events for {port!r} are {array.dtype}: give real numbers")
    return array
