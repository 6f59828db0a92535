"""Reading every type, weight and connection back: from hls4ml's graph, then from the files it wrote.

A difference from the plan, and anything that the plan does not contain, is an `HlsTypeError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.hls.errors import HlsTypeError
from firmware_flows.hls.plan import Node, Plan
from firmware_flows.type_notation import TypeNotationError

INERT_TYPES = {"index": FixedPoint(1, 1, signed=False)}
"""Types that hls4ml always writes and that no C++ reads for our layers (indices of compressed weights)."""

SAME_CLASS = {"Conv1D": ("Conv1D", "PointwiseConv1D"), "Conv2D": ("Conv2D", "PointwiseConv2D"),
              "MaxPooling1D": ("Pooling1D",), "AveragePooling1D": ("Pooling1D",),
              "MaxPooling2D": ("Pooling2D",), "AveragePooling2D": ("Pooling2D",),
              "GlobalAveragePooling2D": ("GlobalPooling2D",), "GlobalMaxPooling2D": ("GlobalPooling2D",),
              "LeakyReLU": ("ParametrizedActivation",),
              "InputLayer": ("Input",), "GlobalAveragePooling1D": ("GlobalPooling1D",),
              "GlobalMaxPooling1D": ("GlobalPooling1D",)}  # fmt: skip
"""Names of hls4ml's classes that may stand for a planned one."""

IN_FILES = {"Softmax": ("implementation", "exp_table_size", "inv_table_size", "n_in", "n_outer", "n_inner")}
"""Settings that decide numbers and that no type shows: read back from parameters.h, too."""

GRAPH = "hls4ml's graph"


def field_of(attribute: Any) -> str:
    """'accum' for hls4ml's attribute 'accum_t'; a HardActivation keeps its types a second time as 'slope_prec'."""
    return str(attribute).removesuffix("_t").removesuffix("_prec")


def unread_types(graph: Any) -> set[tuple[str, str]]:
    """Class and field of types that no C++ reads: Catapult widens a maximum's accumulator, and does not use it."""
    return {("GlobalMaxPooling1D", "accum")} if graph.config.backend.name == "Catapult" else set()


def expected_type(node: Node, field: str) -> FixedPoint | None:
    """Type planned for a field ('accum', 'weight', ...) of a node."""
    return node.types.get(field, INERT_TYPES.get(field))


# ---- the graph


def check_graph(graph: Any, plan: Plan) -> None:
    """Compare hls4ml's graph with the plan. Raises HlsTypeError."""
    planned = {node.name: node for node in plan.nodes}
    found = {str(layer.name): layer for layer in graph.get_layers()}
    clones = {name: layer for name, layer in found.items() if layer.class_name == "Clone"}
    for name in found:
        if name not in planned and name not in clones:
            raise HlsTypeError(name, "layer", "no such layer", found[name].class_name, GRAPH)
    origin = {copy: str(clone.inputs[0]) for clone in clones.values() for copy in clone.outputs}
    for name, node in planned.items():
        if name not in found:
            raise HlsTypeError(node.layer, "layer", node.kind, "the layer is gone", GRAPH)
        _check_layer(found[name], node, origin)
        reuse = found[name].get_attr("reuse_factor")
        if node.weights and reuse is not None and int(reuse) != node.reuse_factor:
            raise HlsTypeError(node.layer, "reuse factor", node.reuse_factor, reuse, GRAPH)
    for name, clone in clones.items():
        _check_clone(name, clone, planned)
    outputs = [origin.get(str(name), str(name)) for name in graph.outputs]
    if outputs != [port.node for port in plan.outputs]:
        raise HlsTypeError(plan.outputs[0].name, "outputs", [p.node for p in plan.outputs], outputs, GRAPH)
    inputs = [port.node for port in plan.inputs]
    if [str(name) for name in graph.inputs] != inputs:
        raise HlsTypeError(plan.inputs[0].name, "inputs", inputs, graph.inputs, GRAPH)


def _check_layer(layer: Any, node: Node, origin: Mapping[str, str]) -> None:
    if layer.class_name not in SAME_CLASS.get(node.kind, (node.kind,)):
        raise HlsTypeError(node.layer, "class", node.kind, layer.class_name, GRAPH)
    inputs = tuple(origin.get(str(name), str(name)) for name in layer.inputs)
    if node.inputs and inputs != node.inputs:
        raise HlsTypeError(node.layer, "inputs", node.inputs, inputs, GRAPH)
    for name, value in node.attributes.items():
        found = layer.get_attr(name)
        if _text(found) != _text(value):
            raise HlsTypeError(node.layer, name, value, found, GRAPH)
    seen = set()
    for attribute, named in layer.types.items():
        field = field_of(attribute)
        wanted = expected_type(node, field)
        if wanted is None:
            raise HlsTypeError(node.layer, field, "no such type", named.precision, GRAPH)
        if (node.kind, field) in unread_types(layer.model):
            seen.add(field)
            continue
        _same(node, field, wanted, of_hls4ml(named.precision))
        seen.add(field)
    missing = sorted(set(node.types) - seen)
    if missing:
        raise HlsTypeError(node.layer, missing[0], node.types[missing[0]], "no type", GRAPH)
    variable = layer.get_output_variable()
    _same(node, "result", node.type, of_hls4ml(variable.type.precision))
    if tuple(int(n) for n in variable.shape) != node.shape:
        raise HlsTypeError(node.layer, "shape", node.shape, tuple(variable.shape), GRAPH)
    _check_weights(layer, node)


def _text(value: Any) -> str:
    """Settings are numbers, lists and words; the same number may be an integer in one place and a float in another."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | float | np.number):
        return str(float(value))
    if isinstance(value, list | tuple | np.ndarray):
        return str([_text(v) for v in value])
    return str(value).lower()


def _check_weights(layer: Any, node: Node) -> None:
    weights = dict(layer.weights.items())
    if set(weights) != set(node.weights):
        raise HlsTypeError(node.layer, "weights", sorted(node.weights), sorted(weights), GRAPH)
    for name, variable in weights.items():
        _same(node, name, node.types[name], of_hls4ml(variable.type.precision))
        values = _in_program_order(layer, name, variable, node)
        wanted = np.ldexp(node.weights[name].astype(np.float64), -node.types[name].fractional)
        if values.size != wanted.size or not np.array_equal(values.reshape(-1), wanted.reshape(-1)):
            raise HlsTypeError(node.layer, f"values of {name}", "the Program's", "others", GRAPH)


def _in_program_order(layer: Any, name: str, variable: Any, node: Node) -> npt.NDArray[np.float64]:
    """The values as (..., n_in, n_out), whatever order the strategy wants them in."""
    values = np.asarray(variable.data, dtype=np.float64)
    if name != "weight" or not layer.get_attr("_weights_transposed", False):
        return values
    if values.ndim > 1:
        return np.moveaxis(values, 0, -1)
    n_in, n_out = node.weights[name].shape  # Quartus and oneAPI: flat, padded to powers of two where large
    if layer.get_attr("rfpad") is not None:
        reuse = int(layer.get_attr("reuse_factor"))
        padded = values.reshape(-1, reuse + int(layer.get_attr("rfpad")))
        kept = padded[: n_in * n_out // reuse, :reuse]
        if np.count_nonzero(kept) == np.count_nonzero(padded):
            values = kept.reshape(-1)
    return values.reshape(n_out, n_in).T if values.size == n_in * n_out else values


def _check_clone(name: str, clone: Any, planned: Mapping[str, Node]) -> None:
    source = planned.get(str(clone.inputs[0]))
    if source is None:
        raise HlsTypeError(name, "inputs", "a layer of the Program", clone.inputs, GRAPH)
    for variable in clone.get_variables():
        _same(source, f"copy {variable.name}", source.type, of_hls4ml(variable.type.precision))


def _same(node: Node, field: str, wanted: FixedPoint, found: FixedPoint, where: str = GRAPH) -> None:
    if found != wanted:
        raise HlsTypeError(node.layer, field, wanted, found, where)


def of_hls4ml(precision: Any) -> FixedPoint:
    """An hls4ml precision object as our type. Raises HlsTypeError for one that is not fixed-point."""
    try:
        if int(getattr(precision, "saturation_bits", 0) or 0) != 0:
            raise AttributeError("saturation bits")
        return FixedPoint(
            int(precision.width),
            int(precision.integer),
            bool(precision.signed),
            Rounding(str(getattr(precision, "rounding_mode", "TRN"))),
            Overflow(str(getattr(precision, "saturation_mode", "WRAP"))),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise HlsTypeError("?", "precision", "a fixed-point type", f"{precision} ({error})", GRAPH) from None


# ---- the written files


def check_files(graph: Any, plan: Plan, directory: Path) -> None:
    """Compare defines.h, parameters.h and the weights with the plan. Raises HlsTypeError."""
    firmware = firmware_directory(directory)
    defines = read_defines(firmware / "defines.h")
    layers = {str(layer.name): layer for layer in graph.get_layers()}
    claimed: set[str] = set()
    for node in plan.nodes:
        layer = layers[node.name]
        for attribute, named in layer.types.items():
            field = field_of(attribute)
            claimed.add(str(named.name))
            if (node.kind, field) not in unread_types(graph):
                found = _defined(defines, node, field, str(named.name))
                _same(node, field, _wanted(node, field), found, "defines.h")
    for layer in layers.values():  # copies of streams bear the type of their source, which is claimed
        if layer.class_name == "Clone":
            claimed.update(str(v.type.name) for v in layer.get_variables())
            claimed.update(str(named.name) for named in layer.types.values())
    for name in defines:
        if name not in claimed:
            raise HlsTypeError(name, "typedef", "no such type", defines[name], "defines.h")
    _check_parameters(graph, plan, firmware / "parameters.h", defines)
    for node in plan.nodes:
        for name, variable in layers[node.name].weights.items():
            _check_weight_files(node, name, variable, firmware / "weights")


def _wanted(node: Node, field: str) -> FixedPoint:
    wanted = expected_type(node, field)
    if wanted is None:
        raise HlsTypeError(node.layer, field, "no such type", "a type", "defines.h")
    return wanted


def _defined(defines: Mapping[str, FixedPoint], node: Node, field: str, name: str) -> FixedPoint:
    if name not in defines:
        raise HlsTypeError(node.layer, field, f"a typedef {name}", "none", "defines.h")
    return defines[name]


def firmware_directory(directory: Path) -> Path:
    """Where a backend puts the C++: firmware/, or src/firmware/ for oneAPI."""
    inner = directory / "src" / "firmware"
    return inner if inner.is_dir() else directory / "firmware"


def read_defines(path: Path) -> dict[str, FixedPoint]:
    """Name of every typedef of the file and its type (of one element, where it is a pack of a stream)."""
    result: dict[str, FixedPoint] = {}
    for definition, name in re.findall(r"^\s*typedef\s+(.+?)\s+(\w+);", path.read_text(), re.MULTILINE):
        result[name] = _parse(definition, name)
    for name, definition in re.findall(r"^\s*using\s+(\w+)\s*=\s*(.+?);", path.read_text(), re.MULTILINE):
        result[name] = _parse(definition, name)
    return result


def _parse(definition: str, name: str) -> FixedPoint:
    pack = re.fullmatch(r"(?:nnet::array|std::array)\s*<\s*(.+?>)\s*,.*>", definition)
    text = pack.group(1) if pack else definition
    text = re.sub(r",\s*0\s*>$", ">", text) if re.search(r"(AP|AC)_\w+\s*,\s*0\s*>$", text) else text
    try:
        return FixedPoint.parse(re.sub(r"\s+", "", text))
    except TypeNotationError:
        raise HlsTypeError(name, "typedef", "a fixed-point type", definition, "defines.h") from None


def _check_parameters(graph: Any, plan: Plan, path: Path, defines: Mapping[str, FixedPoint]) -> None:
    """Types named in each layer's configuration struct, which bears the layer's number in its name."""
    numbers = {str(layer.get_attr("index")): str(layer.name) for layer in graph.get_layers()}
    planned = {node.name: node for node in plan.nodes}
    unread = unread_types(graph)
    node: Node | None = None
    checked: dict[str, set[str]] = {}
    settings: dict[str, dict[str, str]] = {}
    for line in path.read_text().splitlines():
        struct = re.match(r"struct \w*?config(\d+)(?:_\w+)?\b", line)
        if struct:
            node = planned.get(numbers.get(struct.group(1), ""))
        typedef = re.fullmatch(r"\s*typedef\s+(\w+)\s+(\w+)_t;\s*", line)
        if typedef and node is not None:
            name, field = typedef.groups()
            checked.setdefault(node.name, set()).add(field)
            if (node.kind, field) not in unread:
                _same(node, field, _wanted(node, field), _defined(defines, node, field, name), "parameters.h")
        setting = re.fullmatch(r"\s*static const [\w:]+ (\w+) = (?:\w+::)*(.+?);\s*", line)
        if setting and node is not None:
            settings.setdefault(node.name, {})[setting.group(1)] = setting.group(2)
        product = re.search(r"using product\s*=\s*(?:\w+::)*product::(\w+)<", line)
        if product and node is not None and product.group(1) != "mult":
            raise HlsTypeError(node.layer, "product", "mult", product.group(1), "parameters.h")
    for node in plan.nodes:
        for name in IN_FILES.get(node.kind, ()):
            found = settings.get(node.name, {}).get(name, "nothing")
            if found != str(node.attributes[name]):
                raise HlsTypeError(node.layer, name, node.attributes[name], found, "parameters.h")
        for field in ("accum", "weight", "bias"):
            if field in node.types and field not in checked.get(node.name, set()):
                raise HlsTypeError(node.layer, field, node.types[field], "no typedef", "parameters.h")


def _check_weight_files(node: Node, name: str, variable: Any, directory: Path) -> None:
    # in the order of the file, which hls4ml's strategies may have changed; the graph's values were compared before
    wanted = np.asarray(variable.data, dtype=np.float64).reshape(-1)
    for path in (directory / f"{variable.name}.h", directory / f"{variable.name}.txt"):
        if path.suffix == ".txt" and not path.exists():
            continue
        if not np.array_equal(read_values(path), wanted):
            raise HlsTypeError(node.layer, f"values of {name}", "the Program's", "others", path.name)


def read_values(path: Path) -> npt.NDArray[np.float64]:
    """The numbers of a weights file (.h: the initialiser; .txt: all) as the C++ reads them."""
    text = path.read_text()
    if path.suffix == ".h":
        initialiser = re.search(r"=\s*\{+([^}]*)\}", text)
        text = initialiser.group(1) if initialiser else ""
    try:
        return np.array([float(token) for token in text.split(",") if token.strip()], dtype=np.float64)
    except ValueError:
        return np.array([np.nan])
