"""The names that the file of a Keras 2 network may use: layers, quantizers, activations."""

# fmt: off
KERAS_LAYERS = (
    "Activation", "Add", "Average", "AveragePooling1D", "AveragePooling2D", "BatchNormalization", "Concatenate",
    "Conv1D", "Conv2D", "Cropping1D", "Cropping2D", "Dense", "DepthwiseConv2D", "Dot", "Dropout", "ELU",
    "Embedding", "Flatten", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum",
    "Multiply", "PReLU", "Permute", "ReLU", "RepeatVector", "Reshape", "SeparableConv1D", "SeparableConv2D",
    "Softmax", "SpatialDropout1D", "SpatialDropout2D", "Subtract", "UpSampling1D", "UpSampling2D", "ZeroPadding1D",
    "ZeroPadding2D",
)

QKERAS_LAYERS = (
    "QActivation", "QAveragePooling2D", "QBatchNormalization", "QConv1D", "QConv2D", "QConv2DBatchnorm", "QDense",
    "QDenseBatchnorm", "QDepthwiseConv2D", "QDepthwiseConv2DBatchnorm", "QGlobalAveragePooling2D",
    "QSeparableConv1D", "QSeparableConv2D",
)

QUANTIZERS = (
    "bernoulli", "binary", "quantized_bits", "quantized_linear", "quantized_po2", "quantized_relu",
    "quantized_relu_po2", "quantized_sigmoid", "quantized_tanh", "quantized_ulaw", "stochastic_binary",
    "stochastic_ternary", "ternary",
)

ACTIVATIONS = (
    "linear", "relu", "softmax", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign", "exponential",
)
"""Those that are the same function in Keras 2 and 3."""

QKERAS_FUNCTIONS = (
    "hard_sigmoid", "hard_tanh", "smooth_sigmoid", "smooth_tanh", "binary_sigmoid", "binary_tanh",
)
"""QKeras' own activation functions, which its layers find before those of Keras with the same name."""
# fmt: on
