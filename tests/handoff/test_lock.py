"""The lock names what drifted: weights, types, layers, ports, vectors, answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.gate.drift import drift
from firmware_flows.handoff.lock import LockError, differences, drifted, lock_of, read_lock, write_lock
from firmware_flows.program import Program


def network(weight: int = 3, rounding: str = "AP_RND_CONV", name: str = "y", width: int = 9) -> Program:
    b = Builder("net")
    b.begin_layer("x", "Input")
    x = b.input("x", (3,), FixedPoint(6, 3))
    b.end_layer(x)
    b.begin_layer(name, "Dense", ["x"])
    weights = np.array([[1, 2], [3, 4], [5, weight]])
    y = b.affine(x, weights, 1, np.array([0, 1]), 1)
    y = b.cast(y, FixedPoint.parse(f"ap_fixed<{width},5,{rounding},AP_SAT>"))
    b.end_layer(y, arrays={"weight": weights, "bias": np.array([0, 1])})
    return b.build({"out": y})


def failed(program: Program, lock: dict[str, object]) -> list[str]:
    return [c.message for c in drift(program, lock) if c.status == "failed"]


def test_the_same_program_has_not_drifted() -> None:
    lock = lock_of(network(), 50)
    assert failed(network(), lock) == []
    assert json.loads(json.dumps(lock)) == lock
    assert drifted(lock, lock_of(network(), 50)) == []


def test_a_changed_weight_is_named_with_its_layer() -> None:
    program, answers = (
        failed(network(weight=4), lock_of(network(), 50))[0],
        failed(network(weight=4), lock_of(network())),
    )
    assert "is not the locked" in program
    assert program.endswith("layer 'y': weight changed")
    assert "golden outputs of 'out' are not the locked ones" in answers


def test_a_changed_type_is_named_with_both_types() -> None:
    texts = differences(lock_of(network(), 5), lock_of(network(rounding="AP_TRN"), 5))
    was, now = "ap_fixed<9,5,AP_RND_CONV,AP_SAT>", "ap_fixed<9,5,AP_TRN,AP_SAT>"
    assert texts == [
        f"layer 'y': type of result was {was}, is {now}",
        f"port 'out' was output [2] {was}, is output [2] {now}",
    ]


def test_layers_that_go_and_come() -> None:
    texts = differences(lock_of(network(), 5), lock_of(network(name="z"), 5))
    assert texts == ["layer 'y' is gone (valid names: x, z)", "layer 'z' is new"]


def test_instructions_that_no_layer_shows() -> None:
    """The layers' arrays say the same, but what is computed is something else."""
    was, now = lock_of(network(), 5), lock_of(network(weight=4), 5)
    now["layers"] = was["layers"]
    assert differences(was, now) == ["the instructions changed, though no layer's types or weights did"]


def test_metadata_and_vector_settings_are_no_drift() -> None:
    lock = lock_of(network(), 77, 5)
    assert failed(replace(network(), metadata={"classes": ["a", "b"]}), lock) == []
    lock["vectors"]["inputs"]["x"] = "0" * 64
    assert failed(network(), lock) == ["golden vectors of 'x' are not the locked ones"]


_VECTORS = '"vectors": {"random_events": "9", "seed": 1, "inputs": {}, "outputs": {}}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[1]", "[" * 100_000, '{"format": 99}', '{"format": 1, "program": "a"}'),
        f'{{"format": 1, "program": "a", "layers": {{}}, "ports": {{}}, {_VECTORS}}}',
    ],
)
def test_what_is_no_lock(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.lock.json"
    path.write_text(text)
    with pytest.raises(LockError, match=r"a\.lock\.json"):
        read_lock(path)
    write_lock(path, lock_of(network(), 5))
    assert read_lock(path) == lock_of(network(), 5)
