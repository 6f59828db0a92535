"""The recipe's evaluation: numbers, plots and remarks on all forms of the network and on what it replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.model_source import Evaluation, Split

from .evaluation import GOLDEN, PRESENT, Answer, golden_answer, integer_cuts, measure, network_answer, present_answer
from .plots import plot_all, plot_real
from .readout import CONSTANT_BITS
from .real_evaluation import common, measure_real
from .truth import unpack


def evaluate(dataset_test: Split, outputs: dict[str, np.ndarray[Any, Any]], directory: Path) -> Evaluation:
    """Metrics of every form and of the golden patterns on the test muons, and plots below `directory`.

    outputs: form name -> outputs (muons, 44). Real events among the test muons are evaluated by themselves, against
    the answers of the experiment's algorithm.
    """
    truth = unpack(dataset_test.y)
    generated = truth.real == 0
    of_generated = truth.select(generated)
    answers: dict[str, Answer] = {GOLDEN: golden_answer(of_generated)}
    answers |= {form: network_answer(logits[generated]) for form, logits in outputs.items()}
    metrics = measure(of_generated, answers)
    plots = plot_all(of_generated, answers, directory)
    last = list(outputs)[-1]
    cuts = ", ".join(
        f"{t:g} GeV: {constant}/{2**CONSTANT_BITS} (efficiency {efficiency:.3f})"
        for t, (constant, efficiency) in integer_cuts(of_generated, outputs[last][generated]).items()
    )
    remarks = [
        f"Rates are at equal efficiency, 90 % of the candidates within 2 GeV above the threshold; of "
        f"{len(of_generated):,} muons {of_generated.candidate.mean():.1%} are candidates",
        f"Constants of the comparison of integers, {last} form: {cuts}",
    ]
    both = common(truth)
    if both.any():
        chosen = truth.select(both)
        of_real = {PRESENT: present_answer(chosen), GOLDEN: golden_answer(chosen)}
        of_real |= {form: network_answer(logits[both]) for form, logits in outputs.items()}
        for form, numbers in measure_real(chosen, of_real).items():
            metrics.setdefault(form, {}).update(numbers)
        plots = (*plots, plot_real(chosen, of_real, directory))
        remarks.append(
            f"{int(both.sum()):,} of {int((~generated).sum()):,} real events are found by the present algorithm and by "
            "our golden patterns, above 4 GeV; their rates are relative to the present algorithm"
        )
    return Evaluation(metrics=metrics, plots=plots, remarks=tuple(remarks))
