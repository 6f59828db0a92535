"""The network of all elementwise layers, its Program, and its two HLS projects: made once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import firmware_flows as ff


class Elementwise(NamedTuple):
    model: Any
    program: ff.Program
    x: np.ndarray[Any, Any]
    values: dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="session")
def elementwise() -> Elementwise:
    """The Program with softmax kept ('stable'), every input value, and the value of every layer."""
    from elementwise_networks import elementwise as network
    from elementwise_networks import every_input

    model = network()
    program = ff.lower(model, softmax="stable")
    x = every_input(program)
    return Elementwise(model, program, x, ff.trace(program, x))


@pytest.fixture(scope="session", params=["parallel", "stream"])
def traced(
    request: pytest.FixtureRequest, elementwise: Elementwise, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray[Any, Any]]:
    """Every layer of hls4ml's compiled C++, for every input."""
    directory = tmp_path_factory.mktemp("elementwise") / request.param
    project = ff.hls.write_project(elementwise.program, directory, io=request.param)
    project.compile()
    found = project.simulate(elementwise.x, raw=True)
    for output, wanted, values in zip(
        elementwise.program.outputs, ff.emulate(elementwise.program, elementwise.x, raw=True), found, strict=True
    ):
        np.testing.assert_array_equal(values, wanted, err_msg=output.name)
    return project.trace(elementwise.x)
