"""One small bundle, written once; tests that change something work on copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import firmware_flows as ff
from benchmarks.networks import dense_network
from firmware_flows.handoff.bundle import from_program, write_bundle
from firmware_flows.program import Program

METADATA = {
    "features": [f"pt {k}" for k in range(5)],
    "units": ["GeV"] * 5,
    "mean": [0.0, 1.0, 2.0, 3.0, 4.0],
    "std": [0.5] * 5,
    "classes": ["quark", "gluon", "top"],
}


@pytest.fixture(scope="session")
def small_program() -> Program:
    return replace(dense_network("tagger", (5, 6, 3)), metadata=METADATA)


@pytest.fixture(scope="session")
def pristine(small_program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with HLS and RTL; not to be changed."""
    directory = tmp_path_factory.mktemp("pristine")
    project = ff.hls.write_project(small_program, directory / "hls", clock_mhz=360)
    design = ff.rtl.write_design(small_program, directory / "rtl", vectors=50)
    return write_bundle(from_program(small_program, project, design), directory / "bundle", random_events=50)
