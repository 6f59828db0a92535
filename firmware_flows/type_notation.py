"""Reading and writing fixed-point types as text: ap_fixed, hls4ml's fixed, ac_fixed, QKeras quantizers."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding


class TypeNotationError(FirmwareFlowsError, ValueError):
    """Text that is not a fixed-point type: the whole text, the part that is wrong, what would be right."""

    def __init__(self, text: object, reason: str) -> None:
        self.text = text
        self.reason = reason
        super().__init__(f"not a fixed-point type: {text!r}: {reason}")


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
    names = [re.sub(r"^(AP_|AC_)", "", mode) for mode in modes]
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
    if width < 1:
        raise TypeNotationError(text, f"width must be at least 1, not {width}")
    return FixedPoint(width, integer, signed, rounding, overflow)


def _number(text: str, part: str) -> int:
    try:
        return int(part)
    except ValueError:
        raise TypeNotationError(text, f"{part!r} is not an integer") from None


def _truth(text: str, part: str) -> bool:
    if part not in ("true", "false", "1", "0"):
        raise TypeNotationError(text, f"signed is true or false, not {part!r}")
    return part in ("true", "1")


def _from_call(text: str) -> FixedPoint:
    """A QKeras quantizer as text, read as data: nothing in it is evaluated."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise TypeNotationError(text, "not a quantizer call") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise TypeNotationError(text, "not a quantizer call")
    name = call.func.id
    if name not in QUANTIZERS:
        raise TypeNotationError(text, f"{name!r} does not name a fixed-point type, {nearest(name, QUANTIZERS)}")
    order, _ = QUANTIZERS[name]
    try:
        values = [ast.literal_eval(argument) for argument in call.args]
        named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg is not None}
    except ValueError:
        raise TypeNotationError(text, "arguments must be plain numbers, booleans or strings") from None
    if len(values) > len(order):
        raise TypeNotationError(text, f"{name} takes at most {len(order)} positional arguments")
    return _from_settings(text, name, {**dict(zip(order, values, strict=False)), **named})


def _from_object(quantizer: Any) -> FixedPoint:
    """A QKeras quantizer object, known by its class name and its get_config()."""
    name = type(quantizer).__name__
    if name not in QUANTIZERS or not hasattr(quantizer, "get_config"):
        raise TypeNotationError(quantizer, f"a {name} does not name a fixed-point type, {nearest(name, QUANTIZERS)}")
    return _from_settings(quantizer, name, quantizer.get_config())


def _from_settings(text: Any, name: str, settings: dict[str, Any]) -> FixedPoint:
    if settings.get("use_stochastic_rounding"):
        raise TypeNotationError(
            text, "stochastic rounding has no fixed-point equivalent: use_stochastic_rounding=False"
        )
    noise = settings.get("qnoise_factor", 1.0)
    if float(noise) != 1.0:
        raise TypeNotationError(text, f"qnoise_factor={noise} mixes in unquantized values: set it to 1")
    return QUANTIZERS[name][1](text, settings)


def _quantized_bits(text: Any, s: dict[str, Any]) -> FixedPoint:
    alpha = s.get("alpha")
    if alpha is not None and (isinstance(alpha, str) or float(alpha) != 1.0):
        raise TypeNotationError(text, f"alpha={alpha!r} scales the values off the type's grid: set alpha=1")
    bits, integer = int(s.get("bits", 8)), int(s.get("integer", 0))
    keep = bool(s.get("keep_negative", True))
    if bits - keep < 1:
        raise TypeNotationError(text, "one bit makes quantized_bits binary (-1, +1), which no fixed-point type holds")
    overflow = Overflow.SAT_SYM if keep and s.get("symmetric") else Overflow.SAT
    return FixedPoint(bits, integer + keep, keep, Rounding.RND_CONV, overflow)


def _quantized_linear(text: Any, s: dict[str, Any]) -> FixedPoint:
    return _quantized_bits(text, {**s, "symmetric": s.get("symmetric", True)})


def _quantized_relu(text: Any, s: dict[str, Any]) -> FixedPoint:
    bits, integer = int(s.get("bits", 8)), int(s.get("integer", 0))
    signed = bool(s.get("negative_slope"))
    return FixedPoint(bits, integer + signed, signed, Rounding.RND_CONV, Overflow.SAT)


def _quantized_tanh(text: Any, s: dict[str, Any]) -> FixedPoint:
    overflow = Overflow.SAT_SYM if s.get("symmetric") else Overflow.SAT
    return FixedPoint(int(s.get("bits", 8)), 1, True, Rounding.RND_CONV, overflow)


def _quantized_sigmoid(text: Any, s: dict[str, Any]) -> FixedPoint:
    return FixedPoint(int(s.get("bits", 8)), 0, False, Rounding.RND_CONV, Overflow.SAT)


# QKeras 1.2: name -> (positional arguments in order, reader); the type is that of the quantizer's values
QUANTIZERS: dict[str, tuple[tuple[str, ...], Callable[[Any, dict[str, Any]], FixedPoint]]] = {
    "quantized_bits": (
        ("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"),
        _quantized_bits,
    ),
    "quantized_linear": (
        ("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"),
        _quantized_linear,
    ),
    "quantized_relu": (
        ("bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding"),
        _quantized_relu,
    ),
    "quantized_tanh": (("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"), _quantized_tanh),
    "quantized_sigmoid": (
        ("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"),
        _quantized_sigmoid,
    ),
}
