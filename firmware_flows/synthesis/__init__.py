"""How large and how fast: RTL and HLS projects through Yosys, nextpnr and the vendors' tools, their reports read.

Every number says where it comes from: `synthesised (Yosys 0.70)`, `placed and routed (nextpnr-ecp5 0.11.1)`,
`vendor (Vivado, 2022.1: routed)`.
"""

from firmware_flows.processes import ToolFailedError
from firmware_flows.synthesis.errors import ReportError, SynthesisSettingsError
from firmware_flows.synthesis.hls_report import read_csynth_text, read_csynth_xml
from firmware_flows.synthesis.quartus_report import read_fit, read_fmax
from firmware_flows.synthesis.result import Clock, Latency, Origin, Quantity, SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.synthesize import TOOLS, choose_tool, load_results, open_design, resolve_tool, synthesize
from firmware_flows.synthesis.vivado_report import read_timing, read_utilisation

__all__ = [
    "TOOLS",
    "Clock",
    "Latency",
    "Origin",
    "Quantity",
    "ReportError",
    "Source",
    "SynthesisResult",
    "SynthesisSettingsError",
    "ToolFailedError",
    "choose_tool",
    "load_results",
    "open_design",
    "read_csynth_text",
    "read_csynth_xml",
    "read_fit",
    "read_fmax",
    "read_timing",
    "read_utilisation",
    "resolve_tool",
    "synthesize",
]
