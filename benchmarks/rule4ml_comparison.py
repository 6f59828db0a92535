"""What rule4ml says of the dense networks in a table of vendor reports; for the comparison in docs/estimation.md.

In an environment of its own (`pip install rule4ml`; it does not go with this package's):

    python benchmarks/rule4ml_comparison.py vendor_reports.csv rule4ml.json

rule4ml knows three boards: a 7-series part is given as pynq-z2, any other as alveo-u200. It takes one precision for the
network: that of the first weights. It knows no clock (its training reports have one), no pruning and no multiplier
setting, so rows with a forced `mul_impl` are asked for all the same.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

NAMES = {"latency": "CYCLES", "interval": "INTERVAL", "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM"}


def rows(path: Path) -> list[tuple[dict[str, str], list[dict[str, Any]]]]:
    """Reports of quality A and A-, latency strategy, parallel, not edited by hand."""
    found = []
    with path.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            wanted = line["quality"] in ("A", "A-") and line["io_type"] == "io_parallel" and line["stage"] == "csynth"
            if wanted and line["strategy"].lower() == "latency" and line["hls_source"] == "hls4ml" and line["layers"]:
                found.append((line, json.loads(line["layers"])))
    return found


def network(layers: list[dict[str, Any]]) -> Any:
    """The Keras network of the sizes of a row; its weights do not matter to rule4ml."""
    import keras

    dense = [x for x in layers if x["type"] == "dense"]
    if not dense or any(x["type"] in ("gru_stack", "lstm_stack") for x in layers):
        raise ValueError("not a dense network")
    inputs = value = keras.layers.Input((int(dense[0]["n_in"]),))
    for layer in layers:
        if layer["type"] == "dense":
            value = keras.layers.Dense(int(layer["n_out"]))(value)
        elif layer["type"] in ("relu", "softmax"):
            value = keras.layers.Activation(layer["type"])(value)
    model = keras.Model(inputs, value)
    model.build((None, int(dense[0]["n_in"])))
    return model


def precision(layers: list[dict[str, Any]]) -> str:
    """Type of the first weights, as rule4ml writes it."""
    text = next(x["weight_type"] for x in layers if x["type"] == "dense")
    width, integer = re.match(r"ap_u?fixed<(\d+),\s*(-?\d+)", text).groups()  # type: ignore[union-attr]
    return f"ap_fixed<{width}, {integer}>"


def main(table: Path, output: Path) -> None:
    """Ask for every row; write the answers as JSON."""
    # TensorFlow and PyTorch of today do not live in one process: Keras on PyTorch, which rule4ml needs anyway.
    os.environ["KERAS_BACKEND"] = "torch"
    import torch  # noqa: F401 - before Keras
    from rule4ml.models.wrappers import MultiModelWrapper

    estimator = MultiModelWrapper()
    estimator.load_default_models()
    answers: list[dict[str, Any]] = []
    for line, layers in rows(table):
        entry: dict[str, Any] = {"row": line["row_id"], "version": version("rule4ml")}
        try:
            config = {
                "board": "pynq-z2" if line["part"].startswith("xc7") else "alveo-u200",
                "model": {
                    "strategy": "latency",
                    "precision": precision(layers),
                    "reuse_factor": int(line["reuse_factors"].split("|")[0]),
                },
            }
            answer = estimator.predict(network(layers), hls_configs=[config])
            entry |= {ours: float(answer[theirs].mean()) for ours, theirs in NAMES.items() if theirs in answer}
        except Exception as error:  # noqa: BLE001 - whatever it is, the table says it
            entry["error"] = f"{type(error).__name__}: {error}"[:200]
        answers.append(entry)
    output.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    print(f"{output}: {sum('error' not in a for a in answers)} of {len(answers)} rows")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
