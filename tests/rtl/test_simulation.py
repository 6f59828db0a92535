"""A design written by hand under Verilator: bits, timing, caching, threads, errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hand_written_rtl
import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.errors import InputError, MissingToolError
from firmware_flows.rtl import simulation
from firmware_flows.rtl.processes import ToolFailedError
from firmware_flows.rtl.timing import TimingError
from firmware_flows.rtl.verilator import find_verilator

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Any:
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
    made = hand_written_rtl.write(tmp_path_factory.mktemp("rtl") / "design")
    made.compile()
    return made


def test_latency_and_interval_are_measured(design: Any) -> None:
    assert (design.latency_cycles, design.initiation_interval) == (3, 1)


def test_a_wrong_statement_of_the_depth_is_an_error_that_names_both(design: Any) -> None:
    with pytest.raises(TimingError, match=r"3 clock cycles were measured .* states 5"):
        _ = replace(design, pipeline_depth=5).latency_cycles


@pytest.mark.parametrize("events", [1, 2, 255, 30_000])
def test_every_bit_is_the_programs(design: Any, events: int) -> None:
    x = np.random.default_rng(events).uniform(-12, 12, (events, 3)).astype(np.float32)
    assert np.array_equal(design.simulate(x, raw=True), ff.emulate(design.program, x, raw=True))
    assert np.array_equal(design.simulate(x), ff.emulate(design.program, x))


def test_no_events_give_no_outputs(design: Any) -> None:
    assert design.simulate(np.zeros((0, 3)), raw=True).shape == (0, 2)


def test_mantissas_beyond_the_type_are_refused(design: Any) -> None:
    with pytest.raises(InputError, match="beyond"):
        design.simulate_mantissas((np.full((2, 3), 64),))
    with pytest.raises(InputError, match="give integers of shape"):
        design.simulate_mantissas((np.zeros((2, 3)),))


def test_verify_compares_the_rtl(design: Any) -> None:
    v = ff.verify(design.program, design=design, random_events=2000)
    assert v.passed, v.summary()
    compared = {f.name: f.compared for f in v.forms}
    assert compared["RTL"] == sum(v.groups.values()) > 4000


def test_it_is_compiled_once_per_content_and_again_when_that_changes(design: Any) -> None:
    library = design.compile()
    made = library.stat().st_mtime_ns
    seen: list[tuple[int, int]] = []
    assert design.compile(lambda done, total: seen.append((done, total))) == library
    assert library.stat().st_mtime_ns == made
    assert seen == []
    assert "verilator" in (library.parent / simulation.LOG).read_text()
    assert not list(library.parent.glob(".build-*"))

    changed = hand_written_rtl.write(design.directory, flip=True)
    assert changed.compile(lambda done, total: seen.append((done, total))) != library
    assert not library.exists()
    assert seen[0] == (0, 1)
    assert seen[-1][0] == seen[-1][1]

    # one bit of the design is wrong in one event of 128: the comparison finds it and says where
    v = ff.verify(changed.program, design=changed, random_events=2000)
    assert not v.passed
    assert v.divergence is not None
    assert (v.divergence.form, v.divergence.layer, v.divergence.element) == ("RTL", "double", (1,))
    assert v.divergence.expected ^ int(v.divergence.found * 8) == 1
    assert any("no inner layers" in remark for remark in v.remarks)


def test_the_first_error_of_the_tool_is_shown(design: Any, tmp_path: Path) -> None:
    broken = hand_written_rtl.write(tmp_path / "broken")
    source = tmp_path / "broken" / "by_hand.v"
    source.write_text(source.read_text().replace("endmodule", "assign nothing; endmodule"))
    with pytest.raises(ToolFailedError, match=r"verilator: %Error: .*by_hand\.v:\d+:\d+: syntax error"):
        broken.compile()
    with pytest.raises(ToolFailedError, match="not done after"):
        simulation.compile_design(hand_written_rtl.write(tmp_path / "slow"), timeout=1e-4)
