"""The energy of liquid-argon calorimeter cells from their samples at 40 MHz, at the pile-up of the High-Luminosity LHC.

This module is a model source: what a recipe names as `model: models.calorimeter`. Importing it loads neither
TensorFlow nor matplotlib.
"""

from .assessment import evaluate
from .data_source import DataOptions, load_data
from .networks import NetworkOptions, build_network, float_network

DESCRIPTION = "Transverse energy of ATLAS liquid-argon cells in every crossing, instead of the optimal filter"

__all__ = [
    "DESCRIPTION",
    "DataOptions",
    "NetworkOptions",
    "build_network",
    "evaluate",
    "float_network",
    "load_data",
]
