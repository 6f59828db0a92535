"""Programs that are not well formed are refused when they are built, with the reason; the text form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_networks import dense_network, two_ports

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Affine, Order, Output, Program, ProgramError
from firmware_flows.program_text import value_text

T = FixedPoint.parse("ap_fixed<8,4,RND,SAT>")


def builder() -> Builder:
    """With one input x, value 0, of shape (2, 3)."""
    b = Builder("net")
    b.begin_layer("x", "Input")
    b.end_layer(b.input("x", (2, 3), T))
    b.begin_layer("y", "Any", ["x"])
    return b


MISTAKES: list[tuple[Callable[[Builder], Any], str]] = [
    (lambda b: b.cast(7, T), "there is no value %7: 1 are defined so far"),
    (lambda b: b.cast(-1, T), "there is no value %-1"),
    (lambda b: b.type_of(3), "there is no value %3"),
    (lambda b: b.interval(3), "there is no value %3"),
    (lambda b: b.input("z", (0,), T), r"\(input, layer 'y'\): shape \(0,\) must have positive integer sizes"),
    (lambda b: b.affine(0, np.ones((2, 2), int), 0), r"weights \(2, 2\) do not fit value %0 of shape \(2, 3\)"),
    (lambda b: b.affine(0, [1, 2, 3], 0), r"weights \(3,\) do not fit"),
    (lambda b: b.affine(0, np.ones((3, 2)), 0), "weights: mantissas are integers, not float64"),
    (lambda b: b.affine(0, [[2**63], [0], [0]], 0), "weights: .* does not fit 63 bits"),
    (lambda b: b.affine(0, np.ones((3, 2), int), 0, [1], 0), r"bias \(1,\) does not fit weights \(3, 2\)"),
    (lambda b: b.affine(0, [[1], [1], [1]], 60, [2**61], 0), r"bias times 2\^64: .* does not fit 63 bits"),
    (lambda b: b.affine(0, [[1], [1], [1]], 0, [2**62 + 1], 4), "bias: .* does not fit 63 bits"),
    (lambda b: b.affine(0, [[1], [1], [1]], 0, product=T), "product and accumulator type go together"),
    (lambda b: b.affine(0, [[1], [1], [1]], 1100), "1104 fractional bits; 512 are the most"),
    (lambda b: b.rearrange([0], [6]), "%1 .*indices must lie from -1 to 5"),
    (lambda b: b.rearrange([0], [-2]), "indices must lie from -1 to 5"),
    (lambda b: b.rearrange([], [0]), "at least one source"),
    (lambda b: b.rearrange([0], [0.5]), "indices: mantissas are integers"),
    (lambda b: b.rearrange([0], [-1], fill=2**63), "fill 9223372036854775808 must lie within"),
    (lambda b: b.reshape(0, (4, 2)), r"value %0 of shape \(2, 3\) cannot become \(4, 2\)"),
    (lambda b: b.concatenate([0, b.constant([1], 0)], 0), "cannot be joined along axis 0"),
    (lambda b: b.combine("add", 0, b.constant([1, 2], 0)), r"shapes \(2, 3\) and \(2,\) do not broadcast"),
    (lambda b: b.combine("sub", 0, 0), "'sub' is no CombineOperation: valid names: add, maximum"),
    (lambda b: b.reduce("sum", 0, 2), r"axis 2 is not an axis of value %0 of shape \(2, 3\)"),
    (lambda b: b.reduce("mean", 0, 1), "'mean' is no ReduceOperation"),
    (lambda b: b.reduce("sum", 0, 1, order="random"), "'random' is no Order"),
    (lambda b: b.table(0, [1, 2, 3], 0), r"entries \(1, 3\) should be \(1 or 3, 2\^8\)"),
    (lambda b: b.table(0, np.zeros((2, 256), int), 0), r"entries \(2, 256\) should be \(1 or 3, 2\^8\)"),
    (lambda b: b.argmax(b.reduce("sum", b.reduce("sum", 0, 0), 0)), "needs a source with an axis"),
    (lambda b: b.constant([0.5], 1), "constant: mantissas are integers, not float"),
    (lambda b: b.constant([], 1), "a constant needs at least one element"),
    (lambda b: b.begin_layer("z", "Any"), "layer 'y' is not ended"),
    (lambda b: b.build({"y": 0}), "layer 'y' is not ended"),
    (lambda b: b.end_layer(4), "there is no value %4"),
    (lambda b: b.end_layer(0, attributes={"a": {1, 2}}), "attributes of layer 'y' must be JSON values"),
    (lambda b: b.end_layer(0, attributes={"a": float("nan")}), "attributes of layer 'y' must be JSON values"),
    (lambda b: b.end_layer(0, arrays={"weight": [0.5]}), "array 'weight' of layer 'y': mantissas are integers"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_refused_at_once(mistake: Callable[[Builder], Any], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        mistake(builder())


def test_layers_are_named_once_and_ended() -> None:
    b = builder()
    b.end_layer(0)
    with pytest.raises(ProgramError, match="two layers are named 'x'"):
        b.begin_layer("x", "Any")
    with pytest.raises(ProgramError, match="no layer to end"):
        b.end_layer(0)


def test_values_grow_no_wider_than_can_be_reasoned_about() -> None:
    b = builder()
    value = 0
    for _ in range(6):  # 8 bits become 16, 32, ..., 512
        value = b.combine("multiply", value, value)
    with pytest.raises(ProgramError, match="needs 897 bits; 512 are the most"):
        b.combine("multiply", value, value)


def program_with(program: Program, **changes: Any) -> Program:
    values = {k: getattr(program, k) for k in ("name", "instructions", "outputs", "layers", "metadata")}
    return Program(**{**values, **changes})


def changed(program: Program, number: int, **changes: Any) -> tuple[Any, ...]:
    instructions = list(program.instructions)
    instructions[number] = replace(instructions[number], **changes)
    return tuple(instructions)


def test_a_program_made_by_hand_is_checked_too() -> None:
    program = dense_network([4, 6, 3])
    affine, narrow = program.instructions[1], FixedPoint(4, 2)
    assert isinstance(affine, Affine)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"instructions": ()}, "has no instructions"),
        (
            {"instructions": changed(program, 1, source=1)},
            r"%1 \(affine, layer 'dense0'\): reads value %1, which is not",
        ),
        ({"instructions": changed(program, 1, shape=(5,))}, r"shape \(5,\) should be \(6,\)"),
        ({"instructions": changed(program, 1, type=narrow)}, "fewer fractional bits than its products"),
        ({"instructions": changed(program, 1, type=FixedPoint(12, 1))}, "values from .* do not fit"),
        ({"instructions": changed(program, 1, weights=affine.weights.astype(float))}, "must be an int64 array"),
        ({"instructions": changed(program, 1, bias=affine.bias + 2**62 + 100)}, "bias must lie within"),
        ({"outputs": ()}, "has no outputs"),
        ({"outputs": (Output("y", 9),)}, "output 'y' names value %9, but there are 4"),
        ({"outputs": (Output("y", 1), Output("y", 2))}, "output ports must have different names"),
        ({"layers": (program.layers[0], program.layers[0])}, "layer names must differ"),
        ({"layers": program.layers[1:]}, "layer 'dense0' reads 'x', which is no earlier layer"),
        ({"layers": (replace(program.layers[0], types={}),)}, "layer 'x': result None"),
        ({"layers": (replace(program.layers[0], types={"result": narrow}),)}, "layer 'x': result"),
        ({"metadata": {"a": object()}}, "metadata of '4-6-3' must be JSON values"),
    ]
    for changes, message in cases:
        with pytest.raises(ProgramError, match=message):
            program_with(program, **changes)


def test_ports_exist_and_have_different_names() -> None:
    b = Builder("net")
    value = b.constant([1], 0)
    with pytest.raises(ProgramError, match="input ports must exist"):
        b.build({"y": value})
    b.input("x", (1,), T)
    b.input("x", (1,), T)
    with pytest.raises(ProgramError, match="different names"):
        b.build({"y": value})


def test_a_bias_that_its_accumulator_cannot_start_from_is_refused() -> None:
    b = builder()
    lossy = b.affine(0, [[1], [1], [1]], 0, [1], 0, product=T, accumulator=T)
    b.end_layer(lossy)
    program = b.build({"y": lossy})
    with pytest.raises(ProgramError, match="bias does not fit its accumulator"):
        program_with(program, instructions=changed(program, lossy, bias=np.array([128])))


def test_shapes_and_narrowest_types_are_derived() -> None:
    b = builder()
    x = 0
    results = {
        b.affine(x, [[1, 0], [0, 2], [0, 0]], 1): ((2, 2), "ap_fixed<9,4>"),
        b.affine(x, [[1], [1], [1]], 0, [1], 6): ((2, 1), "ap_fixed<12,6>"),
        b.combine("multiply", x, x): ((2, 3), "ap_fixed<16,8>"),
        b.combine("maximum", x, b.constant(0, 0)): ((2, 3), "ap_ufixed<7,3>"),
        b.reduce("sum", x, 0): ((3,), "ap_fixed<9,5>"),
        b.argmax(x): ((2,), "ap_ufixed<2,2>"),
        b.rearrange([x], [[-1, 0]], fill=300): ((1, 2), "ap_fixed<10,6>"),
        b.concatenate([x, x], 1): ((2, 6), "ap_fixed<8,4>"),
        b.reshape(x, (3, 2)): ((3, 2), "ap_fixed<8,4>"),
        b.table(x, np.arange(256) // 100, 1): ((2, 3), "ap_ufixed<2,1>"),
    }
    for value, (shape, text) in results.items():
        assert (b.shape_of(value), str(b.type_of(value))) == (shape, text)


def test_constants_are_the_programs_own() -> None:
    weights = np.array([[1], [2], [3]])
    b = builder()
    value = b.affine(0, weights, 0)
    b.end_layer(value, arrays={"weight": weights}, attributes={"shape": (1, 2)})
    program = b.build({"y": value})
    digest = program.digest
    weights[:] = 99
    assert program.digest == digest
    assert program.layer("y").arrays["weight"].tolist() == [[1], [2], [3]]
    assert program.layer("y").attributes == {"shape": [1, 2]}  # as a file would give it back
    affine = program.instructions[value]
    assert isinstance(affine, Affine)
    with pytest.raises(ValueError, match="read-only"):
        affine.weights[0, 0] = 5


def test_layers_are_found_by_name() -> None:
    program = dense_network([4, 6, 3])
    assert program.layer("relu0").kind == "Relu"
    assert program.layer("relu0").type.width == 6
    with pytest.raises(ProgramError, match="no layer 'relu1' in '4-6-3', did you mean 'relu0'"):
        program.layer("relu1")


def test_text_shows_ports_types_ranges_layers() -> None:
    b = builder()
    y = b.affine(0, [[3], [0], [-1]], 2, [5], 4)
    b.end_layer(y, remarks=["as the hardware does"])
    b.begin_layer("z", "Any", ["y"])
    z = b.reduce("sum", y, 0, accumulator=FixedPoint(6, 4), order=Order.TREE)
    b.end_layer(z)
    text = b.build({"out": z}, {"unit": "GeV"}).to_text()
    lines = text.splitlines()
    assert lines[0].startswith("program 'net'  sha256 ")
    assert "  unit: GeV" in lines
    assert "  # y" in lines
    assert any("%1   = affine %0 3x1, 2 nonzero, weights * 2^-2" in x and "[-7.671875, 8.265625]" in x for x in lines)
    assert any("reduce %1 sum over axis 0 in ap_fixed<6,4>, tree" in x for x in lines)
    assert "  out = %2  ap_fixed<6,4>" in lines
    assert "  y: Any of x; result ap_fixed<11,5>" in lines
    assert "    remark: as the hardware does" in lines


def test_text_of_every_instruction() -> None:
    text = two_ports().to_text()
    assert "combine %0, %1 subtract" in text
    assert "constant 2 numbers" in text
    b = builder()
    padded = b.rearrange([0], [-1, 0], fill=2)
    table = b.table(padded, np.zeros(256, int), 0) if b.type_of(padded).width == 8 else padded
    b.end_layer(b.argmax(b.reshape(b.cast(table, T), (1, 2))))
    text = b.build({"y": 1}).to_text(layers=False)
    for part in (
        "rearrange %0 2 elements, fill 2",
        "table %1 1 x 256 entries",
        "cast %2 RND SAT",
        "in order",
        "argmax",
    ):
        assert part in text
    assert "layers" not in text


@pytest.mark.parametrize(
    ("mantissa", "fractional", "text"),
    [(0, 3, "0"), (-3, 1, "-1.5"), (5, -2, "20"), (1, 10, "0.0009765625"), (2**70, 70, "1"), (-8, 3, "-1")],
)
def test_values_are_written_exactly(mantissa: int, fractional: int, text: str) -> None:
    assert value_text(mantissa, FixedPoint(80, 80 - fractional)) == text
