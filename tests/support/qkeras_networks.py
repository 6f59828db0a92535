"""Small QKeras networks for the tests of lowering and verification."""

from __future__ import annotations

from typing import Any

WEIGHTS = "quantized_bits(6,0,alpha=1)"
BIAS = "quantized_bits(6,2,alpha=1)"
RELU = "quantized_relu(6,2)"
INPUT = "quantized_bits(10,3,alpha=1)"


def dense_network(
    seed: int = 0,
    sizes: tuple[int, ...] = (7, 9, 6, 4),
    weights: Any = WEIGHTS,
    bias: Any = BIAS,
    activation: Any = RELU,
    inputs: Any = INPUT,
    last: Any = None,
) -> Any:
    """Input, input quantizer, QDense layers d0, d1, ..., and `out`."""
    import keras
    from qkeras import QActivation, QDense

    keras.utils.set_random_seed(seed)
    x = keras.layers.Input((sizes[0],), name="x")
    h = QActivation(inputs, name="q")(x) if inputs else x
    names = [f"d{k}" for k in range(len(sizes) - 2)] + ["out"]
    for name, size in zip(names, sizes[1:], strict=True):
        h = QDense(
            size,
            kernel_quantizer=weights,
            bias_quantizer=bias,
            bias_initializer="random_normal",
            activation=last if name == "out" else activation,
            name=name,
        )(h)
    return keras.Model(x, h)


def deep_sets(pool: str, constituents: int = 8, seed: int = 3) -> Any:
    """A pointwise QDense and a pointwise QConv1D, pooling, and a readout with softmax."""
    import keras
    from qkeras import QActivation, QConv1D, QDense

    from quantization import SumPooling1D

    keras.utils.set_random_seed(seed)
    quantizers = {"kernel_quantizer": WEIGHTS, "bias_quantizer": WEIGHTS, "bias_initializer": "random_normal"}
    pools = {
        "average": keras.layers.GlobalAveragePooling1D(name="pool"),
        "maximum": keras.layers.GlobalMaxPooling1D(name="pool"),
        "sum": SumPooling1D(name="pool"),
        "ops.sum": lambda t: keras.ops.sum(t, axis=1),
        "ops.mean": lambda t: keras.ops.mean(t, axis=1, keepdims=True),
    }
    x = keras.layers.Input((constituents, 3), name="x")
    h = QActivation(INPUT, name="q")(x)
    h = QDense(6, activation=RELU, name="p0", **quantizers)(h)
    h = QConv1D(5, 1, name="p1", **quantizers)(h)
    h = QActivation(RELU, name="p1_relu")(h)
    h = pools[pool](h)
    h = keras.layers.Flatten(name="flat")(h)
    h = QActivation("quantized_bits(8,4,alpha=1)", name="pooled")(h)
    h = QDense(3, name="out", **quantizers)(h)
    return keras.Model(x, keras.layers.Softmax(name="softmax")(h))


def merged() -> Any:
    """Every elementwise operation of two branches, each an output."""
    import keras
    from keras import layers
    from qkeras import QActivation, QDense

    keras.utils.set_random_seed(5)
    quantizers = {"kernel_quantizer": "quantized_bits(4,0,alpha=1)", "bias_quantizer": "quantized_bits(5,1,alpha=1)"}
    x = layers.Input((6,), name="x")
    q = QActivation("quantized_bits(8,2,alpha=1)", name="q")(x)
    u = QDense(4, name="u", **quantizers)(q)
    v = QDense(4, name="v", activation="quantized_relu(5,1)", **quantizers)(q)
    return keras.Model(
        x,
        [
            layers.Add(name="add")([u, v, u]),
            layers.Subtract(name="subtract")([u, v]),
            layers.Multiply(name="multiply")([u, v]),
            layers.Average(name="average")([u, v]),
            layers.Maximum(name="maximum")([u, v]),
            layers.Minimum(name="minimum")([u, v]),
            layers.Concatenate(name="concatenate")([u, v]),
            layers.Reshape((2, 2), name="reshape")(u),
            layers.ReLU(name="relu")(u),
        ],
    )


def interaction_network(constituents: int = 5, seed: int = 6) -> Any:
    """Messages along every directed pair of constituents: constant 0/1 matrices gather senders and receivers."""
    import keras
    import numpy as np
    from keras import layers
    from qkeras import QActivation, QDense

    keras.utils.set_random_seed(seed)
    n = constituents
    pairs = [(r, s) for r in range(n) for s in range(n) if r != s]
    receivers, senders = np.zeros((n, len(pairs))), np.zeros((n, len(pairs)))
    for k, (r, s) in enumerate(pairs):
        receivers[r, k] = senders[s, k] = 1

    def matrix(values: Any, name: str) -> Any:
        constant = keras.initializers.Constant(values)
        return layers.Dense(values.shape[1], use_bias=False, trainable=False, kernel_initializer=constant, name=name)

    quantizers = {"kernel_quantizer": WEIGHTS, "bias_quantizer": BIAS, "bias_initializer": "random_normal"}
    x = layers.Input((n, 3), name="x")
    q = QActivation(INPUT, name="q")(x)
    turned = layers.Permute((2, 1), name="turned")(q)
    edges = layers.Concatenate(axis=1, name="edges")(
        [matrix(receivers, "receivers")(turned), matrix(senders, "senders")(turned)]
    )
    messages = QDense(4, activation=RELU, name="message", **quantizers)(layers.Permute((2, 1), name="back")(edges))
    collected = matrix(receivers.T, "collected")(layers.Permute((2, 1), name="turned_messages")(messages))
    nodes = layers.Concatenate(axis=2, name="nodes")([q, layers.Permute((2, 1), name="per_node")(collected)])
    h = QDense(4, activation=RELU, name="object", **quantizers)(nodes)
    h = layers.GlobalAveragePooling1D(name="pool")(h) if n & (n - 1) == 0 else keras.ops.sum(h, axis=1)
    return keras.Model(x, QDense(3, name="out", **quantizers)(h))
