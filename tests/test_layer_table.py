"""docs/layers.md says what the code does: every statement of a layer is tried."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import firmware_flows as ff
from benchmarks.sweep import table
from benchmarks.sweep.batches import run
from benchmarks.sweep.drawing import batch_of
from benchmarks.sweep.families import CASES, UNAVAILABLE
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


@pytest.mark.keras
@pytest.mark.parametrize("name", [n for n in REFUSED if n not in ("SpectralNormalization",)])
def test_layers_that_are_not_converted_say_why(name: str) -> None:
    """The kind alone decides, so that a node of that kind is enough."""
    from importlib import import_module
    from types import SimpleNamespace

    with pytest.raises(ff.LoweringError) as caught:
        import_module("firmware_flows.lowering.lower")._lowering(SimpleNamespace(kind=name, name="layer"))
    reason, remedy = REFUSED[name]
    assert reason in caught.value.reason
    assert caught.value.remedy == remedy
    import keras
    import qkeras

    assert hasattr(keras.layers, name) or hasattr(qkeras, name)
