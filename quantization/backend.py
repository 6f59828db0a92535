"""The one place where Keras and QKeras are imported.

TensorFlow is told, before it is loaded, to keep its start-up messages to itself: they are not errors and would drown
the progress of a training.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import MissingToolError

_REMEDY = 'install the training extra: pip install "firmware-flows[train]"'


def import_keras() -> Any:
    """The `keras` module on the TensorFlow backend; raises MissingToolError where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    return _import("keras", "tensorflow")


def import_qkeras() -> Any:
    """The `qkeras` module (qkeras-v3); raises MissingToolError where it is not installed."""
    import_keras()
    return _import("qkeras")


def _import(name: str, *also: str) -> Any:
    for module in (*also, name):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingToolError(
                error.name or module, "to train, quantize or read Keras networks", _REMEDY
            ) from error
    return importlib.import_module(name)


def to_numpy(variable: Any) -> npt.NDArray[Any]:
    """A copy of the value of a Keras variable or tensor.

    Keras' own conversions of a variable end in an `__array__` of TensorFlow that NumPy 2 warns about.
    """
    return np.array(getattr(variable, "value", variable).numpy())
