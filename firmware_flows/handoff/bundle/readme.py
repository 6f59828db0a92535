"""The first page of a bundle."""

from __future__ import annotations

from firmware_flows import __version__
from firmware_flows.handoff.bundle.source import BundleSource
from firmware_flows.handoff.golden import Golden

_HLS_AMD = """
| `hls/` | HLS project of hls4ml for {backend} ({io}); golden vectors in `hls/tb_data` |
| `scripts/hls.tcl` | C simulation, synthesis, co-simulation, export, with a test bench that fails on one bit: \
`vitis-run --mode hls --tcl scripts/hls.tcl`, or `vitis_hls -f scripts/hls.tcl`. hls4ml's own `build_prj.tcl` is run \
inside `hls/` |"""

_HLS_OTHER = """
| `hls/` | HLS project of hls4ml for {backend} ({io}); golden vectors in `hls/tb_data` |"""

_RTL = """
| `rtl/` | {language}, constraints, `scripts/` for Vivado and Quartus, self-checking HDL test bench: see \
`rtl/README.txt` |"""

_CMSSW = """
| `cmssw/` | the emulator as CMSSW loads it (`make test` in it; the host loads models and compares every bit) |"""

_REPORT = """
| `report/` | how the network was trained, converted, verified and how well it does: `report.html` |
| `recipe.yaml` | what to give `firmware-flows run` to make it again |"""

_README = """# {name}

A network as firmware, written by firmware-flows {version} from Program {digest}.
`bash CHECK.sh` verifies every file, then compiles and runs the test benches below; it needs bash, coreutils and g++.

| | |
|---|---|
| `interface/` | ports, bits of every feature, clock, reset, protocol, latency: Markdown, JSON, IP-XACT for RTL |{rows}
| `emulator/` | header-only C++17 emulator, same bits, no other headers: `{namespace}::emulate(...)` |
| `vectors/` | {events} golden events, a line an event, the packed word of each port in hexadecimal, element 0 lowest |
| `patterns/` | some of them as EMPv1, EMPv2 and APx files |
| `benches/` | C++ test benches around the golden vectors; they end with 1 at the first bit that differs |
| `program.ffp` | the exact integer program: `firmware-flows show program.ffp`; `program.txt` is the same to read |
| `manifest.json`, `SHA256SUMS` | what this was made from, and the checksum of every file |
| `lock.json` | hashes of Program, weights, vectors and answers: `firmware-flows check` on this bundle compares them |

Golden events: {groups}.
"""


def readme(source: BundleSource, golden: Golden, namespace: str, *, cmssw: bool) -> str:
    """As Markdown."""
    rows = ""
    if source.project is not None:
        settings = source.project.settings
        text = _HLS_AMD if settings.backend in ("Vitis", "Vivado") else _HLS_OTHER
        rows += text.format(backend=settings.backend, io=settings.io_type)
    if source.design is not None:
        rows += _RTL.format(language={"verilog": "Verilog", "vhdl": "VHDL"}[source.design.language])
    rows += _CMSSW if cmssw else ""
    rows += _REPORT if source.facts is not None else ""
    return _README.format(
        name=source.name,
        version=__version__,
        digest=source.program.digest,
        rows=rows,
        namespace=namespace,
        events=f"{golden.events:,}",
        groups=", ".join(f"{count:,} {name}" for name, count in golden.groups.items()),
    )
