"""The shaped pulse of a liquid-argon cell, in closed form.

A shower ionises the argon gap along its whole width; the electrons drift out of it within `drift_ns`, so the current
is a triangle, I(t) = I0 (1 - t / t_d) for 0 < t < t_d (Willis and Radeka, NIM 120 (1974) 221). It passes the pole that
the cell's capacitance makes with the preamplifier's input resistance, 1 / (1 + s t_in), and a bipolar shaper of one
differentiation and two integrations, CR-RC^2, s tau / (1 + s tau)^3. A bipolar response has no area: a train of pile-up
moves the baseline only at its two ends. All of it is linear, so the response to the triangle is

    g(t) = S(t) - [F(t) - F(t - t_d)] / t_d

with S the response to a step of current and F its integral.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import SettingError

Floats = npt.NDArray[np.float64]

CROSSING_NS = 25.0
"""Time between two samples, and between two crossings of the bunches (24.95 ns at the LHC)."""

PEAK_SAMPLE = 2
"""A deposit of crossing i peaks in the sample i + 2: the sampling phase is so chosen."""

PULSE_SAMPLES = 32
"""After so many samples nothing of a pulse is left: 800 ns, against 41 ns to the peak and 450 ns of drift."""


@dataclass(frozen=True)
class PulseShape:
    """Constants of the cell and its electronics. Raises SettingError.

    drift_ns: of electrons over a 2 mm gap at 2 kV. shaping_ns: 13 in the electronics for the High-Luminosity LHC, 15 in
    the present ones. input_ns: R_in C_cell of the middle layer of the barrel.
    """

    drift_ns: float = 450.0
    shaping_ns: float = 13.0
    input_ns: float = 18.0

    def __post_init__(self) -> None:
        for field in ("drift_ns", "shaping_ns", "input_ns"):
            if not getattr(self, field) > 0.0:
                raise SettingError(field, getattr(self, field), "wanted a time in ns above 0")
        if abs(self.input_ns / self.shaping_ns - 1.0) < 0.02:
            # The formulae divide by the third power of the difference of the poles.
            raise SettingError("input_ns", self.input_ns, "must differ from shaping_ns by 2 % at least")

    def __call__(self, t: npt.ArrayLike) -> Floats:
        """The pulse at times t [ns] after the deposit, 1 at its peak."""
        return self._raw(t) / self._height

    def slope(self, t: npt.ArrayLike) -> Floats:
        """Its derivative, per ns."""
        return self._raw_slope(t) / self._height

    @cached_property
    def peak_ns(self) -> float:
        """When the pulse is highest."""
        low, high = 1.0, 8.0 * (self.shaping_ns + self.input_ns)
        times = np.linspace(low, high, 400)
        after = int(np.argmax(self._raw(times)))
        low, high = float(times[max(after - 1, 0)]), float(times[min(after + 1, 399)])
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._raw_slope(middle) > 0.0 else (low, middle)
        return 0.5 * (low + high)

    def times(self, samples: int = PULSE_SAMPLES) -> Floats:
        """When the samples are taken, ns after the deposit: sample 2 at the peak."""
        return self.peak_ns + CROSSING_NS * (np.arange(samples, dtype=np.float64) - PEAK_SAMPLE)

    def samples(self, samples: int = PULSE_SAMPLES) -> Floats:
        """The pulse as it is sampled, from the crossing of the deposit on."""
        return self(self.times(samples))

    def slopes(self, samples: int = PULSE_SAMPLES) -> Floats:
        """The derivative, per ns, at the samples."""
        return self.slope(self.times(samples))

    @cached_property
    def _height(self) -> float:
        return float(self._raw(self.peak_ns))

    def _raw(self, t: npt.ArrayLike) -> Any:
        t = np.asarray(t, dtype=np.float64)
        late = t - self.drift_ns
        return self._step(t) - (self._step_integral(t) - self._step_integral(late)) / self.drift_ns

    def _raw_slope(self, t: npt.ArrayLike) -> Any:
        t = np.asarray(t, dtype=np.float64)
        return self._step_slope(t) - (self._step(t) - self._step(t - self.drift_ns)) / self.drift_ns

    @cached_property
    def _terms(self) -> tuple[tuple[float, int, float], ...]:
        """S(t) as a sum of c t^n exp(-t / T), given as (c, n, T): partial fractions of a^2 b / ((s + a)^3 (s + b))."""
        a, b = 1.0 / self.shaping_ns, 1.0 / self.input_ns
        d = b - a
        scale = a * a * b
        return (
            (scale / (2.0 * d), 2, self.shaping_ns),
            (-scale / d**2, 1, self.shaping_ns),
            (scale / d**3, 0, self.shaping_ns),
            (-scale / d**3, 0, self.input_ns),
        )

    def _step(self, t: Any) -> Any:
        t = np.maximum(t, 0.0)
        return sum(c * t**n * np.exp(-t / decay) for c, n, decay in self._terms)

    def _step_slope(self, t: Any) -> Any:
        t = np.maximum(t, 0.0)
        return sum(c * ((n * t ** max(n - 1, 0)) - t**n / decay) * np.exp(-t / decay) for c, n, decay in self._terms)

    def _step_integral(self, t: Any) -> Any:
        t = np.maximum(t, 0.0)
        total = 0.0
        for c, n, decay in self._terms:
            x = t / decay
            series = {0: 1.0, 1: 1.0 + x, 2: 2.0 + 2.0 * x + x * x}[n]
            total = total + c * decay ** (n + 1) * ((1.0, 1.0, 2.0)[n] - series * np.exp(-x))
        return total
