"""The emulator header computes the bits of the Program: all instructions, all modes, numbers of up to 62 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_programs
from compiled_headers import CompiledHeaders
from hypothesis import HealthCheck, Phase, given, seed, settings

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint, all_modes
from firmware_flows.handoff.cpp import header_text, namespace_of
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program

pytestmark = pytest.mark.cpp

EVENTS = 71  # two whole blocks and a part of one


def _random_programs(count: int) -> list[Program]:
    programs: list[Program] = []

    @seed(20)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(random_programs.programs(all_outputs=True))
    def collect(program: Program) -> None:
        programs.append(program)

    collect()
    return programs


def _casts() -> list[Program]:
    """Every pair of modes: an input beyond the type, then a cast that loses bits at both ends, and one that gains."""
    programs = []
    for rounding, overflow in all_modes():
        b = Builder("casts")
        for k, signed in enumerate((True, False)):
            b.begin_layer(f"x{k}", "Input")
            x = b.input(f"x{k}", (5,), FixedPoint(12, 5, signed, rounding, overflow))
            b.end_layer(x)
            for n, t in enumerate([(7, 3, True), (7, 3, False), (30, 2, True), (1, 1, True), (6, -40, True)]):
                b.begin_layer(f"cast_{k}_{n}", "Quantize", [f"x{k}"])
                b.end_layer(b.cast(x, FixedPoint(*t, rounding, overflow)))
        programs.append(b.build({f"y{v}": v for v in range(len(b.instructions))}))
    return programs


ODD = ("int", 'a "quoted" \\ µ', "two\nlines */ // \\")


def _odd_names() -> Program:
    """Names that mean something in C++."""
    b = Builder(ODD[2])
    for name in ODD:
        b.begin_layer(name, "Input")
        b.end_layer(b.input(name, (2,), FixedPoint(5, 3)))
    return b.build({name: k for k, name in enumerate(ODD)})


def _expected(program: Program, mantissas: list[Any]) -> list[Any]:
    values = list(interpret(program, [m.astype(object) for m in mantissas]))
    return [np.broadcast_to(values[o.value], (EVENTS, *program.instructions[o.value].shape)) for o in program.outputs]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledHeaders:
    return CompiledHeaders([_odd_names(), *_random_programs(30), *_casts()], tmp_path_factory.mktemp("headers"))


def test_mantissas_of_every_program_agree(compiled: CompiledHeaders) -> None:
    random = np.random.default_rng(1)
    for number, program in enumerate(compiled.programs):
        inputs = []
        for i in program.inputs:
            ends = np.array([i.type.lowest, i.type.maximum, 0, min(1, i.type.maximum)])
            shape = (EVENTS, *i.shape)
            anywhere = random.integers(i.type.lowest, i.type.maximum, shape, endpoint=True)
            inputs.append(np.where(random.random(shape) < 0.5, random.choice(ends, shape), anywhere))
        found = compiled.mantissas(number, inputs)
        assert found is not None
        for output, want, have in zip(program.outputs, _expected(program, inputs), found, strict=True):
            np.testing.assert_array_equal(have, want.astype(np.int64), err_msg=f"{output}\n{program.to_text()}")


def test_real_numbers_are_rounded_and_limited_as_the_types_say(compiled: CompiledHeaders) -> None:
    random, tested = np.random.default_rng(2), 0
    for number, program in enumerate(compiled.programs):
        if not compiled.has_real(number):
            continue
        inputs = []
        for i in program.inputs:
            shape = (EVENTS, *i.shape)
            anywhere = random.standard_normal(shape) * 10.0 ** random.integers(-30, 30, shape)
            ties = random.integers(-(2**20), 2**20, shape) * 2.0 ** (-i.type.fractional - 2)
            inputs.append(np.where(random.random(shape) < 0.3, anywhere, ties).astype(np.float32))
        expected = _expected(program, [i.type.quantize(x) for i, x in zip(program.inputs, inputs, strict=True)])
        found = compiled.real(number, inputs)
        assert found is not None
        for output, want, have in zip(program.outputs, expected, found, strict=True):
            fractional = program.instructions[output.value].type.fractional
            exact = np.ldexp(want.astype(np.float64), -fractional)
            np.testing.assert_array_equal(have, exact, err_msg=f"{output}\n{program.to_text()}")
            tested += have.size
    assert tested > 10_000


def test_what_is_no_number_or_beyond_the_type_is_refused(compiled: CompiledHeaders) -> None:
    number = len(compiled.programs) - 1
    shapes = [i.shape for i in compiled.programs[number].inputs]
    for bad in (np.nan, np.inf, -np.inf):
        inputs = [np.zeros((EVENTS, *shape), np.float32) for shape in shapes]
        inputs[1][40, 2] = bad
        assert compiled.real(number, inputs) is None
    beyond = [np.zeros((EVENTS, *shape), np.int64) for shape in shapes]
    assert compiled.mantissas(number, beyond) is not None
    beyond[0][3, 1] = compiled.programs[number].inputs[0].type.maximum + 1
    assert compiled.mantissas(number, beyond) is None


def test_every_symbol_is_in_a_namespace_of_the_program_and_the_text_is_reproducible() -> None:
    first, second = _casts()[:2]
    assert namespace_of(first) != namespace_of(second)
    assert header_text(first) == header_text(first)
    assert f"namespace {namespace_of(first)} {{" in header_text(first)


def test_a_flipped_weight_is_seen(tmp_path: Path) -> None:
    b = Builder("dense")
    b.begin_layer("x", "Input")
    x = b.input("x", (3,), FixedPoint(6, 3))
    b.end_layer(x)
    b.begin_layer("y", "Dense", ["x"])
    y = b.affine(x, np.array([[1], [2], [3]]), 1, np.array([0]), 0)
    b.end_layer(y)
    program = b.build({"y": y})
    whole, flipped = tmp_path / "whole", tmp_path / "flipped"
    whole.mkdir()
    flipped.mkdir()
    events = (np.arange(-32, 31).reshape(-1, 3) / 8).astype(np.float32)
    expected = ff.emulate(program, events)
    right = CompiledHeaders([program], whole).real(0, [events])
    wrong = CompiledHeaders([program], flipped, change=lambda text: text.replace("2.f,3.f}", "2.f,4.f}")).real(
        0, [events]
    )
    assert right is not None
    assert wrong is not None
    np.testing.assert_array_equal(right[0], expected)
    assert not np.array_equal(wrong[0], expected)
