"""How many LUT sites a netlist of LUTs needs when two small functions share one.

A LUT site of AMD's families holds one function of up to 6 inputs, or two functions that together have at most 5
distinct inputs; they leave by its outputs O6 and O5. Pairs are looked for in the netlist, under these rules:

- both functions read a common net: placement tools combine such pairs readily. Pairs that share no net are left alone,
  although a device that is nearly full packs some of those too (this makes the estimate too high);
- what selects a carry (input S of a carry chain) or feeds a wide multiplexer must leave by O6: two of these are no
  pair;
- where a sum leaves its carry chain other than into a flip-flop, it takes the exit that O5 would need: what selects
  that carry shares its site with nothing;
- an S input that no LUT of its own drives takes a site as a route-through, which is counted.

The matching is greedy, the function with the fewest partners first, so it finds at least half of the pairs that there
are. It ignores timing and placement (a tool keeps apart what belongs to different places: this makes the estimate too
low), control sets, and what a vendor's optimisation would restructure.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_flows.synthesis.families import LUTS

SITE_INPUTS = 5
"""Distinct inputs of two functions that share a site."""

MOST_READERS = 200
"""A net with more readers suggests no pairs: its readers share little else, and there would be too many to try."""


@dataclass(frozen=True)
class Packing:
    """LUT functions of a netlist, how many of them share a site pairwise, and the sites that this takes.

    route_through: sites taken only to bring a net to a carry chain.
    """

    functions: int
    pairs: int
    route_through: int

    @property
    def sites(self) -> int:
        """LUT6 sites: one for each function, less one for each pair, and the route-throughs."""
        return self.functions - self.pairs + self.route_through


@dataclass(frozen=True)
class _Function:
    """A function in a LUT. by_o6: it must leave by O6; alone: nothing can share its site."""

    inputs: frozenset[int]
    by_o6: bool
    alone: bool


def pack(cells: Mapping[str, Mapping[str, Any]]) -> Packing:
    """Pack the LUTs of a flat module as Yosys writes it: name -> {"type": ..., "connections": {port: [net, ...]}}."""
    luts = [cell for cell in cells.values() if cell["type"] in LUTS]
    blocked = _carry_bits(cells)
    wide = {
        net
        for cell in cells.values()
        if cell["type"].startswith("MUXF")
        for port in ("I0", "I1")
        for net in cell["connections"][port]
    }
    functions = []
    for cell in luts:
        wires = cell["connections"]
        output = wires["O"][0]
        # The first carry bit that a LUT selects is its own; further ones need copies of it.
        bits = blocked.get(output, [])
        alone = bits.pop() if bits else False
        nets = frozenset(net for port, (net,) in wires.items() if port != "O" and isinstance(net, int))
        functions.append(_Function(nets, output in blocked or output in wide, alone))
    routes = [_Function(frozenset((net,)), True, alone) for net, bits in blocked.items() for alone in bits]
    return Packing(len(luts), _match(functions + routes), len(routes))


def _carry_bits(cells: Mapping[str, Mapping[str, Any]]) -> dict[int, list[bool]]:
    """For each net that selects carries: for each such carry bit, whether its sum or carry leaves into logic."""
    into_logic: set[int] = set()
    for cell in cells.values():
        chain, register = cell["type"].startswith("CARRY"), cell["type"].startswith("FD")
        for port, nets in cell["connections"].items():
            outward = port in ("O", "CO", "Q") or (register and port == "D") or (chain and port in ("CI", "CYINIT"))
            if not outward:
                into_logic.update(net for net in nets if isinstance(net, int))
    result: dict[int, list[bool]] = defaultdict(list)
    for cell in cells.values():
        if cell["type"].startswith("CARRY"):
            wires = cell["connections"]
            for select, total, carry in zip(wires["S"], wires["O"], wires["CO"], strict=True):
                if isinstance(select, int):
                    result[select].append(total in into_logic or carry in into_logic)
    return dict(result)


def _match(functions: list[_Function]) -> int:
    """Number of pairs that a greedy matching finds."""
    partners = _partners(functions)
    waiting = [(len(found), cell) for cell, found in enumerate(partners) if found]
    heapq.heapify(waiting)
    free = [bool(found) for found in partners]
    pairs = 0
    while waiting:
        degree, cell = heapq.heappop(waiting)
        if not free[cell]:
            continue
        left = [other for other in partners[cell] if free[other]]
        if len(left) != degree:
            partners[cell] = left
            if left:
                heapq.heappush(waiting, (len(left), cell))
            continue
        # The partner that shares most, then the one that others need least.
        best = min(
            left, key=lambda other: (len(functions[cell].inputs | functions[other].inputs), len(partners[other]), other)
        )
        free[cell] = free[best] = False
        pairs += 1
    return pairs


def _partners(functions: list[_Function]) -> list[list[int]]:
    """For each function those with which it can share a site."""
    readers: dict[int, list[int]] = defaultdict(list)
    small = [not f.alone and len(f.inputs) <= SITE_INPUTS for f in functions]
    for cell, function in enumerate(functions):
        if small[cell]:
            for net in function.inputs:
                readers[net].append(cell)
    result: list[list[int]] = []
    for cell, function in enumerate(functions):
        near: set[int] = set()
        if small[cell]:
            for net in function.inputs:
                if len(readers[net]) <= MOST_READERS:
                    near.update(readers[net])
        near.discard(cell)
        result.append(sorted(other for other in near if _fit(function, functions[other])))
    return result


def _fit(first: _Function, second: _Function) -> bool:
    return not (first.by_o6 and second.by_o6) and len(first.inputs | second.inputs) <= SITE_INPUTS
