"""docs/layers.md says what the code does: every statement of a layer is tried."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import firmware_flows as ff
from benchmarks.sweep import evidence, table
from benchmarks.sweep.batches import run
from benchmarks.sweep.cases import example
from benchmarks.sweep.drawing import Batch, batch_of
from benchmarks.sweep.families import BY_NAME, CASES, GENERAL_RTL, UNAVAILABLE
from firmware_flows.lowering.refused import REFUSED
from firmware_flows.lowering.table import LOWERINGS


def test_the_document_is_current() -> None:
    assert table.PATH.read_text(encoding="utf-8") == table.text(), "make docs"


def test_every_layer_that_is_lowered_has_a_row() -> None:
    rows = {case.layer for case in CASES}
    assert rows | set(UNAVAILABLE) == set(LOWERINGS)
    assert not rows & set(UNAVAILABLE)
    assert not set(REFUSED) & set(LOWERINGS)
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_a_form_that_is_not_verified_has_a_reason() -> None:
    for case in CASES:
        for stage in ("parallel", "stream"):
            if stage not in case.forms:
                assert any(r.stage in ("lowering", stage) for r in case.refusals), (case.name, stage)


def test_verified_means_that_networks_agreed() -> None:
    """The counts come from runs of the sweep; a row without any is not called verified."""
    counts = evidence.load()
    assert set(counts) <= set(BY_NAME)
    for case in CASES:
        for form in case.forms:
            agreed = counts.get(case.name, {}).get(form, 0)
            assert table.COLUMNS[f"csim io_{form}"](case).startswith("verified" if agreed else "not verified yet")


def test_counts_of_a_run_are_added_up_and_failures_refused(tmp_path: Path) -> None:
    ok = {"case": "Dense", "agreed": ["parallel"], "keras": 300}
    results = tmp_path / "results.jsonl"
    results.write_text(json.dumps({"outcomes": [ok, {**ok, "agreed": ["parallel", "stream"]}]}) + '\n{"outc')
    assert evidence.counted([results]) == {"Dense": {"parallel": 2, "stream": 1, "keras": 600}}
    results.write_text(json.dumps({"outcomes": [{**ok, "failed": {"stream": "differs"}}]}))
    with pytest.raises(ValueError, match="failed: Dense"):
        evidence.counted([results])


def test_what_is_said_of_hls4ml_is_pinned_by_tests_that_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    listed = re.findall(r"`(tests/\S+\.py)::(\w+)`", (root / "docs" / "hls4ml.md").read_text(encoding="utf-8"))
    assert listed
    there = {
        (str(path.relative_to(root)), item.name)
        for path in (root / "tests").rglob("test_*.py")
        for item in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(item, ast.FunctionDef)
    }
    assert set(listed) <= there
    own = {entry for entry in there if re.match(r"test_hls4mls?_", entry[1]) and not entry[1].endswith("_agrees")}
    assert own <= set(listed)


@pytest.mark.keras
def test_names_that_no_library_has() -> None:
    import keras
    import qkeras

    for name in UNAVAILABLE:
        assert not hasattr(qkeras if name.startswith("Q") else keras.layers, name), name


REFUSALS = [(case, refusal) for case in CASES for refusal in case.refusals]


@pytest.mark.keras
@pytest.mark.parametrize(("case", "refusal"), REFUSALS, ids=[f"{c.name}-{r.stage}-{r.when}" for c, r in REFUSALS])
def test_what_the_table_calls_refused_is_refused(case: Any, refusal: Any) -> None:
    outcome = run(batch_of([{**refusal.example, "case": case.name}], softmax=case.softmax), compiled=False)[0]
    assert not outcome.failed, outcome.failed
    assert re.search(refusal.reason, outcome.refused.get(refusal.stage, "converted")), outcome.refused
    assert not outcome.neighbour[refusal.stage]


INDEX = "quantized_bits(17,17,keep_negative=False,alpha=1)"
NO_RTL = [
    example("Multiply", (2,), _inputs=["quantized_bits(20,2,alpha=1)"] * 3),
    example("Embedding", (2,), input_dim=2**17, output_dim=1, _inputs=[INDEX]),
]


@pytest.mark.keras
@pytest.mark.parametrize(("instance", "obstacle"), list(zip(NO_RTL, GENERAL_RTL, strict=True)), ids=["width", "table"])
def test_what_is_no_rtl_is_said(instance: Any, obstacle: tuple[str, str]) -> None:
    outcome = run(Batch("own", (instance,), entry=(19, 18)), compiled=False)[0]
    assert re.search(obstacle[0], outcome.refused.get("rtl", "can be RTL"))
    assert set(outcome.refused) == {"rtl"}
    assert not outcome.neighbour["rtl"]


@pytest.mark.keras
@pytest.mark.parametrize("name", [n for n in REFUSED if n not in ("SpectralNormalization",)])
def test_layers_that_are_not_converted_say_why(name: str) -> None:
    """The kind alone decides, so that a node of that kind is enough."""
    from importlib import import_module
    from types import SimpleNamespace

    with pytest.raises(ff.LoweringError) as caught:
        import_module("firmware_flows.lowering.lower")._lowering(
            SimpleNamespace(kind=name, name="layer", operation=None)
        )
    reason, remedy = REFUSED[name]
    assert reason in caught.value.reason
    assert caught.value.remedy == remedy
    import keras
    import qkeras

    assert hasattr(keras.layers, name) or hasattr(qkeras, name)
