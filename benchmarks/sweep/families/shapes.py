"""Layers that rearrange, pad, crop and repeat."""

from __future__ import annotations

from math import prod

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Shape, example
from benchmarks.sweep.strategies import sizes


def _flatten(draw: Draw, shape: Shape) -> Parts:
    return {"options": {}}


def _reshape(draw: Draw, shape: Shape) -> Parts:
    size = prod(shape)
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    rest = size // first
    second = draw(st.sampled_from([n for n in range(1, rest + 1) if rest % n == 0]))
    target = draw(st.sampled_from([[size], [first, rest], [first, second, rest // second]]))
    return {"options": {"target_shape": target}}


def _permute(draw: Draw, shape: Shape) -> Parts:
    return {"options": {"dims": draw(st.permutations(range(1, len(shape) + 1)))}}


def _pairs(draw: Draw, limits: list[int]) -> list[list[int]]:
    return [[draw(sizes(0, limit)), draw(sizes(0, limit))] for limit in limits]


def _zero_padding(draw: Draw, shape: Shape) -> Parts:
    pairs = _pairs(draw, [3] * (len(shape) - 1))
    return {"options": {"padding": pairs if len(pairs) > 1 else pairs[0]}}


def _cropping(draw: Draw, shape: Shape) -> Parts:
    pairs = _pairs(draw, [(n - 1) // 2 for n in shape[:-1]])
    return {"options": {"cropping": pairs if len(pairs) > 1 else pairs[0]}}


def _up_sampling(draw: Draw, shape: Shape) -> Parts:
    size = [draw(sizes(1, 3)) for _ in shape[:-1]]
    return {"options": {"size": size if len(size) > 1 else size[0]}}


def _repeat(draw: Draw, shape: Shape) -> Parts:
    return {"options": {"n": draw(sizes(1, 5))}}


CASES = [
    Case("Flatten", _flatten),
    Case("Reshape", _reshape),
    Case(
        "Permute",
        _permute,
        ranks=(2, 3),
        refusals=(
            Refusal(
                "stream", "hls4ml transposes two axes", "three axes", example("Permute", (2, 3, 2), dims=[3, 1, 2])
            ),
        ),
    ),
    Case("ZeroPadding1D", _zero_padding, ranks=(2,)),
    Case("ZeroPadding2D", _zero_padding, ranks=(3,)),
    Case("Cropping1D", _cropping, ranks=(2,)),
    Case("Cropping2D", _cropping, ranks=(3,)),
    Case("UpSampling1D", _up_sampling, ranks=(2,)),
    Case("UpSampling2D", _up_sampling, ranks=(3,), examples=(example("UpSampling2D", (2, 2, 1), size=2),)),
    Case("RepeatVector", _repeat, ranks=(1,)),
]
