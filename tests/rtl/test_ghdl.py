"""A VHDL design written by hand under GHDL: the same bits, timing and errors as Verilog."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import hand_written_rtl
import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.errors import MissingToolError
from firmware_flows.processes import ToolFailedError
from firmware_flows.rtl import ghdl
from firmware_flows.rtl.timing import TimingError

needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="GHDL is not installed")


@needs_ghdl
@pytest.mark.parametrize("stages", [0, 3])
def test_bits_and_timing(stages: int, tmp_path: Path) -> None:
    design = hand_written_rtl.write(tmp_path / "design", stages=stages, language="vhdl")
    assert (design.latency_cycles, design.initiation_interval) == (stages, 1)
    x = np.random.default_rng(1).uniform(-12, 12, (3000, 3)).astype(np.float32)
    assert np.array_equal(design.simulate(x, raw=True), ff.emulate(design.program, x, raw=True))
    assert design.simulate(x[:0], raw=True).shape == (0, 2)
    v = ff.verify(design.program, design=design, random_events=800)
    assert v.passed, v.summary()
    rtl = next(f for f in v.forms if f.name == "RTL")
    assert rtl.compared == sum(min(n, 500) for n in v.groups.values())
    assert rtl.skipped == sum(v.groups.values()) - rtl.compared > 0
    assert "VHDL simulates slowly" in rtl.reason


@needs_ghdl
def test_a_flipped_bit_and_a_wrong_depth_are_found(tmp_path: Path) -> None:
    flipped = hand_written_rtl.write(tmp_path / "design", flip=True, language="vhdl")
    work = flipped.compile()
    v = ff.verify(flipped.program, design=flipped, random_events=500)
    assert not v.passed
    assert v.divergence is not None
    assert (v.divergence.form, v.divergence.element) == ("RTL", (1,))
    claimed = hand_written_rtl.write(tmp_path / "design", stated=2, language="vhdl")
    with pytest.raises(TimingError, match=r"3 clock cycles were measured .* states 2"):
        _ = claimed.latency_cycles
    assert not work.exists()  # replaced: the content is another


@needs_ghdl
def test_the_first_error_is_shown(tmp_path: Path) -> None:
    design = hand_written_rtl.write(tmp_path / "design", language="vhdl")
    source = tmp_path / "design" / "by_hand.vhd"
    good = source.read_text()
    source.write_text(good.replace("rising_edge", "rising_wedge"))
    with pytest.raises(ToolFailedError, match=r"ghdl: .*by_hand\.vhd:\d+:\d+:.*rising_wedge"):
        design.compile()
    source.write_text(good.replace("<= stage(3)", "<= (others => 'X')"))
    with pytest.raises(ghdl.UnknownValueError, match=r"output 'double' is 'X' in event 0"):
        ghdl.run(design, [np.zeros((4, 3), np.int64)], 3, None)


def test_where_ghdl_is_missing_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    design: Any = hand_written_rtl.write(tmp_path / "design", language="vhdl")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"GHDL is needed to simulate VHDL .* apt install ghdl"):
        design.compile()
