"""Stage `emulate`: what each form of the network answers on the test events."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from firmware_flows.environment import load_tensorflow
from firmware_flows.files import atomic_path
from firmware_flows.flow.stage import FLOAT, OUTPUTS, QUANTIZED, Outcome, Run, Stage

_BATCH = 8192


def _inputs(run: Run) -> dict[str, Any]:
    return {"float_reference": run.recipe.float_reference}


def _perform(run: Run) -> Outcome:
    import firmware_flows as ff

    x = run.dataset().test.x
    program = run.program()
    outputs = {
        "bit-accurate": ff.emulate(
            program, x, progress=lambda done, total: run.observer.progress("emulating, events", done, total)
        )
    }
    load_tensorflow()
    quantization = importlib.import_module("quantization")
    forms = {"quantized": QUANTIZED, **({"float": FLOAT} if run.recipe.float_reference else {})}
    for form, file in forms.items():
        network = logits_of(quantization.load_keras(run.path(file)))
        outputs[form] = _predict(run, network, x, f"Keras, {form} network, events")
    with atomic_path(run.path(OUTPUTS)) as temporary:
        np.savez(temporary, allow_pickle=False, **outputs)
    equal = np.mean(
        np.all(outputs["quantized"] == outputs["bit-accurate"], axis=tuple(range(1, outputs["quantized"].ndim)))
    )
    return Outcome(
        outputs=(OUTPUTS,),
        summary=f"{len(x):,} test events in {len(outputs)} forms",
        results={"events": len(x), "share_equal_to_keras": float(equal)},
    )


def _predict(run: Run, network: Any, x: np.ndarray[Any, Any], step: str) -> np.ndarray[Any, Any]:
    parts = []
    for start in range(0, len(x), _BATCH):
        parts.append(np.asarray(network.predict_on_batch(x[start : start + _BATCH])))
        run.observer.progress(step, min(start + _BATCH, len(x)), len(x))
    return np.concatenate(parts)


def logits_of(network: Any) -> Any:
    """The network up to a softmax at its end, which firmware leaves out: so all forms give the same quantity.

    A softmax inside a layer is taken out of the network that is given.
    """
    import keras

    last = network.outputs[0]._keras_history.operation
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax) or (
        isinstance(last, keras.layers.Activation) and _is_softmax(activation)
    ):
        return keras.Model(network.inputs, last.input)
    if _is_softmax(activation):
        last.activation = keras.activations.linear
    return network


def _is_softmax(activation: Any) -> bool:
    return getattr(activation, "__name__", activation) == "softmax"


STAGE = Stage("emulate", ("data", "train", "convert"), _inputs, _perform, lambda recipe: ("train",))
