"""The overlap muon track finder: transverse momentum and charge of a muon from the hits that belong to it.

This module is a model source: what a recipe names as `model: models.omtf`. Importing it does not load TensorFlow.
"""

from .assessment import evaluate
from .data_source import DataOptions, load_data
from .momentum_bins import names
from .networks import NetworkOptions, build_network, float_network

CLASSES = names()

DESCRIPTION = "Momentum and charge of muons in the overlap region of CMS, from 18 layers of hits"

__all__ = [
    "CLASSES",
    "DESCRIPTION",
    "DataOptions",
    "NetworkOptions",
    "build_network",
    "evaluate",
    "float_network",
    "load_data",
]
