"""One network with every elementwise layer, on narrow and wide inputs, each an output."""

from __future__ import annotations

from typing import Any

import numpy as np

INPUT = "quantized_bits(12,4,alpha=1)"
KERNEL = {
    "kernel_quantizer": "quantized_bits(6,0,alpha=1)",
    "bias_quantizer": "quantized_bits(6,2,alpha=1)",
    "bias_initializer": "random_normal",
}


def elementwise() -> Any:
    """Outputs bear names that begin with their family: table_, step_, line_, norm_, soft_."""
    import keras
    from keras import layers
    from qkeras import QActivation, QBatchNormalization, QDense

    keras.utils.set_random_seed(1)
    x = layers.Input((2, 3), name="x")
    q = QActivation(INPUT, name="q")(x)
    outputs: list[Any] = []

    def cast(name: str, quantizer: str) -> Any:
        return QActivation(quantizer, name=name)(q)

    def functions(prefix: str, source: Any, *names: str) -> None:
        outputs.extend(layers.Activation(n, name=f"{prefix}_{n}")(source) for n in names)

    def quantizers(source: Any, **named: str) -> None:
        outputs.extend(QActivation(q, name=name)(source) for name, q in named.items())

    narrow = cast("narrow", "quantized_bits(8,3,alpha=1)")  # a stream feeds at most seven layers
    functions("table_n", narrow, "tanh", "sigmoid", "softplus", "softsign", "exponential", "elu", "selu")
    ten = cast("ten", "quantized_bits(10,4,alpha=1)")
    outputs.append(layers.ELU(alpha=0.5, name="table_half_elu")(ten))
    quantizers(
        ten,
        table_real_tanh="quantized_tanh(6,use_real_tanh=True)",
        table_real_sigmoid="quantized_sigmoid(6,use_real_sigmoid=True)",
        table_po2="quantized_po2(4)",
        table_relu_po2="quantized_relu_po2(4)",
        step_01="binary(use_01=True,alpha=2)",
        step_half="binary(alpha=0.5)",
    )
    unsigned = cast("unsigned", "quantized_bits(7,2,keep_negative=False,alpha=1)")
    functions("table_u", unsigned, "tanh", "elu", "selu", "exponential")
    quantizers(unsigned, step_unsigned="ternary(threshold=1.5,alpha=2)")
    wide = cast("wide", "quantized_bits(11,4,alpha=1)")
    functions("table_w", wide, "tanh", "sigmoid", "softplus", "softsign", "exponential")
    quantizers(wide, table_wide_tanh="quantized_tanh(7,use_real_tanh=True)", step_binary="binary")
    other = cast("other", "quantized_bits(11,3,alpha=1)")
    functions("table_o", other, "elu", "selu")
    functions("line", other, "relu6")
    outputs.append(layers.LeakyReLU(negative_slope=0.125, name="line_leaky")(other))
    outputs.append(layers.ReLU(max_value=2.5, name="line_limited")(other))
    third = cast("third", "quantized_bits(11,2,alpha=1)")
    outputs.append(layers.ReLU(threshold=0.75, name="line_threshold")(third))
    outputs.append(layers.ReLU(negative_slope=0.375, max_value=2.0, name="line_both")(third))
    outputs.append(layers.ReLU(threshold=0.5, max_value=1.5, name="line_gated")(third))
    quantizers(third, step_ternary="ternary")
    few = cast("few", "quantized_bits(6,2,alpha=1)")
    functions("line", few, "hard_sigmoid")
    quantizers(few, line_hard_tanh="hard_tanh", line_qkeras_sigmoid="hard_sigmoid")
    for number, axes in enumerate((None, [1])):
        prelu = layers.PReLU(shared_axes=axes, name=f"line_prelu{number}")
        outputs.append(prelu(few))
        prelu.alpha.assign(np.random.default_rng(number).integers(-8, 9, prelu.alpha.shape) / 8)
    plain = layers.BatchNormalization(epsilon=0.0, name="norm_plain")
    outputs.append(plain(few))
    plain.set_weights([np.array(v, np.float32) for v in ([0.5, 1.5, -2], [0.5, 0, -3], [1, 0.25, 0], [1, 1, 1])])
    before = QDense(3, name="before", **KERNEL)(few)
    folded = layers.BatchNormalization(epsilon=0.0, name="norm_folded")
    h = folded(before)
    folded.set_weights([np.array(v, np.float32) for v in ([0.5, 2, -4], [0.5, 0, -3], [1, 0, 0.5], [1, 4, 0.25])])
    outputs.append(layers.Softmax(name="soft_exact")(h))
    quantized = QBatchNormalization(
        gamma_quantizer=None,
        variance_quantizer=None,
        beta_quantizer="quantized_bits(6,2,alpha=1)",
        mean_quantizer="quantized_bits(6,2,alpha=1)",
        inverse_quantizer="quantized_bits(8,2,alpha=1)",
        name="norm_quantized",
    )
    h = quantized(QDense(3, name="kept", **KERNEL)(h))
    quantized.set_weights(
        [np.array(v, np.float32) for v in ([0.5, 1.7, -1.2], [0.5, 0.1, -1.3], [1, 0.2, 0.7], [0.9, 1.4, 0.3])]
    )
    h = QActivation("quantized_bits(7,2,alpha=1)", name="norm_cast")(h)
    h = layers.Softmax(name="soft_inside")(h)
    h = QActivation("quantized_bits(8,0,alpha=1)", name="probabilities")(h)
    outputs.append(QDense(4, activation="softmax", name="soft_last", **KERNEL)(h))
    return keras.Model(x, outputs)


def every_input(program: Any) -> np.ndarray[Any, Any]:
    """Events in which every element takes every value of the input type, in another order for each element."""
    port = program.inputs[0]
    size = int(np.prod(port.shape))
    rng = np.random.default_rng(7)
    values = port.type.to_float(np.arange(port.type.minimum, port.type.maximum + 1)).astype(np.float32)
    return np.stack([rng.permutation(values) for _ in range(size)], axis=1).reshape(-1, *port.shape)
