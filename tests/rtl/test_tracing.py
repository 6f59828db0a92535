"""A Program and its traced logic, run by alkaid's interpreter, give the same bits; the rest is refused."""

from __future__ import annotations

from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import random_programs
from hypothesis import HealthCheck, given, settings
from rtl_programs import Net, all_mantissas, differing, random_mantissas

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.matrices import Effort, Solver
from firmware_flows.rtl.support import obstacles
from firmware_flows.rtl.tracing import LARGEST_BITS, trace

BYTE = FixedPoint(8, 4)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_random_programs(data: st.DataObject) -> None:
    program = data.draw(random_programs.programs())
    events = data.draw(random_programs.events(program, 8))
    inputs = [p.type.quantize(e) for p, e in zip(program.inputs, events, strict=True)]
    inputs = [np.concatenate([i, r]) for i, r in zip(inputs, random_mantissas(program, 40), strict=True)]
    try:
        count = differing(program, inputs)
    except RtlError as error:
        refusal = str(error)
        assert f"alkaid carries {LARGEST_BITS}" in refusal or "constant" in refusal
        return
    assert count == 0


# ---- constants wider than alkaid's float32


@pytest.mark.parametrize("bits", [20, 24, 25, 31, 36])
def test_wide_weights_and_biases(bits: int) -> None:
    rng = np.random.default_rng(bits)
    net = Net()
    x = net.input("x", (4,), BYTE)
    weights = rng.integers(-(2**bits), 2**bits, (4, 3)) | 1
    y = net.affine(x, weights, 5, rng.integers(-(2 ** (bits + 6)), 2 ** (bits + 6), 3) | 1, 9)
    program = net.build(y)
    assert differing(program, random_mantissas(program, 500)) == 0


def test_linear_layers_in_a_row_whose_joint_weights_are_wide() -> None:
    rng = np.random.default_rng(2)
    net = Net()
    y = net.input("x", (3,), BYTE)
    for _ in range(3):
        y = net.affine(y, rng.integers(-4095, 4096, (3, 3)) | 1, 7)
    program = net.build(y)
    assert differing(program, random_mantissas(program, 500)) == 0


@pytest.mark.parametrize("overflow", ["SAT", "SAT_SYM", "SAT_ZERO", "WRAP"])
def test_limits_of_many_bits(overflow: str) -> None:
    net = Net()
    x = net.input("x", (), FixedPoint(40, 20))
    outputs = [net.cast(x, FixedPoint(33, 15, signed, "RND_CONV", overflow)) for signed in (True, False)]
    assert differing(net.build(*outputs), [all_mantissas(FixedPoint(40, 20))]) == 0


def test_wide_constants_in_every_combination() -> None:
    net = Net()
    x = net.input("x", (), FixedPoint(30, 30))
    outputs = []
    for number in (2**28 + 1, -(2**27) - 3, 7):
        constant = net.constant(np.array(number), 3)
        outputs += [net.combine(kind, x, constant) for kind in ("add", "subtract", "maximum", "minimum")]
        outputs += [net.combine("subtract", constant, x)]
    outputs.append(net.combine("multiply", net.cast(x, BYTE), net.constant(np.array(2**28 + 1), 3)))
    assert differing(net.build(*outputs), [all_mantissas(FixedPoint(30, 30))]) == 0


@pytest.mark.parametrize("largest", [100, 2**23, 2**26, 2**40])
def test_table_entries(largest: int) -> None:
    rng = np.random.default_rng(1)
    net = Net()
    x = net.input("x", (3,), FixedPoint(6, 2))
    one = net.table(x, rng.integers(-largest, largest, (1, 64)), 7)
    by_channel = net.table(x, rng.integers(0, largest, (3, 64)), -1)
    negative = net.table(net.cast(net.affine(x, -np.eye(3, dtype=int), 0), FixedPoint(6, 3)), np.arange(64)[None], 0)
    program = net.build(one, by_channel, negative)
    inputs = [np.stack([all_mantissas(FixedPoint(6, 2))] * 3, axis=1)]
    assert differing(program, inputs) == 0


# ---- instructions one by one, where something is special


def test_maximum_of_values_that_are_related() -> None:
    """alkaid's own max_of takes the top bit of a difference that cannot be negative for its sign."""
    net = Net()
    x = net.input("x", (2,), FixedPoint(4, 4, signed=False))
    double = net.affine(x, 2 * np.eye(2, dtype=int), 0)
    less = net.combine("subtract", x, net.constant(np.array(3), 0))
    outputs = [net.combine(kind, a, b) for kind in ("maximum", "minimum") for a, b in ((double, x), (x, less), (x, x))]
    inputs = [np.stack([np.arange(16), np.arange(16)[::-1]], axis=1)]
    assert differing(net.build(*outputs), inputs) == 0


def test_the_first_of_equals_wins() -> None:
    net = Net()
    x = net.input("x", (7,), FixedPoint(2, 2))
    late = net.cast(net.affine(x, np.eye(7, dtype=int)[:, ::-1] * 3, 0), FixedPoint(2, 2))
    never_larger = net.rearrange([net.input("u", (1,), FixedPoint(2, 2, signed=False))], [-1, 0, -1])
    program = net.build(
        net.argmax(x), net.argmax(net.rearrange([x, late], [0, 8, 1, 9, 2, 10, 3])), net.argmax(never_larger)
    )
    assert differing(program, random_mantissas(program, 3000)) == 0


@pytest.mark.parametrize("order", ["sequential", "tree"])
@pytest.mark.parametrize("kind", ["sum", "maximum", "minimum"])
def test_reductions_that_lose_bits(kind: str, order: str) -> None:
    net = Net()
    x = net.input("x", (5, 2), BYTE)
    y = net.reduce(kind, x, 0, FixedPoint(7, 4, True, "RND_CONV", "SAT"), order)
    z = net.reduce(kind, x, 1, FixedPoint(6, 3, True, "TRN", "WRAP"), order)
    program = net.build(y, z)
    assert differing(program, random_mantissas(program, 1000)) == 0


def test_a_product_and_an_accumulator_that_lose_bits() -> None:
    rng = np.random.default_rng(4)
    net = Net()
    x = net.input("x", (6,), BYTE)
    y = net.affine(
        x, rng.integers(-31, 32, (6, 3)), 5, rng.integers(-9, 9, 3), 3,
        FixedPoint(9, 5, True, "RND_ZERO", "SAT"), FixedPoint(8, 4, True, "RND_MIN_INF", "WRAP"),
    )  # fmt: skip
    program = net.build(y)
    assert differing(program, random_mantissas(program, 1000)) == 0


def test_inputs_that_nothing_depends_on_keep_their_place() -> None:
    net = Net()
    x = net.input("x", (4,), BYTE)
    unused = net.input("unused", (3,), BYTE)
    z = net.input("z", (1,), BYTE)
    assert unused == 1
    program = net.build(net.combine("add", net.rearrange([x], [2]), z))
    assert trace(program).combinational.shape[0] == 8
    assert differing(program, random_mantissas(program, 100)) == 0


def test_outputs_that_are_constant_beside_one_that_is_not() -> None:
    net = Net()
    x = net.input("x", (2,), BYTE)
    y = net.rearrange([x], [0, -1, 1], -(2**35) - 1)
    program = net.build(y, net.constant(np.array([2**40 + 1]), 3))
    logic = trace(program)
    assert [o for o in logic.outputs if isinstance(o, Fraction)] == [
        Fraction(-(2**35) - 1, 16), Fraction(2**40 + 1, 8)
    ]  # fmt: skip
    assert differing(program, random_mantissas(program, 50)) == 0


# ---- matrices


def test_positions_share_the_solution_of_their_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = []
    monkeypatch.setattr(
        Solver, "_solve", lambda self, *a, original=Solver._solve: (solved.append(1), original(self, *a))[1]
    )
    rng = np.random.default_rng(5)
    net = Net()
    x = net.input("x", (12, 5), BYTE)
    program = net.build(net.affine(x, rng.integers(-15, 16, (5, 4)), 3))
    assert differing(program, random_mantissas(program, 100)) == 0
    assert len(solved) == 1


def test_a_matrix_solved_in_blocks_is_as_exact_and_larger() -> None:
    rng = np.random.default_rng(6)
    net = Net()
    x = net.input("x", (16,), BYTE)
    program = net.build(net.affine(x, rng.integers(-63, 64, (16, 24)), 3))
    hasty = Effort(seconds=1e-3)
    assert differing(program, random_mantissas(program, 100), hasty) == 0
    assert trace(program).cost < trace(program, hasty).cost < 1.5 * trace(program).cost


# ---- refusals


def test_obstacles_are_found_without_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Solver, "products", lambda *a: pytest.fail("traced"))
    net = Net()
    x = net.input("x", (4,), FixedPoint(30, 10))
    wide = net.affine(x, np.full((4, 1), 2**24 - 1), 0)
    looked_up = net.table(net.cast(x, FixedPoint(17, 4)), np.arange(2**17)[None], 0)
    fine = net.affine(net.cast(x, BYTE), np.ones((4, 1), int), 0)
    found = obstacles(net.build(wide, looked_up, fine))
    assert {name: error.instruction for name, error in found.items()} == {"layer1": "affine", "layer3": "table"}
    assert obstacles(net.build(fine)) == {}


def test_sums_wider_than_float64_are_refused() -> None:
    net = Net()
    x = net.input("x", (4,), FixedPoint(30, 10))
    program = net.build(net.affine(x, np.full((4, 1), 2**24 - 1), 0))
    with pytest.raises(RtlError) as caught:
        trace(program)
    assert (caught.value.layer, caught.value.instruction) == ("layer1", "affine")
    assert "a number of 55 bits" in caught.value.reason
    assert caught.value.remedy


def test_a_table_of_many_entries_is_refused() -> None:
    net = Net()
    x = net.input("x", (1,), FixedPoint(17, 4))
    program = net.build(net.table(x, np.arange(2**17)[None], 0))
    with pytest.raises(RtlError, match=r"a table of 2\^17 entries"):
        trace(program)


def test_a_network_whose_outputs_are_all_constant_is_refused() -> None:
    net = Net()
    x = net.input("x", (2,), BYTE)
    with pytest.raises(RtlError, match="every output is constant"):
        trace(net.build(net.affine(x, np.zeros((2, 2), int), 0, [1, 2], 0)))
