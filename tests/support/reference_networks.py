"""The reference models' networks, untrained: weights drawn, some pruned, biases too; shapes and types as trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import firmware_flows as ff
from models import calorimeter, jet_tagger, omtf
from models.calorimeter.data_source import INPUT_TYPE as SAMPLES
from models.jet_tagger.data_source import CONSTITUENT_INPUT_TYPE, HIGH_LEVEL_INPUT_TYPE
from models.omtf.data_source import INPUT_TYPE as HITS

NETWORKS: Mapping[str, tuple[Any, tuple[int, ...], str, dict[str, Any], float]] = {
    # name: (model, shape of an event, type of the input, network options, share of weights that are zero)
    "calorimeter 9-16-8-1": (calorimeter, (9,), SAMPLES, {}, 0.0),
    "jet tagger DeepSets, 8 constituents": (
        jet_tagger, (8, 3), CONSTITUENT_INPUT_TYPE,
        {"phi": (8, 6), "rho": (8,), "weight_bits": 5, "activation_bits": 6}, 0.5,
    ),
    "jet tagger dense 16-64-32-32-5": (
        jet_tagger, (16,), HIGH_LEVEL_INPUT_TYPE,
        {"architecture": "dense", "weight_bits": 6, "weight_integer": 0, "activation_bits": 6,
         "activation_integer": 1}, 0.0,
    ),
    "jet tagger DeepSets, 16 constituents": (jet_tagger, (16, 3), CONSTITUENT_INPUT_TYPE, {}, 0.5),
    "jet tagger dense 48-64-32-32-5": (
        jet_tagger, (16, 3), CONSTITUENT_INPUT_TYPE, {"architecture": "dense"}, 0.5
    ),
    "OMTF 44-64-32-44": (omtf, (44,), HITS, {}, 0.5),
}  # fmt: skip

SMALL = ("calorimeter 9-16-8-1", "jet tagger DeepSets, 8 constituents")
"""Those that are compiled and compared in seconds."""


def build(name: str, seed: int = 1) -> Any:
    """The Keras network."""
    model, shape, input_type, options, zeros = NETWORKS[name]
    part = ff.Split(np.zeros((2, *shape), np.float32), np.zeros(2, np.int64))
    metadata = {"input_type": input_type, "classes": ["g", "q", "W", "Z", "t"]}
    dataset = ff.Dataset(part, part, part, metadata)
    network = model.build_network(model.NetworkOptions(**options), dataset, seed)
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        kernel, *bias = layer.get_weights()
        smallest = np.quantile(np.abs(kernel), zeros) if zeros else -1.0
        layer.set_weights(
            [np.where(np.abs(kernel) > smallest, kernel, 0.0), *(rng.normal(0, 0.2, b.shape) for b in bias)]
        )
    return network
