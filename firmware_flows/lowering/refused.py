"""Layers and functions that users try and that are not converted: why, and what to do instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from firmware_flows.lowering.context import refuse
from firmware_flows.lowering.graph import Node

_NO_LAYER = "neither hls4ml nor this package has a fixed-point definition of it"
_THREE = "hls4ml has convolutions and pooling over one and two axes only"
_DENSE = "Use QDense, QConv1D or QConv2D layers"
_EVENT = "its result depends on the data that it was adapted to or on text, not on arithmetic of firmware"
_MOMENTS = "it divides by the spread of each event, of which there is no definition in fixed point here"
_BATCH = "Use QBatchNormalization, whose scale is fixed after training"

REFUSED: dict[str, tuple[str, str]] = {
    "Lambda": ("a Python function has no layers that could be read", "Write it with layers that are converted"),
    **dict.fromkeys(
        ("LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization"), (_MOMENTS, _BATCH)
    ),
    "SpatialDropout3D": ("hls4ml has layers over one and two axes only", "Leave it out: it acts in training only"),
    "SpectralNormalization": ("it changes the weights while training", "Train with it, and copy the inner layer"),
    **dict.fromkeys(
        ("MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"),
        (_NO_LAYER, "Build it of QDense, Dot and Softmax, with a quantizer behind each"),
    ),
    **dict.fromkeys(
        ("Conv3D", "Conv3DTranspose", "MaxPooling3D", "AveragePooling3D", "GlobalMaxPooling3D",
         "GlobalAveragePooling3D", "ZeroPadding3D", "Cropping3D", "UpSampling3D"),
        (_THREE, "Move one axis into the channels with Reshape"),
    ),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose", "QDepthwiseConv2DTranspose",
         "QSeparableConv2DTranspose"),
        ("hls4ml has no transposed convolution", "Use UpSampling and a convolution"),
    ),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), (_NO_LAYER, "Use a convolution and then QLSTM")),
    **dict.fromkeys(
        ("Normalization", "Discretization", "Hashing", "StringLookup", "IntegerLookup", "TextVectorization",
         "CategoryEncoding", "HashedCrossing"),
        (_EVENT, "Do it before the events enter, or as a Dense or BatchNormalization layer with numbers on a grid"),
    ),
    "Rescaling": ("events are scaled before they enter firmware", "Scale the data instead"),
    "Masking": ("every time step counts in firmware", "Leave it out, and let padded steps be zero"),
    "QAdaptiveActivation": ("its type follows the events", "Use QActivation with the bits it has found"),
    "QOctaveConv2D": (_NO_LAYER, _DENSE),
    "QMobileNetSeparableConv2D": (_NO_LAYER, "Use QSeparableConv2D"),
    "QScaleShift": (_NO_LAYER, "Use QBatchNormalization"),
}  # fmt: skip
"""Class name -> (reason, remedy)."""

_ACTIVATION = "Use the layer Activation({!r})"
_NORMALIZATION = "Use BatchNormalization(epsilon=0.0), whose gamma and beta are the factor and the offset"
_LIMIT = (
    "Use ReLU() for a maximum with 0, ReLU(max_value=c, negative_slope=1.0) for a minimum with c > 0, or a QActivation "
    "whose type ends there"
)
_POOLING = "Use the pooling layer of one or two axes"
_MASK = ("masks are not converted", "Leave out the Masking layer, or set mask_zero=False of the Embedding layer")

FUNCTIONS: dict[str, str] = {
    "Relu": "Use the layer ReLU()",
    "Relu6": "Use the layer ReLU(max_value=6.0)",
    "LeakyRelu": "Use the layer LeakyReLU with a negative_slope that is a power of two",
    "HardSigmoid": _ACTIVATION.format("hard_sigmoid"),
    "HardTanh": _ACTIVATION.format("hard_tanh"),
    "Sigmoid": _ACTIVATION.format("sigmoid"),
    "Tanh": _ACTIVATION.format("tanh"),
    "Softplus": _ACTIVATION.format("softplus"),
    "Softsign": _ACTIVATION.format("softsign"),
    "Exp": _ACTIVATION.format("exponential"),
    "Elu": _ACTIVATION.format("elu"),
    "Selu": _ACTIVATION.format("selu"),
    **dict.fromkeys(("Negative", "TrueDivide", "Divide"), _NORMALIZATION + " (events are not divided by each other)"),
    **dict.fromkeys(("Power", "Square"), "Use the layer Multiply with the same tensor twice"),
    "Absolute": "Use the layer Add on ReLU() of the tensor and of its negative (BatchNormalization with gamma -1)",
    "Clip": "Use a QActivation whose type ends there, or ReLU(max_value=...)",
    **dict.fromkeys(("Matmul", "Einsum", "Tensordot", "Dot"), "Use the layers Dot, or EinsumDense for weights"),
    "Transpose": "Use the layer Permute",
    "Swapaxes": "Use the layer Permute",
    "Moveaxis": "Use the layer Permute",
    **dict.fromkeys(("Ravel", "ExpandDims", "Squeeze"), "Use the layers Flatten or Reshape"),
    **dict.fromkeys(
        ("GetItem", "Split", "Slice", "Take"),
        "Use the layers Cropping1D or Cropping2D (Reshape((n, 1)) makes positions of n values)",
    ),
    "Stack": "Use Reshape with one more axis on each, then the layer Concatenate",
    "Pad": "Use the layers ZeroPadding1D or ZeroPadding2D",
    "Repeat": "Use the layers UpSampling1D, UpSampling2D or RepeatVector",
    "Tile": "Use the layer RepeatVector, or Concatenate with the same tensor several times",
    "Conv": "Use the layers QConv1D or QConv2D",
    "AveragePool": _POOLING,
    "MaxPool": _POOLING,
    "Cast": "Leave it out: types are given by quantizers",
    "StopGradient": "Leave it out: it acts in training only",
}
"""Class name of a function of keras.ops -> what to write instead."""

TABLE = "docs/layers.md lists what is converted"


def check_known(nodes: Iterable[Node]) -> None:
    """Refuse the layers that the user knows before what Keras adds because of them, such as masks."""
    for node in nodes:
        if node.kind in REFUSED:
            raise unconverted(node, ())
        if getattr(node.operation, "mask_zero", False):
            raise refuse(node, "mask_zero", True, _MASK[0], "Set mask_zero=False")


def is_function(node: Node) -> bool:
    """Whether a node is a function of keras.ops and no layer."""
    return "ops" in type(node.operation).__module__.split(".")


def unconverted(node: Node, valid: Iterable[str]) -> Exception:
    """The error for a layer or a function that has no lowering; `valid`: those that have one."""
    function = is_function(node)
    what = "this function of keras.ops" if function else "this layer"
    reason, remedy = REFUSED.get(node.kind, ("", FUNCTIONS.get(node.kind, "") if function else ""))
    if function and node.kind == "NotEqual":
        reason, remedy = _MASK
    text = f"{what} is not converted{': ' if reason else ''}{reason}"
    return refuse(node, "type", node.kind, text, remedy or advice(node.kind, valid))


def advice(kind: str, valid: Iterable[str]) -> str:
    """The name that was meant, if one is near, and where the others are."""
    near = difflib.get_close_matches(kind, sorted(valid), n=1, cutoff=0.8)
    return f"Did you mean {near[0]!r}? {TABLE}" if near else f"Build it of layers that are converted: {TABLE}"


def constants(node: Node) -> Exception:
    """The error for an operation on a tensor and a number that is written in the graph."""
    arguments = [*node.record.arguments.args, *node.record.arguments.kwargs.values()]
    numbers = [a for a in arguments if not hasattr(a, "_keras_history")]
    value = numbers[0] if len(numbers) == 1 else numbers
    remedy = _LIMIT if node.kind in ("Maximum", "Minimum") else _NORMALIZATION
    return refuse(node, "constant", value, "a number that no layer and no quantizer holds", remedy)
