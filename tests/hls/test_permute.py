"""Orders of axes that hls4ml's transpose does not have: what the refusal advises gives the same, and is converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.hls import HlsConversionError

pytestmark = pytest.mark.keras


def _program(shape: tuple[int, ...], *steps: tuple[str, tuple[int, ...]]) -> ff.Program:
    import keras
    from qkeras import QActivation

    x = keras.Input(shape, name="x")
    y = QActivation("quantized_bits(6,2,alpha=1)", name="q")(x)
    for number, (kind, argument) in enumerate(steps):
        y = getattr(keras.layers, kind)(argument, name=f"s{number}")(y)
    program: ff.Program = ff.lower(keras.Model(x, y, name="order"))
    return program


CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], str, Any]] = [
    ("stream", (2, 3, 4), (2, 3, 1), "Reshape to two axes", [("Reshape", (2, 12)), ("Permute", (2, 1)),
                                                             ("Reshape", (3, 4, 2))]),
    ("parallel", (2, 3, 2, 2), (3, 4, 1, 2), "Reshape to two axes", [("Reshape", (6, 4)), ("Permute", (2, 1)),
                                                                     ("Reshape", (2, 2, 2, 3))]),
    ("parallel", (2, 3, 2, 2), (4, 2, 3, 1), "several Permutes", [("Reshape", (2, 6, 2)), ("Permute", (3, 2, 1)),
                                                                  ("Reshape", (2, 3, 2, 2))]),
    ("stream", (2, 3, 4), (3, 2, 1), 'io="parallel"', None),
]  # fmt: skip


@pytest.mark.parametrize(("io", "shape", "dims", "advice", "steps"), CASES)
def test_an_order_that_is_refused_can_be_had_otherwise(
    io: str, shape: tuple[int, ...], dims: tuple[int, ...], advice: str, steps: Any, tmp_path: Path
) -> None:
    program = _program(shape, ("Permute", dims))
    with pytest.raises(HlsConversionError) as caught:
        ff.hls.write_project(program, tmp_path / "refused", io=io)
    assert advice in caught.value.remedy
    other, io = (_program(shape, *steps), io) if steps else (program, "parallel")
    ff.hls.write_project(other, tmp_path / "instead", io=io)
    x = np.random.default_rng(1).normal(0, 2, (20, *shape))
    assert np.array_equal(ff.emulate(program, x), ff.emulate(other, x))
