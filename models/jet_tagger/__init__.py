"""The jet tagger: five classes of boosted jets from their constituents or from high-level features.

This module is a model source: what a recipe names as `model: models.jet_tagger`. Importing it loads neither
TensorFlow nor PYTHIA.
"""

from .assessment import evaluate
from .data_source import DataOptions, load_data
from .networks import NetworkOptions, build_network, float_network
from .published import published
from .sample import CLASSES

DESCRIPTION = "Tells jets of gluons, light quarks, W and Z bosons and top quarks apart"

__all__ = [
    "CLASSES",
    "DESCRIPTION",
    "DataOptions",
    "NetworkOptions",
    "build_network",
    "evaluate",
    "float_network",
    "load_data",
    "published",
]
