"""Building hls4ml's graph from a plan, with only the passes that do not choose types."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.errors import MissingToolError
from firmware_flows.hls.plan import Node, Plan
from firmware_flows.hls.settings import Settings
from firmware_flows.type_notation import to_hls4ml

# hls4ml's front-end passes fuse layers, infer precisions and rename nodes. The plan needs none of them: they are
# marked as done, so that a backend's own flow (initialisation, streams, templates) runs without them.
FRONT_END_FLOWS = ("parse_qonnx", "convert", "optimize")

LEAK = "ufixed<1,0>"
"""Default precision: whatever takes it was forgotten by the plan, and the read-back finds it."""


def require_hls4ml() -> Any:
    """The hls4ml package. Raises MissingToolError."""
    try:
        import hls4ml.model
    except ImportError as error:
        raise MissingToolError("hls4ml", "to write an HLS project", "pip install 'firmware-flows[hls]'") from error
    return hls4ml


def possible_reuse_factors(plan: Plan, settings: Settings) -> dict[str, int]:
    """Layers whose reuse factor the resource strategy cannot have, with the nearest that it can.

    hls4ml does this too, but its pass that makes a convolution pointwise puts the impossible factor back, and the
    C++ then ends the process.
    """
    if settings.strategy != "resource" and settings.backend not in ("Quartus", "oneAPI"):
        return {}
    require_hls4ml()
    from hls4ml.backends import get_backend

    backend = get_backend(settings.backend)
    changes: dict[str, int] = {}
    for node in plan.nodes:
        if node.layer in settings.reuse_factor and "weight" in node.weights:
            n_in, n_out = prod(node.weights["weight"].shape[:-1]), node.shape[-1]
            valid = backend.get_valid_reuse_factors(n_in, n_out)
            if node.reuse_factor not in valid:
                changes[node.layer] = int(backend.get_closest_reuse_factor(valid, node.reuse_factor))
    return changes


def build_graph(plan: Plan, settings: Settings, directory: Path) -> Any:
    """hls4ml's ModelGraph of this plan, ready to be written to `directory`."""
    hls4ml = require_hls4ml()
    graph = hls4ml.model.ModelGraph.from_layer_list(
        configuration(plan, settings, directory),
        [layer_description(node, hls4ml) for node in plan.nodes],
        [port.node for port in plan.inputs],
        [port.node for port in plan.outputs],
    )
    graph._applied_flows.append({flow: set() for flow in FRONT_END_FLOWS})
    graph.apply_flow(graph.config.backend.get_default_flow())
    # as `from_layer_list` does after its flows, which are none here
    graph.config.config["InputShapes"] = {v.name: list(v.shape) for v in graph.get_input_variables()}
    graph.config.config["OutputShapes"] = {v.name: list(v.shape) for v in graph.get_output_variables()}
    return graph


def configuration(plan: Plan, settings: Settings, directory: Path) -> dict[str, Any]:
    """hls4ml's configuration: every precision of every layer by name."""
    from hls4ml.backends import get_backend

    config: dict[str, Any] = get_backend(settings.backend).create_initial_config(
        part=settings.target, clock_period=settings.clock_period, io_type=settings.io_type
    )
    config.update(
        Backend=settings.backend,
        OutputDir=str(directory),
        ProjectName=settings.project_name,
        TraceOutput=True,
        HLSConfig={
            "Flows": [],
            "Model": {
                "Precision": LEAK,
                "ReuseFactor": 1,
                "Strategy": settings.strategy.capitalize(),
            },
            "LayerName": {node.name: _layer_configuration(node, settings) for node in plan.nodes},
        },
    )
    return config


def _layer_configuration(node: Node, settings: Settings) -> dict[str, Any]:
    names = ("result", "accum", "weight", "bias", "param", "scale", "table", "embeddings")
    config: dict[str, Any] = {
        "Precision": {name: to_hls4ml(node.types[name]) for name in names if name in node.types},
        "ReuseFactor": node.reuse_factor,
        "Strategy": settings.strategy.capitalize(),
        "Trace": True,
    }
    if node.parallelization_factor is not None:
        config["ParallelizationFactor"] = node.parallelization_factor
    return config


def layer_description(node: Node, hls4ml: Any) -> dict[str, Any]:
    """The dictionary that `from_layer_list` takes."""
    from hls4ml.backends.fpga.fpga_backend import FPGABackend
    from hls4ml.model.types import NamedType

    def precision(name: str) -> Any:
        return FPGABackend.convert_precision_string(to_hls4ml(node.types[name]))

    description: dict[str, Any] = {
        "name": node.name, "class_name": node.kind, "inputs": list(node.inputs), "outputs": [node.name]
    }  # fmt: skip
    description.update({key: list(v) if isinstance(v, list) else v for key, v in node.attributes.items()})
    for name, mantissas in node.weights.items():
        # float64 is exact: `weights_are_writable` has refused more than 53 bits
        description[f"{name}_data"] = np.ldexp(mantissas.astype(np.float64), -node.types[name].fractional)
    # types that hls4ml takes from the layer and not from its configuration
    for name in ("table", "exp_table", "inv_table", "inv_inp", "inp_norm"):
        if name in node.types:
            description[f"{name}_t"] = NamedType(f"{node.name}_{name}_t", precision(name))
    for name in ("slope", "shift"):
        if name in node.types:
            description[f"{name}_prec"] = precision(name)
    return description
