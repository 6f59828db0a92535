"""Our RTL against its estimates: registers and cycles of the written design, LUT counted by Yosys.

    python benchmarks/rtl_estimates.py rtl_estimates.json PROGRAM@MHZ@PART...

PROGRAM is a `.ffp` file, for example of a finished run. The file goes into docs/estimation.md by
`python -m firmware_flows.estimation.fit FOLDER --write --rtl rtl_estimates.json`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import firmware_flows as ff
from firmware_flows.estimation import estimate
from firmware_flows.rtl import write_design
from firmware_flows.synthesis import synthesize


def compared(path: Path, clock_mhz: float, part: str, directory: Path) -> dict[str, Any]:
    """Measured values and estimated intervals of one Program at one clock."""
    program = ff.load_program(path)
    design = write_design(program, directory / "rtl", clock_mhz=clock_mhz, target=part)
    counts = {q.name: q.count for q in synthesize(design, directory / "synthesis", tool="yosys")[0].quantities}
    said = estimate(program, target=part, clock_mhz=clock_mhz, strategy="rtl").stages[0]
    pairs = {
        "latency": (design.pipeline_depth, said.latency),
        "ff": (design.register_bits, said.ff),
        "lut": (counts.get("LUT packed", counts["LUT"]), said.lut),
    }
    return {
        "program": program.name,
        "part": part,
        "clock_mhz": clock_mhz,
        **{name: [count, q.low, q.value, q.high] for name, (count, q) in pairs.items()},
    }


def main(arguments: list[str]) -> None:
    """Every design of the command line."""
    found = []
    for text in arguments[1:]:
        path, clock, part = text.rsplit("@", 2)
        with tempfile.TemporaryDirectory() as directory:
            found.append(compared(Path(path), float(clock), part, Path(directory)))
        print(json.dumps(found[-1]))
        Path(arguments[0]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
