"""Interface documents say what the hardware has: every bit of every feature, in Markdown, JSON and IP-XACT."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import small_networks

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.handoff.golden import read_hex
from firmware_flows.handoff.interface import hls_interface, rtl_interface, to_ipxact, to_markdown
from firmware_flows.handoff.interface.elements import elements_of
from firmware_flows.handoff.interface.ipxact import NAMESPACE
from firmware_flows.program import Program
from firmware_flows.rtl.ports import ports_of

X = f"{{{NAMESPACE}}}"

ORDER = {
    "component": ["vendor", "library", "name", "version", "model", "fileSets", "description", "parameters"],
    "model": ["views", "instantiations", "ports"],
    "view": ["name", "envIdentifier", "componentInstantiationRef"],
    "componentInstantiation": ["name", "language", "moduleName", "fileSetRef"],
    "port": ["name", "description", "wire", "vendorExtensions"],
    "wire": ["direction", "vectors"],
    "vector": ["left", "right"],
    "fileSet": ["name", "file"],
    "file": ["name", "fileType"],
    "parameter": ["name", "value"],
}
"""Elements that are written, in the order of the schema of IEEE 1685-2014."""


def test_json_places_every_feature_where_the_golden_words_have_it(pristine: Path) -> None:
    """Read by hand from the documents alone, the vectors give the features that the network gets."""
    document = json.loads((pristine / "interface/rtl.json").read_text())
    program = ff.load_program(pristine / "program.ffp")
    inputs, outputs = ports_of(program)
    for port in (*inputs, *outputs):
        described = next(p for p in document["ports"] if p["source"] == port.source and p["role"] == "data")
        side = "inputs" if described["direction"] == "input" else "outputs"
        lines = (pristine / "vectors" / f"{side}_{described['name']}.hex").read_text().splitlines()
        wanted = port.type.to_float(read_hex(port, "\n".join(lines)))
        for line, row in zip(lines[:200], wanted, strict=False):
            for element in described["elements"]:
                width = element["high"] - element["low"] + 1
                bits = int(line, 16) >> element["low"] & ((1 << width) - 1)
                if described["signed"] and bits >> (width - 1):
                    bits -= 1 << width
                assert bits * 2.0 ** -described["binary_point"] == row[element["index"]]


def test_names_units_and_scales_come_from_the_metadata(pristine: Path) -> None:
    document = json.loads((pristine / "interface/rtl.json").read_text())
    x = next(p for p in document["ports"] if p["name"] == "x")
    assert [e["name"] for e in x["elements"]] == [f"pt {k}" for k in range(5)]
    assert {e["unit"] for e in x["elements"]} == {"GeV"}
    assert [(e["scale"], e["offset"]) for e in x["elements"]] == [(0.5, float(k)) for k in range(5)]
    y = next(p for p in document["ports"] if p["name"] == "y")
    assert [e["name"] for e in y["elements"]] == ["quark", "gluon", "top"]
    text = (pristine / "interface/rtl.md").read_text()
    assert "| 4 | pt 4 | 59:48 | GeV | 0.5 | 4 |" in text
    assert "value x scale + offset" in text
    assert f"| latency | {document['latency_cycles']['value']} cycles" in text


def test_ports_are_those_of_the_written_top_module(pristine: Path) -> None:
    document = json.loads((pristine / "interface/rtl.json").read_text())
    verilog = (pristine / "rtl/src" / f"{document['top']}.v").read_text()
    head = verilog[verilog.index("module") : verilog.index(");")]
    found = re.findall(r"(input|output) wire (?:\[(\d+):0\] )?(\w+)", head)
    assert [(p["direction"], p["width"], p["name"]) for p in document["ports"]] == [
        (direction, int(high or 0) + 1, name) for direction, high, name in found
    ]


def test_ipxact_has_the_structure_of_the_standard_and_the_ports(pristine: Path) -> None:
    root = ElementTree.parse(pristine / "interface/rtl.xml").getroot()
    assert root.tag == f"{X}component"
    for element in root.iter():
        name = element.tag.removeprefix(X)
        if name in ORDER:
            children = [c.tag.removeprefix(X) for c in element]
            places = [ORDER[name].index(c) for c in children]
            assert places == sorted(places), (name, children)
    document = json.loads((pristine / "interface/rtl.json").read_text())
    ports = root.findall(f".//{X}ports/{X}port")
    for element, port in zip(ports, document["ports"], strict=True):
        assert element.findtext(f"{X}name") == port["name"]
        assert element.findtext(f"{X}wire/{X}direction") == {"input": "in", "output": "out"}[port["direction"]]
        left = element.findtext(f".//{X}left")
        assert (int(left) + 1 if left else 1) == port["width"]
        listed = element.findall(f"{X}vendorExtensions/*/*")
        assert [(e.get("name"), int(e.get("left", -1))) for e in listed] == [
            (e["name"], e["high"]) for e in port["elements"]
        ]
    files = [e.text for e in root.findall(f".//{X}file/{X}name")]
    assert files
    assert all((pristine / "interface" / str(name)).is_file() for name in files)
    reference = root.findtext(f".//{X}componentInstantiationRef")
    assert reference == root.findtext(f".//{X}componentInstantiation/{X}name")
    assert root.findtext(f".//{X}fileSetRef/{X}localName") == root.findtext(f".//{X}fileSet/{X}name")
    tokens = [root.findtext(f"{X}{key}") for key in ("vendor", "library", "name", "version")]
    assert all(re.fullmatch(r"[\w.:-]+", str(token)) for token in tokens)


@pytest.mark.parametrize(("io", "width"), [("parallel", 60), ("stream", None)])
def test_hls_ports_say_what_is_certain_and_no_more(small_program: Program, tmp_path: Path, io: str, width: int) -> None:
    project = ff.hls.write_project(small_program, tmp_path / "hls", io=io)
    found = hls_interface(project)
    names = {p.name: p for p in found.ports}
    if io == "parallel":
        assert names["x"].width == width
        assert names["x"].elements[4].high == 59
        assert {"ap_clk", "ap_rst", "ap_start", "ap_done", "ap_idle", "ap_ready", "x_ap_vld"} <= set(names)
        outputs = [p for p in found.ports if p.direction == "output" and p.role == "data"]
        assert [(len(p.elements), p.elements[0].index, p.elements[0].low) for p in outputs] == [
            (1, 0, 0), (1, 1, 0), (1, 2, 0),
        ]  # fmt: skip
        assert {p.width for p in outputs} == {small_program.instructions[-1].type.width}
    else:
        assert {"x_TDATA", "x_TVALID", "x_TREADY", "ap_rst_n"} <= set(names)
        assert names["x_TDATA"].width is None
        assert names["x_TREADY"].direction == "output"
    assert found.latency_cycles.value is None
    assert "the tool's report states it" in to_markdown(found)
    assert "synthesis report" in found.authority


def test_other_backends_claim_no_wires(small_program: Program, tmp_path: Path) -> None:
    found = hls_interface(ff.hls.write_project(small_program, tmp_path / "hls", backend="Quartus"))
    assert all(p.role == "data" and p.width is None for p in found.ports)
    assert "read its report" in found.protocol[0]


def test_features_of_every_object_and_lengths_that_do_not_fit() -> None:
    b = Builder("jets")
    b.begin_layer("x", "Input")
    x = b.input("x", (2, 3), FixedPoint(4, 2))
    b.end_layer(x)
    program = b.build({"x": x})
    places = [(4 * k + 3, 4 * k) for k in range(6)]
    named = replace(program, metadata={"features": ["pt", "eta", "phi"], "units": ["GeV", "", "rad"], "scale": 2})
    elements = elements_of(named, "x", "input", (2, 3), places)
    assert [e.name for e in elements] == ["pt[0]", "eta[0]", "phi[0]", "pt[1]", "eta[1]", "phi[1]"]
    assert [e.unit for e in elements] == ["GeV", "", "rad"] * 2
    assert {e.scale for e in elements} == {2.0}
    bare = elements_of(program, "x", "input", (2, 3), places)
    assert [e.name for e in bare][:4] == ["x[0][0]", "x[0][1]", "x[0][2]", "x[1][0]"]
    wrong = replace(program, metadata={"features": ["pt", "eta"]})
    with pytest.raises(InputError, match="'features' of port 'x' has 2 entries, but an event has the shape"):
        elements_of(wrong, "x", "input", (2, 3), places)


def test_several_ports_name_their_own(tmp_path: Path) -> None:
    program = small_networks.two_ports()
    named = replace(program, metadata={"ports": {"b": {"features": ["r", "g", "b"], "units": "m"}}})
    design = ff.rtl.write_design(named, tmp_path / "rtl", vectors=20)
    ports = {p.source: p for p in rtl_interface(design, (3, 1), "a simulation").ports if p.source}
    assert [e.name for e in ports["b"].elements] == ["r", "g", "b"]
    assert ports["a"].elements[0].name == "a[0]"
    assert ports["a"].minimum == -8.0
    assert np.isclose(ports["a"].maximum, 8 - 1 / 16)
    text = to_ipxact(rtl_interface(design), "verilog", ["src/a.v"], "1.0")
    assert ElementTree.fromstring(text.split("\n", 1)[1]).tag == f"{X}component"
