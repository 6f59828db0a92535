"""Windows gathered in groups give the same integers as one by one, whatever they pick."""

from __future__ import annotations

from typing import Any
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from firmware_flows import execution_plan, window_groups
from firmware_flows.builder import Builder
from firmware_flows.emulator import emulate, trace_mantissas
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.interpreter import interpret
from firmware_flows.lowering.windows import windows
from firmware_flows.program import Program, Rearrange
from firmware_flows.window_groups import Groups, group_windows, run_length

PADDINGS = ["valid", "same", "causal"]


def _largest_group(indices: Any, size: int, n_out: int) -> Groups | None:
    """Every grouping that is possible, fast or not: the largest."""
    numbers = [n for n in range(2, len(indices) + 1) if len(indices) % n == 0]
    return window_groups._grouped(indices, numbers[-1]) if numbers else None


@st.composite
def picks(draw: st.DrawFn, sizes: tuple[int, int], channels: int) -> Any:
    """Indices of windows over (rows, columns, channels), or any indices at all: shape (windows..., n_in)."""
    count = sizes[0] * sizes[1] * channels
    if draw(st.booleans()):
        kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        strides, dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), draw(st.sampled_from([1, 1, 2]))
        w = windows(sizes, kernel, strides, (dilation,) * 2, draw(st.sampled_from(PADDINGS)))
        if min(w.results) > 0:
            return w.indices(channels).reshape(*w.results, -1)
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return rng.integers(-1, count, shape)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Program, int]:
    """One or two inputs joined, windows with any fill, a matrix, often a cast; sometimes the windows have a second
    reader. Also the number of the Rearrange."""
    sizes, channels = draw(st.tuples(st.integers(2, 6), st.integers(2, 6))), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    b = Builder("convolution")
    operands = []
    for k in range(draw(st.integers(1, 2))):
        t = FixedPoint(draw(st.sampled_from([4, 9, 20, 25])), draw(st.integers(-2, 4)), True, "RND", "SAT")
        b.begin_layer(f"x{k}", "Input")
        operands.append(b.input(f"x{k}", (*sizes, channels), t))
        b.end_layer(operands[-1])
    b.begin_layer("windows", "Any")
    indices = draw(picks((sizes[0] * len(operands), sizes[1]), channels))
    picked = b.rearrange(operands, indices, fill=draw(st.sampled_from([0, 0, -3, 5])))
    b.end_layer(picked)
    b.begin_layer("matrix", "Any")
    n_out, bits = draw(st.integers(1, 5)), draw(st.sampled_from([3, 12, 23]))
    weights = rng.integers(-(1 << bits), 1 << bits, (indices.shape[-1], n_out))
    bias = rng.integers(-9, 9, n_out) if draw(st.booleans()) else None
    value = b.affine(picked, weights, draw(st.integers(-2, 4)), bias, 1)
    b.end_layer(value)
    outputs = {"y": value}
    if draw(st.booleans()):
        b.begin_layer("cast", "Any")
        outputs["y"] = b.cast(value, FixedPoint(8, 3, True, "RND_CONV", "SAT"))
        b.end_layer(outputs["y"])
    if draw(st.integers(0, 4)) == 0:
        outputs["windows"] = picked
    return b.build(outputs), picked


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_groups_compute_the_same_integers(data: st.DataObject) -> None:
    program, _ = data.draw(convolutions())
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    arrays = [rng.normal(0, 4, (5, *i.shape)).astype(np.float32) for i in program.inputs]
    given_events = arrays if len(arrays) > 1 else arrays[0]
    wanted = list(interpret(program, [i.type.quantize(a) for i, a in zip(program.inputs, arrays, strict=True)]))
    choose = data.draw(st.sampled_from([_largest_group, group_windows]))
    with (
        mock.patch.object(execution_plan, "group_windows", choose),
        mock.patch.object(execution_plan, "BLOCK_BYTES", 1 << data.draw(st.sampled_from([0, 20]))),
    ):
        got = emulate(program, given_events, raw=True, threads=1)
        traced = trace_mantissas(program, given_events, threads=1)
    for output, value in zip(program.outputs, got if isinstance(got, tuple) else (got,), strict=True):
        np.testing.assert_array_equal(value, wanted[output.value], err_msg=program.to_text())
    for layer in program.layers:
        np.testing.assert_array_equal(traced[layer.name], wanted[layer.value], err_msg=program.to_text())


def _image(kernel: int, n_out: int, channels: int = 1, padding: str = "same") -> Any:
    w = windows((18, 14), (kernel, kernel), (1, 1), (1, 1), padding)
    indices = w.indices(channels)
    return indices.reshape(-1, kernel * kernel * channels), 18 * 14 * channels, n_out


def test_overlapping_windows_of_one_channel_are_grouped() -> None:
    indices, size, n_out = _image(3, 4)
    groups = group_windows(indices, size, n_out)
    assert groups is not None
    assert groups.indices.size < indices.size / 2
    number, n_in = groups.slots.shape
    np.testing.assert_array_equal(groups.indices[:, groups.slots].reshape(-1, n_in), indices)
    assert groups.weights(np.ones((n_in, n_out))).shape == (groups.indices.shape[1], number * n_out)


@pytest.mark.parametrize(("kernel", "n_out", "channels"), [(1, 4, 1), (3, 16, 16)])
def test_windows_that_share_nothing_or_multiply_much_stay_single(kernel: int, n_out: int, channels: int) -> None:
    assert group_windows(*_image(kernel, n_out, channels)) is None


def test_a_plan_picks_groups_only_where_nobody_else_reads_the_windows() -> None:
    indices, _, n_out = _image(3, 4)
    b = Builder("image")
    x = b.input("x", (18, 14, 1), FixedPoint(8, 4, True, "RND", "SAT"))
    picked = b.rearrange([x], indices)
    y = b.affine(picked, np.ones((9, n_out), np.int64), 0)
    program = b.build({"y": y})
    assert isinstance(program.instructions[picked], Rearrange)
    grouped = execution_plan.Plan(program)._memory.places[picked].bytes
    assert grouped < execution_plan.Plan(program, [picked, y])._memory.places[picked].bytes == 4 * indices.size


def test_runs_are_the_neighbours_picked_together() -> None:
    assert run_length(np.array([4, 5, 6, 7, 0, 1, 2, 3]), 8) == 4
    assert run_length(np.array([2, 3, -1, -1]), 8) == 2
    assert run_length(np.array([1, 2, 5, 6]), 8) == 1  # not from a multiple
    assert run_length(np.array([0, 1, -1, 3]), 8) == 1
    assert run_length(np.array([0, 1, 2, 3]), 7) == 1  # a source that is no multiple
