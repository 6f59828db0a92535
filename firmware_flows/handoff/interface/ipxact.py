"""A design as an IP-XACT component (IEEE Std 1685-2014, clauses 6 and 6.12): ports, views, files, parameters.

What the standard has no place for (elements of a word, units) stands in vendorExtensions of each port, in a namespace
of ours; a tool that does not know it skips it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from firmware_flows.handoff.interface.model import Interface, InterfacePort

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
SCHEMA = f"{NAMESPACE} {NAMESPACE}/index.xsd"
OWN_NAMESPACE = "urn:firmware-flows:interface:1"

VENDOR, LIBRARY = "firmware-flows", "networks"

_FILE_TYPES = {".v": "verilogSource", ".sv": "systemVerilogSource", ".vhd": "vhdlSource"}
_LANGUAGES = {"verilog": "verilog", "vhdl": "vhdl"}


def to_ipxact(interface: Interface, language: str, sources: Sequence[str], version: str) -> str:
    """The XML text. `sources`: HDL files in the order of compilation, as URIs relative to the XML file."""
    for prefix, uri in (("ipxact", NAMESPACE), ("ff", OWN_NAMESPACE), ("xsi", _XSI)):
        ElementTree.register_namespace(prefix, uri)
    component = ElementTree.Element(_tag("component"), {f"{{{_XSI}}}schemaLocation": SCHEMA})
    identity = (("vendor", VENDOR), ("library", LIBRARY), ("name", interface.top), ("version", version))
    for name, text in identity:
        _child(component, name, text)
    _model(_child(component, "model"), interface, language)
    files = _child(_child(component, "fileSets"), "fileSet")
    _child(files, "name", "rtl")
    for source in sources:
        file = _child(files, "file")
        _child(file, "name", source)
        _child(file, "fileType", _FILE_TYPES[source[source.rindex(".") :]])
    _child(component, "description", f"Network {interface.network}, Program {interface.digest}. {interface.reset}")
    parameters = _child(component, "parameters")
    for name, kind, value in (
        ("clock_mhz", "real", interface.clock_mhz),
        ("latency_cycles", "int", interface.latency_cycles.value),
        ("initiation_interval_cycles", "int", interface.interval_cycles.value),
    ):
        if value is not None:
            parameter = _child(parameters, "parameter", attributes={"parameterId": name, "type": kind})
            _child(parameter, "name", name)
            _child(parameter, "value", f"{value:g}")
    ElementTree.indent(component)
    text = ElementTree.tostring(component, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _child(
    parent: ElementTree.Element, name: str, text: str | None = None, attributes: dict[str, str] | None = None
) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, _tag(name), attributes or {})
    child.text = text
    return child


def _model(model: ElementTree.Element, interface: Interface, language: str) -> None:
    view = _child(_child(model, "views"), "view")
    _child(view, "name", "rtl")
    _child(view, "envIdentifier", f":{_LANGUAGES[language]}:")
    _child(view, "componentInstantiationRef", "rtl_instantiation")
    instantiation = _child(_child(model, "instantiations"), "componentInstantiation")
    _child(instantiation, "name", "rtl_instantiation")
    _child(instantiation, "language", _LANGUAGES[language])
    _child(instantiation, "moduleName", interface.top)
    _child(_child(instantiation, "fileSetRef"), "localName", "rtl")
    ports = _child(model, "ports")
    for port in interface.ports:
        _port(_child(ports, "port"), port)


def _port(element: ElementTree.Element, port: InterfacePort) -> None:
    _child(element, "name", port.name)
    _child(element, "description", port.description)
    wire = _child(element, "wire")
    _child(wire, "direction", "in" if port.direction == "input" else "out")
    # a clock is a scalar in both languages; data ports are vectors even where they have one bit
    if port.role == "data" and port.width is not None:
        vector = _child(_child(wire, "vectors"), "vector")
        _child(vector, "left", str(port.width - 1))
        _child(vector, "right", "0")
    if port.elements:
        _extensions(_child(element, "vendorExtensions"), port)


def _extensions(parent: ElementTree.Element, port: InterfacePort) -> None:
    attributes = {
        "type": port.type,
        "signed": str(port.signed).lower(),
        "width": str(port.element_width),
        "binaryPoint": str(port.binary_point),
    }
    elements = ElementTree.SubElement(parent, f"{{{OWN_NAMESPACE}}}elements", attributes)
    for e in port.elements:
        shown = {"index": str(e.index), "name": e.name, "left": str(e.high), "right": str(e.low)}
        for name, value in (("unit", e.unit), ("scale", e.scale), ("offset", e.offset)):
            if value not in ("", None):
                shown[name] = str(value)
        ElementTree.SubElement(elements, f"{{{OWN_NAMESPACE}}}element", shown)
