"""A design written by hand under Verilator: bits, timing, caching, threads, errors."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import hand_written_rtl
import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.errors import InputError, MissingToolError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.processes import ToolFailedError
from firmware_flows.rtl import Design, compiled, simulation
from firmware_flows.rtl.ports import ports_of
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


def test_registers_begin_with_random_bits(design: Any) -> None:
    library, x = simulation._library(design), [np.zeros((8, 3), np.int64)]
    first, second, again = (library.from_power_up(x, seed)[0] for seed in (1, 2, 1))
    assert (first[:3] != second[:3]).any()
    assert np.array_equal(first, again)
    assert np.array_equal(first[3:], second[3:])


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
    assert "verilator" in (library.parent / compiled.LOG).read_text()
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
    with pytest.raises(ToolFailedError, match="did not end within"):
        simulation.compile_design(hand_written_rtl.write(tmp_path / "slow"), timeout=1e-4)


WIDTHS = ((1, 1), (1, 5), (2, 4), (7, 3), (8, 1), (9, 7), (16, 1), (17, 2), (31, 3), (32, 1), (33, 1), (47, 5), (63, 3))


def test_ports_of_any_width_carry_every_bit(tmp_path: Path) -> None:
    """From a bit to hundreds: Verilator holds ports in numbers of four sizes, and in arrays."""
    b = Builder("through")
    values = {}
    for (width, size), signed in itertools.product(WIDTHS, (False, True)):
        name = f"{'s' if signed else 'u'}{width}_{size}"
        values[f"y{name}"] = b.input(f"x{name}", (size,), FixedPoint(width, width, signed))
    program = b.build(values)
    inputs, outputs = ports_of(program)
    ports = [f"input [{p.width - 1}:0] {p.name}" for p in inputs] + [
        f"output reg [{p.width - 1}:0] {p.name}" for p in outputs
    ]
    moves = "\n".join(f"{y.name} <= {x.name};" for x, y in zip(inputs, outputs, strict=True))
    (tmp_path / "through.v").write_text(
        f"module through (input clk, {', '.join(ports)});\nalways @(posedge clk) begin\n{moves}\nend\nendmodule\n"
    )
    made = Design(
        directory=tmp_path, program=program, language="verilog", top="through", sources=(Path("through.v"),),
        inputs=inputs, outputs=outputs, target="none", clock_mhz=200.0, pipeline_depth=1, cost=0.0, register_bits=0,
        longest_path=0.0,
    )  # fmt: skip
    rng = np.random.default_rng(3)
    given = tuple(
        rng.integers(p.type.minimum, p.type.maximum, (700, p.size), endpoint=True, dtype=np.int64) for p in inputs
    )
    for x, port in zip(given, inputs, strict=True):
        x[0], x[1] = port.type.minimum, port.type.maximum
    for x, y in zip(given, made.simulate_mantissas(given), strict=True):
        assert np.array_equal(x, y)
