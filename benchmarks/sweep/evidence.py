"""What the runs of the sweep have shown of each layer: `python -m benchmarks.sweep.evidence RESULTS...`.

Counts the results of runs (`runs/sweep/results.jsonl`) in which nothing failed into evidence.json, from which
docs/layers.md says how many networks agreed with hls4ml's C++. Counts of one layer are of the last runs given for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.sweep import runs
from benchmarks.sweep.cases import IO

PATH = Path(__file__).with_name("evidence.json")

Counts = dict[str, dict[str, int]]


def load() -> Counts:
    """Row -> networks that agreed in each form, and events on which Keras was a witness (`keras`)."""
    counts: Counts = json.loads(PATH.read_text(encoding="utf-8"))
    return counts


def counted(paths: Iterable[Path]) -> Counts:
    """Of these results. Raises ValueError where one failed: that is fixed first, and the run made again."""
    lines: dict[str, runs.Line] = {}
    for path in paths:
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # the run goes on: this line was being written
                continue
            runs.count(lines, line.get("outcomes", ()))
    failed = sorted(name for name, line in lines.items() if line.failed)
    if failed:
        raise ValueError(f"networks of these layers failed: {', '.join(failed)}")
    return {
        name: {**{form: line.agreed[form] for form in IO}, "keras": line.keras} for name, line in sorted(lines.items())
    }


def write(counts: Mapping[str, Mapping[str, int]]) -> None:
    lines = (f"  {json.dumps(name)}: {json.dumps(counts[name])}" for name in sorted(counts))
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write({**(load() if PATH.exists() else {}), **counted(map(Path, sys.argv[1:]))})
    print(f"wrote {PATH}")
