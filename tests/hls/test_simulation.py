"""hls4ml's compiled C++ against the Program, integer for integer; layers, forms, types."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.program import Program

pytestmark = pytest.mark.cpp

EVENTS = 1500


def family(net: Callable[[], Any]) -> tuple[Any, Program]:
    """Every kind of layer of the dense family, several outputs, layers read many times, awkward types."""
    n = net()
    x = n.input((6, 4), "ap_fixed<10,4,AP_RND_CONV,AP_SAT>")
    q = n.quantize(x, "ap_fixed<7,3,AP_RND,AP_SAT_SYM>", "q")
    phi = n.relu(n.dense(q, 8, "phi"), "ap_ufixed<7,2,AP_RND,AP_SAT>", "phi_relu")
    cut = n.quantize(phi, "ap_ufixed<5,2,AP_TRN,AP_SAT>", "phi_linear")  # after a ReLU: hls4ml would fuse it
    total = n.pool(cut, "sum", "total")
    mean = n.pool(cut, "average", "mean", "ap_ufixed<6,2,AP_RND,AP_SAT>")
    signed_mean = n.pool(q, "average", "signed_mean")
    largest = n.pool(phi, "maximum", "largest")
    leaky = n.leaky(total, "ap_fixed<9,5,AP_RND_CONV,AP_SAT>", 2, "leaky")
    added = n.merge(mean, largest, "add", "added")
    difference = n.merge(total, largest, "subtract", "difference")
    product = n.merge(mean, leaky, "multiply", "product")
    halfway = n.merge(difference, leaky, "average", "halfway")
    either = n.merge(difference, added, "maximum", "either")
    joined = n.concatenate([added, difference, product, halfway, either, signed_mean], 0, "joined")
    rho = n.dense(joined, 6, "rho", "ap_fixed<4,-2>", "ap_fixed<12,9>")
    gate = n.hard_sigmoid(rho, "ap_ufixed<6,0,AP_RND,AP_SAT>", "gate")
    folded = n.reshape(rho, (2, 3), "folded")
    coarse = n.quantize(folded, "ap_fixed<3,9,AP_TRN_ZERO,AP_WRAP>", "coarse")
    small = n.dense(folded, 2, "small")
    flat = n.reshape(small, (4,), "flat")
    last = n.dense(flat, 3, "last")
    bit = n.quantize(flat, "ap_fixed<1,3,AP_TRN,AP_SAT>", "bit")
    return n, n.build(last, gate, coarse, bit, x)


def assert_same(project: ff.hls.Project, program: Program, x: np.ndarray[Any, Any]) -> None:
    """Outputs and every layer, mantissas and values."""
    wanted, found = ff.emulate(program, x, raw=True), project.simulate(x, raw=True)
    if not isinstance(wanted, tuple):
        wanted, found = (wanted,), (found,)
    assert len(wanted) == len(found)
    for port, a, b in zip(program.outputs, wanted, found, strict=True):
        assert b.dtype == np.int64
        np.testing.assert_array_equal(a, b, err_msg=port.name)
    layers, traced = ff.trace(program, x[:200]), project.trace(x[:200])
    assert set(layers) == set(traced)
    for name, values in layers.items():
        np.testing.assert_array_equal(values, traced[name], err_msg=name)


@pytest.mark.parametrize(
    ("io", "strategy", "reuse"), [("parallel", "latency", 1), ("parallel", "resource", 4), ("stream", "latency", 1)]
)
def test_every_kind_of_layer(io: str, strategy: str, reuse: int, net: Any, tmp_path: Path) -> None:
    n, program = family(net)
    project = ff.hls.write_project(program, tmp_path / "p", io=io, strategy=strategy, reuse_factor=reuse)
    assert_same(project, program, n.events(program, EVENTS))


@pytest.mark.parametrize("backend", ["Quartus", "Catapult"])
def test_backends_with_ac_types(backend: str, net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((6, 4), "ap_fixed<10,4,AP_RND_CONV,AP_SAT>")
    phi = n.relu(n.dense(x, 8, "phi"), "ap_ufixed<7,2,AP_RND,AP_SAT>", "phi_relu")
    total = n.leaky(n.pool(phi, "sum", "total"), "ap_fixed<9,5,AP_RND_CONV,AP_SAT_SYM>", 2, "leaky")
    largest = n.pool(phi, "maximum", "largest")
    joined = n.concatenate([n.merge(total, largest, "multiply", "product"), total], 0, "joined")
    rho = n.dense(joined, 5, "rho", "ap_fixed<4,-2>", "ap_fixed<12,9>")
    gate = n.hard_sigmoid(rho, "ap_ufixed<6,0,AP_RND,AP_SAT>", "gate")
    cut = n.quantize(rho, "ap_fixed<3,9,AP_TRN_ZERO,AP_WRAP>", "cut")
    program = n.build(n.dense(gate, 3, "y"), cut)
    project = ff.hls.write_project(program, tmp_path / "p", backend=backend)
    assert_same(project, program, n.events(program, EVENTS))


def test_matches_plain_integers(net: Any, tmp_path: Path) -> None:
    """An independent reference: Python integers, written out."""
    n = net()
    hidden = n.relu(
        n.dense(n.input((5,), "ap_fixed<8,3,AP_RND,AP_SAT>"), 7, "hidden"), "ap_ufixed<6,3,AP_TRN,AP_SAT>", "h"
    )
    program = n.build(n.dense(hidden, 3, "out"))
    x = n.events(program, 300)
    found = ff.hls.write_project(program, tmp_path / "p", backend="Vivado").simulate(x, raw=True)
    first, second = program.layer("hidden"), program.layer("out")
    for event, row in zip(x.tolist(), found.tolist(), strict=True):
        values = [max(-128, min(127, int(np.floor(v * 32 + 0.5)))) for v in event]  # RND, SAT, 5 fractional bits
        wide = [
            sum(v * int(w) for v, w in zip(values, column, strict=True)) + int(b) * 2**3  # 10 fractional bits
            for column, b in zip(first.arrays["weight"].T, first.arrays["bias"], strict=True)
        ]
        values = [min(63, max(0, v) >> 7) for v in wide]  # to 3 fractional bits
        assert row == [
            sum(v * int(w) for v, w in zip(values, column, strict=True)) + int(b) * 2
            for column, b in zip(second.arrays["weight"].T, second.arrays["bias"], strict=True)
        ]


def test_types_of_all_modes(net: Any, tmp_path: Path) -> None:
    """Rounding and overflow modes on signed, unsigned, one-bit types, negative and excessive integer bits."""
    n = net()
    x = n.input((5,), "ap_fixed<14,5,AP_RND_MIN_INF,AP_SAT_ZERO>")
    bits = ("ap_fixed<6,3", "ap_ufixed<5,2", "ap_fixed<1,0", "ap_ufixed<1,2", "ap_fixed<4,9", "ap_fixed<5,-2")
    layers = []
    for number, rounding in enumerate(("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")):
        for shift, overflow in enumerate(("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")):
            name = bits[(number + shift) % len(bits)]
            layers.append(n.quantize(x, f"{name},AP_{rounding},AP_{overflow}>", f"{rounding}_{overflow}"))
    program = n.build(n.concatenate(layers, 0, "all"))
    assert_same(ff.hls.write_project(program, tmp_path / "p"), program, n.events(program, EVENTS))


def test_awkward_graph(net: Any, tmp_path: Path) -> None:
    """Names that hls4ml reserves, a value added to itself, packs that do not divide, an input that is an output."""
    n = net()
    x = n.input((4, 6), "ap_fixed<8,3,AP_RND,AP_SAT>", "input")
    same = n.quantize(x, "ap_fixed<8,3,AP_RND,AP_SAT>", "weight")  # same type: must not be optimised away
    fine = n.quantize(same, "ap_fixed<9,4,AP_TRN,AP_WRAP>", "fine")  # the next layer is proven one bit narrower
    turned = n.reshape(fine, (6, 4), "turned")
    assert n.type("turned").width == 8
    deep = n.reshape(n.dense(turned, 3, "a/b:0"), (3, 2, 3), "deep")
    wide = n.dense(deep, 2, "A_b_0")
    doubled = n.merge(wide, wide, "add", "class")
    program = n.build(n.reshape(doubled, (12,), "result"), x)
    for io in ("parallel", "stream"):
        assert_same(ff.hls.write_project(program, tmp_path / io, io=io), program, n.events(program, 300))


def test_wide_results_and_their_limits(net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((4,), "ap_fixed<24,8,AP_RND,AP_SAT>")
    middle = n.quantize(n.dense(x, 6, "d1", "ap_fixed<14,2>", "ap_fixed<20,4>"), "ap_fixed<36,14,AP_RND,AP_SAT>", "q")
    last = n.dense(middle, 3, "d2", "ap_fixed<22,2>", "ap_fixed<14,4>")
    program = n.build(last)
    assert program.layer("d2").type.width > 53
    project = ff.hls.write_project(program, tmp_path / "p")
    events = n.events(program, EVENTS)
    np.testing.assert_array_equal(ff.emulate(program, events, raw=True), project.simulate(events, raw=True))
    with pytest.raises(ff.hls.ProjectError, match=r"'d2'.*do not fit float64: ask for mantissas with raw=True"):
        project.simulate(events)
    with pytest.raises(ff.hls.ProjectError, match="do not fit float64"):
        project.trace(events)
    assert project.trace(events, raw=True)["d2"].dtype == np.int64


def test_only_an_input_and_broadcasting(net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((4, 3), "ap_fixed<8,3,AP_RND,AP_SAT>")
    program = n.build(x)
    assert_same(ff.hls.write_project(program, tmp_path / "only"), program, n.events(program, 50))
    n = net()
    x = n.input((4, 3), "ap_fixed<8,3,AP_RND,AP_SAT>")
    program = n.build(n.merge(n.pool(x, "maximum", "m"), x, "subtract", "s"))
    assert_same(ff.hls.write_project(program, tmp_path / "broadcast", io="stream"), program, n.events(program, 300))


def test_hls4ml_merges_unequal_sizes_by_the_order_of_their_texts(
    net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why smaller values are repeated before hls4ml merges: it takes max("4", "3*4") for the size, and 8 are zero."""
    from firmware_flows.hls.layers import merges

    n = net()
    x, y = n.input((3, 4), "ap_fixed<8,3,AP_RND,AP_SAT>"), n.input((4,), "ap_fixed<8,3,AP_RND,AP_SAT>", "y")
    program = n.build(n.merge(x, y, "add", "s"))
    ff.hls.write_project(program, tmp_path / "repeated")
    monkeypatch.setattr(merges, "repeated", lambda planner, layer, source, suffix: source)
    ff.hls.write_project(program, tmp_path / "unequal")
    sizes = [
        re.findall(r"n_elem\w* = (.+);", (tmp_path / name / "firmware" / "parameters.h").read_text())
        for name in ("repeated", "unequal")
    ]
    assert sizes == [["3*4", "3*4", "3*4"], ["4", "3*4", "4"]]


def test_threads_trace_directory_and_silence(
    net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    n = net()
    hidden = n.relu(n.dense(n.input((8,), "ap_fixed<9,3,AP_RND,AP_SAT>"), 16, "d"), "ap_ufixed<6,2,AP_RND,AP_SAT>", "r")
    program = n.build(n.dense(hidden, 4, "y"))
    monkeypatch.chdir(tmp_path)
    project = ff.hls.write_project(program, "relative", io="stream")
    steps: list[tuple[int, int]] = []
    x = n.events(program, 9001)
    one = project.simulate(x, workers=1)
    four = project.simulate(x, workers=4, progress=lambda done, total: steps.append((done, total)))
    np.testing.assert_array_equal(one, four)
    np.testing.assert_array_equal(one, ff.emulate(program, x))
    np.testing.assert_array_equal(one[:5], project.trace(x[:5].astype(np.float64))["y"])
    assert project.simulate(x[:0]).shape == (0, 4)
    assert steps[-1] == (9001, 9001)
    assert steps == sorted(steps)
    assert Path.cwd() == tmp_path
    assert os.listdir(tmp_path) == ["relative"]
    assert capfd.readouterr() == ("", "")


def test_two_projects_of_the_same_names_in_one_process(net: Any, tmp_path: Path) -> None:
    """The same symbols in two libraries, and a project written again in place: no stale code, no clash."""
    results = []
    for seed, directory in ((1, "a"), (2, "b"), (3, "a")):
        n = net(seed=seed)
        program = n.build(n.dense(n.input((3,), "ap_fixed<8,3,AP_RND,AP_SAT>"), 2, "y"))
        project = ff.hls.write_project(program, tmp_path / directory)
        x = n.events(program, 100)
        np.testing.assert_array_equal(project.simulate(x, raw=True), ff.emulate(program, x, raw=True))
        results.append(project.simulate(x, raw=True))
    assert not np.array_equal(results[0], results[1])
    assert len(list((tmp_path / "a" / "simulation").glob("*.so"))) == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((2, 3), np.nan), "NaN or infinity"),
        (np.array([[0, 1e39, 0]]), "NaN or infinity"),
        (np.zeros((2, 4)), r"must have the shape \(events, 3\), not \(2, 4\)"),
        (np.zeros(3), r"must have the shape \(events, 3\), not \(3,\)"),
        (np.array([["a", "b", "c"]]), "must be numbers"),
    ],
)
def test_bad_events(x: Any, message: str, small_project: ff.hls.Project) -> None:
    from firmware_flows.errors import InputError

    with pytest.raises(InputError, match=message):
        small_project.simulate(x)


def test_a_library_is_compiled_once(small_project: ff.hls.Project) -> None:
    library = small_project.compile()
    written = library.stat().st_mtime_ns
    assert ff.hls.Project.load(small_project.directory).compile() == library
    assert library.stat().st_mtime_ns == written
