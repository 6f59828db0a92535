"""What a layer asks of the hardware, in the terms that decide its cost; and the conditions it is built under.

Both a Program and a row of a table of published reports are brought to this form, so that what is fitted on the one
is applied to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from firmware_flows.estimation.constants import ConstantMatrix


class Kind(StrEnum):
    """Kinds of work that cost differently."""

    PRODUCT = "product"  # inputs times a matrix of constants: dense, convolution
    RECTIFIER = "rectifier"  # compare, round, saturate
    TABLE = "table"  # a function by lookup
    SOFTMAX = "softmax"
    POOLING = "pooling"
    ELEMENTWISE = "elementwise"
    SCALE = "scale"  # one constant for each channel: batch normalization
    WIRING = "wiring"  # costs nothing in parallel


class Strategy(StrEnum):
    """How the multiplications are laid out in hardware."""

    LATENCY = "latency"
    RESOURCE = "resource"
    RESOURCE_UNROLLED = "resource_unrolled"
    DISTRIBUTED_ARITHMETIC = "distributed_arithmetic"
    RTL = "rtl"  # this package's own, without an HLS tool


class Multiplier(StrEnum):
    """Where the HLS tool was told to put multipliers."""

    AUTO = "auto"
    DSP = "dsp"
    FABRIC = "fabric"


@dataclass(frozen=True)
class Work:
    """One layer.

    `elements`: numbers in the result of one copy. `copies`: how often the same hardware stands side by side
    (positions of a convolution in io_parallel). `positions`: how often it runs for one event.
    """

    name: str
    kind: Kind
    elements: int
    input_bits: int
    result_bits: int
    accumulator_bits: int = 0
    weight_bits: int = 0
    constants: ConstantMatrix | None = None
    copies: int = 1
    positions: int = 1
    rounds: bool = False
    saturates: bool = False
    table_size: int = 0
    table_bits: int = 0
    operands: int = 1
    reuse_factor: int = 1
    strategy: Strategy = Strategy.LATENCY
    layer: str = ""

    @property
    def matrix(self) -> ConstantMatrix:
        """The constants of a product."""
        if self.constants is None:
            raise ValueError(f"{self.name!r} is a {self.kind} and has no constants")
        return self.constants

    def with_reuse(self, factor: int) -> Work:
        """The same with another reuse factor, where it has multipliers."""
        return replace(self, reuse_factor=factor) if self.constants is not None else self


@dataclass(frozen=True)
class Conditions:
    """Clock, silicon and tool. `clock` in nanoseconds; `uncertainty` is the part of it that the tool keeps back."""

    clock: float
    technology: str
    tool: str = "vitis_hls"
    tool_version: float = 2023.2
    uncertainty: float | None = None
    stream: bool = False
    multiplier: Multiplier = Multiplier.AUTO
    dsp_available: int | None = None

    @property
    def usable(self) -> float:
        """Nanoseconds of a cycle that logic may take."""
        if self.uncertainty is not None:
            return self.clock - self.uncertainty
        return self.clock * (1.0 - UNCERTAINTY.get(self.tool, 0.125))

    @property
    def old_tool(self) -> bool:
        """Whether this is Vivado HLS rather than Vitis HLS."""
        return self.tool == "vivado_hls"


UNCERTAINTY = {"vivado_hls": 0.125, "vitis_hls": 0.27}
"""Share of the clock that the tool keeps back when it is not told otherwise (AMD UG902, UG1399)."""


@dataclass(frozen=True)
class Cost:
    """Hardware of one layer or of a design: cycles, and counts of blocks. BRAM in blocks of 18 Kb."""

    latency: float = 0.0
    interval: float = 1.0
    lut: float = 0.0
    ff: float = 0.0
    dsp: float = 0.0
    bram: float = 0.0
