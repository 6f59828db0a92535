"""The traced logic on disk, named by everything that it depends on, so that another clock or language is quick."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from firmware_flows.files import atomic_path
from firmware_flows.program import Program
from firmware_flows.rtl.alkaid_library import alkaid_version, reproducible
from firmware_flows.rtl.matrices import Effort
from firmware_flows.rtl.tracing import Logic

FORMAT = 1
"""Changes when the tracing does."""

FILE = "logic.json.gz"


def logic_key(program: Program, effort: Effort) -> str:
    """Hash of the Program, the options, and the versions."""
    value = {"format": FORMAT, "program": program.digest, "effort": asdict(effort), "alkaid": alkaid_version()}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def save_logic(logic: Logic, key: str, path: Path) -> None:
    """Write logic to a file, atomically; the same bytes for the same logic."""
    with tempfile.TemporaryDirectory(prefix="logic-") as scratch:
        plain = Path(scratch) / "logic.json"
        logic.combinational.save(plain)
        combinational = json.loads(plain.read_text())
    outputs = [[o.numerator, o.denominator] if isinstance(o, Fraction) else o for o in logic.outputs]
    text = json.dumps({"key": key, "outputs": outputs, "alkaid": combinational}, separators=(",", ":"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))


def load_logic(key: str, path: Path) -> Logic | None:
    """Logic written before under this key; None where there is none, or another's."""
    from alkaid.types import CombLogic

    try:
        document = json.loads(gzip.decompress(path.read_bytes()))
        if document["key"] != key:
            return None
        with reproducible():
            combinational = CombLogic.from_dict(document["alkaid"])
        return Logic(combinational, tuple(Fraction(*o) if isinstance(o, list) else o for o in document["outputs"]))
    except (OSError, ValueError, KeyError, EOFError):
        return None
