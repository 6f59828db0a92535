"""The study of several trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import models.omtf as omtf
from models.omtf.study import FORMS, Study, equal_efficiency_study
from quantization.settings import TrainingSettings


def test_means_spreads_and_losses() -> None:
    floats = (0.5, 0.6, 0.7)
    ratios = {
        "float": dict.fromkeys((20.0, 22.0, 26.0), floats),
        "quantized": dict.fromkeys((20.0, 22.0, 26.0), floats),
        "bit-accurate": dict.fromkeys((20.0, 22.0, 26.0), tuple(1.02 * r for r in floats)),
    }
    study = Study((1, 2, 3), ratios, dict.fromkeys((20.0, 22.0, 26.0), 0.02))
    assert study.mean("float", 20.0) == pytest.approx(0.6)
    assert study.spread("float", 20.0) == pytest.approx(0.1)
    assert study.loss() == (pytest.approx(0.02), pytest.approx(0.0, abs=1e-12))
    assert study.loss(22.0)[0] == pytest.approx(0.02)


@pytest.mark.keras
@pytest.mark.slow
def test_a_small_study_and_that_it_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="needs the physics extra")
    options = omtf.DataOptions(muons=20_000, validation_muons=5000, test_muons=40_000, pattern_muons=50_000, workers=1)
    data = omtf.load_data(options, tmp_path, 1, lambda *call: None)
    settings = TrainingSettings(epochs=2, learning_rate=0.004, loss="own")
    steps: list[str] = []

    def study() -> Study:
        return equal_efficiency_study(
            data, omtf.NetworkOptions(), settings, (1, 2), tmp_path, lambda step, *rest: steps.append(step)
        )

    first = study()
    for form in FORMS:
        assert all(np.isfinite(values).all() and len(values) == 2 for values in first.rate_ratios[form].values())
    # Keras and the Program agree in every bit.
    assert first.rate_ratios["quantized"] == first.rate_ratios["bit-accurate"]
    assert first.spread("float", 20.0) > 0
    steps.clear()
    assert study() == first
    assert set(steps) == {"trainings"}
    with pytest.raises(ValueError, match="two different seeds"):
        equal_efficiency_study(data, omtf.NetworkOptions(), settings, (1, 1), tmp_path)
