"""Networks of convolutions, pooling and padding, many layers in one: each branch of the input ends in an output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Layer = Callable[[Any], Any]

WEIGHTS = "quantized_bits(4,0,alpha=1)"
BIAS = "quantized_bits(5,1,alpha=1)"
INPUT = "quantized_bits(7,2,alpha=1)"
RELU = "quantized_relu(5,2)"

_WORDS = {"kernel_quantizer": WEIGHTS, "bias_quantizer": BIAS, "bias_initializer": "random_normal"}
_DEPTHWISE = {"depthwise_quantizer": WEIGHTS, "bias_quantizer": BIAS, "bias_initializer": "random_normal"}
_SEPARABLE = {**_DEPTHWISE, "pointwise_quantizer": "quantized_bits(3,0,alpha=1)"}


def branches(
    shape: Sequence[int],
    layers: dict[str, Layer | Sequence[Layer]],
    seed: int = 1,
    fan_out: int = 4,
    first: str = INPUT,
) -> Any:
    """A network with one output a branch; at most `fan_out` branches read one quantizer (streams have few readers)."""
    import keras
    from qkeras import QActivation

    keras.utils.set_random_seed(seed)
    x = keras.Input(tuple(shape), name="x")
    signal = QActivation(first, name="q")(x)
    outputs = []
    for number, branch in enumerate(layers.values()):
        if number % fan_out == 0 and number:  # never a type that holds the last one: a layer of its own in firmware
            signal = QActivation(f"quantized_bits(6,{number // fan_out % 2 + 1},alpha=1)", name=f"q{number}")(signal)
        h = signal
        for layer in branch if isinstance(branch, Sequence) else [branch]:
            h = layer(h)
        outputs.append(h)
    return keras.Model(x, outputs, name="branches")


def conv2d(filters: int, kernel: Any, **options: Any) -> Layer:
    from qkeras import QConv2D

    return QConv2D(filters, kernel, **{**_WORDS, **options})


def conv1d(filters: int, kernel: Any, **options: Any) -> Layer:
    from qkeras import QConv1D

    return QConv1D(filters, kernel, **{**_WORDS, **options})


def depthwise2d(kernel: Any, **options: Any) -> Layer:
    from qkeras import QDepthwiseConv2D

    return QDepthwiseConv2D(kernel, **{**_DEPTHWISE, **options})


def separable(rank: int, filters: int, kernel: Any, **options: Any) -> Layer:
    import qkeras

    kind = qkeras.QSeparableConv1D if rank == 1 else qkeras.QSeparableConv2D
    return kind(filters, kernel, **{**_SEPARABLE, **options})


def plain(name: str, *values: Any, **options: Any) -> Layer:
    """A Keras layer whose weights, if it has any, are multiples of 1/8."""
    import keras
    import numpy as np

    def grid(shape: Sequence[int], dtype: Any = None) -> Any:
        random = np.random.default_rng(sum(shape) + len(shape))
        return (random.integers(-7, 8, tuple(shape)) / 8).astype(np.float32)

    kind = getattr(keras.layers, name)
    if "Depthwise" in name:
        options = {"depthwise_initializer": grid, **options}
    elif "Conv" in name:
        options = {"kernel_initializer": grid, **options}
    return kind(*values, **options)


def normalized(seed: int = 1) -> Layer:
    """A BatchNormalization of which every scale is a power of two."""
    import keras
    import numpy as np

    layer, rng = keras.layers.BatchNormalization(epsilon=0.0), np.random.default_rng(seed)

    def apply(x: Any) -> Any:
        y, n = layer(x), x.shape[-1]
        numbers = [rng.choice([0.5, -2, 1, -0.25], n), rng.integers(-8, 8, n) / 4, rng.integers(-8, 8, n) / 2]
        layer.set_weights([*numbers, rng.choice([1, 4, 0.25], n)])
        return y

    return apply


def folding(kind: str, *values: Any, seed: int = 1, **options: Any) -> Layer:
    """QKeras' QDenseBatchnorm, QConv2DBatchnorm or QDepthwiseConv2DBatchnorm with statistics as after training."""
    import numpy as np
    import qkeras

    words = _DEPTHWISE if "Depthwise" in kind else _WORDS
    layer, rng = getattr(qkeras, kind)(*values, **{**words, **options}), np.random.default_rng(seed)

    def apply(x: Any) -> Any:
        y = layer(x)
        n = layer.batchnorm.gamma.shape[0]
        deviations = [rng.normal(1, 0.3, n), rng.normal(0, 0.5, n), rng.normal(0, 0.5, n)]
        layer.batchnorm.set_weights([*deviations, rng.uniform(0.5, 2, n)])
        return y

    return apply


def relu(name: str = RELU) -> Layer:
    from qkeras import QActivation

    return QActivation(name)


def image_layers() -> dict[str, Any]:
    """Every layer of the family on (height, width, channels), with the settings that change what it computes."""
    return {
        "valid": conv2d(3, (3, 2)),
        "same": conv2d(2, 3, padding="same"),
        "strided": conv2d(2, (3, 3), strides=(2, 3), padding="same", activation=RELU),
        "sparse": conv2d(2, 2, strides=3),
        "row": conv2d(2, (1, 3), padding="same"),
        "column": conv2d(2, (4, 1), use_bias=False),
        "pointwise": conv2d(3, 1),
        "pointwise strided": conv2d(2, 1, strides=2),
        "dilated": conv2d(2, (2, 3), dilation_rate=(3, 2)),
        "dilated same": conv2d(2, 3, dilation_rate=2, padding="same"),
        "grouped": plain("Conv2D", 4, 2, groups=2),
        "depthwise": depthwise2d(3),
        "depthwise same": depthwise2d((2, 3), padding="same", strides=(2, 2), activation=RELU),
        "depthwise multiplied": depthwise2d(2, depth_multiplier=3),
        "depthwise dilated": depthwise2d(2, dilation_rate=(2, 2)),
        "depthwise row": depthwise2d((1, 2)),
        "separable": separable(2, 3, 3, padding="same", activation=RELU),
        "separable valid": separable(2, 2, (2, 3), depth_multiplier=2, use_bias=False),
        "normalized": [conv2d(3, 2, padding="same"), normalized()],
        "depthwise normalized": [depthwise2d(2, depth_multiplier=2), normalized()],
        "separable normalized": [separable(2, 3, 2), normalized()],
        "folding": folding("QConv2DBatchnorm", 3, 2, strides=2, activation=RELU),
        "folding without bias": folding(
            "QConv2DBatchnorm",
            2,
            (1, 2),
            use_bias=False,
            folding_mode="batch_stats_folding",
            kernel_quantizer="quantized_bits(4,1,alpha='auto_po2')",
        ),
        "folding depthwise": folding("QDepthwiseConv2DBatchnorm", 2, depth_multiplier=2),
        "folding dense": folding("QDenseBatchnorm", 3, folding_mode="batch_stats_folding"),
        "maximum": plain("MaxPooling2D", 2),
        "maximum of other steps": plain("MaxPooling2D", (3, 2), strides=(2, 1)),
        "maximum same of signed": plain("MaxPooling2D", (2, 3), padding="same"),
        "maximum same after ReLU": [relu(), plain("MaxPooling2D", (3, 2), padding="same")],
        "average": plain("AveragePooling2D", 2),
        "average of 6": plain("AveragePooling2D", (2, 3)),
        "average same": plain("AveragePooling2D", 2, padding="same"),
        "average same of 9": plain("AveragePooling2D", 3, strides=1, padding="same"),
        "global average": plain("GlobalAveragePooling2D"),
        "global maximum": plain("GlobalMaxPooling2D", keepdims=True),
        "zeros": plain("ZeroPadding2D", ((1, 2), (0, 3))),
        "cropped": plain("Cropping2D", ((1, 0), (2, 1))),
        "larger": plain("UpSampling2D", (2, 3)),
    }


def row_layers() -> dict[str, Any]:
    """Every layer of the family on (width, channels)."""
    return {
        "valid": conv1d(3, 3),
        "same": conv1d(2, 4, padding="same", activation=RELU),
        "strided": conv1d(2, 3, strides=2, padding="same"),
        "sparse": conv1d(2, 2, strides=4),
        "pointwise": conv1d(3, 1),
        "pointwise strided": conv1d(2, 1, strides=3),
        "dilated": conv1d(2, 3, dilation_rate=2),
        "causal": plain("Conv1D", 2, 3, padding="causal", dilation_rate=2),
        "grouped": plain("Conv1D", 4, 2, groups=2),
        "depthwise": plain("DepthwiseConv1D", 3, padding="same"),
        "depthwise multiplied": plain("DepthwiseConv1D", 2, strides=2, depth_multiplier=2),
        "separable": separable(1, 3, 3, padding="same", activation=RELU),
        "normalized": [conv1d(3, 2, strides=2), normalized()],
        "pointwise normalized": [conv1d(3, 1), normalized()],
        "folding dense": folding("QDenseBatchnorm", 2, use_bias=False),
        "maximum": plain("MaxPooling1D", 2),
        "maximum of other steps": plain("MaxPooling1D", 3, strides=2),
        "maximum same of signed": plain("MaxPooling1D", 3, padding="same"),
        "maximum same after ReLU": [relu(), plain("MaxPooling1D", 4, padding="same")],
        "average": plain("AveragePooling1D", 4),
        "average of 3": plain("AveragePooling1D", 3, strides=2),
        "average same": plain("AveragePooling1D", 2, padding="same"),
        "average same of 3": plain("AveragePooling1D", 3, padding="same"),
        "zeros": plain("ZeroPadding1D", (2, 1)),
        "cropped": plain("Cropping1D", (1, 2)),
        "larger": plain("UpSampling1D", 3),
        "repeated": [plain("GlobalMaxPooling1D"), plain("RepeatVector", 3)],
    }


NOT_STREAMED = {
    2: ("maximum of other steps", "maximum same of signed", "average same", "average same of 9"),
    1: ("maximum same of signed", "average same", "average same of 3"),
}
"""Branches that hls4ml has no streaming form for, by number of axes."""


def averaged(average_quantizer: str | None, **options: Any) -> Layer:
    from qkeras import QAveragePooling2D

    return QAveragePooling2D(average_quantizer=average_quantizer, **options)


def random_stack(rng: Any, shape: tuple[int, int, int]) -> Any:
    """Three random layers of the family, an activation behind each, and a dense layer."""
    import keras
    from qkeras import QActivation, QDense

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    def pick(*values: Any) -> Any:
        return values[number(0, len(values))]

    keras.utils.set_random_seed(number(0, 1000))
    x = keras.Input(shape, name="x")
    h = QActivation(f"quantized_bits({number(3, 10)},{number(0, 4)},{number(0, 2)},alpha=1)", name="q")(x)
    for _ in range(3):
        weights = f"quantized_bits({number(2, 7)},{number(-1, 2)},{number(0, 2)},alpha={pick(1, repr('auto_po2'))})"
        options: dict[str, Any] = {"padding": "same", "bias_quantizer": BIAS, "bias_initializer": "random_normal"}
        kernel = (number(1, 4), number(1, 4))
        kind = number(0, 4)
        if kind == 0:
            h = conv2d(number(1, 5), kernel, **options, kernel_quantizer=weights, strides=pick(1, 2))(h)
        elif kind == 1:
            h = conv2d(number(1, 5), kernel, **options, kernel_quantizer=weights, dilation_rate=pick(1, 2))(h)
        elif kind == 2:
            h = depthwise2d(kernel, **options, depthwise_quantizer=weights, depth_multiplier=pick(1, 2))(h)
        else:
            h = plain(pick("MaxPooling2D", "AveragePooling2D"), pick(2, (1, 2)), padding="same")(h)
        h = QActivation(pick(f"quantized_relu({number(2, 7)},{number(0, 3)})", "quantized_bits(6,2,alpha=1)"))(h)
    h = keras.layers.Flatten()(h)
    return keras.Model(x, QDense(3, kernel_quantizer=WEIGHTS, bias_quantizer=BIAS, name="out")(h))


def random_bits(rng: Any) -> str:
    """A quantizer of 1 to 16 bits, -4 to 8 integer bits."""
    return f"quantized_bits({rng.integers(1, 17)},{float(rng.integers(-4, 9))},{rng.integers(0, 2)},alpha=1)"


def random_layer(rng: Any, shape: Sequence[int], name: str) -> Layer:
    """A convolution, depthwise or separable one with any options that fit the shape."""
    import keras
    import qkeras

    rank = len(shape) - 1
    kernel = tuple(int(rng.integers(1, n + 1)) for n in (min(n, 4) for n in shape[:-1]))
    options: dict[str, Any] = {"padding": str(rng.choice(["valid", "same"])), "use_bias": bool(rng.integers(0, 2))}
    if rng.integers(0, 3):
        options["strides"] = (int(rng.integers(1, 4)),) * rank
    elif options["padding"] == "same":
        options["dilation_rate"] = tuple(int(n) for n in rng.integers(1, 4, rank))
    wide = keras.initializers.RandomNormal(0, float(2.0 ** rng.integers(-3, 4)), seed=int(rng.integers(0, 1000)))
    options |= {"bias_quantizer": random_bits(rng), "bias_initializer": wide, "name": name}
    kind = int(rng.integers(0, 3))
    depthwise = {"depthwise_quantizer": random_bits(rng), "depthwise_initializer": wide}
    if kind == 0 or (kind == 1 and rank == 1):  # QKeras has no QDepthwiseConv1D
        groups = int(rng.choice([1, shape[-1]]))
        words = {"kernel_quantizer": random_bits(rng), "kernel_initializer": wide, "groups": groups}
        return getattr(qkeras, f"QConv{rank}D")(groups * int(rng.integers(1, 4)), kernel, **words, **options)
    options["depth_multiplier"] = int(rng.integers(1, 4))
    if kind == 1:
        return qkeras.QDepthwiseConv2D(kernel, **depthwise, **options)
    words = {"pointwise_quantizer": random_bits(rng), "pointwise_initializer": wide}
    return getattr(qkeras, f"QSeparableConv{rank}D")(int(rng.integers(1, 4)), kernel, **words, **depthwise, **options)


def in_float64(layer: Any, x: Any) -> Any:
    """What Keras' own layer of that kind computes in float64 with the quantized weights."""
    import keras
    import numpy as np

    names = ("strides", "padding", "dilation_rate", "use_bias", "depth_multiplier", "filters", "groups")
    kind = type(layer).__name__[1:]
    words = {name: getattr(layer, name) for name in names if hasattr(layer, name)}
    for name in {"Depth": ("filters", "groups"), "Separ": ("groups",)}.get(kind[:5], ()):
        words.pop(name, None)
    plain_layer = getattr(keras.layers, kind)(kernel_size=layer.kernel_size, dtype="float64", **words)
    plain_layer.build(x.shape)
    weights = []
    for variable in layer.weights:
        quantizer = getattr(layer, f"{variable.name.removesuffix('_kernel')}_quantizer_internal")
        weights.append(np.asarray(quantizer(variable), np.float64))
    plain_layer.set_weights(weights)
    return np.asarray(plain_layer(x))
