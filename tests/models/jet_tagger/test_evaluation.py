"""Numbers of the tagger's evaluation, against definitions counted out in full."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.jet_tagger.evaluation import (
    accuracy,
    auc,
    background_efficiency,
    compare,
    confusion_matrix,
    labels_of,
    measure,
    probabilities,
    remarks_on,
    roc,
)

CLASSES = ("g", "q", "W", "Z", "t")

SCORED = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({signal for _, signal in pairs}) == 2
)
"""Few distinct scores, so that ties are common; both kinds of event present."""


def arrays(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in pairs], float), np.array([signal for _, signal in pairs])


def tagged(events: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits on a coarse grid (ties) that know something of the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, events)
    logits = np.round(2 * (rng.normal(size=(events, 5)) + 1.5 * np.eye(5)[labels])) / 2
    return logits, labels


@given(SCORED)
def test_auc_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    scores, signal = arrays(pairs)
    wins = Fraction(0)
    for s in scores[signal]:
        for b in scores[~signal]:
            wins += Fraction(1) if s > b else Fraction(1, 2) if s == b else 0
    exact = wins / (int(signal.sum()) * int((~signal).sum()))
    assert auc(scores, signal) == float(exact)


@given(SCORED)
def test_roc_points_are_the_efficiencies_of_cuts(pairs: list[tuple[int, bool]]) -> None:
    scores, signal = arrays(pairs)
    curve = roc(scores, signal)
    assert curve.thresholds.size == len(set(scores)) + 1
    for cut, signal_efficiency, background in zip(curve.thresholds, curve.signal, curve.background, strict=True):
        assert signal_efficiency == (scores[signal] >= cut).mean()
        assert background == (scores[~signal] >= cut).mean()


@given(SCORED, st.sampled_from([0.1, 0.5, 0.8, 1.0]))
def test_background_efficiency_is_that_of_the_tightest_sufficient_cut(
    pairs: list[tuple[int, bool]], wanted: float
) -> None:
    scores, signal = arrays(pairs)
    cuts = [cut for cut in set(scores) if (scores[signal] >= cut).mean() >= wanted]
    assert background_efficiency(roc(scores, signal), wanted) == (scores[~signal] >= max(cuts)).mean()


def test_auc_without_signal_is_not_a_number() -> None:
    assert np.isnan(auc([1.0, 2.0], np.array([False, False])))


def test_the_area_under_the_curve_is_the_auc() -> None:
    logits, labels = tagged()
    curve = roc(logits[:, 0], labels == 0)
    assert np.trapezoid(curve.signal, curve.background) == pytest.approx(auc(logits[:, 0], labels == 0), rel=1e-12)


def test_confusion_and_accuracy() -> None:
    logits, labels = tagged()
    matrix = confusion_matrix(logits, labels)
    assert matrix.sum() == len(labels)
    assert np.trace(matrix) / len(labels) == accuracy(logits, labels)
    assert matrix[2, 3] == ((labels == 2) & (logits.argmax(axis=1) == 3)).sum()


def test_ties_go_to_the_first_class_as_in_firmware() -> None:
    assert accuracy(np.zeros((4, 5)), np.array([0, 0, 1, 2])) == 0.5


def test_probabilities_do_not_overflow_and_add_up() -> None:
    p = probabilities(np.array([[1000.0, 0.0], [-1000.0, -1000.0]]))
    assert p.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_labels_from_one_hot() -> None:
    assert labels_of(np.eye(3)[[2, 0, 1]]).tolist() == [2, 0, 1]
    assert labels_of(np.array([2, 0, 1], np.int8)).tolist() == [2, 0, 1]


def test_measure_gives_json_numbers_for_every_class() -> None:
    import json

    logits, labels = tagged()
    metrics = measure(logits, labels, CLASSES)
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert metrics == measure(logits, np.eye(5)[labels], CLASSES)
    assert set(metrics["auc"]) == set(metrics["background_efficiency"]) == set(CLASSES)
    assert metrics["macro_auc"] == pytest.approx(np.mean(list(metrics["auc"].values())), rel=1e-12)


def test_measure_refuses_another_number_of_outputs() -> None:
    with pytest.raises(ValueError, match="5 classes"):
        measure(np.zeros((3, 4)), np.zeros(3), CLASSES)


def test_measure_states_the_order_of_the_classes() -> None:
    logits, labels = tagged()
    metrics = measure(logits, labels, CLASSES)
    assert metrics["classes"] == list(CLASSES) == list(metrics["auc"]) == list(metrics["class_accuracy"])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_loss_counts_the_events_that_one_form_alone_gets_right(pairs: list[tuple[bool, bool]]) -> None:
    labels = np.ones(len(pairs), int)
    reference, other = (np.array([[0.0, 1.0] if pair[i] else [1.0, 0.0] for pair in pairs]) for i in (0, 1))
    lost = sum(a and not b for a, b in pairs)
    gained = sum(b and not a for a, b in pairs)
    total = len(pairs)
    found = compare(reference, other, labels)
    assert found["accuracy_loss"] == (lost - gained) / total
    # McNemar: the variance of the difference of paired counts.
    variance = (lost + gained - (lost - gained) ** 2 / total) / total**2
    assert found["accuracy_loss_uncertainty"] == pytest.approx(variance**0.5, abs=1e-12)


def test_the_assessment_states_classes_and_the_loss_against_the_float_form(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from firmware_flows.model_source import Split
    from models.jet_tagger.assessment import evaluate

    logits, labels = tagged()
    outputs = {"float": logits, "quantized": np.round(logits), "bit-accurate": np.round(logits)}
    evaluation = evaluate(Split(np.zeros((len(labels), 1)), labels), outputs, tmp_path)
    assert "g, q, W, Z, t" in evaluation.remarks[0]
    assert any("g, q, W, Z, t" in plot.caption for plot in evaluation.plots)
    assert "accuracy_loss" not in evaluation.metrics["float"]
    loss = evaluation.metrics["bit-accurate"]["accuracy_loss"]
    expected = evaluation.metrics["float"]["accuracy"] - evaluation.metrics["bit-accurate"]["accuracy"]
    assert loss == pytest.approx(expected, abs=1e-12)
    assert (
        "accuracy_loss"
        not in evaluate(Split(np.zeros((len(labels), 1)), labels), {"bit-accurate": logits}, tmp_path).metrics[
            "bit-accurate"
        ]
    )


def test_remarks_count_events_classified_differently() -> None:
    logits, _ = tagged()
    other = logits.copy()
    other[0] = np.roll(other[0], 1)
    assert "0 of 400" in remarks_on({"quantized": logits, "bit-accurate": logits})[0]
    assert "1 of 400" in remarks_on({"quantized": logits, "bit-accurate": other})[0]


def test_plots_are_written_and_repeatable(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from models.jet_tagger.plots import plot_all

    logits, labels = tagged()
    outputs = {"float": logits, "quantized": np.round(logits), "bit-accurate": np.round(logits)}
    plots = plot_all(outputs, labels, CLASSES, tmp_path)
    assert [plot.path.name for plot in plots] == ["roc.svg", "confusion.svg", "scores.svg"]
    for plot in plots:
        assert plot.path.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert {path.name for path in tmp_path.iterdir()} == {plot.path.name for plot in plots}
    again = plot_all(outputs, labels, CLASSES, tmp_path / "again")
    assert [plot.path.read_bytes() for plot in again] == [plot.path.read_bytes() for plot in plots]
    assert sum(plot.path.stat().st_size for plot in plots) < 2_000_000
