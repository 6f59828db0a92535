"""The recipe's evaluation: numbers, plots and remarks on all forms of the tagger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.model_source import Evaluation, Split

from .evaluation import compare, measure, remarks_on
from .plots import plot_all
from .sample import CLASSES

REFERENCE = "float"


def evaluate(dataset_test: Split, outputs: dict[str, np.ndarray[Any, Any]], directory: Path) -> Evaluation:
    """Metrics of every form on the test jets, and plots below `directory`.

    outputs: form name -> logits (jets, 5) in the order of `CLASSES`. Where there is a float form, the others have
    `accuracy_loss` against it, with the uncertainty of paired samples.
    """
    metrics = {form: measure(logits, dataset_test.y, CLASSES) for form, logits in outputs.items()}
    for form in outputs.keys() - {REFERENCE}:
        if REFERENCE in outputs:
            metrics[form] |= compare(outputs[REFERENCE], outputs[form], dataset_test.y)
    plots = plot_all(outputs, dataset_test.y, CLASSES, directory)
    order = f"The order of the classes, in every output and table: {', '.join(CLASSES)}."
    return Evaluation(metrics=metrics, plots=plots, remarks=(order, *remarks_on(outputs)))
