"""Rates at equal efficiency, their uncertainty, and plots, on algorithms whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_flows.model_source import Split
from models.omtf import evaluate
from models.omtf.evaluation import (
    GOLDEN,
    THRESHOLDS,
    Answer,
    Cut,
    cut_at,
    cut_for,
    golden_answer,
    half_width,
    measure,
    near,
    network_answer,
    passing,
    rate,
    rate_uncertainties,
    turn_on,
    wrong_charge,
)
from models.omtf.generator import generate
from models.omtf.golden_patterns import make_patterns
from models.omtf.momentum_bins import N_OUTPUTS, bin_of
from models.omtf.spectrum import Spectrum, rate_above, rate_weights
from models.omtf.truth import COLUMNS, Truth, pack, unpack


def make_truth(muons: int, seed: int) -> Truth:
    found = make_patterns([generate(100_000, 1)]).find(generate(muons, seed))
    return unpack(pack(found, rate_weights(found.pt, Spectrum()) / muons))


TRUTH = make_truth(80_000, 2)
GOLD = golden_answer(TRUTH)


def smeared(truth: Truth, width: float, seed: int = 1) -> Answer:
    """An algorithm that measures 1/pT with a Gaussian of this relative width."""
    rng = np.random.default_rng(seed)
    pt = truth.pt / np.maximum(1 + width * rng.normal(size=len(truth)), 0.02)
    return Answer(dict.fromkeys((*GOLD.scores, *THRESHOLDS), pt), pt, truth.charge)


def test_a_cut_passes_exactly_the_share_asked_for_ties_included() -> None:
    scores = np.array([1.0, 2.0, 2.0, 2.0, 2.0, 3.0])
    for efficiency in (0.1, 0.5, 0.9):
        assert cut_at(scores, efficiency=efficiency).passing(scores).mean() == pytest.approx(efficiency)
    assert cut_at(scores, efficiency=0.5) == Cut(2.0, 0.5)
    weights = np.array([10.0, 1.0, 1.0, 1.0, 1.0, 6.0])
    assert cut_at(scores, weights, 0.5).passing(scores) @ weights == pytest.approx(10.0)
    with pytest.raises(ValueError, match="no muons"):
        cut_at(scores[:0])


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_every_algorithm_has_the_same_efficiency(threshold: float) -> None:
    for answer in (GOLD, smeared(TRUTH, 0.15)):
        chosen = near(TRUTH, threshold)
        assert passing(TRUTH, answer, threshold)[chosen].mean() == pytest.approx(0.9)
    assert cut_for(TRUTH, GOLD, threshold).value < threshold


def test_a_perfect_measurement_has_the_rate_of_nature() -> None:
    perfect = smeared(TRUTH, 0.0)
    for threshold in THRESHOLDS:
        # 90 % just above the threshold: the cut lies a little above it.
        cut = cut_for(TRUTH, perfect, threshold).value
        assert threshold < cut < threshold + 0.5
        found = (TRUTH.pt <= 200.0) & TRUTH.candidate
        expected = (rate_above(cut) - rate_above(200.0)) * TRUTH.candidate[TRUTH.pt > 15].mean()
        assert float(TRUTH.weight[found] @ passing(TRUTH, perfect, threshold)[found]) == pytest.approx(
            expected, rel=0.05
        )


def test_a_better_measurement_has_less_rate_and_the_numbers_say_how_much() -> None:
    answers = {GOLDEN: GOLD, "good": smeared(TRUTH, 0.1), "poor": smeared(TRUTH, 0.25)}
    numbers = measure(TRUTH, answers)
    for name in ("at_20", "at_22", "at_26"):
        assert numbers["good"]["rate"][name] < numbers["poor"]["rate"][name]
        assert numbers[GOLDEN]["rate_ratio"][name] == 1.0
        ratio = numbers["good"]["rate"][name] / numbers[GOLDEN]["rate"][name]
        assert numbers["good"]["rate_ratio"][name] == pytest.approx(ratio)
        assert numbers["good"]["rate_reduction"][name] == pytest.approx(1 - ratio)
        assert numbers["good"]["rate_gain"][name] == pytest.approx(-np.log(ratio))
        assert numbers["good"]["efficiency_at_golden_rate"][name] > 0.9
        assert numbers[GOLDEN]["efficiency_at_golden_rate"][name] == pytest.approx(0.9, abs=0.01)
        assert numbers["good"]["low_pt_promotion"][name] < numbers[GOLDEN]["low_pt_promotion"][name]
        assert numbers["good"]["plateau"][name] > 0.99
        assert 0.0 < numbers["good"]["rate_uncertainty"][name] < 0.2
    assert numbers["good"]["resolution"]["18_to_26"] == pytest.approx(0.1, rel=0.1)
    assert numbers["good"]["charge_misid"]["all"] == 0.0
    assert "accuracy" not in numbers["good"]


def test_the_bootstrap_agrees_with_repeated_experiments() -> None:
    def log_ratio(truth: Truth, seed: int) -> float:
        return np.log(rate(truth, smeared(truth, 0.2, seed), 20.0) / rate(truth, golden_answer(truth), 20.0))

    parts = [np.arange(len(TRUTH)) % 16 == part for part in range(16)]
    repeated = np.std([log_ratio(TRUTH.select(part), seed) for seed, part in enumerate(parts)], ddof=1)
    part = TRUTH.select(parts[0])
    answers = {GOLDEN: golden_answer(part), "other": smeared(part, 0.2)}
    estimated = rate_uncertainties(part, answers, GOLDEN)["other"][20.0]
    assert 0.5 < estimated / repeated < 2.0


def test_resolution_charge_and_turn_on_of_a_known_algorithm() -> None:
    answer = smeared(TRUTH, 0.15)
    assert half_width(TRUTH, answer, 10.0, 40.0) == pytest.approx(0.15, rel=0.05)
    flipped = Answer(answer.scores, answer.pt, np.where(np.arange(len(TRUTH)) % 10 == 0, -TRUTH.charge, TRUTH.charge))
    assert wrong_charge(TRUTH, flipped) == pytest.approx(0.1, abs=0.005)
    mean, share, error = turn_on(TRUTH, passing(TRUTH, smeared(TRUTH, 0.0), 20.0), [5.0, 15.0, 25.0, 60.0])
    assert share[0] == 0.0
    assert share[2] == pytest.approx(TRUTH.candidate[TRUTH.pt > 25].mean(), abs=0.01)
    assert (np.diff(mean) > 0).all()
    assert (error[1:2] > 0).all()


def logits_of(truth: Truth, seed: int) -> np.ndarray:
    """Outputs of a network that is right more often than not."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(len(truth), N_OUTPUTS))
    guess = bin_of(truth.pt * np.exp(0.1 * rng.normal(size=len(truth))))
    z[np.arange(len(truth)), guess] += 8.0
    z[:, -1] = 3.0 * truth.charge
    return z.round(3)


def test_the_whole_evaluation_has_all_forms_in_every_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the plots extra")
    part = TRUTH.select(np.arange(len(TRUTH)) < 30_000)
    y = np.stack([getattr(part, name) for name in COLUMNS], axis=1).astype(np.float32)
    outputs = {form: logits_of(part, seed) for seed, form in enumerate(("float", "quantized", "bit-accurate"))}
    found = evaluate(Split(np.zeros((len(part), 44)), y), outputs, tmp_path)
    assert set(found.metrics) == {GOLDEN, *outputs}
    assert 0.1 < found.metrics["bit-accurate"]["accuracy"] < 0.9
    assert found.metrics["bit-accurate"]["rate_reduction"]["at_20"] > 0.3
    names = {plot.path.name for plot in found.plots}
    assert names == {"turn_on.svg", "rate.svg", "promotion.svg", "resolution.svg", "charge.svg"}
    assert all(plot.path.is_file() for plot in found.plots)
    assert any("integers, bit-accurate form" in remark for remark in found.remarks)
    again = evaluate(Split(np.zeros((len(part), 44)), y), outputs, tmp_path / "again")
    assert again.metrics == found.metrics
    assert (tmp_path / "rate.svg").read_bytes() == (tmp_path / "again" / "rate.svg").read_bytes()


def test_equal_outputs_have_equal_numbers() -> None:
    z = logits_of(TRUTH, 1)
    one, other = network_answer(z), network_answer(z.astype(np.float32).astype(np.float64).round(3))
    assert rate(TRUTH, one, 20.0) == rate(TRUTH, other, 20.0)
