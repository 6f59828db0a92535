"""The recipe's `training:` section."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from quantization import PruningSettings, TrainingSettings
from quantization.settings import Loss, Schedule


def test_defaults() -> None:
    settings = TrainingSettings()
    assert settings.schedule is Schedule.COSINE
    assert settings.loss is Loss.CROSSENTROPY
    assert settings.seed is None
    assert settings.pruning is None


def test_survives_json() -> None:
    settings = TrainingSettings(epochs=3, pruning=PruningSettings(final_sparsity=0.5, exclude=("logits",)))
    assert TrainingSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "values",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1e-3},
        {"batch_size": 0},
        {"schedule": "linear"},
        {"loss": "accuracy"},
        {"seed": -1},
        {"seed": 2**32},
        {"pruning": {"final_sparsity": 1.0}},
        {"pruning": {"final_sparsity": 0.5, "begin": 0.7, "end": 0.6}},
        {"pruning": {"final_sparsity": 0.5, "sparsity": 1}},
    ],
)
def test_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingSettings.model_validate(values)


def test_importing_the_package_and_its_settings_loads_no_tensorflow() -> None:
    code = (
        "import sys, quantization, quantization.settings, quantization.calibration, quantization.model_files\n"
        "quantization.TrainingSettings, quantization.History, quantization.load_keras\n"
        "quantization.quantize_after_training, quantization.train, quantization.Scheme\n"
        "bad = {'tensorflow', 'keras', 'qkeras', 'h5py'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
