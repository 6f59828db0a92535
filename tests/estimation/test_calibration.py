"""The committed calibration against the table of published reports, where it is present."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from firmware_flows.errors import InputError
from firmware_flows.estimation.fit import Data, Fit, fit_others, judge, read_data
from firmware_flows.estimation.fitting import fit_weights
from firmware_flows.estimation.parameters import Calibration, Spread, calibration
from firmware_flows.estimation.report_rows import read_rows
from firmware_flows.estimation.spreads import Judged, covered, spread_of
from firmware_flows.estimation.synthesis_ratios import read_pairs
from firmware_flows.estimation.validation import document, reached, relative
from firmware_flows.estimation.work import Cost

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def data() -> Data:
    if not (SHARED / "vendor_reports.csv").exists():
        pytest.skip(f"no table of vendor reports in {SHARED}")
    return read_data(SHARED)


@pytest.fixture(scope="module")
def judged(data: Data) -> list[Judged]:
    found = calibration()
    fit = Fit(dict(found.delays), dict(found.lut), dict(found.ff))
    return [judge(row, fit) for row in data.judged]


@pytest.mark.shared_data
def test_the_rows_are_those_of_the_validation(data: Data) -> None:
    assert len(data.judged) == calibration().source["judged"] == 43
    assert len({r.family for r in data.judged}) == 8
    assert not any(r.hand_modified for r in data.judged)
    assert {name for name, _ in data.left_out} == {"v_a3f1c8ff", "v_856a943c", "v_a38a4b73", "v_32ff804a"}


@pytest.mark.shared_data
def test_the_committed_numbers_describe_the_reports(judged: list[Judged]) -> None:
    assert median(relative(judged, "lut")) < 0.12
    assert median(relative(judged, "ff")) < 0.25
    assert reached(judged, "dsp") > 0.85
    assert reached(judged, "latency") > 0.5
    assert sum(j.estimate.bram == j.row.measured.bram for j in judged) > 0.85 * len(judged)


@pytest.mark.shared_data
def test_weights_of_terms_are_found_again(data: Data) -> None:
    found = calibration()
    rows = [*data.judged, *data.sweep]
    fitted = fit_weights(rows, found.delays, "lut")
    for name in ("sum_vivado", "sum_vitis", "two_digits", "fabric_multiplier", "rounding"):
        assert fitted[name] == pytest.approx(found.lut[name], rel=1e-3)


@pytest.mark.shared_data
def test_other_terms_do_not_move_the_first(data: Data) -> None:
    found = calibration()
    fit = Fit(dict(found.delays), dict(found.lut), dict(found.ff))
    other = fit_others(data.resource[::20], fit, ("folded_control",))
    assert {n: w for n, w in other.lut.items() if n != "folded_control"} == {
        n: w for n, w in fit.lut.items() if n != "folded_control"
    }


@pytest.mark.shared_data
def test_the_document_says_what_was_not_reached(data: Data, judged: list[Judged]) -> None:
    spoilt = [Judged(j.row, Cost(1000.0, 1.0, 1.0, 1.0, 9999.0, 99.0)) for j in judged]
    groups = {"latency": spoilt, "resource": spoilt, "stream": spoilt}
    text = document(data, calibration(), groups, None)
    assert "latency NOT reached" in text
    groups["latency"] = judged
    assert "LUT reached" in document(data, calibration(), groups, [{"row": judged[0].row.name, "error": "none"}])


def test_an_interval_is_around_the_estimate_and_never_below_zero() -> None:
    low, high = Spread(-0.5, 0.5, 3.0, 10).around(2.0)
    assert low == 0.0
    assert high == 5.0
    assert Spread(-0.5, 0.5, 0.0, 10).around(100.0, widen=2.0) == pytest.approx((36.788, 271.828), rel=1e-4)


def _made(count: int) -> list[Judged]:
    """Rows whose measured LUT lie evenly from half to twice the estimate, each a family."""
    from dataclasses import replace

    row = _row()
    return [
        Judged(replace(row, family=str(k), measured=Cost(lut=1e6 * 4.0 ** (k / (count - 1) - 0.5))), Cost(lut=1e6))
        for k in range(count)
    ]


def _row() -> object:
    from firmware_flows.estimation.report_rows import Row
    from firmware_flows.estimation.work import Conditions

    return Row(
        name="r", repository="a", quality="A", stage="csynth", hand_modified=False, strategy="latency",
        io="io_parallel", family="f", work=(), conditions=Conditions(5.0, "7series"), measured=Cost(),
        device="xc7z020", unknown=(),
    )  # fmt: skip


def test_intervals_hold_the_share_that_they_state() -> None:
    rows = _made(101)
    spread = spread_of(rows, "lut")
    assert spread.low == pytest.approx(-0.8 * 0.6931, abs=0.03)
    assert spread.high == pytest.approx(0.8 * 0.6931, abs=0.03)
    inside = covered(rows, "lut")
    assert 0.76 <= sum(inside) / len(inside) <= 0.86


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="it has no column row_id"):
        read_rows(path)
    with pytest.raises(InputError, match="lut_csynth"):
        read_pairs(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(tmp_path / "none.csv")


def test_the_calibration_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    calibration().save(path)
    again: Calibration = calibration.__wrapped__(path)
    assert again == calibration()
