"""The keys of a recipe, with a sentence for each."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    field_validator,
    model_validator,
)

from firmware_flows.errors import nearest
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.targets import catalogue, why_no_part

FORMS = ("float", "quantized", "bit-accurate")
"""The forms of a network that are evaluated: float reference, quantized in Keras, and the exact Program."""


class Section(BaseModel):
    """Base of every section: no unknown keys, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _part(value: str) -> str:
    if reason := why_no_part(value):
        raise ValueError(reason)
    return value


Part = Annotated[str, Field(min_length=1), AfterValidator(_part)]


def _reuse_factor(value: Any) -> Any:
    def good(x: object) -> bool:
        return isinstance(x, int) and not isinstance(x, bool) and x >= 1

    if good(value) or (isinstance(value, dict) and value and all(good(x) for x in value.values())):
        return value
    raise ValueError("wanted a whole number of at least 1, or a mapping of layer names to such numbers")


class HlsSettings(Section):
    """How the network is written for high-level synthesis."""

    backend: Literal["Vitis", "Vivado", "Quartus", "oneAPI", "Catapult"] = Field(
        default="Vitis", description="hls4ml's back end, i.e. whose HLS compiler the project is for"
    )
    target: Part = Field(default="xcvu13p-flga2577-2-e", description="FPGA part")
    clock_mhz: float = Field(default=360.0, gt=0.0, le=2000.0, description="clock of the firmware, in MHz")
    io: Literal["parallel", "stream"] = Field(
        default="parallel", description="all inputs in one clock, or one after another"
    )
    strategy: Literal["latency", "resource"] = Field(
        default="latency", description="how the multiplications are laid out"
    )
    reuse_factor: Annotated[int | dict[str, int], BeforeValidator(_reuse_factor)] = Field(
        default=1, description="multiplications per multiplier; one number, or one per layer name"
    )
    csim: bool = Field(default=True, description="compile the written C++ and run it in `verify`")


class RtlSettings(Section):
    """How the network is written as RTL. The section may be left out: then there is none."""

    language: Literal["verilog", "vhdl"] = Field(default="verilog", description="of the RTL")
    target: Part | None = Field(default=None, description="FPGA part; absent: that of `hls`")
    clock_mhz: float | None = Field(
        default=None, ge=1.0, le=2000.0, description="clock of the firmware, in MHz; absent: that of `hls`"
    )
    simulate: bool = Field(
        default=True, description="measure latency and interval in simulation, and compare every bit in `verify`"
    )
    timeout: float = Field(default=3600.0, gt=0.0, description="seconds that a single call of a simulator may take")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class SynthesisSettings(Section):
    """How the RTL is synthesised. The section may be left out: then it is not."""

    tools: tuple[Literal["auto", "yosys", "nextpnr", "vivado", "quartus", "vitis"], ...] = Field(
        default=("auto",),
        min_length=1,
        description="one after another; auto: by the target, a vendor's tool where it is here, else an open one",
    )
    family: Annotated[Literal["xc7", "xcu", "xcup"] | None, BeforeValidator(_lower)] = Field(
        default=None, description="of yosys; absent: that of the target"
    )
    device: Annotated[Literal["LFE5U-25F", "LFE5U-45F", "LFE5U-85F"] | None, BeforeValidator(_upper)] = Field(
        default=None, description="of nextpnr; absent: the smallest ECP5 that fits"
    )
    timeout: float = Field(default=3600.0, gt=0.0, description="seconds that a single call of a tool may take")


class BudgetSettings(Section):
    """What the firmware may take; `firmware-flows check` fails beyond it. What is absent is the whole device's."""

    name: str | None = Field(default=None, description="a budget that `firmware-flows targets` lists")
    form: Literal["hls", "rtl"] | None = Field(default=None, description="whose numbers; absent: rtl if there is RTL")
    estimate: Literal["high", "middle", "low"] = Field(
        default="high", description="which end of an estimate must fit, where nothing was measured"
    )
    latency_ns: float | None = Field(default=None, gt=0.0, description="from the first input to the last output")
    latency_cycles: int | None = Field(default=None, ge=0, description="the same in clock cycles; comes first")
    interval_cycles: int | None = Field(default=None, ge=1, description="clock cycles from an event to the next")
    lut: int | None = Field(default=None, ge=0, description="look-up tables")
    ff: int | None = Field(default=None, ge=0, description="flip-flops")
    dsp: int | None = Field(default=None, ge=0, description="multiplier blocks")
    bram18: int | None = Field(default=None, ge=0, description="block memories of 18 Kbit")

    @field_validator("name")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        budgets = catalogue().budgets
        if value is not None and value.strip().lower() not in budgets:
            raise ValueError(f"{value!r} is no budget; {nearest(value.lower(), budgets)}")
        return value


class VerificationSettings(Section):
    """Which events the forms are compared on."""

    random_events: int = Field(
        default=100_000, ge=0, le=1_000_000_000, description="events drawn over the whole input range"
    )
    adversarial: bool = Field(default=True, description="events built from the Program: extremes, ties, ends of ranges")
    data_events: int | None = Field(default=None, ge=0, description="events of the test set; absent: all of them")
    seed: int | None = Field(default=None, ge=0, lt=2**32, description="absent: the run's seed")


class RecipeSettings(Section):
    """A recipe as written, its `data:`, `network:` and `training:` sections not yet read."""

    name: str = Field(description="also names the run directory")
    description: str = Field(default="", description="one line for the report")
    model: str = Field(min_length=1, description="Python module, or .py file relative to the recipe")
    seed: int = Field(default=1, ge=0, lt=2**32, description="from which all others are derived")
    data: dict[str, Any] = Field(default_factory=dict, description="DataOptions of the model source")
    network: dict[str, Any] = Field(default_factory=dict, description="NetworkOptions of the model source")
    training: dict[str, Any] = Field(default_factory=dict, description="quantization.TrainingSettings; float_reference")
    input_type: str | None = Field(
        default=None, description="fixed-point type of the input, where the network states none"
    )
    hls: HlsSettings = Field(default=HlsSettings(), description="the HLS project")
    rtl: RtlSettings | None = Field(default=None, description="RTL of the network; absent: none is written")
    synthesize: SynthesisSettings | None = Field(default=None, description="synthesis of the RTL; absent: none is made")
    verification: VerificationSettings = Field(default=VerificationSettings(), description="the comparison")
    budget: BudgetSettings = Field(default=BudgetSettings(), description="what the firmware may take")
    floors: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="smallest accepted metric, e.g. bit-accurate.accuracy: 0.6"
    )
    max_loss: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="largest accepted loss of a metric, float reference minus bit-accurate"
    )

    @field_validator("name")
    @classmethod
    def _directory_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise ValueError("wanted letters, digits, '-', '_' and '.' only, since it names a directory")
        return value

    @field_validator("input_type")
    @classmethod
    def _fixed_point(cls, value: str | None) -> str | None:
        return value if value is None else str(FixedPoint.parse(value))

    @model_validator(mode="after")
    def _something_to_synthesise(self) -> Self:
        if self.synthesize is not None and self.rtl is None and set(self.synthesize.tools) != {"vitis"}:
            raise ValueError("synthesize needs RTL: add the section rtl, or write tools: [vitis]")
        return self

    @field_validator("floors")
    @classmethod
    def _forms(cls, value: dict[str, float]) -> dict[str, float]:
        for key in value:
            form, dot, metric = key.partition(".")
            if not dot or not metric:
                raise ValueError(f"{key!r} is not form.metric, as in bit-accurate.accuracy")
            if form not in FORMS:
                raise ValueError(f"{form!r} is not a form of the network; {nearest(form, FORMS)}")
        return value
