"""The header-only emulator on every adversarial event and 100,000 random ones, of the jet tagger's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_headers import CompiledHeaders

from benchmarks.networks import NETWORKS, dense_network
from firmware_flows.handoff.golden import golden_vectors


@pytest.mark.cpp
def test_all_adversarial_and_100_000_random_events(tmp_path: Path) -> None:
    program = dense_network("jets", NETWORKS["16-64-32-32-5"])
    golden = golden_vectors(program, random_events=100_000)
    assert golden.groups["random"] == 100_000
    assert {"input extremes", "rounding ties", "accumulator ends", "cast edges"} <= set(golden.groups)
    compiled = CompiledHeaders([program], tmp_path, "-O2")
    real = compiled.real(0, golden.inputs)
    integers = compiled.mantissas(0, golden.mantissas)
    assert real is not None
    assert integers is not None
    np.testing.assert_array_equal(real[0], golden.values()[0])
    np.testing.assert_array_equal(integers[0], golden.outputs[0])
