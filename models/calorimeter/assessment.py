"""The recipe's evaluation: numbers, plots and remarks on all forms of the network and on the optimal filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.model_source import Evaluation, Split

from .channels import plan
from .evaluation import measure_all, remarks_on
from .plots import plot_all
from .truth import Truth


def evaluate(dataset_test: Split, outputs: dict[str, np.ndarray[Any, Any]], directory: Path) -> Evaluation:
    """Metrics of every form and of the optimal filter on the test events, and plots below `directory`.

    outputs: form name -> energies (events, 1) in 4096 MeV.
    """
    truth = Truth.of(dataset_test.y)
    return Evaluation(
        metrics=measure_all(outputs, truth),
        plots=plot_all(outputs, truth, directory),
        remarks=(*remarks_on(outputs, truth), *(option.describe() for option in plan())),
    )
