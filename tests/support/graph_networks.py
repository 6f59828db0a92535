"""A network with every layer that joins, rearranges, multiplies or looks up, as outputs with names that say which."""

from __future__ import annotations

from typing import Any

import numpy as np

INPUT = "quantized_bits(7,2,alpha=1)"
TYPES = {"index": "ap_ufixed<3,3,TRN,SAT>", "few": "ap_ufixed<2,2,TRN,SAT>"}
"""Types of the inputs that are indices."""


def on_grid(layer: Any, seed: int) -> Any:
    """Give a built layer weights of multiples of 1/8."""
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.integers(-12, 13, w.shape).astype(np.float32) / 8 for w in layer.get_weights()])
    return layer


def merging() -> Any:
    """Add and its like, of many inputs and with broadcasting; concatenation on every axis; a rectifier; identities."""
    import keras
    from keras import layers
    from qkeras import QActivation

    x, y, z = layers.Input((3, 4), name="x"), layers.Input((3, 4), name="y"), layers.Input((4,), name="z")
    a, b, c = (
        QActivation(q, name=name)(t)
        for name, t, q in (("a", x, INPUT), ("b", y, "quantized_bits(6,0,alpha=1)"), ("c", z, "quantized_relu(5,2)"))
    )
    out = [
        layers.Add(name="add3")([a, b, c]),
        layers.Multiply(name="multiply3")([a, b, a]),
        layers.Subtract(name="subtract")([c, b]),
        layers.Minimum(name="minimum")([a, b]),
        layers.Average(name="average4")([a, b, b, a]),
    ]
    d = QActivation("quantized_bits(6,1,alpha=1)", name="d")(a)  # a stream feeds at most seven layers
    e = QActivation("quantized_bits(5,0,alpha=1)", name="e")(b)
    column = layers.Reshape((3, 1), name="column")(layers.GlobalMaxPooling1D(data_format="channels_last", name="top")(
        layers.Permute((2, 1), name="turned")(d)))  # fmt: skip
    row = layers.Reshape((1, 4), name="row")(c)
    out += [
        layers.Multiply(name="outer")([column, row]),
        layers.Maximum(name="maximum3")([e, column, row]),
        layers.Concatenate(axis=1, name="join1")([d, e, row]),
        layers.Concatenate(axis=-1, name="join2")([column, e]),
    ]
    cube, other = layers.Reshape((3, 2, 2, 1), name="cube")(d), layers.Reshape((3, 2, 2, 1), name="other")(e)
    for axis in (1, 2, 3, 4):
        joined = layers.Concatenate(axis=axis, name=f"cube{axis}_joined")([cube, other])
        out.append(layers.Flatten(name=f"cube{axis}")(joined))
    solid, second = layers.Reshape((3, 2, 2), name="solid")(e), layers.Reshape((3, 2, 2), name="second")(d)
    out += [layers.Concatenate(axis=axis, name=f"solid{axis}")([solid, second]) for axis in (1, 2, 3)]
    h = d
    for layer in (
        layers.Dropout(0.5), layers.AlphaDropout(0.5), layers.SpatialDropout1D(0.5), layers.GaussianNoise(0.5),
        layers.GaussianDropout(0.5), layers.ActivityRegularization(0.5), layers.Identity(),
        layers.Activation("linear"),
    ):  # fmt: skip
        h = layer(h)
    out.append(layers.ReLU(max_value=0.375, negative_slope=0.25, threshold=0.125, name="rectified")(h))
    return keras.Model([x, y, z], out, name="merging")


def products() -> Any:
    """Dot, EinsumDense, Embedding."""
    import keras
    from keras import layers
    from qkeras import QActivation

    x, y, z = layers.Input((3, 4), name="x"), layers.Input((3, 4), name="y"), layers.Input((4,), name="z")
    index, few = layers.Input((5,), name="index"), layers.Input((2, 3), name="few")
    a, b, c = (
        QActivation(q, name=name)(t)
        for name, t, q in (("a", x, INPUT), ("b", y, "quantized_bits(6,0,alpha=1)"), ("c", z, "quantized_relu(5,2)"))
    )
    d = QActivation("quantized_bits(6,1,alpha=1)", name="d")(a)  # a stream feeds at most seven layers
    e = QActivation("quantized_bits(5,0,alpha=1)", name="e")(b)
    out = [
        layers.Dot(axes=-1, name="dot_vectors")([c, layers.Activation("linear")(c)]),
        layers.Dot(axes=(2, 1), name="dot_vector")([a, c]),
        layers.Dot(axes=2, name="dot_rows")([a, b]),
        layers.Dot(axes=1, name="dot_columns")([a, b]),
    ]
    equations: list[tuple[str, str, Any, Any, str | None]] = [
        ("ein_last", "abc,cd->abd", (3, 5), "d", None),
        ("ein_relu", "...c,cd->...d", (3, 2), None, "relu"),
        ("ein_two", "abc,bcde->aed", (5, 2), "ed", None),
        ("ein_each", "abc,bcd->abd", (3, 2), "bd", "relu"),
        ("ein_middle", "abc,bd->acd", (4, 2), "d", None),
        ("ein_order", "abc,cd->adb", (2, 3), "b", None),
        ("ein_sum", "abc,d->ad", (5,), None, None),
    ]
    for k, (name, equation, shape, bias, activation) in enumerate(equations):
        layer = layers.EinsumDense(equation, shape, activation=activation, bias_axes=bias, name=name)
        out.append(layer(d if k % 2 else e))
        on_grid(layer, k)
    for k, (name, tensor, rows, width) in enumerate([("embedded", index, 8, 3), ("embedded_rows", few, 4, 2)]):
        layer = layers.Embedding(rows, width, name=name)
        out.append(layer(tensor))
        on_grid(layer, 50 + k)
    return keras.Model([x, y, z, index, few], out, name="products")
