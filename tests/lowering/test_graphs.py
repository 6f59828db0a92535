"""Layers that join, rearrange, multiply and look up: equal to Keras, and to the C++ in both forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_networks import TYPES, merging, on_grid, products

import firmware_flows as ff

pytestmark = pytest.mark.keras


def events(program: ff.Program, count: int = 1500) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(2)
    result = {}
    for port in program.inputs:
        reach = float(port.type.maximum + 1) * port.type.lsb
        x = rng.uniform(-1.5 * reach, 1.5 * reach, (count, *port.shape))
        result[port.port] = (np.round(x * 64) / 64).astype(np.float32)
    return result


@pytest.fixture(scope="module", params=[merging, products])
def network(request: pytest.FixtureRequest) -> tuple[Any, ff.Program]:
    model = request.param()
    types = {name: t for name, t in TYPES.items() if name in [i.name for i in model.inputs]}
    return model, ff.lower(model, input_type=types or None)


def test_keras_agrees(network: tuple[Any, ff.Program]) -> None:
    model, program = network
    assert [o.name for o in program.outputs] == [str(name) for name in model.output_names]
    result = ff.verify(program, events(program), keras_model=model, random_events=2000, adversarial=False)
    assert result.passed, result.summary()
    keras = next(form for form in result.forms if form.name == "Keras")
    assert keras.compared > 1000


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_the_cpp_agrees(io: str, network: tuple[Any, ff.Program], tmp_path: Path) -> None:
    _, program = network
    x = events(program, 600)
    project = ff.hls.write_project(program, tmp_path / "p", io=io)
    for output, wanted, found in zip(
        program.outputs, ff.emulate(program, x, raw=True), project.simulate(x, raw=True), strict=True
    ):
        np.testing.assert_array_equal(found, wanted, err_msg=output.name)
    layers, traced = ff.trace(program, x), project.trace(x)
    for name, values in traced.items():
        np.testing.assert_array_equal(values, layers[name], err_msg=name)


def test_what_has_no_exact_form_is_refused() -> None:
    import keras
    from keras import layers
    from qkeras import QActivation

    def refused(result: Any, field: str, *inputs: Any, **types: str) -> ff.LoweringError:
        with pytest.raises(ff.LoweringError) as caught:
            ff.lower(keras.Model(list(inputs), result), input_type=types or None)
        assert (caught.value.layer, caught.value.field) == ("bad", field)
        assert caught.value.remedy
        return caught.value

    x, i = layers.Input((3, 4), name="x"), layers.Input((5,), name="i")
    a = QActivation("quantized_bits(7,2,alpha=1)", name="a")(x)
    row = layers.GlobalMaxPooling1D(name="row")(a)
    refused(layers.Average(name="bad")([a, a, a]), "inputs", x)
    square = layers.Permute((2, 1))(layers.Concatenate(axis=1)([a, layers.Reshape((1, 4))(row)]))
    refused(keras.src.ops.numpy.Add(name="bad")(row, square), "shapes", x)  # repeats along the events in Keras
    refused(layers.Dot(axes=1, normalize=True, name="bad")([row, row]), "normalize", x)
    assert "16 bits" in refused(layers.EinsumDense("abc,cd->abd", (3, 2), name="bad")(a), "kernel_quantizer", x).reason
    small = layers.Embedding(5, 2, name="bad")
    looked_up = small(i)
    on_grid(small, 1)
    assert "8 rows" in refused(looked_up, "indices", i, i="ap_ufixed<3,3,TRN,SAT>").remedy
    assert refused(looked_up, "indices", i, i="ap_fixed<3,3,TRN,SAT>").value == "-4 to 3"
    assert "ap_ufixed<3,3" in refused(looked_up, "input type", i, i="ap_ufixed<4,3,TRN,SAT>").remedy
    refused(layers.Embedding(8, 2, mask_zero=True, name="bad")(i), "mask_zero", i, i="ap_ufixed<3,3,TRN,SAT>")
    refused(layers.Masking(name="bad")(a), "type", x)
