"""docs/layers.md, from the registry of layers: `python -m benchmarks.sweep.table` writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.sweep.cases import STAGES, Case
from benchmarks.sweep.families import FAMILIES, GENERAL, UNAVAILABLE
from firmware_flows.lowering.refused import REFUSED

PATH = Path(__file__).resolve().parents[2] / "docs" / "layers.md"

NOTHING = "-"

HEAD = """\
# Layers

Written by `make docs` from the registry of the sweep (`benchmarks/sweep/families`); the tests compare every statement
with the code. A network is converted exactly, or refused with the layer, the field, its value and a remedy.

- **exactly**: every bit is Keras' own, as long as Keras' float32 holds it.
- **hardware**: where stated, the layer is defined as hls4ml's C++ computes it, the report says so in a remark, and
  Keras is no reference for it or for what follows.
- **verified**: random networks of the layer (sizes, 1 to 16 bits, -8 to 8 integer bits, all options of the quantizers,
  a neighbour on each side) agree in every bit with hls4ml's compiled C++; `make sweep` draws new ones.
"""

FOOT = """\
Refused for any layer: {general}.

What hls4ml itself computes wrongly, or cannot compile, is in [hls4ml.md](hls4ml.md).
"""


def _lowered(case: Case) -> str:
    whens = [r.when for r in case.refusals if r.stage == "lowering"]
    if "always" in whens or any(w.startswith("always") for w in whens):
        return "refused"
    if not case.remarks:
        return "exactly"
    return "exactly; hardware: " + "; ".join(r.text for r in case.remarks)


def _refused(case: Case) -> str:
    return "; ".join(r.when for r in case.refusals if r.stage == "lowering") or NOTHING


def _verified(stage: str) -> Callable[[Case], str]:
    def cell(case: Case) -> str:
        whens = [r.when for r in case.refusals if r.stage == stage]
        if stage not in case.forms:
            return "refused: " + "; ".join(whens) if whens else NOTHING
        return "verified" + ("; refused: " + "; ".join(whens) if whens else "")

    return cell


COLUMNS: dict[str, Callable[[Case], str]] = {
    "layer": lambda case: case.name,
    "lowered": _lowered,
    "refused": _refused,
    **{f"csim io_{stage}": _verified(stage) for stage in STAGES[1:]},
}
"""A line a column: head and what it says of a case."""


def text() -> str:
    """The whole document."""
    parts = [HEAD]
    for family, cases in FAMILIES.items():
        parts.append(f"## {family.capitalize()}\n")
        rows = [[column(case) for column in COLUMNS.values()] for case in cases]
        parts.append(_table(list(COLUMNS), rows))
    parts.append(FOOT.format(general="; ".join(when for _, when in GENERAL)))
    parts.append("## Not converted\n")
    parts.append(_table(["layer", "why", "instead"], [[name, why, remedy] for name, (why, remedy) in REFUSED.items()]))
    parts.append("## Known to the lowering, but not to QKeras 1.2\n")
    parts.append(_table(["layer"], [[name] for name in UNAVAILABLE]))
    return "\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(f"wrote {PATH}")
