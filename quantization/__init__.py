"""Quantization-aware training, post-training quantization and the reading of trained networks.

Importing this package loads neither TensorFlow nor Keras; each public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_MODULE_OF = {
    "Calibration": "quantization.calibration",
    "History": "quantization.history",
    "ModelFileError": "quantization.errors",
    "PruningSettings": "quantization.settings",
    "QuantizationError": "quantization.errors",
    "Scheme": "quantization.schemes",
    "SumPooling1D": "quantization.layers",
    "TrainingError": "quantization.errors",
    "TrainingSettings": "quantization.settings",
    "load_keras": "quantization.loading",
    "quantize_after_training": "quantization.post_training",
    "train": "quantization.training",
}
"""Public name -> the module that defines it."""

if TYPE_CHECKING:
    from quantization.calibration import Calibration as Calibration
    from quantization.errors import ModelFileError as ModelFileError
    from quantization.errors import QuantizationError as QuantizationError
    from quantization.errors import TrainingError as TrainingError
    from quantization.history import History as History
    from quantization.layers import SumPooling1D as SumPooling1D
    from quantization.loading import load_keras as load_keras
    from quantization.post_training import quantize_after_training as quantize_after_training
    from quantization.schemes import Scheme as Scheme
    from quantization.settings import PruningSettings as PruningSettings
    from quantization.settings import TrainingSettings as TrainingSettings
    from quantization.training import train as train

__all__ = [
    "Calibration",
    "History",
    "ModelFileError",
    "PruningSettings",
    "QuantizationError",
    "Scheme",
    "SumPooling1D",
    "TrainingError",
    "TrainingSettings",
    "load_keras",
    "quantize_after_training",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'quantization' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
