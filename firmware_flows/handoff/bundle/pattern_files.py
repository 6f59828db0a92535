"""Golden vectors as the files that boards play and capture: EMPv1, EMPv2 and APx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_flows.handoff.golden import Golden
from firmware_flows.handoff.patterns import (
    LinkLayout,
    events_to_channels,
    to_words,
    write_apx,
    write_empv1,
    write_empv2,
)
from firmware_flows.rtl.ports import Port

FILES = 4
"""Files a side and format: each holds as many events as the boards' buffers."""

FORMATS: dict[str, Callable[..., str]] = {"empv1": write_empv1, "empv2": write_empv2, "apx": write_apx}

_README = """# Pattern files

{events} of the {all} golden events, spread evenly over them, in the formats of the EMP framework (`empv1`, `empv2`) and
of the APx boards (`apx`). `events.txt` says which: line k (from 0) is the number, from 0, of the line in
`../vectors/*.hex`.

An event is a packet of 64-bit words, lowest bits first; each port begins with a new word. Packets begin at frame
{lead} and every {period} frames after (time multiplexing {tmux}, {frames} frames a crossing), in the files of outputs
too: a captured file is shifted by the latency, so compare packets, not frames.

| side | ports | words an event | links |
|---|---|---|---|
{rows}

With more than one link, words fill the first link, then the next.
"""


def write_patterns(golden: Golden, directory: Path) -> None:
    """FORMAT/inputs_NN.txt and outputs_NN.txt, a README, and which events they hold."""
    depth = LinkLayout().events_per_file * FILES
    chosen = np.unique(np.linspace(0, golden.events - 1, min(golden.events, depth)).astype(np.int64))
    rows = []
    for side, ports, arrays in zip(
        ("inputs", "outputs"), golden.ports, (golden.mantissas, golden.outputs), strict=True
    ):
        words = np.concatenate([_words(p, a[chosen]) for p, a in zip(ports, arrays, strict=True)], axis=1)
        layout = LinkLayout.for_bits(64 * words.shape[1])
        for number, channels in enumerate(events_to_channels(words, layout)):
            for name, write in FORMATS.items():
                path = directory / name / f"{side}_{number:02d}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(write(channels), encoding="ascii")
        names = ", ".join(f"{p.name} ({p.width} bits)" for p in ports)
        rows.append(f"| {side} | {names} | {words.shape[1]} | {layout.links} |")
    (directory / "events.txt").write_text("".join(f"{k}\n" for k in chosen.tolist()), encoding="ascii")
    layout = LinkLayout()
    text = _README.format(
        events=len(chosen), all=golden.events, lead=layout.lead, period=layout.period, tmux=layout.time_multiplexing,
        frames=layout.frames_per_crossing, rows="\n".join(rows),
    )  # fmt: skip
    (directory / "README.md").write_text(text, encoding="utf-8")


def _words(port: Port, mantissas: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    return to_words(port.pack(mantissas))
