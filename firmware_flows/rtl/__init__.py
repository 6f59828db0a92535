"""Program -> RTL (Verilog or VHDL, generated with alkaid) -> Verilator simulation.

alkaid is imported when a design is written, not before.
"""

from __future__ import annotations

from firmware_flows.processes import ToolFailedError
from firmware_flows.rtl.bench import TestbenchError, run_testbench
from firmware_flows.rtl.design import Design
from firmware_flows.rtl.errors import DesignError, RtlCheckError, RtlError, RtlSettingsError
from firmware_flows.rtl.matrices import Effort
from firmware_flows.rtl.ports import Field, Port
from firmware_flows.rtl.prediction import Prediction, predict
from firmware_flows.rtl.support import obstacles
from firmware_flows.rtl.timing import TimingError
from firmware_flows.rtl.writer import write_design

__all__ = [
    "Design",
    "DesignError",
    "Effort",
    "Field",
    "Port",
    "Prediction",
    "RtlCheckError",
    "RtlError",
    "RtlSettingsError",
    "TestbenchError",
    "TimingError",
    "ToolFailedError",
    "obstacles",
    "predict",
    "run_testbench",
    "write_design",
]
