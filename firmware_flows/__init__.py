"""From quantization-aware training to verified, bit-exact firmware for Level-1 triggers.

Importing this package is light: every public name below is loaded when it is first used, so that TensorFlow, Keras and
hls4ml are only ever imported by the call that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULE_OF = {
    "Dataset": "firmware_flows.model_source",
    "Estimate": "firmware_flows.estimation",
    "Evaluation": "firmware_flows.model_source",
    "FirmwareFlowsError": "firmware_flows.errors",
    "FixedPoint": "firmware_flows.fixed_point",
    "LoweringError": "firmware_flows.errors",
    "Plot": "firmware_flows.model_source",
    "Program": "firmware_flows.program",
    "PublishedDesign": "firmware_flows.published",
    "Split": "firmware_flows.model_source",
    "Verification": "firmware_flows.verification",
    "classify": "firmware_flows.emulator",
    "emulate": "firmware_flows.emulator",
    "estimate": "firmware_flows.estimation",
    "load_program": "firmware_flows.serialization",
    "lower": "firmware_flows.lowering",
    "trace": "firmware_flows.emulator",
    "verify": "firmware_flows.verification",
}
"""Public name -> the module that defines it."""

_SUBPACKAGES = frozenset({"hls", "rtl", "synthesis"})

if TYPE_CHECKING:
    from firmware_flows import hls as hls
    from firmware_flows import rtl as rtl
    from firmware_flows import synthesis as synthesis
    from firmware_flows.emulator import classify as classify
    from firmware_flows.emulator import emulate as emulate
    from firmware_flows.emulator import trace as trace
    from firmware_flows.errors import FirmwareFlowsError as FirmwareFlowsError
    from firmware_flows.errors import LoweringError as LoweringError
    from firmware_flows.estimation import Estimate as Estimate
    from firmware_flows.estimation import estimate as estimate
    from firmware_flows.fixed_point import FixedPoint as FixedPoint
    from firmware_flows.lowering import lower as lower
    from firmware_flows.model_source import Dataset as Dataset
    from firmware_flows.model_source import Evaluation as Evaluation
    from firmware_flows.model_source import Plot as Plot
    from firmware_flows.model_source import Split as Split
    from firmware_flows.program import Program as Program
    from firmware_flows.published import PublishedDesign as PublishedDesign
    from firmware_flows.serialization import load_program as load_program
    from firmware_flows.verification import Verification as Verification
    from firmware_flows.verification import verify as verify

__all__ = [
    "Dataset",
    "Estimate",
    "Evaluation",
    "FirmwareFlowsError",
    "FixedPoint",
    "LoweringError",
    "Plot",
    "Program",
    "PublishedDesign",
    "Split",
    "Verification",
    "__version__",
    "classify",
    "emulate",
    "estimate",
    "hls",
    "load_program",
    "lower",
    "rtl",
    "synthesis",
    "trace",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name in _SUBPACKAGES:
        return importlib.import_module(f"firmware_flows.{name}")
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'firmware_flows' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
