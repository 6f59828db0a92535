"""The emulator against the plain interpreter and against a second definition of all instructions, with fractions."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from fraction_programs import evaluate
from hypothesis import HealthCheck, given, settings
from random_programs import events, programs
from small_networks import dense_network, two_ports
from threadpoolctl import threadpool_info

from firmware_flows import execution_plan
from firmware_flows.builder import Builder
from firmware_flows.carriers import CarrierError
from firmware_flows.emulator import classify, emulate, trace, trace_mantissas
from firmware_flows.errors import FirmwareFlowsError, InputError
from firmware_flows.events import finite_float32
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program, ProgramError

EVENTS, REPEATS = 3, 13


def mantissas_by_fractions(program: Program, arrays: list[npt.NDArray[np.float32]]) -> list[npt.NDArray[Any]]:
    """The mantissas of all values (events, ...), by the second definition."""
    by_event = [evaluate(program, [a[k] for a in arrays]) for k in range(EVENTS)]
    result = []
    for number, i in enumerate(program.instructions):
        scale = Fraction(2) ** i.type.fractional
        stacked = np.empty((EVENTS, *i.shape), dtype=object)
        for k in range(EVENTS):
            for index in np.ndindex(*i.shape):
                exact = by_event[k][number][index] * scale
                assert exact.denominator == 1
                stacked[(k, *index)] = int(exact)
        result.append(stacked)
    return result


def same(one: Any, other: Any) -> bool:
    one, other = np.broadcast_arrays(one, other)
    return bool((one == other).all())


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_form_computes_the_same_integers(data: st.DataObject) -> None:
    program = data.draw(programs())
    arrays = data.draw(events(program, EVENTS))
    expected = mantissas_by_fractions(program, arrays)
    rounded = [i.type.quantize(finite_float32(a, i.port, 0)) for i, a in zip(program.inputs, arrays, strict=True)]
    for dtype in (np.int64, object):
        for number, value in enumerate(interpret(program, [r.astype(dtype) for r in rounded])):
            assert value.dtype == dtype
            assert same(value, expected[number]), f"interpreter, {dtype}, %{number}\n{program.to_text()}"
    for number, interval in enumerate(program.ranges):
        assert (expected[number] >= interval.low).all(), f"%{number} below its range\n{program.to_text()}"
        assert (expected[number] <= interval.high).all(), f"%{number} above its range\n{program.to_text()}"
    repeated = [np.concatenate([a] * REPEATS) for a in arrays]
    given_events = repeated if len(arrays) > 1 else repeated[0]
    with mock.patch.object(execution_plan, "BLOCK_BYTES", 1):  # several blocks, the last one smaller
        outputs = emulate(program, given_events, raw=True, threads=data.draw(st.integers(1, 2)))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for output, raw in zip(program.outputs, outputs, strict=True):
        assert raw.dtype == np.int64
        assert raw.shape == (EVENTS * REPEATS, *program.instructions[output.value].shape)
        wanted = np.concatenate([expected[output.value]] * REPEATS)
        assert same(raw, wanted), f"emulator, {output.name}\n{program.to_text()}"
    traced = trace_mantissas(program, arrays if len(arrays) > 1 else arrays[0])
    for layer in program.layers:
        assert same(traced[layer.name], expected[layer.value]), f"trace, {layer.name}\n{program.to_text()}"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_real_numbers_are_the_mantissas_scaled(data: st.DataObject) -> None:
    program = data.draw(programs())
    arrays = data.draw(events(program, EVENTS))
    given_events = arrays if len(arrays) > 1 else arrays[0]
    raw = emulate(program, given_events, raw=True, threads=1)
    if any(program.ranges[o.value].magnitude > 2**53 for o in program.outputs):
        with pytest.raises(CarrierError, match="ask for mantissas"):
            emulate(program, given_events, threads=1)
        return
    real = emulate(program, given_events, threads=1)
    if len(program.outputs) == 1:
        raw, real = (raw,), (real,)
    for output, mantissas, numbers in zip(program.outputs, raw, real, strict=True):
        assert numbers.dtype == np.float64
        wanted = program.instructions[output.value].type.to_float(mantissas)
        assert numbers.tobytes() == wanted.tobytes()  # no negative zeros either


# ---- the ends of the carriers


def dot_product(bits: int, input_bits: int = 12) -> Program:
    """One Affine of which the largest sum is as near to 2**bits from below as two weights allow."""
    b = Builder(f"{bits} bits")
    x = b.input("x", (2,), FixedPoint(input_bits, input_bits, True, "RND", "SAT"))
    weight = (2**bits) // 2 ** (input_bits - 1) // 2
    return b.build({"y": b.affine(x, [[weight], [weight]], 0, [0], 0)})


@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.parametrize(("bits", "carriers"), [(24, ("float32", "float64")), (53, ("float64", "int64"))])
def test_carriers_change_at_their_last_exact_integer(bits: int, carriers: tuple[str, str], above: int) -> None:
    b = Builder("boundary")
    x = b.input("x", (2,), FixedPoint(2, 2, True, "RND", "SAT"))  # -2 to 1
    weight = 2 ** (bits - 2)
    y = b.affine(x, [[weight], [weight]], 0, [-above], 0)  # from -2**bits (- 1) up
    program = b.build({"y": y})
    assert program.ranges[y].lowest == -(2**bits) - above
    plan = execution_plan.Plan(program)
    assert plan.carriers[y] == carriers[above]
    values = np.array([[-2, -2], [-2, 1], [1, 1], [0, 1], [-2, 0]])
    wanted = values.sum(axis=1) * weight - above
    assert emulate(program, values, raw=True)[:, 0].tolist() == wanted.tolist()


@pytest.mark.parametrize("bits", [23, 24, 25, 52, 53, 54, 61])
def test_sums_about_the_carriers_ends_are_exact(bits: int) -> None:
    program = dot_product(bits)
    x = np.array([[2047, 2047], [2047, 2046], [-2048, -2048], [-2048, -2047], [1, 0], [-1, 1]])
    weight = int(program.instructions[1].weights[0, 0])  # type: ignore[attr-defined]
    assert emulate(program, x, raw=True)[:, 0].tolist() == (x.sum(axis=1) * weight).tolist()


def test_too_many_bits_are_refused() -> None:
    b = Builder("wide")
    b.begin_layer("x", "Input")
    x = b.input("x", (4,), FixedPoint(30, 30, True, "TRN", "SAT"))
    b.end_layer(x)
    b.begin_layer("sum", "Dense", ["x"])
    y = b.affine(x, np.full((4, 2), 2**32), 0)
    b.end_layer(y)
    program = b.build({"y": y})
    with pytest.raises(CarrierError, match="'sum' needs 64 bits, more than the 63 that are carried") as caught:
        emulate(program, np.zeros((1, 4)))
    assert (caught.value.layer, caught.value.bits) == ("sum", 64)
    assert isinstance(caught.value, FirmwareFlowsError)


def test_an_upward_shift_beyond_63_bits_is_refused_and_one_below_is_exact() -> None:
    for fractional, fits in ((40, True), (60, False)):
        b = Builder("shift")
        x = b.input("x", (1,), FixedPoint(8, 8, True, "TRN", "SAT"))
        program = b.build({"y": b.cast(x, FixedPoint(8 + fractional, 8))})
        if fits:
            assert emulate(program, [[-3.0]], raw=True).tolist() == [[-3 << fractional]]
        else:
            with pytest.raises(CarrierError):
                emulate(program, [[-3.0]], raw=True)


# ---- events


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.uint16, np.int64, ">f4", ">f8", bool]
)
def test_any_real_type_is_converted_once_to_float32(dtype: Any) -> None:
    program = dense_network([4, 6, 3])
    x = np.random.default_rng(1).integers(0, 9, (50, 4)).astype(dtype)
    wanted = emulate(program, x.astype(np.float32))
    assert np.array_equal(emulate(program, x), wanted)
    assert np.array_equal(emulate(program, np.asfortranarray(x)), wanted)
    assert np.array_equal(emulate(program, x[::-1])[::-1], wanted)


def test_a_double_is_rounded_to_float32_first() -> None:
    b = Builder("tie")
    program = b.build({"y": b.input("x", (1,), FixedPoint(8, 8, True, "RND", "SAT"))})
    beside_a_tie = 2.5 - 2.0**-40  # a float32 cannot tell it from the tie
    assert emulate(program, np.array([[beside_a_tie]])).tolist() == [[3.0]]


def test_the_events_are_not_changed() -> None:
    program = dense_network([4, 6, 3])
    x = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    before = x.copy()
    first = emulate(program, x)
    kept = first.copy()
    emulate(program, x + 1)
    assert np.array_equal(x, before)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, -1e300])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_no_finite_float32_is_refused(bad: float, threads: int) -> None:
    program = dense_network([4, 6, 3])
    with mock.patch.object(execution_plan, "BLOCK_BYTES", 1):
        x = np.zeros((100, 4))
        x[70:, 2] = bad
        with pytest.raises(InputError, match=r"event 70, element \(2,\) of 'x' is .*not a finite float32") as caught:
            emulate(program, x, threads=threads)
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="event 70"):
        trace(program, x)


def test_large_finite_numbers_are_no_error() -> None:
    program = dense_network([4, 6, 3])
    x = np.array([[3e38, -3e38, 1e-45, -1e-45]], dtype=np.float32)
    assert np.array_equal(emulate(program, x), emulate(program, [[100.0, -100.0, 0.0, 0.0]]))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 3)), r"'x' have shape \(5, 3\): give \(events, 4\)"),
        (np.zeros(4), r"'x' have shape \(4,\)"),
        (np.float32(1), r"'x' have shape \(\)"),
        (np.zeros((5, 4), complex), "complex128: give real numbers"),
        (np.array([["a"] * 4]), "<U1: give real numbers"),
        ([[1, 2, 3, 4], [1, 2]], "'x' are no array"),
        ({"z": np.zeros((5, 4))}, r"inputs \['z'\] given, but '4-6-3' has \['x'\]"),
    ],
)
def test_wrong_events_are_refused(x: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        emulate(dense_network([4, 6, 3]), x)


def test_several_inputs_and_outputs() -> None:
    program = two_ports()
    a, b = np.array([[1, 2, 3], [0, 0, 0]]), np.array([[0, 5, 1], [-1, -1, 0.5]])
    for given_events in ([a, b], (a, b), {"b": b, "a": a}):
        difference, largest, constant = emulate(program, given_events)
        assert np.array_equal(difference, a - b)
        assert largest.tolist() == [2, 1]
        assert constant.tolist() == [[0.5, -1.0], [0.5, -1.0]]
    with pytest.raises(InputError, match="2 inputs: give one array for each"):
        emulate(program, [a])
    with pytest.raises(InputError, match="2 inputs"):
        emulate(program, a)
    with pytest.raises(InputError, match=r"different numbers of events: \[2, 1\]"):
        emulate(program, [a, b[:1]])
    with pytest.raises(InputError, match=r"inputs \['a'\] given"):
        emulate(program, {"a": a})


@pytest.mark.parametrize("count", [0, 1])
def test_no_event_and_one(count: int) -> None:
    program = two_ports()
    x = np.ones((count, 3))
    difference, largest, constant = emulate(program, [x, x])
    assert (difference.shape, largest.shape, constant.shape) == ((count, 3), (count,), (count, 2))
    network = dense_network([4, 6, 3])
    assert emulate(network, np.ones((count, 4)), raw=True).shape == (count, 3)
    assert {name: v.shape for name, v in trace(network, np.ones((count, 4))).items()}["relu0"] == (count, 6)
    assert classify(network, np.ones((count, 4))).shape == (count,)


# ---- blocks, threads, progress


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("block_bytes", [1, 1 << 12, 1 << 19])
def test_blocks_and_threads_change_nothing(threads: int, block_bytes: int) -> None:
    x = np.random.default_rng(3).normal(0, 10, (1003, 8)).astype(np.float32)
    wanted = np.concatenate([emulate(dense_network([8, 16, 5]), x[k : k + 1]) for k in range(0, 1003, 50)])
    with mock.patch.object(execution_plan, "BLOCK_BYTES", block_bytes):
        program = dense_network([8, 16, 5])
        y = emulate(program, x, threads=threads)
        assert np.array_equal(y[::50], wanted)
        traced = trace(program, x, threads=threads)
    assert np.array_equal(traced["dense1"], y)
    assert list(traced) == [layer.name for layer in program.layers]


@pytest.mark.parametrize("threads", [0, -1, "all"])
def test_a_number_of_threads_that_is_none(threads: Any) -> None:
    with pytest.raises(InputError, match=r"threads = .*: give a positive number"):
        emulate(dense_network([4, 3]), np.zeros((2, 4)), threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_grows_to_the_total(threads: int) -> None:
    calls: list[tuple[int, int]] = []
    with mock.patch.object(execution_plan, "BLOCK_BYTES", 1):
        emulate(dense_network([4, 6, 3]), np.zeros((100, 4)), threads=threads, progress=lambda *a: calls.append(a))
    done = [d for d, _ in calls]
    assert done == sorted(done)
    assert len(set(done)) == len(done)
    assert calls[-1] == (100, 100)
    assert {total for _, total in calls} == {100}


def test_an_error_in_the_progress_callback_ends_the_run() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with mock.patch.object(execution_plan, "BLOCK_BYTES", 1), pytest.raises(KeyboardInterrupt):
        emulate(dense_network([4, 6, 3]), np.zeros((1000, 4)), threads=2, progress=stop)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_positive(threads: int) -> None:
    with pytest.raises(InputError, match=f"threads = {threads}"):
        emulate(dense_network([4, 6, 3]), np.zeros((1, 4)), threads=threads)


def test_blas_gets_its_threads_back() -> None:
    before = [(i["filepath"], i["num_threads"]) for i in threadpool_info()]
    emulate(dense_network([4, 6, 3]), np.zeros((10, 4)))
    with pytest.raises(InputError):
        emulate(dense_network([4, 6, 3]), np.full((10, 4), np.nan))
    assert [(i["filepath"], i["num_threads"]) for i in threadpool_info()] == before


def test_the_users_floating_point_settings_do_not_matter() -> None:
    program = dense_network([4, 6, 3], input_type="ap_fixed<12,6,RND_INF,SAT>")
    x = np.array([[3e38, 1e-45, -0.0, 1.0]], dtype=np.float32)
    wanted = emulate(program, x)
    with np.errstate(all="raise"):
        assert np.array_equal(emulate(program, x), wanted)


# ---- classes, copies, memory


def test_the_class_is_the_first_of_the_largest() -> None:
    b = Builder("ties")
    program = b.build({"y": b.input("x", (4,), FixedPoint(8, 8, True, "RND", "SAT"))})
    x = np.array([[1, 3, 3, 2], [-1, -1, -1, -1], [0, -0.0, 0, 0], [0, 0, 0, 1], [1000, 127, 0, 0]])
    assert classify(program, x).tolist() == [1, 0, 0, 3, 0]
    with pytest.raises(ProgramError, match="no single output vector"):
        classify(two_ports(), [x[:, :3], x[:, :3]])


def test_a_program_that_ran_can_be_copied_and_sent_to_other_processes() -> None:
    program = dense_network([4, 6, 3])
    x = np.random.default_rng(1).normal(size=(50, 4))
    wanted = emulate(program, x)
    for copied in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        assert copied.digest == program.digest
        assert np.array_equal(emulate(copied, x), wanted)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_events() -> None:
    script = """
import sys
sys.path[:0] = sys.argv[1:]
import numpy as np
from small_networks import dense_network
from firmware_flows import emulate

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024

program = dense_network([16, 64, 32, 32, 5])
x = np.ones((1_000_000, 16), dtype=np.float32)
emulate(program, x[:10], threads=2)
before = peak()
y = emulate(program, x, threads=2)
print(peak() - before - y.nbytes)
"""
    root = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", script, str(root.parent), str(root / "support")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < 64 << 20
