"""Metrics, floors and losses."""

import numpy as np
import pytest

from firmware_flows.reporting.metrics import MetricError, check_metrics, failures, flatten, plain

METRICS = {
    "float": {"accuracy": 0.80, "auc": {"t": 0.95}},
    "bit-accurate": {"accuracy": 0.78, "auc": {"t": 0.95}, "confusion": [[1, 2], [3, 4]]},
}


def test_metrics_are_flattened_by_dotted_name() -> None:
    assert flatten(METRICS["bit-accurate"]) == {"accuracy": 0.78, "auc.t": 0.95}


def test_floors_and_losses() -> None:
    checks = check_metrics(METRICS, {"bit-accurate.accuracy": 0.78, "float.auc.t": 0.96}, {"accuracy": 0.01})
    assert [c["passed"] for c in checks] == [True, False, False]
    assert failures(checks) == (
        "float auc.t is 0.9500, wanted at least 0.96",
        "loss of accuracy, float minus bit-accurate is 0.0200, wanted at most 0.01",
    )


@pytest.mark.parametrize(
    ("floors", "loss", "message"),
    [
        ({"bit-accurate.acuracy": 0.5}, {}, r"bit-accurate\.acuracy, which was not measured; did you mean 'accuracy'"),
        ({"quantized.accuracy": 0.5}, {}, "'quantized', which was not evaluated"),
        ({}, {"auc.tt": 0.1}, "did you mean 'auc.t'"),
    ],
)
def test_what_was_not_measured_is_an_error(floors: dict[str, float], loss: dict[str, float], message: str) -> None:
    with pytest.raises(MetricError, match=message):
        check_metrics(METRICS, floors, loss)


def test_a_metric_that_is_no_number_fails_its_floor() -> None:
    assert not check_metrics({"float": {"auc": float("nan")}}, {"float.auc": 0.1}, {})[0]["passed"]


def test_numpy_becomes_json() -> None:
    found = plain({"a": np.float32(0.5), "b": np.arange(2), "c": (np.int64(1), np.nan), 3: True, "d": np.bool_(False)})
    assert found == {"a": 0.5, "b": [0, 1], "c": [1, None], "3": True, "d": False}
