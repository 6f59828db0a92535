"""Production: repeatable, cached by content, resumable, the same with any number of workers; the recipe's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import models.omtf as omtf
from models.errors import SampleError
from models.omtf import dataset
from models.omtf.candidates import Candidates
from models.omtf.dataset import Production
from models.omtf.generator import GeneratorSettings
from models.omtf.golden_patterns import Sorter
from models.omtf.truth import COLUMNS, unpack

pytest.importorskip("h5py", reason="needs the physics extra")

PRODUCTION = Production(20_000, GeneratorSettings(), Sorter.LIKELIHOOD, 7)


def assert_same(one: Candidates, other: Candidates) -> None:
    for name in ("angles", "reference", "pattern_pt", "pattern_charge", "quality", "pt", "charge", "eta"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "MUONS_PER_CHUNK", 5000)


def test_production_counts_caches_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress: list[tuple[str, int, int]] = []
    first = PRODUCTION.candidates(12_000, 0, tmp_path, 1, lambda *call: progress.append(call))
    assert len(first) == 12_000
    assert progress[-1] == ("generating muons", 12_000, 12_000)
    assert ("making golden patterns, muons", 20_000, 20_000) in progress
    assert len(list(tmp_path.glob("candidates-*.h5"))) == 3
    made: list[int] = []
    original = dataset.generate
    monkeypatch.setattr(dataset, "generate", lambda count, *rest: made.append(count) or original(count, *rest))
    assert_same(PRODUCTION.candidates(12_000, 0, tmp_path, 1), first)
    assert made == []
    damaged, absent = sorted(tmp_path.glob("candidates-*.h5"))[:2]
    damaged.write_bytes(damaged.read_bytes()[:2000])
    absent.unlink()
    assert_same(PRODUCTION.candidates(12_000, 0, tmp_path, 1), first)
    assert len(made) == 2
    # A larger production uses the whole chunks again.
    made.clear()
    PRODUCTION.candidates(15_000, 0, tmp_path, 1)
    assert made == [5000]


def test_streams_and_seeds_have_muons_of_their_own(tmp_path: Path) -> None:
    from dataclasses import replace

    first = PRODUCTION.candidates(2000, 0, tmp_path, 1).pt
    assert not np.isin(PRODUCTION.candidates(2000, 1, tmp_path, 1).pt, first).mean() > 0.01
    assert not np.isin(replace(PRODUCTION, seed=8).candidates(2000, 0, tmp_path, 1).pt, first).mean() > 0.01
    with pytest.raises(SampleError, match="at least 1"):
        PRODUCTION.candidates(0, 0, tmp_path, 1)


def test_workers_do_not_change_the_muons(tmp_path: Path) -> None:
    alone = PRODUCTION.candidates(10_000, 0, tmp_path / "one", 1)
    assert_same(PRODUCTION.candidates(10_000, 0, tmp_path / "two", 2), alone)


def options(**more: Any) -> omtf.DataOptions:
    counts = {"muons": 6000, "validation_muons": 2000, "test_muons": 3000, "pattern_muons": 20_000, "workers": 1}
    return omtf.DataOptions(**{**counts, **more})


def test_the_recipe_s_data(tmp_path: Path) -> None:
    steps: list[str] = []
    data = omtf.load_data(options(), tmp_path, 3, lambda step, done, total: steps.append(step))
    assert data.event_shape == (44,)
    assert len(data.test) == 3000
    assert 5000 < len(data.train) < 6000
    assert data.train.y.shape == (len(data.train), 44)
    assert (data.train.y[:, :43].sum(axis=1) == 1).all()
    assert data.test.y.shape == (3000, len(COLUMNS))
    truth = unpack(data.test.y)
    # Those who are no candidates are lost, and were not trained on.
    assert 0 < (~truth.candidate).sum() < 600
    assert (truth.weight > 0).all()
    assert data.metadata["classes"] == list(omtf.CLASSES)
    assert data.metadata["input_type"].startswith("ap_fixed<9,3")
    assert len(data.metadata["units"]) == len(data.metadata["features"]) == 44
    assert "generating muons for the test part" in steps
    again = omtf.load_data(options(cache=tmp_path), tmp_path / "elsewhere", 3, lambda *call: None)
    np.testing.assert_array_equal(again.train.x, data.train.x)
    assert not (tmp_path / "elsewhere").exists()


def test_options_are_checked() -> None:
    with pytest.raises(ValidationError, match="extra"):
        omtf.DataOptions(muon=5)
    with pytest.raises(ValidationError, match="pt_min < flat_max"):
        omtf.DataOptions(spectrum={"pt_min": 20.0, "flat_max": 10.0})
    with pytest.raises(ValidationError, match="hidden"):
        omtf.NetworkOptions(hidden=(64, 0))
