"""Pooling over all positions, and in windows."""

from __future__ import annotations

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Instance, Parts, Refusal, Remark, Shape, example
from benchmarks.sweep.strategies import CAST, sizes

AVERAGE = Remark("the average over .* positions is the hardware's", "the number of positions is no power of two")
ROUNDED = "a rounded 1/n is not what hls4ml's pooling divides by"


def _global(draw: Draw, shape: Shape) -> Parts:
    return {"options": {"keepdims": draw(st.booleans())}}


def _quantized_global(draw: Draw, shape: Shape) -> Parts:
    average = draw(st.sampled_from([None, None, None, "quantized_bits(8,0,alpha=1)"]))
    return {"options": {"average_quantizer": average, "activation": draw(st.one_of(st.none(), CAST))}}


def _function(draw: Draw, shape: Shape) -> Parts:
    axis: int | list[int] = 1 if len(shape) == 2 else [1, 2]
    return {"options": {"axis": axis, "keepdims": draw(st.booleans())}}


def _windows(draw: Draw, shape: Shape) -> Parts:
    pool = [draw(sizes(1, min(n, 4))) for n in shape[:-1]]
    strides = draw(st.sampled_from([None, pool, [draw(sizes(1, 3)) for _ in pool]]))
    single = len(pool) == 1
    return {
        "options": {
            "pool_size": pool[0] if single else pool,
            "strides": strides[0] if strides and single else strides,
            "padding": draw(st.sampled_from(["valid", "valid", "same"])),
        }
    }


def _quantized_windows(draw: Draw, shape: Shape) -> Parts:
    parts = _windows(draw, shape)
    average = draw(st.sampled_from([None, None, None, "quantized_bits(8,0,alpha=1)"]))
    parts["options"] |= {"average_quantizer": average, "activation": draw(st.one_of(st.none(), CAST))}
    return parts


def _unstreamed(layer: str) -> tuple[Refusal, ...]:
    """What hls4ml has no streaming form for."""
    shape = (6, 2) if layer.endswith("1D") else (6, 6, 2)
    padded = Refusal(
        "stream", "streams pooling without padding", "`padding='same'` of values that can be negative",
        example(layer, shape, pool_size=4, strides=3, padding="same"),
    )  # fmt: skip
    if layer.endswith("1D"):
        return (padded,)
    steps = example(layer, shape, pool_size=[2, 2], strides=[1, 1])
    return (padded, Refusal("stream", "streams pooling of", "`strides` other than `pool_size`", steps))


def _average_quantizer(layer: str, **options: object) -> Refusal:
    instance = example(layer, (4, 4, 2), average_quantizer="quantized_bits(8,0,alpha=1)", **options)
    return Refusal("lowering", ROUNDED, "`average_quantizer`", instance)


def _averages(layer: str, *shapes: Shape, **options: object) -> tuple[Instance, ...]:
    """Of as many positions as a power of two, and not."""
    return tuple(example(layer, shape, **options) for shape in shapes)


CASES = [
    Case("GlobalAveragePooling1D", _global, ranks=(2,), remarks=(AVERAGE,),
         examples=_averages("GlobalAveragePooling1D", (3, 2), (4, 2))),
    Case("GlobalMaxPooling1D", _global, ranks=(2,)),
    Case("GlobalAveragePooling2D", _global, ranks=(3,), remarks=(AVERAGE,),
         examples=_averages("GlobalAveragePooling2D", (3, 1, 2), (2, 2, 2))),
    Case("QGlobalAveragePooling2D", _quantized_global, ranks=(3,), remarks=(AVERAGE,),
         examples=_averages("QGlobalAveragePooling2D", (3, 1, 2), (2, 2, 2), activation="quantized_bits(6,2,alpha=1)"),
         refusals=(_average_quantizer("QGlobalAveragePooling2D"),)),
    Case("GlobalMaxPooling2D", _global, ranks=(3,)),
    Case("SumPooling1D", lambda draw, shape: {"options": {}}, ranks=(2,)),
    Case("Sum", _function, ranks=(2, 3)),
    Case("Max", _function, ranks=(2, 3)),
    Case("Mean", _function, ranks=(2, 3), remarks=(AVERAGE,), examples=_averages("Mean", (3, 2), (4, 2), axis=1)),
    Case("MaxPooling1D", _windows, ranks=(2,), refusals=_unstreamed("MaxPooling1D")),
    Case("MaxPooling2D", _windows, ranks=(3,), refusals=_unstreamed("MaxPooling2D"),
         examples=(example("MaxPooling2D", (3, 3, 2), pool_size=2),)),
    Case("AveragePooling1D", _windows, ranks=(2,), remarks=(AVERAGE,), refusals=_unstreamed("AveragePooling1D"),
         examples=(example("AveragePooling1D", (6, 2), pool_size=3), example("AveragePooling1D", (4, 2), pool_size=2))),
    Case("AveragePooling2D", _windows, ranks=(3,), remarks=(AVERAGE,), refusals=_unstreamed("AveragePooling2D"),
         examples=(example("AveragePooling2D", (3, 3, 2), pool_size=3),
                   example("AveragePooling2D", (4, 4, 2), pool_size=2))),
    Case("QAveragePooling2D", _quantized_windows, ranks=(3,), remarks=(AVERAGE,),
         refusals=(*_unstreamed("QAveragePooling2D"), _average_quantizer("QAveragePooling2D", pool_size=2)),
         examples=(example("QAveragePooling2D", (3, 3, 2), pool_size=3),
                   example("QAveragePooling2D", (4, 4, 2), pool_size=2))),
]  # fmt: skip
