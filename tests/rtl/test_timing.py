"""Latency and interval from outputs, on pipelines modelled here: good ones, and every kind of bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hand_written_rtl import BIAS, WEIGHTS, small_program

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.rtl.ports import Mantissas, ports_of
from firmware_flows.rtl.timing import TimingError, measure_timing

Outputs = Callable[[Mantissas], Any]


def answer(x: Mantissas) -> Any:
    return x @ WEIGHTS + BIAS


def pipeline(stages: int, logic: Outputs = answer) -> Any:
    """Outputs in every clock cycle; what comes out before the first event is random."""

    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        y = logic(inputs[0])
        before = np.random.default_rng(seed).integers(-50, 50, (stages, y.shape[1]))
        return [np.concatenate([before, y])[: len(y)]]

    return cycles


def measured(cycles: Any, stated: int | None = None) -> tuple[int, int]:
    program = small_program()
    return measure_timing(program, ports_of(program)[0], cycles, stated)


@pytest.mark.parametrize("stages", [0, 1, 7, 40, 700])
def test_pipelines_are_measured_whatever_their_depth(stages: int) -> None:
    assert measured(pipeline(stages), stages) == (stages, 1)


@pytest.mark.parametrize(("stages", "stated"), [(4, 3), (3, 4), (65, 64), (130, 2), (0, 1)])
def test_what_the_generator_states_must_be_what_is_measured(stages: int, stated: int) -> None:
    with pytest.raises(TimingError, match=f"{stages} clock cycles were measured .* states {stated}") as caught:
        measured(pipeline(stages), stated)
    assert (caught.value.measured, caught.value.stated) == (stages, stated)
    assert caught.value.exit_code == 1


def test_outputs_that_never_change_are_no_answer() -> None:
    with pytest.raises(TimingError, match="do not answer within"):
        measured(pipeline(3, lambda x: np.zeros((len(x), 2), np.int64)), 3)


def test_outputs_that_do_not_come_to_rest_are_refused() -> None:
    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        y = pipeline(3)(inputs, seed)[0]
        return [y + (np.arange(len(y)) & (inputs[0] != 0).any(axis=1))[:, None]]

    with pytest.raises(TimingError, match="do not come to rest"):
        measured(cycles)


def test_outputs_that_come_at_different_times_are_refused() -> None:
    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        late, early = pipeline(5)(inputs, seed)[0], pipeline(4)(inputs, seed)[0]
        return [np.stack([late[:, 0], early[:, 1]], axis=1)]

    with pytest.raises(TimingError, match=r"begin to change 4 .* complete after 5"):
        measured(cycles)


def test_neighbours_that_disturb_each_other_are_found() -> None:
    def disturbed(x: Mantissas) -> Any:
        y = answer(x)
        y[1:, 0] ^= (x[1:, 0] ^ x[:-1, 0]) & 1  # nothing while an event is held
        return y

    with pytest.raises(TimingError, match=r"begin to change 3 .* complete after 4"):
        measured(pipeline(3, disturbed))


def test_a_disturbance_that_only_single_events_show_makes_the_interval_longer() -> None:
    def disturbed(x: Mantissas) -> Any:
        y, changes = answer(x), (x[1:] != x[:-1]).any(axis=1)
        y[1:-1][changes[1:] & changes[:-1]] += 1  # other neighbours on both sides
        return y

    assert measured(pipeline(3, disturbed)) == (3, 2)
    with pytest.raises(TimingError, match="do not give the outputs that they give alone"):
        measured(pipeline(0, disturbed))


def test_a_design_that_takes_an_event_every_third_clock_has_interval_three() -> None:
    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        x, latched = inputs[0], np.zeros_like(inputs[0])
        busy, now = 0, np.zeros(3, np.int64)
        for cycle, event in enumerate(x):
            latched[cycle] = now
            if busy:
                busy -= 1
            elif (event != now).any():
                now, busy = event, 2
        return pipeline(4)([latched], seed)

    assert measured(cycles) == (5, 3)


def test_a_latency_that_depends_on_the_event_is_refused() -> None:
    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        x = inputs[0]
        slow = pipeline(6)([x], seed)[0]
        return [np.where((x == 0).all(axis=1)[:, None], answer(x), slow)]

    with pytest.raises(TimingError):
        measured(cycles)


def test_outputs_that_depend_on_more_than_the_inputs_are_refused() -> None:
    runs: list[int] = []

    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        runs.append(1)
        return [answer(inputs[0]) + len(runs)]

    with pytest.raises(TimingError, match="more than the inputs"):
        measured(cycles)


def test_a_network_that_always_answers_the_same_has_nothing_to_observe() -> None:
    b = Builder("constant")
    b.begin_layer("x", "Input")
    x = b.input("x", (3,), FixedPoint.parse("ap_fixed<7,4,RND,SAT>"))
    b.end_layer(x)
    b.begin_layer("dense", "Dense", ["x"])
    y = b.affine(x, np.zeros((3, 2), np.int64), 0, BIAS, 3)
    b.end_layer(y)
    program = b.build({"y": y})
    inputs = ports_of(program)[0]
    constant = pipeline(4, lambda x: np.broadcast_to(BIAS, (len(x), 2)))
    assert measure_timing(program, inputs, constant, 9) == (4, 1)
    with pytest.raises(TimingError, match="the RTL does not"):
        measure_timing(program, inputs, pipeline(4), 4)
