"""Program -> RTL (Verilog or VHDL, generated with alkaid) -> Verilator simulation.

alkaid is imported when a design is written, not before.
"""

from __future__ import annotations

from firmware_flows.rtl.design import Design
from firmware_flows.rtl.errors import DesignError, RtlError, RtlSettingsError
from firmware_flows.rtl.ports import Field, Port

__all__ = ["Design", "DesignError", "Field", "Port", "RtlError", "RtlSettingsError"]
