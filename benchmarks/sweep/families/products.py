"""Products along chosen axes, and tables of vectors."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Shape, example
from benchmarks.sweep.strategies import quantized_bits, sizes, weights

EQUATIONS = {
    1: ["ab,bc->ac", "ab,bcd->acd", "ab,bcd->adc", "ab,b->ab", "ab,bc->abc"],
    2: ["abc,cd->abd", "abc,bcd->ad", "abc,bd->acd", "abc,cde->abde", "abc,bcd->abd", "...b,bc->...c"],
    3: ["abcd,cde->abe", "abcd,de->abce", "abcd,bcde->ae", "...c,cd->...d"],
}

INDEX = "quantized_bits({0},{0},keep_negative=False,alpha=1)"


def _einsum(draw: Draw, shape: Shape) -> Parts:
    equation = draw(st.sampled_from(EQUATIONS[len(shape)]))
    given, rest = equation.split(",")
    result = rest.split("->")[1]
    dots = "xyz"[: len(shape)]  # the events' axis, and all but the last
    given, result = given.replace("...", dots)[1:], result.replace("...", dots)[1:]
    size = dict(zip(given, shape, strict=True))
    output = [size[c] if c in size else draw(sizes(1, 3)) for c in result]
    options: dict[str, Any] = {
        "equation": equation,
        "output_shape": output if "..." not in equation else output[-1:],
        "bias_axes": draw(st.sampled_from([None, equation[-1]])),
        "activation": draw(st.sampled_from([None, "relu"])),
    }
    return {"options": options, "weights": draw(weights(fractional=True))}


def _dot(draw: Draw, shape: Shape) -> Parts:
    axes = [[k, j] for k, n in enumerate(shape, 1) for j, m in enumerate(shape, 1) if n == m]
    both = [draw(quantized_bits()), draw(quantized_bits())]
    return {"options": {"axes": draw(st.sampled_from(axes))}, "inputs": both}


def _embedding(draw: Draw, shape: Shape) -> Parts:
    bits = draw(st.integers(1, 5))
    options = {"input_dim": 1 << bits, "output_dim": draw(sizes(1, 3))}
    return {"options": options, "inputs": [INDEX.format(bits)], "weights": draw(weights(fractional=True))}


def _refused(reason: str, when: str, instance: dict[str, Any]) -> Refusal:
    return Refusal("lowering", reason, when, instance)


CASES = [
    Case(
        "EinsumDense",
        _einsum,
        refusals=(
            _refused("not on a fixed-point grid", "weights on no grid of 16 bits",
                     example("EinsumDense", (3,), equation="ab,bc->ac", output_shape=[2],
                             _weights={"seed": 1, "exponent": 0, "fractional": None})),
        ),
    ),
    Case(
        "Dot",
        _dot,
        ranks=(1, 2),
        examples=(example("Dot", (3,), axes=1, _inputs=["quantized_bits(6,2,alpha=1)"] * 2),),
        refusals=(
            _refused("division by a root", "`normalize`",
                     example("Dot", (3,), axes=1, normalize=True, _inputs=["quantized_bits(6,2,alpha=1)"] * 2)),
        ),
    ),
    Case(
        "Embedding",
        _embedding,
        ranks=(1, 2),
        neighbours=False,
        refusals=(
            _refused("an index is an integer", "an input that is no integer", example("Embedding", (3,), input_dim=4,
                                                                                   output_dim=2)),
            _refused("the table has rows", "indices beyond the table",
                     example("Embedding", (3,), input_dim=3, output_dim=2, _inputs=[INDEX.format(2)])),
            _refused("masks are not converted", "`mask_zero`",
                     example("Embedding", (3,), input_dim=4, output_dim=2, mask_zero=True,
                             _inputs=[INDEX.format(2)])),
        ),
    ),
]  # fmt: skip
