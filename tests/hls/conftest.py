"""Small Programs, layer by layer, as the lowering makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.program import Program


class Net:
    """A Program under construction; every method adds a layer and returns its name."""

    def __init__(self, name: str = "net", seed: int = 1) -> None:
        self.builder = Builder(name)
        self.random = np.random.default_rng(seed)
        self.value: dict[str, int] = {}

    def type(self, layer: str) -> FixedPoint:
        return self.builder.type_of(self.value[layer])

    def shape(self, layer: str) -> tuple[int, ...]:
        return self.builder.shape_of(self.value[layer])

    def _layer(self, name: str, kind: str, inputs: Sequence[str], make: Callable[[], int], **more: Any) -> str:
        self.builder.begin_layer(name, kind, inputs=tuple(inputs))
        value = make()
        more = {key: v(value) if callable(v) else v for key, v in more.items()}
        self.builder.end_layer(value, **more)
        self.value[name] = value
        return name

    def input(self, shape: Sequence[int], t: str, name: str = "x") -> str:
        return self._layer(
            name, "Input", (), lambda: self.builder.input(name, shape, FixedPoint.parse(t)),
            attributes={"shape": list(shape)},
        )  # fmt: skip

    def quantize(self, source: str, t: str, name: str) -> str:
        return self._layer(
            name, "Quantize", (source,), lambda: self.builder.cast(self.value[source], FixedPoint.parse(t))
        )

    def _positive(self, source: str, operation: str = "maximum") -> int:
        zero = self.builder.constant(np.zeros((1,), np.int64), self.type(source).fractional)
        return self.builder.combine(operation, self.value[source], zero)

    def relu(self, source: str, t: str, name: str) -> str:
        return self._layer(
            name, "Relu", (source,), lambda: self.builder.cast(self._positive(source), FixedPoint.parse(t))
        )

    def leaky(self, source: str, t: str, exponent: int, name: str) -> str:
        slope = FixedPoint(1, 1 - exponent, signed=False)

        def make() -> int:
            b = self.builder
            scale = b.constant(np.ones((1,), np.int64), exponent)
            negative = b.combine("multiply", self._positive(source, "minimum"), scale)
            return b.cast(b.combine("add", self._positive(source), negative), FixedPoint.parse(t))

        return self._layer(
            name, "LeakyRelu", (source,), make, attributes={"slope": 2.0**-exponent},
            arrays={"slope": np.array(1)}, types={"slope": slope},
        )  # fmt: skip

    def hard_sigmoid(self, source: str, t: str, name: str) -> str:
        def make() -> int:
            b = self.builder
            half = b.constant(np.ones((1,), np.int64), 1)
            one = b.constant(np.ones((1,), np.int64), 0)
            line = b.combine("add", b.combine("multiply", self.value[source], half), half)
            low = b.combine("maximum", line, b.constant(np.zeros((1,), np.int64), 0))
            return b.cast(b.combine("minimum", low, one), FixedPoint.parse(t))

        bit = FixedPoint(1, 0, signed=False)
        return self._layer(
            name, "HardSigmoid", (source,), make, attributes={"slope": 0.5, "shift": 0.5},
            types={"slope": bit, "shift": bit},
        )  # fmt: skip

    def dense(
        self, source: str, n_out: int, name: str, weight: str = "ap_fixed<6,1>", bias: str = "ap_fixed<9,2>"
    ) -> str:
        w_type, b_type = FixedPoint.parse(weight), FixedPoint.parse(bias)
        shape = self.shape(source)
        w = self.random.integers(w_type.minimum, w_type.maximum + 1, (shape[-1], n_out))
        b = self.random.integers(b_type.minimum, b_type.maximum + 1, n_out)
        return self._layer(
            name, "Dense", (source,),
            lambda: self.builder.affine(self.value[source], w, w_type.fractional, b, b_type.fractional),
            attributes={"positions": int(np.prod(shape[:-1])), "n_in": shape[-1], "n_out": n_out},
            arrays={"weight": w, "bias": b},
            types=lambda v: {"weight": w_type, "bias": b_type, "accum": self.builder.type_of(v)},
        )  # fmt: skip

    def reshape(self, source: str, shape: Sequence[int], name: str) -> str:
        return self._layer(
            name, "Reshape", (source,), lambda: self.builder.reshape(self.value[source], shape),
            attributes={"shape": list(shape)},
        )  # fmt: skip

    def concatenate(self, sources: Sequence[str], axis: int, name: str) -> str:
        return self._layer(
            name, "Concatenate", sources,
            lambda: self.builder.concatenate([self.value[s] for s in sources], axis), attributes={"axis": axis},
        )  # fmt: skip

    def merge(self, left: str, right: str, operation: str, name: str) -> str:
        def make() -> int:
            b = self.builder
            if operation != "average":
                return b.combine(operation, self.value[left], self.value[right])
            total = b.combine("add", self.value[left], self.value[right])
            return b.combine("multiply", total, b.constant(np.ones((1,), np.int64), 1))

        return self._layer(name, "Merge", (left, right), make, attributes={"operation": operation})

    def pool(self, source: str, operation: str, name: str, t: str | None = None) -> str:
        positions, channels = self.shape(source)
        accum: list[FixedPoint] = []

        def make() -> int:
            b = self.builder
            kind = "maximum" if operation == "maximum" else "sum"
            value = b.reduce(kind, self.value[source], 0)
            accum.append(b.type_of(value))
            if operation == "average":
                shift = 30
                factor = b.constant(np.array([-(-(1 << shift) // positions)]), shift)
                value = b.combine("multiply", value, factor)
                value = b.cast(value, accum[0].with_modes(Rounding.TRN_ZERO, Overflow.WRAP))
            return b.cast(value, FixedPoint.parse(t)) if t else value

        return self._layer(
            name, "Pool", (source,), make, types=lambda v: {"accum": accum[0]},
            attributes={"operation": operation, "positions": positions, "channels": channels},
        )  # fmt: skip

    def build(self, *outputs: str) -> Program:
        return self.builder.build({name: self.value[name] for name in outputs})

    def events(self, program: Program, number: int, seed: int = 5, scale: float = 1.5) -> np.ndarray[Any, Any]:
        """Real numbers over and beyond the input's range, with ties, extremes and zero."""
        port = program.inputs[0]
        random = np.random.default_rng(seed)
        limit = float(port.type.to_float(np.array(port.type.maximum))) + port.type.lsb
        x = random.uniform(-scale * limit, scale * limit, (number, *port.shape))
        half = np.round(x / port.type.lsb * 2) / 2 * port.type.lsb
        x = np.where(random.random(x.shape) < 0.4, half, x)
        x[0], x[1], x[2] = 0, limit, -limit
        return np.asarray(x, dtype=np.float32)


@pytest.fixture
def net() -> type[Net]:
    return Net


@pytest.fixture(scope="session")
def small_program() -> Program:
    n = Net()
    return n.build(n.dense(n.input((3,), "ap_fixed<8,3,AP_RND,AP_SAT>"), 2, "y"))


@pytest.fixture(scope="session")
def small_project(small_program: Program, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from firmware_flows import hls

    return hls.write_project(small_program, tmp_path_factory.mktemp("small") / "project")
