"""Facts about a Program."""

from __future__ import annotations

import json
from itertools import product

import numpy as np

import firmware_flows as ff
from firmware_flows.program import Program
from firmware_flows.reporting.network import network_facts, port_facts
from firmware_flows.reporting.types_plot import types_svg


def test_layers_weights_and_types(program: Program) -> None:
    facts = network_facts(program)
    assert [layer["name"] for layer in facts["layers"]] == ["x", "dense", "relu"]
    dense = facts["layers"][1]
    assert (dense["parameters"], dense["nonzero_parameters"]) == (8, 7)
    assert dense["types"]["weight"] == "ap_fixed<4,2>"
    assert dense["remarks"] == ["a remark"]
    assert facts["parameters"] == 8
    assert facts["digest"] == program.digest
    json.dumps(facts, allow_nan=False)


def test_the_proven_range_holds_at_the_corners_of_the_input_and_is_met_there(program: Program) -> None:
    low, high = network_facts(program)["layers"][1]["proven"]["values"]
    corners = np.array(list(product((-4.0, 3.96875), repeat=3)))
    values = ff.trace(program, corners)["dense"]
    assert values.min() == low
    assert values.max() == high


def test_bits_needed_are_those_of_the_ends(program: Program) -> None:
    for layer in network_facts(program)["layers"]:
        low, high = layer["proven"]["mantissas"]
        bits = layer["proven"]["bits_needed"]
        smallest = -(1 << (bits - 1)) if low < 0 else 0
        assert smallest <= low
        assert high < (1 << (bits - 1) if low < 0 else 1 << bits)


def test_ports_have_types_ranges_and_the_order_of_classes(program: Program) -> None:
    ports = port_facts(program, ("q", "g"))
    assert ports["inputs"][0]["minimum"] == -4.0
    assert ports["inputs"][0]["lsb"] == 2**-5
    assert ports["outputs"][0]["elements"] == ["q", "g"]
    assert "elements" not in port_facts(program, ("a", "b", "c"))["outputs"][0]


def test_the_drawing_has_a_bar_for_every_type(program: Program) -> None:
    svg = types_svg(network_facts(program)["layers"])
    assert svg.count("<title>") == 5 + 3  # x, dense: weight, accumulator, result, relu; and what each result needs
    assert "dense weight: ap_fixed&lt;4,2&gt;" in svg
    assert types_svg([]) == ""
