"""What QKeras quantizers mean exactly, and which of their settings have no exact meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import LoweringError
from firmware_flows.fixed_point import FixedPoint, Integers
from firmware_flows.type_notation import TypeNotationError

GRID_BITS = 16
"""Widest weights taken as quantized when no quantizer says so."""

LATER = "Use quantized_bits or quantized_relu"

FOR_WEIGHTS = "Use quantized_bits, quantized_linear, binary, ternary or quantized_po2 with alpha=1"


@dataclass(frozen=True)
class Weights:
    """Integer weights: value = mantissa * 2**-fractional."""

    mantissas: Integers
    fractional: int

    @property
    def type(self) -> FixedPoint:
        """The narrowest type that holds them."""
        return FixedPoint.holding(int(self.mantissas.min()), int(self.mantissas.max()), self.fractional)


def setting(quantizer: Any, name: str, default: Any) -> Any:
    """A quantizer's setting as a plain Python value."""
    value = getattr(quantizer, name, default)
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0:
        value = value.item()
    return value


def describe(quantizer: Any) -> str:
    """A quantizer for a message; QKeras' own str() fails for some settings and misplaces others."""
    if isinstance(quantizer, str) or not hasattr(quantizer, "get_config"):
        return str(getattr(quantizer, "__name__", quantizer))
    settings = quantizer.get_config().items()
    return f"{type(quantizer).__name__}({', '.join(f'{k}={v}' for k, v in settings if v is not None)})"


def refuse_inexact(layer: str, field: str, quantizer: Any) -> None:
    """Raises LoweringError for settings that make values random or leave the grid."""
    if setting(quantizer, "use_stochastic_rounding", False):
        raise LoweringError(
            layer,
            f"{field}.use_stochastic_rounding",
            True,
            "random rounding has no bit-exact form",
            "Set use_stochastic_rounding=False",
        )
    noise = setting(quantizer, "qnoise_factor", 1.0)
    if float(noise) != 1.0:
        raise LoweringError(
            layer,
            f"{field}.qnoise_factor",
            float(noise),
            "mixes unquantized values into the result",
            "Set qnoise_factor to 1 before converting",
        )


def activation_type(layer: str, field: str, quantizer: Any) -> FixedPoint:
    """The type that an activation's quantizer casts to. Raises LoweringError."""
    refuse_inexact(layer, field, quantizer)
    alpha = setting(quantizer, "alpha", None)
    if isinstance(alpha, str):
        raise LoweringError(
            layer,
            f"{field}.alpha",
            alpha,
            "the scale is computed from each batch of events, so it is no property of the network",
            "Set alpha=1 and choose integer bits that hold the values",
        )
    try:
        return FixedPoint.parse(quantizer)
    except TypeNotationError as error:
        reason, _, remedy = error.reason.rpartition(": ")
        if not reason or not remedy.startswith(("set ", "use ")):
            reason, remedy = error.reason, LATER
        remedy = remedy[:1].upper() + remedy[1:]
        raise LoweringError(layer, field, describe(quantizer), reason, remedy) from None


def quantized_weights(layer: str, field: str, values: npt.ArrayLike, quantizer: Any) -> Weights:
    """Weights as integers: what the quantizer makes of the trained values, or the values themselves.

    `values` are float32; `quantizer` may be None (weights already on a grid of at most 16 bits). Scales that are
    powers of two (alpha='auto_po2', or not given, which QDense takes for it) are folded into the integers.
    Raises LoweringError.
    """
    trained = np.asarray(values, dtype=np.float32)
    if not np.isfinite(trained).all():
        raise LoweringError(layer, field, "NaN or infinity", "weights must be finite", "Train again, or repair them")
    if quantizer is None:
        weights = grid_weights(trained)
        if weights.type.width > GRID_BITS:
            raise LoweringError(
                layer,
                f"{field}_quantizer",
                None,
                f"{field} is not on a fixed-point grid of {GRID_BITS} bits or fewer",
                f"Give the layer a {field}_quantizer such as quantized_bits(6,0,alpha=1), or quantize the network "
                "after training with quantization.quantize_after_training (`convert --quantize 8 --calibration x.npy`)",
            )
        return weights
    refuse_inexact(layer, f"{field}_quantizer", quantizer)
    _refuse_scale(layer, field, quantizer)
    weights = grid_weights(applied(layer, f"{field}_quantizer", quantizer, trained))
    _check_bits(layer, field, weights, quantizer)
    return weights


def applied(
    layer: str, field: str, quantizer: Any, values: npt.NDArray[np.float32], remedy: str = FOR_WEIGHTS
) -> npt.NDArray[np.float32]:
    """What a quantizer makes of these values. Raises LoweringError where QKeras cannot compute it."""
    try:
        return np.asarray(quantizer(values), dtype=np.float32)
    except Exception as error:
        reason = f"QKeras' own call of it fails with {type(error).__name__} {error}".rstrip()
        raise LoweringError(layer, field, describe(quantizer), reason, remedy) from error


def _refuse_scale(layer: str, field: str, quantizer: Any) -> None:
    alpha = setting(quantizer, "alpha", None)
    if alpha is None or (isinstance(alpha, str) and alpha == "auto_po2"):
        return
    remedy = "Set alpha=1 or alpha='auto_po2'"
    if isinstance(alpha, str):
        raise LoweringError(
            layer,
            f"{field}_quantizer.alpha",
            alpha,
            "the scale follows the weights and is no power of two, so no fixed-point grid holds them",
            remedy,
        )
    scales = np.asarray(alpha, dtype=np.float64)
    if (scales <= 0).any() or (np.frexp(scales)[0] != 0.5).any():
        raise LoweringError(layer, f"{field}_quantizer.alpha", alpha, "the scale is no power of two", remedy)


def _check_bits(layer: str, field: str, weights: Weights, quantizer: Any) -> None:
    """No channel may need more bits than its quantizer has: that would be float noise taken for weights."""
    bits = setting(quantizer, "bits", None)
    if bits is None or type(quantizer).__name__ not in ("quantized_bits", "quantized_linear"):
        known = type(quantizer).__name__ in ("binary", "ternary", "quantized_po2", "quantized_relu_po2")
        if known and weights.type.width <= 2 * GRID_BITS:
            return
        raise LoweringError(
            layer, f"{field}_quantizer", describe(quantizer), "weights of this quantizer are not converted", FOR_WEIGHTS
        )
    if weights.mantissas.ndim < 2:
        return
    for number, column in enumerate(weights.mantissas.reshape(-1, weights.mantissas.shape[-1]).T):
        width = trimmed(column, 0).type.width
        # 2's complement of -max and +max together
        if width > int(bits) + 1 and _units(weights, quantizer).type.width > int(bits) + 1:
            raise LoweringError(
                layer,
                f"{field}_quantizer",
                describe(quantizer),
                f"channel {number} needs {width} bits: the trained values are too large for float32 to round exactly",
                "Check the training: such weights are far outside the quantizer's range",
            )


def _units(weights: Weights, quantizer: Any) -> Weights:
    """The weights without their scales, which with scale_axis or elements_per_scale differ within a channel."""
    scale = np.asarray(setting(quantizer, "scale", 1.0), np.float32)
    values = np.ldexp(weights.mantissas.astype(np.float64), -weights.fractional)
    if scale.ndim > values.ndim or any(
        s not in (1, n) for s, n in zip(scale.shape[::-1], values.shape[::-1], strict=False)
    ):
        return weights
    return grid_weights((values / scale).astype(np.float32))


def grid_weights(values: npt.NDArray[np.float32]) -> Weights:
    """Floats as integers on the coarsest grid that holds them all, exactly."""
    mantissas, exponents = np.frexp(values.astype(np.float64))
    integers = np.ldexp(mantissas, 24).astype(np.int64)
    powers = np.where(integers == 0, 0, exponents - 24)
    if not integers.any():
        return Weights(np.zeros(values.shape, np.int64), 0)
    # the lowest set bit of all numbers gives the grid
    lowest_bits = powers + np.frexp((integers & -integers).astype(np.float64))[1] - 1
    fractional = -int(lowest_bits[integers != 0].min())
    shift = powers + fractional
    if int(shift.max()) + 24 > 62:
        return Weights(np.array([int(m) * 2 ** max(int(k), 0) // 2 ** max(-int(k), 0)
                                 for m, k in zip(integers.flat, shift.flat, strict=True)],
                                dtype=object).reshape(values.shape), fractional)  # fmt: skip
    return Weights((integers << np.maximum(shift, 0)) >> np.maximum(-shift, 0), fractional)


def trimmed(mantissas: Integers, fractional: int) -> Weights:
    """The same numbers on the coarsest grid."""
    combined = int(np.bitwise_or.reduce(np.asarray(mantissas).reshape(-1))) if np.size(mantissas) else 0
    if combined == 0:
        return Weights(np.zeros_like(mantissas), 0)
    shift = (combined & -combined).bit_length() - 1
    return Weights(np.asarray(mantissas) >> shift, fractional - shift)
