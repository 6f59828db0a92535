"""Convolutions on calorimeter images of 18 x 14 regions: emulation against hls4ml's C++ simulation.

    python benchmarks/convolution.py               both networks
    python benchmarks/convolution.py --network anomaly

Ends with 1 if a bit differs or emulation is less than 100 times as fast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.emulation import Bars, bars, compare, show  # noqa: E402, I001  (sets the threads before NumPy loads)

import click  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402

from firmware_flows.builder import Builder  # noqa: E402
from firmware_flows.fixed_point import FixedPoint  # noqa: E402
from firmware_flows.lowering.windows import Windows, windows  # noqa: E402
from firmware_flows.program import Program, ReduceOperation  # noqa: E402

WANTED_RATIO = 100
IMAGE = (18, 14)
ENERGY = FixedPoint.parse("ap_ufixed<10,10,AP_RND_CONV,AP_SAT>")
WEIGHT = FixedPoint.parse("ap_fixed<6,1,AP_RND_CONV,AP_SAT>")
ACTIVATION = FixedPoint.parse("ap_ufixed<8,8,AP_RND_CONV,AP_SAT>")


class Image:
    """A network on images, built layer by layer; random weights of 6 bits, activations of 8 bits."""

    def __init__(self, name: str) -> None:
        self.builder = Builder(name)
        self.random = np.random.default_rng(1)
        self.builder.begin_layer("regions", "Input")
        self.value = self.builder.input("regions", (*IMAGE, 1), ENERGY)
        self.builder.end_layer(self.value, attributes={"shape": [*IMAGE, 1]})
        self.last = "regions"

    def convolution(self, name: str, filters: int, kernel: int, stride: int, padding: str) -> Image:
        """A convolution with ReLU."""
        w, channels = self._windows(kernel, stride, padding)
        weights, bias = self._numbers(kernel * kernel * channels, filters)

        def layer(b: Builder, x: int) -> tuple[int, dict[str, Any]]:
            picked = b.rearrange([x], w.indices(channels).reshape(*w.results, -1))
            value = b.affine(picked, weights, WEIGHT.fractional, bias, WEIGHT.fractional)
            return value, {
                "types": {"weight": WEIGHT, "bias": WEIGHT, "accum": b.type_of(value)},
                "attributes": _sizes(w) | {"dilation": [1, 1], "n_in": channels, "n_out": filters},
                "arrays": {"weight": weights.reshape(kernel, kernel, channels, filters), "bias": bias},
            }

        return self._layer(name, "Conv2D", layer)._relu(f"{name}_relu")

    def maximum(self, name: str) -> Image:
        """The maximum of every 2 x 2 positions."""
        w, channels = self._windows(2, 2, "valid")

        def layer(b: Builder, x: int) -> tuple[int, dict[str, Any]]:
            picked = b.rearrange([x], np.moveaxis(w.indices(channels), -2, 0))
            attributes = _sizes(w) | {"operation": "maximum", "channels": channels}
            return b.reduce(ReduceOperation.MAXIMUM, picked, 0), {
                "types": {"accum": b.type_of(x)},
                "attributes": attributes,
            }

        return self._layer(name, "LocalPool", layer)

    def flat(self) -> Image:
        """One axis."""
        size = int(np.prod(self.builder.shape_of(self.value)))
        return self._layer("flat", "Reshape", lambda b, x: (b.reshape(x, (size,)), {"attributes": {"shape": [size]}}))

    def dense(self, name: str, n_out: int, relu: bool = True) -> Image:
        """A dense layer."""
        (n_in,) = self.builder.shape_of(self.value)
        weights, bias = self._numbers(n_in, n_out)

        def layer(b: Builder, x: int) -> tuple[int, dict[str, Any]]:
            value = b.affine(x, weights, WEIGHT.fractional, bias, WEIGHT.fractional)
            return value, {
                "types": {"weight": WEIGHT, "bias": WEIGHT, "accum": b.type_of(value)},
                "attributes": {"positions": 1, "n_in": n_in, "n_out": n_out},
                "arrays": {"weight": weights, "bias": bias},
            }

        self._layer(name, "Dense", layer)
        return self._relu(f"{name}_relu") if relu else self

    def program(self) -> Program:
        """The network so far."""
        return self.builder.build({"score": self.value})

    def _relu(self, name: str) -> Image:
        return self._layer(name, "Relu", lambda b, x: (b.cast(x, ACTIVATION), {}))

    def _layer(self, name: str, kind: str, make: Callable[[Builder, int], tuple[int, dict[str, Any]]]) -> Image:
        self.builder.begin_layer(name, kind, [self.last])
        self.value, words = make(self.builder, self.value)
        self.builder.end_layer(self.value, **words)
        self.last = name
        return self

    def _windows(self, kernel: int, stride: int, padding: str) -> tuple[Windows, int]:
        *positions, channels = self.builder.shape_of(self.value)
        return windows(positions, [kernel] * 2, [stride] * 2, [1, 1], padding), channels

    def _numbers(self, n_in: int, n_out: int) -> tuple[Any, Any]:
        weights = np.clip(np.rint(self.random.normal(0, 48 / np.sqrt(n_in), (n_in, n_out))), -32, 31).astype(np.int64)
        return weights, self.random.integers(-8, 9, n_out)


def _sizes(w: Windows) -> dict[str, Any]:
    return {"kernel": [*w.kernel], "strides": [*w.strides], "padding": [[*pair] for pair in w.padding]}


def anomaly() -> Program:
    """As small as what CMS runs on these images to find unusual ones (CICADA): one convolution, two dense layers."""
    return Image("anomaly").convolution("conv", 4, 2, 2, "valid").flat().dense("hidden", 16).dense("score", 1).program()


def deep() -> Program:
    """Two convolutions that keep every position, each with a maximum behind."""
    image = Image("deep")
    for k, filters in enumerate((8, 16)):
        image.convolution(f"conv_{k}", filters, 3, 1, "same").maximum(f"pool_{k}")
    return image.flat().dense("hidden", 16).dense("score", 1, relu=False).program()


NETWORKS = {"anomaly": anomaly, "deep": deep}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--events", default=200_000, show_default=True, help="At most so many in one run of the emulation.")
@click.option("--network", type=click.Choice(list(NETWORKS)), multiple=True, help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON on standard output.")
def main(events: int, network: tuple[str, ...], as_json: bool) -> None:
    """Emulation of convolutions against hls4ml's C++ simulation: bits, events per second."""
    with bars(Console(stderr=True)) as progress:
        results = [compare(NETWORKS[name](), events, WANTED_RATIO, Bars(progress)) for name in network or NETWORKS]
    passed = all(r["passed"] for r in results)
    if as_json:
        print(json.dumps({"networks": results, "passed": passed}))
    else:
        show(Console(), results)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
