"""docs/layers.md, from the registry of layers: `python -m benchmarks.sweep.table` writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.sweep import evidence
from benchmarks.sweep.cases import IO, Case
from benchmarks.sweep.families import FAMILIES, GENERAL, GENERAL_RTL, UNAVAILABLE
from firmware_flows.lowering.refused import REFUSED
from firmware_flows.rtl.tracing import LARGEST_BITS, TABLE_BITS

PATH = Path(__file__).resolve().parents[2] / "docs" / "layers.md"

NOTHING = "-"

HEAD = """\
# Layers

Written by `make docs` from the registry of the sweep (`benchmarks/sweep/families`); the tests compare every statement
with the code. A network is converted exactly, or refused with the layer, the field, its value and a remedy.

- **exactly**: every bit is Keras' own, as long as Keras' float32 holds it.
- **hardware**: where stated (everywhere, if "exactly" is not), the layer is defined as hls4ml's C++ computes it, the
  report says so in a remark, and Keras is no reference for it or for what follows.
- **verified**: random networks of the layer (sizes, 1 to 16 bits, -8 to 8 integer bits, all options of the quantizers,
  a neighbour on each side, some of them nested models or shared layers) agree in every bit with hls4ml's compiled C++;
  the number is that of the last run kept in `benchmarks/sweep/evidence.json`. `make sweep` draws new ones, and the
  tests compile one of every layer.
- **RTL**: the layer's instructions become Verilog or VHDL (`firmware_flows.rtl.obstacles` finds none), whatever their
  number: what a network costs is predicted before it is written.
"""

FOOT = """\
Refused for any layer: {general}. No RTL, of any layer: {rtl}.

What hls4ml itself computes wrongly, or cannot compile, is in [hls4ml.md](hls4ml.md).
"""


def _lowered(case: Case) -> str:
    if not case.forms:
        return "refused"
    if any(r.always for r in case.remarks):
        return "hardware: " + "; ".join(r.text for r in case.remarks)
    if not case.remarks:
        return "exactly"
    return "exactly; hardware: " + "; ".join(r.text for r in case.remarks)


def _refused(case: Case) -> str:
    return "; ".join(r.when for r in case.refusals if r.stage == "lowering") or NOTHING


def _verified(form: str) -> Callable[[Case], str]:
    def cell(case: Case) -> str:
        whens = [r.when for r in case.refusals if r.stage == form]
        refused = ["refused: " + "; ".join(whens)] if whens else []
        if form not in case.forms:
            return "; ".join(refused) or NOTHING
        agreed = evidence.load().get(case.name, {}).get(form, 0)
        found = f"verified, {agreed} network{'s'[: agreed != 1]}" if agreed else "not verified yet"
        return "; ".join([found, *refused])

    return cell


def _rtl(case: Case) -> str:
    if not case.forms:
        return NOTHING
    whens = [r.when for r in case.refusals if r.stage == "rtl"]
    return "yes" + ("; not: " + "; ".join(whens) if whens else "")


COLUMNS: dict[str, Callable[[Case], str]] = {
    "layer": lambda case: case.name,
    "lowered": _lowered,
    "refused": _refused,
    **{f"csim io_{form}": _verified(form) for form in IO},
    "RTL": _rtl,
}
"""A line a column: head and what it says of a case."""


def text() -> str:
    """The whole document."""
    parts = [HEAD]
    for family, cases in FAMILIES.items():
        parts.append(f"## {family.capitalize()}\n")
        rows = [[column(case) for column in COLUMNS.values()] for case in cases]
        parts.append(_table(list(COLUMNS), rows))
    rtl = "; ".join(when.format(bits=LARGEST_BITS, table=TABLE_BITS) for _, when in GENERAL_RTL)
    parts.append(FOOT.format(general="; ".join(when for _, when in GENERAL), rtl=rtl))
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
