"""The ports of a design: one packed word for each input and output, its elements at fixed places.

Element 0 of the flattened array (C order) lies in the lowest bits. Every element takes the full width of the port's
type, whatever the ranges prove, so that the place of an element does not depend on the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program, Shape
from firmware_flows.rtl.errors import RtlError

Direction = Literal["input", "output"]
Mantissas = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

WORD_BITS = 32
"""Words are little-endian arrays of 32-bit numbers: bit b of the port is bit b % 32 of word b // 32."""

LARGEST_ELEMENT = 64
"""Mantissas travel as int64."""


class Field(NamedTuple):
    """Where an element lies in its port: bits offset ... offset + width - 1, two's complement where signed."""

    offset: int
    width: int
    signed: bool
    fractional: int


@dataclass(frozen=True)
class Port:
    """A port of the top module.

    name: the HDL identifier; source: the port's name in the Program; shape: of one event; type: of every element.
    """

    name: str
    direction: Direction
    source: str
    shape: Shape
    type: FixedPoint

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def width(self) -> int:
        """Bits of the whole port."""
        return self.size * self.type.width

    @property
    def words(self) -> int:
        """32-bit words that hold it."""
        return -(-self.width // WORD_BITS)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """One entry an element, flattened in C order."""
        t = self.type
        return tuple(Field(k * t.width, t.width, t.signed, t.fractional) for k in range(self.size))

    def pack(self, mantissas: npt.ArrayLike) -> Words:
        """Mantissas (events, *shape) as words (events, words). Raises ValueError for a wrong shape or range."""
        values = np.asarray(mantissas)
        if values.shape[1:] != self.shape or values.ndim != len(self.shape) + 1:
            raise ValueError(f"mantissas of {self.name!r} have the shape {values.shape}: give (events, *{self.shape})")
        if values.size and (int(values.min()) < self.type.minimum or int(values.max()) > self.type.maximum):
            raise ValueError(f"mantissas of {self.name!r} leave {self.type}: {values.min()} to {values.max()}")
        unsigned = values.reshape(values.shape[0], self.size)
        if unsigned.dtype == object:
            unsigned = (unsigned & (2**64 - 1)).astype(np.uint64)
        places = np.arange(self.type.width, dtype=np.uint64)
        bits = (unsigned.astype(np.uint64)[:, :, None] >> places) & np.uint64(1)
        padded = np.zeros((values.shape[0], self.words * WORD_BITS), np.uint8)
        padded[:, : self.width] = bits.reshape(values.shape[0], self.width)
        return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32, copy=False)

    def unpack(self, words: Words) -> Mantissas:
        """The opposite of `pack`: int64 (events, *shape). Unsigned elements of 64 bits are not held."""
        given = np.ascontiguousarray(words, dtype="<u4")
        if given.ndim != 2 or given.shape[1] != self.words:
            raise ValueError(f"words of {self.name!r} have the shape {given.shape}: give (events, {self.words})")
        bits = np.unpackbits(given.view(np.uint8), axis=1, bitorder="little", count=self.width)
        width = self.type.width
        bits = bits.reshape(given.shape[0], self.size, width)
        result = np.zeros((given.shape[0], self.size), np.int64)
        for place in range(width):
            weight = -(1 << place) if self.type.signed and place == width - 1 else 1 << place
            result += bits[:, :, place].astype(np.int64) * np.int64(weight)
        return result.reshape(given.shape[0], *self.shape)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, the fields included, for readers that are not this package."""
        return {
            "name": self.name,
            "direction": self.direction,
            "source": self.source,
            "shape": list(self.shape),
            "type": str(self.type),
            "width": self.width,
            "fields": [f._asdict() for f in self.fields],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Port:
        """The opposite of `to_json`."""
        t = FixedPoint.parse(document["type"])
        return cls(document["name"], document["direction"], document["source"], tuple(document["shape"]), t)


RESERVED = (
    "clk", "core", "core_input", "core_output", "device", "ieee", "rtl", "std_logic", "std_logic_vector", "work"
)  # fmt: skip
"""Words that stand in the top module or in the test bench, so that no port may bear them."""


def ports_of(program: Program, reserved: Iterable[str] = RESERVED) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Input and output ports of a Program. Raises RtlError for elements that an int64 does not hold."""
    taken = {name.lower() for name in reserved}
    inputs = [(i.port, i.shape, i.type, i.layer) for i in program.inputs]
    outputs = [
        (o.name, program.instructions[o.value].shape, program.instructions[o.value].type,
         program.instructions[o.value].layer) for o in program.outputs
    ]  # fmt: skip
    for name, _, t, layer in inputs + outputs:
        if t.width > LARGEST_ELEMENT - (not t.signed):
            raise RtlError(
                layer, f"port {name!r}", f"its elements ({t}) do not fit an int64",
                "give the value a type of at most 63 bits",
            )  # fmt: skip

    def make(direction: Direction, given: list[tuple[str, Shape, FixedPoint, str]]) -> tuple[Port, ...]:
        return tuple(Port(identifier(name, taken), direction, name, shape, t) for name, shape, t, _ in given)

    return make("input", inputs), make("output", outputs)


def identifier(name: str, taken: set[str]) -> str:
    """A name that is legal in Verilog and VHDL and not in `taken` (lower case), to which it is added."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "port"
    if not word[0].isalpha():
        word = f"p_{word}"
    if word.lower() in KEYWORDS:
        word = f"{word}_port"
    unique, number = word, 1
    while unique.lower() in taken:
        number += 1
        unique = f"{word}_{number}"
    taken.add(unique.lower())
    return unique


_VERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind
bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect
export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global
highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input
inside instance int integer interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri
tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""

_VHDL = """
abs access after all architecture array assume_guarantee attribute block body buffer bus component configuration
constant disconnect downto elsif entity exit fairness file generic group guarded impure in inertial is label
linkage literal loop map mod next of on open others out port postponed procedure process protected range record
register reject rem report restrict_guarantee rol ror select severity shared signal sla sll sra srl subtype then to
transport units until variable view vmode vprop vunit when
"""

KEYWORDS = frozenset(_VERILOG.split() + _VHDL.split())
"""Words of Verilog, SystemVerilog and VHDL that cannot be names."""
