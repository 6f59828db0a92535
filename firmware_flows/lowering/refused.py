"""Layers that users try and that are not converted: why, and what to do instead."""

from __future__ import annotations

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
