"""Types as text: round trips of every notation, QKeras quantizers as text, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding, all_modes
from firmware_flows.type_notation import TypeNotationError, parse, to_ac_fixed, to_ap_fixed, to_hls4ml

types = st.builds(
    FixedPoint,
    st.integers(1, 300),
    st.integers(-300, 300),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)


@settings(deadline=None)
@given(types)
def test_round_trips(t: FixedPoint) -> None:
    for write in (str, to_ap_fixed, to_hls4ml, to_ac_fixed):
        assert FixedPoint.parse(write(t)) == t
    assert FixedPoint.parse(t) is t


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ap_fixed<8,3>", FixedPoint(8, 3)),
        ("ap_ufixed<8,3>", FixedPoint(8, 3, signed=False)),
        (" ap_fixed < 8 , 3 , AP_RND , AP_SAT > ", FixedPoint(8, 3, True, Rounding.RND, Overflow.SAT)),
        ("ap_fixed<8,3,AP_RND_CONV>", FixedPoint(8, 3, True, Rounding.RND_CONV)),
        ("ap_fixed<8,3,AP_TRN,AP_WRAP,0>", FixedPoint(8, 3)),
        ("ap_fixed<4,-2>", FixedPoint(4, -2)),
        ("ap_fixed<4,+9>", FixedPoint(4, 9)),
        ("fixed<8,3,RND_CONV,SAT_SYM,0>", FixedPoint(8, 3, True, Rounding.RND_CONV, Overflow.SAT_SYM)),
        ("fixed<8,3,AP_RND_INF,AP_SAT_ZERO>", FixedPoint(8, 3, True, Rounding.RND_INF, Overflow.SAT_ZERO)),
        ("ufixed<8,3,TRN_ZERO,SAT>", FixedPoint(8, 3, False, Rounding.TRN_ZERO, Overflow.SAT)),
        ("ap_fixed<8,3,SC_RND,SC_SAT>", FixedPoint(8, 3, True, Rounding.RND, Overflow.SAT)),
        ("ap_int<5>", FixedPoint(5, 5)),
        ("ap_uint<5>", FixedPoint(5, 5, signed=False)),
        ("int<5>", FixedPoint(5, 5)),
        ("uint<1>", FixedPoint(1, 1, signed=False)),
        ("ac_int<5,false>", FixedPoint(5, 5, signed=False)),
        ("ac_int<5>", FixedPoint(5, 5)),
        ("ac_fixed<8,3>", FixedPoint(8, 3)),
        ("ac_fixed<8,3,0>", FixedPoint(8, 3, signed=False)),
        ("ac_fixed<8,3,false,AC_RND_MIN_INF,AC_SAT>", FixedPoint(8, 3, False, Rounding.RND_MIN_INF, Overflow.SAT)),
        ("nnet::ap_fixed<8,3>", FixedPoint(8, 3)),
    ],
)
def test_notations(text: str, expected: FixedPoint) -> None:
    assert FixedPoint.parse(text) == expected


def test_writing() -> None:
    t = FixedPoint(8, 3, True, Rounding.RND_CONV, Overflow.SAT)
    assert str(t) == "ap_fixed<8,3,AP_RND_CONV,AP_SAT>"
    assert to_hls4ml(t) == "fixed<8,3,RND_CONV,SAT>"
    assert to_ac_fixed(t) == "ac_fixed<8,3,true,AC_RND_CONV,AC_SAT>"
    assert str(FixedPoint(8, 3, False)) == "ap_ufixed<8,3>"
    assert to_hls4ml(FixedPoint(8, 3, False, overflow=Overflow.SAT)) == "ufixed<8,3,TRN,SAT>"
    assert to_ac_fixed(FixedPoint(8, -3, False)) == "ac_fixed<8,-3,false>"


CONV, SAT, SYM = Rounding.RND_CONV, Overflow.SAT, Overflow.SAT_SYM


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quantized_bits(8,2,alpha=1)", FixedPoint(8, 3, True, CONV, SAT)),
        ("quantized_bits(8,2)", FixedPoint(8, 3, True, CONV, SAT)),
        ("quantized_bits(8, 2, 1, alpha=1.0)", FixedPoint(8, 3, True, CONV, SYM)),
        ("quantized_bits(8,2,0,False,1)", FixedPoint(8, 2, False, CONV, SAT)),
        ("quantized_bits(8,2,symmetric=1,keep_negative=0,alpha=1)", FixedPoint(8, 2, False, CONV, SAT)),
        ("quantized_bits()", FixedPoint(8, 1, True, CONV, SAT)),
        ("quantized_bits(bits=4,integer=-1,alpha=1,use_ste=False)", FixedPoint(4, 0, True, CONV, SAT)),
        ("quantized_bits(1,0,keep_negative=False,alpha=1)", FixedPoint(1, 0, False, CONV, SAT)),
        ("quantized_linear(8,2,alpha=1)", FixedPoint(8, 3, True, CONV, SYM)),
        ("quantized_linear(8,2,0,alpha=1)", FixedPoint(8, 3, True, CONV, SAT)),
        ("quantized_relu(6,2)", FixedPoint(6, 2, False, CONV, SAT)),
        ("quantized_relu(6,2,negative_slope=0.25)", FixedPoint(6, 3, True, CONV, SAT)),
        ("quantized_relu(6,2,0,0.25)", FixedPoint(6, 3, True, CONV, SAT)),
        ("quantized_relu(6,2,relu_upper_bound=1.3)", FixedPoint(6, 2, False, CONV, SAT)),
        ("quantized_relu(6,2,relu_upper_bound=4,is_quantized_clip=False)", FixedPoint(6, 2, False, CONV, SAT)),
        ("quantized_relu(6,2,is_quantized_clip=False)", FixedPoint(6, 2, False, CONV, SAT)),
        ("quantized_tanh(6)", FixedPoint(6, 1, True, CONV, SAT)),
        ("quantized_tanh(6,symmetric=1)", FixedPoint(6, 1, True, CONV, SYM)),
        ("quantized_sigmoid(6)", FixedPoint(6, 0, False, CONV, SAT)),
    ],
)
def test_qkeras_text(text: str, expected: FixedPoint) -> None:
    assert FixedPoint.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected for example"),
        ("auto", "expected for example"),
        ("ap_fixed<8,3", "expected for example"),
        ("ap_fixed<8,3>>", "expected for example"),
        ("ap_fixd<8,3>", "unknown type 'ap_fixd', did you mean 'ap_fixed'?"),
        ("float<16,5>", "unknown type 'float'"),
        ("ap_fixed<8>", "expected width, integer bits"),
        ("ap_fixed<8,3,AP_TRN,AP_WRAP,0,0>", "expected width, integer bits"),
        ("ap_fixed<8,3,AP_TRN,AP_WRAP,1>", "1 saturated wrap bits: only 0 is supported"),
        ("ap_fixed<8,3.5>", "'3.5' is not an integer"),
        ("ap_fixed<8,1_0>", "'1_0' is not an integer"),
        ("ap_fixed<,3>", "'' is not an integer"),
        ("ap_fixed<9999999999999,3>", "is not an integer"),
        ("ap_fixed<0,3>", "width of a fixed-point type must be a positive integer, not 0"),
        ("ap_fixed<-8,3>", "width of a fixed-point type must be a positive integer, not -8"),
        ("ap_fixed<100000000,3>", "at most 1024 bits"),
        ("ap_fixed<8,1032>", "1022 fractional bits"),
        ("ap_fixed<8,-1015>", "1022 fractional bits"),
        ("ap_fixed<8,3,AP_RNDCONV>", "unknown rounding 'AP_RNDCONV', did you mean 'RND_CONV'?"),
        ("ap_fixed<8,3,AP_RND,AP_STA>", "unknown overflow 'AP_STA', did you mean 'SAT'?"),
        ("ap_int<8,8>", "expected one number, the width"),
        ("ac_fixed<8>", "expected width, integer bits, signed"),
        ("ac_fixed<8,3,AC_RND>", "signed is true or false, not 'AC_RND'"),
        ("ac_fixed<8,3,true,AC_RND_CONV_ODD>", "unknown rounding 'AC_RND_CONV_ODD'"),
        ("ac_int<8,maybe>", "signed is true or false, not 'maybe'"),
        ("quantised_bits(8,2)", "'quantised_bits' does not name a fixed-point type, did you mean 'quantized_bits'?"),
        ("quantized_po2(8)", "'quantized_po2' does not name a fixed-point type"),
        ("binary()", "'binary' does not name a fixed-point type"),
        ("quantized_bits(8,2", "expected for example"),
        ("quantized_bits(8,,2)", "not a quantizer call"),
        ("quantized_bits(8)(2)", "not a quantizer call"),
        ("quantized_bits(8,bit=2)", "quantized_bits has no argument 'bit', did you mean 'bits'?"),
        ("quantized_bits(8,bits=8)", "argument 'bits' is given twice"),
        ("quantized_tanh(8,0,0,0,0)", "quantized_tanh takes at most 4 positional arguments"),
        ("quantized_bits(7.5)", "bits=7.5 is not an integer"),
        ("quantized_bits('8')", "bits='8' is not a number"),
        ("quantized_bits(1j)", "bits=1j is not a number"),
        ("quantized_bits([8,9])", "one number for all elements"),
        ("quantized_bits(0)", "width of a fixed-point type must be a positive integer, not 0"),
        ("quantized_bits(8,2,alpha='auto')", "alpha='auto' scales the values off the type's grid: set alpha=1"),
        ("quantized_bits(8,2,alpha='auto_po2')", "set alpha=1"),
        ("quantized_bits(8,2,alpha=0.5)", "set alpha=1"),
        ("quantized_bits(8,2,alpha=[1,2])", "one number for all elements"),
        ("quantized_bits(1,0,alpha=1)", "one bit with keep_negative gives the values -1 and +1"),
        ("quantized_bits(8,2,use_stochastic_rounding=True)", "set use_stochastic_rounding=False"),
        ("quantized_linear(8,2,qnoise_factor=0.5)", "qnoise_factor=0.5 mixes in unquantized values: set it to 1"),
        ("quantized_relu(6,2,1)", "use_sigmoid=1 is a sigmoid"),
        ("quantized_relu(6,2,0.25)", "is negative_slope=0.25 meant?"),
        ("quantized_relu(6,2,relu_upper_bound=1.3,is_quantized_clip=False)", "relu_upper_bound=1.3 cuts values off"),
        ("quantized_relu(31,2)", "overflows beyond 30 bits"),
        ("quantized_sigmoid(8,symmetric=1)", "set symmetric=0"),
        ("quantized_tanh(1,symmetric=1)", "holds only zero"),
    ],
)
def test_wrong_text_is_told_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(TypeNotationError) as raised:
        FixedPoint.parse(text)
    assert says in str(raised.value)
    assert repr(text) in str(raised.value)
    assert (raised.value.text, raised.value.exit_code) == (text, 2)


def test_nothing_is_evaluated(tmp_path: Path) -> None:
    witness = tmp_path / "evaluated"
    action = f"open({str(witness)!r}, 'w')"
    hostile = [
        f"quantized_bits({action})",
        f"quantized_bits(bits={action})",
        f"quantized_bits(*[{action}])",
        f"quantized_bits(**{{'bits': {action}}})",
        f"quantized_bits([x for x in [{action}]])",
        f"quantized_bits((lambda: {action})())",
        f"quantized_bits(8 if {action} else 4)",
        f'quantized_bits(f"{{{action}}}")',
        f"({action}).quantized_bits(8)",
        f"[{action}][0](8)",
        f"exec({action!r})",
        "quantized_bits(__import__('os').system('x'))",
        "quantized_bits(9**9**9**9)",
        "quantized_bits(8)\n" + action,
        "quantized_bits(8); " + action,
        "quantized_bits(\x00)",
        "quantized_bits(8is 4)",
        "quantized_bits(" + "(" * 400 + "8" + ")" * 401,
        "quantized_bits(" + "-" * 900 + "8)",
        "quantized_bits(" + "9" * 900 + ")",
        "quantized_bits(1e999)",
        "quantized_bits({8: 9})",
        "quantized_bits(b'8')",
        "quantized_bits(...)",
        "ap_fixed<" + "9" * 2000 + ",3>",
        "ap_fixed<" + "8," * 5000 + "3>",
    ]
    for text in hostile:
        with pytest.raises(TypeNotationError):
            FixedPoint.parse(text)
    assert not witness.exists()


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"(ap_fixed<|ac_fixed<|quantized_\w+\()[-0-9a-zA-Z_,=.'\"<>() ]*[)>]")))
def test_any_text_gives_a_type_or_a_clear_error(text: str) -> None:
    with suppress(TypeNotationError):
        assert isinstance(FixedPoint.parse(text), FixedPoint)


@pytest.mark.parametrize("thing", [None, 8, 8.5, b"ap_fixed<8,3>", ["ap_fixed<8,3>"], SimpleNamespace(bits=8)])
def test_other_things_are_refused(thing: Any) -> None:
    with pytest.raises(TypeNotationError, match="does not name a fixed-point type"):
        parse(thing)


def test_every_mode_is_written_and_read_in_every_notation() -> None:
    for modes in all_modes():
        t = FixedPoint(8, 3).with_modes(*modes)
        assert {parse(to_ap_fixed(t)), parse(to_hls4ml(t)), parse(to_ac_fixed(t))} == {t}
