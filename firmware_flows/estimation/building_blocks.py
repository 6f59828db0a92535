"""What each kind of work is built of: cycles, DSP blocks and memories outright; LUT and FF as terms to be weighed.

A term is a count times a width, for example the bits of all adders; the weight of a term (LUT per bit of adder) is
fitted to reports and lies near one where the count is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, log2

from firmware_flows.estimation import adder_graphs
from firmware_flows.estimation.multipliers import blocks_per_multiplier, in_dsp, limit, split
from firmware_flows.estimation.schedule import SHARED_LEVELS, Chain, Delays, adder_delay, delay_of, schedule
from firmware_flows.estimation.work import Conditions, Kind, Strategy, Work

ADDER_EXTRA = 7
"""HLS reports count W + 7 LUT for an adder of W bits."""

BRAM18_BITS = 18432

DIRECT_TURNS = 2
"""Times that a multiplier meets every input before each sum needs a choice among all multipliers."""


@dataclass(frozen=True)
class Built:
    """One layer in hardware, all its copies together.

    `tail`: nanoseconds of its last cycle in use; of its only one where `latency` is 0.
    """

    latency: float
    interval: float
    dsp: float = 0.0
    bram: float = 0.0
    lut: Mapping[str, float] = field(default_factory=dict)
    ff: Mapping[str, float] = field(default_factory=dict)
    tail: float = 0.0


def build(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """The hardware of one layer as an HLS tool builds it."""
    return BLOCKS[work.kind](work, conditions, delays)


def _product(work: Work, conditions: Conditions, delays: Delays) -> Built:
    handler = PRODUCTS.get(work.strategy, _unrolled)
    return handler(work, conditions, delays)


def _unrolled(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """Every product its own hardware; a reuse factor limits the number of multipliers, and they take turns."""
    matrix = work.matrix
    dsp, fabric, area = split(work, conditions)
    first = _first(work, dsp, fabric)
    plan = schedule(matrix.terms + 1, work.accumulator_bits, first, conditions, delays)
    wanted, allowed = dsp + fabric, limit(work)
    turns = ceil(wanted / allowed)
    pipelined = work.reuse_factor <= plan.latency + 1
    shared = turns > 1
    latency, stages, waits, tail = float(plan.latency), plan.latency, False, plan.tail
    if shared:
        dsp, area = dsp * allowed / wanted, area * allowed / wanted
        if not pipelined:
            rest = schedule(min(matrix.terms + 1, 2.0**SHARED_LEVELS), work.accumulator_bits, first, conditions, delays)
            latency, stages, waits = max(latency, turns - 1.0 + rest.latency), rest.latency, True
            tail = rest.tail
    interval = min(float(work.reuse_factor), latency + 1)
    n, bits = work.copies, work.accumulator_bits
    widths = {w: c for w, c in matrix.multiplications.items() if in_dsp(work.input_bits, w, conditions)}
    blocks = sum(c * blocks_per_multiplier(work.input_bits, w, conditions.technology) for w, c in widths.items()) / max(
        sum(widths.values()), 1e-9
    )
    family = "vivado" if conditions.old_tool else "vitis"
    lut = {
        f"sum_{family}": n * matrix.nonzero * (bits + ADDER_EXTRA),
        "two_digits": n * matrix.additions * (work.input_bits + ADDER_EXTRA),
        "fabric_multiplier": n * area,
        "sharing": n * max(wanted - allowed, 0.0) * work.input_bits,
    }
    every_cycle = interval == 1
    sets = _sets(bits, conditions, delays) * (stages > 0)
    # Events that come less often than every cycle leave time to keep every term once, and no more than once.
    kept = sets if every_cycle else 1.0 if waits else min(sets, 1.0)
    several = matrix.nonzero - matrix.power_of_two
    ff = {
        "sums": n * several * bits * kept * every_cycle,
        "held": n * several * bits * kept * (not every_cycle),
        # A term by a power of two is wiring: its input waits, once for all outputs, until the first addition.
        "shifted": n * matrix.power_of_two * bits * kept,
        "interface": n * matrix.outputs * work.result_bits,
    }
    return Built(latency, interval, n * ceil(dsp * blocks - 1e-6), 0.0, lut, ff, tail)


def _sets(bits: int, conditions: Conditions, delays: Delays) -> float:
    """How often all terms of a sum stand in registers, all stages of its tree together.

    A stage keeps 2^(-r/2) of what the one before it kept, r additions fitting in a cycle (half of the halving of a tree
    that waits for nothing): a geometric series.
    """
    adder = adder_delay(bits, conditions, delays)
    ratio = max(conditions.usable, 0.3) / adder
    return 1.0 / (2.0 ** (min(ratio, 20.0) / 2.0) - 1.0)


def _first(work: Work, dsp: float, fabric: float) -> str:
    if dsp >= 1:
        return "dsp"
    if fabric >= 1:
        return "fabric"
    return "adder" if work.matrix.additions else ""


def _folded(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """Strategy `resource`: weights in memory, a row of multipliers used reuse-factor times (nnet_dense_resource.h)."""
    matrix = work.matrix
    factor = nearest_reuse(matrix.inputs, matrix.outputs, work.reuse_factor)
    if factor == 1:
        return _unrolled(work, conditions, delays)
    multipliers = ceil(matrix.size / factor)
    dsp = in_dsp(work.input_bits, work.weight_bits, conditions)
    per_multiplier = blocks_per_multiplier(work.input_bits, work.weight_bits, conditions.technology)
    rest = schedule(max(multipliers / matrix.outputs, 1.0), work.accumulator_bits, "dsp", conditions, delays)
    latency = factor + 1.0 + rest.latency
    turns = ceil(factor / matrix.inputs)
    n = work.copies
    lut = {
        "folded_control": float(n),
        "folded_inputs": n * matrix.inputs * work.input_bits,
        "folded_multipliers": n * multipliers * work.input_bits * (1 if dsp else work.weight_bits / 2),
        # From three turns on each sum chooses among all multipliers; up to two, they are wired to their sums.
        "folded_routing": n * matrix.outputs * multipliers * work.accumulator_bits * (turns > DIRECT_TURNS),
    }
    ff = {
        "folded_sums": n * matrix.outputs * work.accumulator_bits,
        "folded_multipliers": n * multipliers * (work.input_bits + work.weight_bits),
        "interface": n * matrix.outputs * work.result_bits,
    }
    memory = ceil(multipliers * work.weight_bits / 72) * ceil(factor / 512)
    return Built(latency, float(factor), n * multipliers * per_multiplier * dsp, float(n * memory), lut, ff, rest.tail)


def nearest_reuse(inputs: int, outputs: int, wanted: int) -> int:
    """The reuse factor that hls4ml takes in strategy `resource`: the nearest one that its template can build.

    Valid are divisors of inputs * outputs that divide the inputs, or are a multiple of them (fpga_backend.py,
    `_validate_reuse_factor`: rf <= n_in, or a multiple of n_in with outputs divisible accordingly).
    """
    size = inputs * outputs
    if wanted <= 1:
        return 1
    valid = [f for f in range(1, inputs + 1) if inputs % f == 0]
    valid += [inputs * k for k in range(2, outputs + 1) if size % (inputs * k) == 0]
    return min(valid, key=lambda f: (abs(f - wanted), f))


def _adder_graph(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """Strategy `distributed_arithmetic`: a graph of adders pipelined by the HLS tool, an event every cycle."""
    matrix = work.matrix
    terms = matrix.csd_digits / max(matrix.outputs, 1) + 1
    plan = schedule(terms, work.accumulator_bits, "", conditions, delays)
    adder = adder_delay(work.accumulator_bits, conditions, delays)
    lut = adder_graphs.adder_graph_cost(work)
    return _graph_of_adders(work, lut, float(plan.latency), plan.tail, adder, max(conditions.usable, 0.3))


def _own_rtl(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """This package's RTL: a graph of adders with registers wherever the clock needs them."""
    adder, stage = adder_graphs.adder(work, conditions), adder_graphs.stage(conditions)
    delay = adder_graphs.levels(work) * adder
    cycles = int(delay / stage)
    lut = adder_graphs.adder_graph_cost(work) * adder_graphs.TRAINED
    return _graph_of_adders(work, lut, float(cycles), delay - cycles * stage, adder, stage)


def _graph_of_adders(work: Work, lut: float, latency: float, tail: float, adder: float, stage: float) -> Built:
    lut *= work.copies
    ff = {
        "adder_graph": adder_graphs.registers(lut, adder, stage),
        "interface": float(work.copies * work.matrix.outputs * work.result_bits),
    }
    return Built(latency, 1.0, 0.0, 0.0, {"adder_graph": lut}, ff, tail)


def _resource_unrolled(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """Strategy `resource_unrolled`: as `resource`, with the constants in the code, zeros left out, and no memory."""
    matrix = work.matrix
    folded = _folded(work, conditions, delays)
    kept = matrix.nonzero / max(matrix.size, 1)
    lut = {name: value * (kept if name == "folded_multipliers" else 1.0) for name, value in folded.lut.items()}
    return Built(folded.latency, folded.interval, float(ceil(folded.dsp * kept)), 0.0, lut, folded.ff, folded.tail)


PRODUCTS: dict[Strategy, Callable[[Work, Conditions, Delays], Built]] = {
    Strategy.LATENCY: _unrolled,
    Strategy.RESOURCE: _folded,
    Strategy.RESOURCE_UNROLLED: _resource_unrolled,
    Strategy.DISTRIBUTED_ARITHMETIC: _adder_graph,
    Strategy.RTL: _own_rtl,
}


def _rectifier(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """A comparison with zero; rounding adds an adder, saturation a comparison with the largest value."""
    n = work.copies * work.elements
    if work.rounds or work.saturates:
        lut = {"rounding": n * (work.input_bits + work.result_bits)}
    else:
        lut = {"rectifier": n * min(work.input_bits, work.result_bits + 1)}
    chain = Chain(conditions, delays)
    chain.operation("rectifier" if work.rounds or work.saturates else "choice")
    return Built(chain.cycles, 1.0, 0.0, 0.0, lut, {"rectifier": n * work.result_bits * chain.cycles}, chain.spent)


def _table(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """A memory for every two elements (two ports); small ones become LUTs."""
    n = work.copies * work.elements
    bits = work.table_size * work.table_bits
    memories = ceil(n / 2) * ceil(bits / BRAM18_BITS) if bits > 1024 else 0
    lut = {"table_address": n * work.input_bits, "table_in_lut": 0.0 if memories else n * bits / 64}
    ff = {"table_address": n * (work.input_bits + work.result_bits)}
    return Built(2.0, 1.0, 0.0, float(memories), lut, ff, delay_of("memory", conditions, delays))


def _softmax(work: Work, conditions: Conditions, delays: Delays) -> Built:
    """Difference to the largest, exponentials by table, their sum, its inverse by table, a product each."""
    n, copies = work.elements, work.copies
    levels = ceil(log2(max(n, 2)))
    fabric = not in_dsp(work.table_bits, work.table_bits, conditions)
    chain = Chain(conditions, delays)
    chain.operation("choice", levels)
    chain.operation("adder")
    chain.operation("rectifier")
    chain.lookup()
    for level in range(levels):
        chain.take(adder_delay(work.table_bits + level, conditions, delays))
    chain.lookup()
    chain.operation("fabric" if fabric else "dsp")
    latency = float(chain.cycles)
    memory = (ceil(n / 2) + 1 if conditions.old_tool else n) * ceil(work.table_size * work.table_bits / BRAM18_BITS)
    lut = {"softmax": copies * n * 100.0, "fabric_multiplier": copies * n * work.table_bits**2 * fabric}
    ff = {"softmax": copies * n * work.table_bits * latency, "interface": copies * n * work.result_bits}
    return Built(latency, 1.0, 0.0 if fabric else copies * n, float(copies * memory), lut, ff, chain.spent)


def _pooling(work: Work, conditions: Conditions, delays: Delays) -> Built:
    plan = schedule(work.operands, work.accumulator_bits or work.input_bits, "", conditions, delays)
    n = work.copies * work.elements
    bits = work.accumulator_bits or work.input_bits
    lut = {"elementwise": n * max(work.operands - 1, 1) * (bits + ADDER_EXTRA)}
    return Built(plan.latency, 1.0, 0.0, 0.0, lut, {"interface": n * work.result_bits}, plan.tail)


def _elementwise(work: Work, conditions: Conditions, delays: Delays) -> Built:
    n = work.copies * work.elements
    lut = {"elementwise": n * max(work.operands - 1, 1) * (work.input_bits + ADDER_EXTRA)}
    chain = Chain(conditions, delays)
    chain.operation("adder", ceil(log2(max(work.operands, 2))))
    return Built(chain.cycles, 1.0, 0.0, 0.0, lut, {"interface": n * work.result_bits}, chain.spent)


def _scale(work: Work, conditions: Conditions, delays: Delays) -> Built:
    n = work.copies * work.elements
    dsp = in_dsp(work.input_bits, work.weight_bits, conditions)
    lut = {
        "elementwise": n * (work.input_bits + ADDER_EXTRA),
        "fabric_multiplier": n * work.input_bits * work.weight_bits * (not dsp),
    }
    per_multiplier = blocks_per_multiplier(work.input_bits, work.weight_bits, conditions.technology)
    chain = Chain(conditions, delays)
    chain.operation("dsp" if dsp else "fabric")
    chain.operation("adder")
    ff = {"interface": n * work.result_bits}
    return Built(chain.cycles, 1.0, n * per_multiplier * dsp, 0.0, lut, ff, chain.spent)


def _wiring(work: Work, conditions: Conditions, delays: Delays) -> Built:
    return Built(0.0, 1.0)


BLOCKS: dict[Kind, Callable[[Work, Conditions, Delays], Built]] = {
    Kind.PRODUCT: _product,
    Kind.RECTIFIER: _rectifier,
    Kind.TABLE: _table,
    Kind.SOFTMAX: _softmax,
    Kind.POOLING: _pooling,
    Kind.ELEMENTWISE: _elementwise,
    Kind.SCALE: _scale,
    Kind.WIRING: _wiring,
}
