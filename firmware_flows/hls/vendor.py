"""Vendor tools: which are here, and calling them through hls4ml."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from firmware_flows.errors import MissingToolError
from firmware_flows.hls.compiler import compiler_version, find_compiler

TOOLS: dict[str, tuple[str, ...]] = {
    "Vitis": ("vitis-run",),
    "Vivado": ("vivado_hls",),
    "Quartus": ("i++", "quartus_sh"),
    "oneAPI": ("icpx", "cmake"),
    "Catapult": ("catapult",),
}
"""What hls4ml calls for each backend; the first is what synthesis cannot do without."""

REMEDIES = {
    "Vitis": "install Vitis HLS 2023.2 or newer and source its settings64.sh",
    "Vivado": "install Vivado HLS 2020.1 or older and source its settings64.sh",
    "Quartus": "install the Intel HLS compiler and source its init_hls.sh",
    "oneAPI": "install the Intel oneAPI toolkit with the FPGA add-on and source its setvars.sh",
    "Catapult": "install Siemens Catapult and put it on PATH",
}


@dataclass(frozen=True)
class Capabilities:
    """What this machine can do with an HLS project. `vendor_tools` maps a tool to its path, or None."""

    hls4ml: str | None
    compiler: str | None
    compiler_version: str | None
    vendor_tools: dict[str, str | None]

    @property
    def can_write(self) -> bool:
        """Projects can be written."""
        return self.hls4ml is not None

    @property
    def can_simulate(self) -> bool:
        """Projects of Vitis and Vivado can be compiled and run."""
        return self.compiler is not None


def capabilities() -> Capabilities:
    """Look for hls4ml, g++ and the vendors' tools; nothing is imported or started except `g++ --version`."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        hls4ml: str | None = version("hls4ml")
    except PackageNotFoundError:
        hls4ml = None
    try:
        compiler: str | None = find_compiler()
    except MissingToolError:
        compiler = None
    tools = {tool: shutil.which(tool) for names in TOOLS.values() for tool in names}
    return Capabilities(hls4ml, compiler, compiler_version(compiler) if compiler else None, tools)


def require_vendor_tool(backend: str) -> str:
    """Path of the backend's synthesis tool. Raises MissingToolError."""
    tool = TOOLS[backend][0]
    path = shutil.which(tool)
    if path is None:
        raise MissingToolError(tool, f"to synthesise a {backend} project", REMEDIES[backend])
    return path


def run_build(graph: Any, options: dict[str, Any]) -> dict[str, Any]:
    """hls4ml's `build` for the graph's backend; returns its report."""
    report = graph.config.backend.build(graph, **options)
    return dict(report) if report else {}
