"""Reading and writing fixed-point types as text: ap_fixed, hls4ml's fixed, ac_fixed, QKeras quantizers."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding

LONGEST = 1000
"""Characters; nothing that names a type is longer."""


WIDEST = 1024
"""Bits of the widest type of the `ap_types` headers (AP_INT_MAX_W); binary points are limited alike."""


class TypeNotationError(FirmwareFlowsError, ValueError):
    """Something that is not a fixed-point type: the text or quantizer, what is wrong with it, what would be right."""

    def __init__(self, text: object, reason: str) -> None:
        self.text = text
        self.reason = reason
        super().__init__(f"not a fixed-point type: {_shown(text)}: {reason}")


def _shown(text: object) -> str:
    if isinstance(text, str):
        return repr(text if len(text) <= LONGEST else text[:60] + "...")
    if hasattr(text, "get_config"):
        # the str() of some QKeras quantizers fails
        settings = ", ".join(f"{name}={value!r}" for name, value in text.get_config().items())
        return f"{type(text).__name__}({settings})"
    return repr(text)


def to_ap_fixed(t: FixedPoint) -> str:
    """`ap_fixed<8,3,AP_RND_CONV,AP_SAT>`; modes that are the default are still written where one differs."""
    name = "ap_fixed" if t.signed else "ap_ufixed"
    return f"{name}<{t.width},{t.integer}{_modes(t, 'AP_')}>"


def to_hls4ml(t: FixedPoint) -> str:
    """`fixed<8,3,RND_CONV,SAT>`, as hls4ml's configuration writes it."""
    name = "fixed" if t.signed else "ufixed"
    return f"{name}<{t.width},{t.integer}{_modes(t, '')}>"


def to_ac_fixed(t: FixedPoint) -> str:
    """`ac_fixed<8,3,true,AC_RND_CONV,AC_SAT>`, as Quartus, oneAPI and Catapult write it."""
    return f"ac_fixed<{t.width},{t.integer},{str(t.signed).lower()}{_modes(t, 'AC_')}>"


def _modes(t: FixedPoint, prefix: str) -> str:
    if t.rounding is Rounding.TRN and t.overflow is Overflow.WRAP:
        return ""
    return f",{prefix}{t.rounding},{prefix}{t.overflow}"


def parse(text: Any) -> FixedPoint:
    """See `FixedPoint.parse`."""
    if isinstance(text, FixedPoint):
        return text
    if not isinstance(text, str):
        return _from_object(text)
    if len(text) > LONGEST:
        raise TypeNotationError(text, f"{len(text)} characters")
    compact = re.sub(r"\s+", "", text)
    template = re.fullmatch(r"(?:\w+::)?(\w+)<([^<>]*)>", compact)
    if template:
        return _from_template(text, template.group(1), template.group(2).split(","))
    if re.fullmatch(r"[A-Za-z_]\w*\(.*\)", compact):
        return _from_call(text)
    raise TypeNotationError(text, 'expected for example "ap_fixed<16,6>" or "quantized_bits(8,2,alpha=1)"')


def _from_template(text: str, name: str, arguments: list[str]) -> FixedPoint:
    readers: dict[str, Callable[[str, list[str]], FixedPoint]] = {
        "ap_fixed": lambda t, a: _fixed(t, a, signed=True),
        "ap_ufixed": lambda t, a: _fixed(t, a, signed=False),
        "fixed": lambda t, a: _fixed(t, a, signed=True),
        "ufixed": lambda t, a: _fixed(t, a, signed=False),
        "ap_int": lambda t, a: _int(t, a, signed=True),
        "ap_uint": lambda t, a: _int(t, a, signed=False),
        "int": lambda t, a: _int(t, a, signed=True),
        "uint": lambda t, a: _int(t, a, signed=False),
        "ac_fixed": _ac_fixed,
        "ac_int": _ac_int,
    }
    if name not in readers:
        raise TypeNotationError(text, f"unknown type {name!r}, {nearest(name, readers)}")
    return readers[name](text, arguments)


def _fixed(text: str, arguments: list[str], signed: bool) -> FixedPoint:
    if not 2 <= len(arguments) <= 5:
        raise TypeNotationError(text, "expected width, integer bits, and optionally rounding and overflow mode")
    if len(arguments) == 5 and _number(text, arguments[4]) != 0:
        raise TypeNotationError(text, f"{arguments[4]} saturated wrap bits: only 0 is supported")
    width, integer = _number(text, arguments[0]), _number(text, arguments[1])
    return _make(text, width, integer, signed, arguments[2:4])


def _int(text: str, arguments: list[str], signed: bool) -> FixedPoint:
    if len(arguments) != 1:
        raise TypeNotationError(text, "expected one number, the width")
    width = _number(text, arguments[0])
    return _make(text, width, width, signed, [])


def _ac_fixed(text: str, arguments: list[str]) -> FixedPoint:
    if not 2 <= len(arguments) <= 5:
        raise TypeNotationError(text, "expected width, integer bits, signed, and optionally the modes")
    width, integer = _number(text, arguments[0]), _number(text, arguments[1])
    signed = _truth(text, arguments[2]) if len(arguments) > 2 else True
    return _make(text, width, integer, signed, arguments[3:])


def _ac_int(text: str, arguments: list[str]) -> FixedPoint:
    if not 1 <= len(arguments) <= 2:
        raise TypeNotationError(text, "expected width and signed")
    width = _number(text, arguments[0])
    signed = _truth(text, arguments[1]) if len(arguments) > 1 else True
    return _make(text, width, width, signed, [])


def _make(text: str, width: int, integer: int, signed: bool, modes: list[str]) -> FixedPoint:
    names = [re.sub(r"^(AP|AC|SC)_", "", mode) for mode in modes]
    rounding = Rounding.TRN
    overflow = Overflow.WRAP
    if names:
        if names[0] not in Rounding.__members__:
            raise TypeNotationError(text, f"unknown rounding {modes[0]!r}, {nearest(names[0], Rounding.__members__)}")
        rounding = Rounding(names[0])
    if len(names) > 1:
        if names[1] not in Overflow.__members__:
            raise TypeNotationError(text, f"unknown overflow {modes[1]!r}, {nearest(names[1], Overflow.__members__)}")
        overflow = Overflow(names[1])
    return _build(text, width, integer, signed, rounding, overflow)


def _build(text: Any, width: int, integer: int, signed: bool, rounding: Rounding, overflow: Overflow) -> FixedPoint:
    if width > WIDEST or abs(width - integer) > WIDEST - 2:
        raise TypeNotationError(text, f"at most {WIDEST} bits and {WIDEST - 2} fractional bits are supported")
    try:
        return FixedPoint(width, integer, signed, rounding, overflow)
    except ValueError as error:
        raise TypeNotationError(text, str(error)) from None


def _number(text: str, part: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", part):
        raise TypeNotationError(text, f"{part!r} is not an integer")
    return int(part)


def _truth(text: str, part: str) -> bool:
    if part not in ("true", "false", "1", "0"):
        raise TypeNotationError(text, f"signed is true or false, not {part!r}")
    return part in ("true", "1")


def _from_call(text: str) -> FixedPoint:
    """A QKeras quantizer as text, read as data: nothing in it is evaluated."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on odd expressions
            call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise TypeNotationError(text, "not a quantizer call") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise TypeNotationError(text, "not a quantizer call")
    name = call.func.id
    if name not in QUANTIZERS:
        raise TypeNotationError(text, f"{name!r} does not name a fixed-point type, {nearest(name, QUANTIZERS)}")
    order, reader = QUANTIZERS[name]
    if len(call.args) > len(order):
        raise TypeNotationError(text, f"{name} takes at most {len(order)} positional arguments")
    settings: dict[str, Any] = {}
    given = [*zip(order, call.args, strict=False), *((keyword.arg, keyword.value) for keyword in call.keywords)]
    for key, value in given:
        if key not in order:
            raise TypeNotationError(text, f"{name} has no argument {key!r}, {nearest(str(key), order)}")
        if key in settings:
            raise TypeNotationError(text, f"argument {key!r} is given twice")
        try:
            settings[key] = ast.literal_eval(value)
        except (ValueError, TypeError, MemoryError, RecursionError):
            raise TypeNotationError(text, f"{key} must be a plain number, truth value or string") from None
    return _from_settings(text, reader, settings)


def _from_object(quantizer: Any) -> FixedPoint:
    """A QKeras quantizer object, known by its class name and its settings."""
    name = type(quantizer).__name__
    if name not in QUANTIZERS or not hasattr(quantizer, "get_config"):
        raise TypeNotationError(quantizer, f"a {name} does not name a fixed-point type, {nearest(name, QUANTIZERS)}")
    order, reader = QUANTIZERS[name]
    # get_config() is not complete: quantized_relu's lacks is_quantized_clip
    attributes = {key: getattr(quantizer, key) for key in order if hasattr(quantizer, key)}
    return _from_settings(quantizer, reader, {**quantizer.get_config(), **attributes})


def _from_settings(text: Any, reader: Callable[[_Settings], FixedPoint], values: dict[str, Any]) -> FixedPoint:
    settings = _Settings(text, values)
    if settings.flag("use_stochastic_rounding"):
        settings.refuse("stochastic rounding has no fixed-point equivalent: set use_stochastic_rounding=False")
    noise = settings.number("qnoise_factor", 1.0)
    if noise != 1.0:
        settings.refuse(f"qnoise_factor={noise:g} mixes in unquantized values: set it to 1")
    return reader(settings)


class _Settings:
    """A quantizer's settings, each checked as it is read; numbers may be NumPy's or Keras variables."""

    def __init__(self, text: Any, values: dict[str, Any]) -> None:
        self.text = text
        self._values = values

    def refuse(self, reason: str) -> NoReturn:
        raise TypeNotationError(self.text, reason)

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def with_value(self, name: str, value: Any) -> _Settings:
        return _Settings(self.text, {**self._values, name: value})

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name, default)
        return bool(default if value is None else value)

    def number(self, name: str, default: float) -> float:
        value = self._values.get(name, default)
        try:
            array = np.asarray(value)
        except (TypeError, ValueError):
            self.refuse(f"{name}={value!r} is not a number")
        if array.dtype.kind not in "fiub":
            self.refuse(f"{name}={value!r} is not a number")
        if array.size != 1:
            self.refuse(f"{name}={value!r}: one number for all elements is needed")
        return float(array.reshape(-1)[0])

    def integer(self, name: str, default: int) -> int:
        number = self.number(name, default)
        if not number.is_integer():
            self.refuse(f"{name}={number:g} is not an integer")
        return int(number)

    def type(self, width: int, integer: int, signed: bool, overflow: Overflow = Overflow.SAT) -> FixedPoint:
        return _build(self.text, width, integer, signed, Rounding.RND_CONV, overflow)

    def powers_of_two_fit(self, bits: int) -> None:
        """Some quantizers compute 2**bits in 32-bit integers; their values are then NaN."""
        if bits > MOST_BITS:
            self.refuse(f"QKeras's own arithmetic overflows beyond {MOST_BITS} bits without the sign: use fewer bits")


MOST_BITS = 30


def _quantized_bits(s: _Settings) -> FixedPoint:
    alpha = s.get("alpha")
    if isinstance(alpha, str) or (alpha is not None and s.number("alpha", 1.0) != 1.0):
        s.refuse(f"alpha={alpha!r} scales the values off the type's grid: set alpha=1")
    bits, integer = s.integer("bits", 8), s.integer("integer", 0)
    keep = s.flag("keep_negative", True)
    if bits == 1 and keep:
        s.refuse(
            "one bit with keep_negative gives the values -1 and +1, which no fixed-point type holds: use bits=2 with "
            "symmetric=1 (-1, 0, +1), or keep_negative=False (0, 1)"
        )
    return s.type(bits, integer + keep, keep, Overflow.SAT_SYM if keep and s.flag("symmetric") else Overflow.SAT)


def _quantized_linear(s: _Settings) -> FixedPoint:
    """As quantized_bits, but symmetric unless told otherwise."""
    return _quantized_bits(s.with_value("symmetric", s.flag("symmetric", True)))


def _quantized_relu(s: _Settings) -> FixedPoint:
    """The type of the values: with a negative slope the negative side ends at -slope * 2**integer already."""
    if s.flag("use_sigmoid"):
        sigmoid = s.number("use_sigmoid", 0.0)
        # QKeras's own str() prints the slope as the third argument, which is use_sigmoid
        hint = "use quantized_sigmoid, or use_sigmoid=0" if sigmoid == 1 else f"is negative_slope={sigmoid:g} meant?"
        s.refuse(f"use_sigmoid={sigmoid:g} is a sigmoid, not a cast: {hint}")
    bits, integer = s.integer("bits", 8), s.integer("integer", 0)
    signed = s.number("negative_slope", 0.0) != 0
    s.powers_of_two_fit(bits - signed)
    t = s.type(bits, integer + signed, signed)
    bound = s.get("relu_upper_bound")
    # the bound is without effect when it is 0 or None, when the type ends below it, and by default
    if bound and not s.flag("is_quantized_clip", True) and s.number("relu_upper_bound", 0.0) < t.range[1]:
        s.refuse(
            f"relu_upper_bound={bound} cuts values off below the largest of {t}: set is_quantized_clip=True, or choose "
            "integer so that the type ends at the bound"
        )
    return t


def _quantized_tanh(s: _Settings) -> FixedPoint:
    bits, symmetric = s.integer("bits", 8), s.flag("symmetric")
    s.powers_of_two_fit(bits - 1)
    if bits == 1 and symmetric:
        s.refuse("one symmetric bit holds only zero: use more bits")
    return s.type(bits, 1, True, Overflow.SAT_SYM if symmetric else Overflow.SAT)


def _quantized_sigmoid(s: _Settings) -> FixedPoint:
    bits = s.integer("bits", 8)
    s.powers_of_two_fit(bits)
    if s.flag("symmetric"):
        s.refuse("symmetric=1 raises zero to the smallest positive value, which no type does: set symmetric=0")
    return s.type(bits, 0, False)


# QKeras 1.2: name -> (its arguments in order, reader); the type is that of the quantizer's values
QUANTIZERS: dict[str, tuple[tuple[str, ...], Callable[[_Settings], FixedPoint]]] = {
    "quantized_bits": (
        (
            *("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding", "scale_axis"),
            *("qnoise_factor", "var_name", "use_ste", "use_variables", "elements_per_scale", "min_po2_exponent"),
            *("max_po2_exponent", "post_training_scale"),
        ),
        _quantized_bits,
    ),
    "quantized_linear": (
        (
            *("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding", "scale_axis"),
            *("qnoise_factor", "var_name", "use_variables"),
        ),
        _quantized_linear,
    ),
    "quantized_relu": (
        (
            *("bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding", "relu_upper_bound"),
            *("is_quantized_clip", "qnoise_factor", "var_name", "use_ste", "use_variables"),
        ),
        _quantized_relu,
    ),
    "quantized_tanh": (("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"), _quantized_tanh),
    "quantized_sigmoid": (
        ("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"),
        _quantized_sigmoid,
    ),
}
