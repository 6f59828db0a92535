"""Figures that others have published for networks of the tagger's classes; a report sets them beside its own.

An event enters with every clock in all of them. Accuracies are left out: they are of other samples. There are many
more designs; those are here whose reports were read, or that stand in a table of a paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_flows.published import PublishedDesign

from .networks import Architecture, NetworkOptions

HIGH_LEVEL_FEATURES = 16

_BENCHMARK = (64, 32, 32)

_HIGH_LEVEL = (
    PublishedDesign(
        name="hls4ml, 16-64-32-32-5, 6 bits, 75 % of the weights zero",
        source="csynth report in the repository Hector-Plata/hls4ml-tutorial, Vivado HLS 2019.2",
        device="xcu250-figd2104-2L-e",
        stage="HLS estimate",
        clock_mhz=200.0,
        latency_ns=50.0,
        lut=32_227,
        ff=3_045,
        dsp=28,
        bram18=4,
        note="an estimate of HLS, of which logic synthesis leaves about half of the LUTs; softmax included",
    ),
    PublishedDesign(
        name="hls4ml, 16-64-32-32-5, 16 bits",
        source="utilisation report in the repository astitwlathe/example-hls4ml, Vivado 2019.2.1",
        device="xcvu9p-flga2104-2L-e",
        stage="logic synthesis",
        clock_mhz=200.0,
        latency_ns=50.0,
        lut=60_597,
        ff=14_719,
        dsp=3_306,
        bram18=3,
        note="multiplications in DSP blocks; softmax included",
    ),
    PublishedDesign(
        name="hls4ml, 6 bits, 2021",
        source="Fahim et al. 2021, as quoted in the tables of later papers",
        device="AMD",
        stage="not stated",
        clock_mhz=200.0,
        latency_ns=45.0,
        lut=63_251,
        ff=4_394,
        dsp=38,
        note="16 high-level features",
    ),
    PublishedDesign(
        name="HGQ with distributed arithmetic, bits by weight",
        source="arXiv:2604.22293, table of jet taggers",
        device="XCVU13P",
        stage="not stated",
        latency_ns=36.3,
        lut=10_182,
        ff=10_480,
        dsp=0,
        note="bits and pruning are trained; 16 high-level features",
    ),
)

_CONSTITUENTS = {
    8: ((35_684, 20_016, 19, 2.594), (136_497, 73_345, 24, 3.303)),
    16: ((43_809, 22_438, 19, 2.822), (136_440, 70_797, 23, 3.271)),
    32: ((45_299, 25_668, 19, 3.325), (135_939, 78_715, 24, 3.340)),
}
"""JEDI-linear by number of constituents with 3 features: plain and permutation-invariant; (LUT, FF, cycles, ns)."""


def published(options: NetworkOptions, event_shape: tuple[int, ...]) -> Sequence[PublishedDesign]:
    """Published designs of the same class as this network; none where there are none."""
    dense = options.architecture is Architecture.DENSE
    if dense and event_shape == (HIGH_LEVEL_FEATURES,) and options.hidden == _BENCHMARK:
        return _HIGH_LEVEL
    if len(event_shape) == 2 and event_shape[1] == 3 and event_shape[0] in _CONSTITUENTS:
        kind = 0 if dense else 1
        return (_jedi_linear(event_shape[0], kind),)
    return ()


def _jedi_linear(constituents: int, kind: int) -> PublishedDesign:
    lut, ff, cycles, period = _CONSTITUENTS[constituents][kind]
    invariant = ", permutation-invariant" if kind else ""
    return PublishedDesign(
        name=f"JEDI-linear, {constituents} constituents x 3 features{invariant}",
        source="reports in the repository calad0i/JEDI-linear",
        device="XCVU13P",
        stage="place and route",
        clock_mhz=1000.0 / period,
        latency_ns=cycles * period,
        lut=lut,
        ff=ff,
        dsp=0,
        note="another network on inputs of the same shape: bits and pruning are trained",
    )
