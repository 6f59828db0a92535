"""The pulse in closed form against numerical integration of the same circuit, and against measured values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.calorimeter.errors import SettingError
from models.calorimeter.pulse import PEAK_SAMPLE, PULSE_SAMPLES, PulseShape

SHAPES = (PulseShape(), PulseShape(shaping_ns=15.0), PulseShape(drift_ns=600.0, shaping_ns=20.0, input_ns=9.0))


def simulated(shape: PulseShape, step_ns: float = 0.02, length_ns: float = 900.0) -> npt.NDArray[np.float64]:
    """The triangle of current through the circuit, stage by stage, as differential equations (Runge and Kutta).

    Three equal poles and one of the input; the zero of the differentiation makes the output tau times a derivative.
    """
    tau, t_in = shape.shaping_ns, shape.input_ns
    times = np.arange(0.0, length_ns, step_ns)

    def current(t: float) -> float:
        return max(1.0 - t / shape.drift_ns, 0.0) if t >= 0.0 else 0.0

    # one input pole, then the differentiation as (input - low-pass of it), then two integrations
    matrix = np.array(
        [
            [-1 / t_in, 0.0, 0.0, 0.0],
            [1 / tau, -1 / tau, 0.0, 0.0],
            [1 / tau, -1 / tau, -1 / tau, 0.0],
            [0.0, 0.0, 1 / tau, -1 / tau],
        ]
    )
    drive = np.array([1 / t_in, 0.0, 0.0, 0.0])
    state = np.zeros(4)
    out = np.empty(times.size)
    for k, t in enumerate(times):
        out[k] = state[3]
        now, half, end = current(t), current(t + step_ns / 2), current(t + step_ns)
        k1 = matrix @ state + drive * now
        k2 = matrix @ (state + step_ns / 2 * k1) + drive * half
        k3 = matrix @ (state + step_ns / 2 * k2) + drive * half
        k4 = matrix @ (state + step_ns * k3) + drive * end
        state = state + step_ns / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return out / out.max()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_formula_solves_the_circuit(shape: PulseShape) -> None:
    step = 0.1
    wanted = simulated(shape, step)
    times = step * np.arange(wanted.size)
    np.testing.assert_allclose(shape(times), wanted, atol=2e-5)


def test_the_samples_are_those_of_the_middle_layer() -> None:
    samples = PulseShape().samples()
    np.testing.assert_allclose(
        samples[:8], [0.0, 0.367, 1.0, 0.647, 0.209, -0.019, -0.107, -0.136], rtol=0.0, atol=6e-4
    )
    assert PulseShape().peak_ns == pytest.approx(41.1, abs=0.05)
    assert samples.min() == pytest.approx(-0.149, abs=5e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pulse_peaks_at_one_in_its_sample_and_is_flat_there(shape: PulseShape) -> None:
    times = np.linspace(0.0, 300.0, 30_001)
    assert shape(times).max() == pytest.approx(1.0, abs=1e-7)
    assert shape.samples()[PEAK_SAMPLE] == pytest.approx(1.0, abs=1e-12)
    assert shape.slopes()[PEAK_SAMPLE] == pytest.approx(0.0, abs=1e-9)
    assert shape(-1.0) == 0.0


@pytest.mark.parametrize("shape", SHAPES)
def test_the_slope_is_the_derivative(shape: PulseShape) -> None:
    times = np.linspace(5.0, 700.0, 500)
    numerical = (shape(times + 1e-3) - shape(times - 1e-3)) / 2e-3
    np.testing.assert_allclose(shape.slope(times), numerical, atol=1e-6)


def test_a_pulse_has_no_area_and_ends_within_the_samples_kept() -> None:
    shape = PulseShape()
    times = np.linspace(0.0, 2000.0, 200_001)
    area = float(np.trapezoid(shape(times), times))
    assert abs(area) < 1e-3 * np.trapezoid(np.abs(shape(times)), times)
    assert abs(shape.samples(PULSE_SAMPLES + 1)[-1]) < 1e-6


@pytest.mark.parametrize("wrong", [{"drift_ns": 0.0}, {"shaping_ns": -1.0}, {"input_ns": 13.1}])
def test_times_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        PulseShape(**wrong)
