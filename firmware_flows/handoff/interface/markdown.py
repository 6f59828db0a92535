"""The interface for people."""

from __future__ import annotations

from firmware_flows.handoff.interface.model import Interface, InterfacePort, Stated


def to_markdown(interface: Interface) -> str:
    """One page: clock, reset, protocol, ports, and every element of every word."""
    period = 1e3 / interface.clock_mhz
    lines = [
        f"# Interface of {interface.top} ({interface.form})",
        "",
        f"Network {interface.network}, Program {interface.digest}. Where this page and the hardware differ, what "
        f"counts is: {interface.authority}.",
        "",
        "| | |",
        "|---|---|",
        f"| target | {interface.target} |",
        f"| clock | {interface.clock}, {interface.clock_mhz:g} MHz, {period:.4g} ns |",
        f"| reset | {interface.reset} |",
        f"| latency | {_cycles(interface.latency_cycles, period)} |",
        f"| initiation interval | {_cycles(interface.interval_cycles, period)} |",
        "",
        "## Protocol",
        "",
        *(f"- {text}" for text in (*interface.protocol, *interface.remarks)),
        "",
        "## Ports",
        "",
        "| port | direction | bits | what |",
        "|---|---|---|---|",
        *(f"| `{p.name}` | {p.direction} | {_bits(p)} | {p.description} |" for p in interface.ports),
    ]
    for port in interface.ports:
        if port.elements:
            lines += ["", *_elements(port)]
    return "\n".join(lines) + "\n"


def _bits(port: InterfacePort) -> str:
    if port.width is None:
        return "see the report"
    return f"{port.width - 1}:0" if port.width > 1 or port.role == "data" else "1"


def _cycles(stated: Stated, period: float) -> str:
    if stated.value is None:
        return stated.source
    plural = "" if stated.value == 1 else "s"
    return f"{stated.value:g} cycle{plural}, {stated.value * period:.4g} ns ({stated.source})"


def _elements(port: InterfacePort) -> list[str]:
    sign = "two's complement" if port.signed else "unsigned"
    scaled = any(e.scale is not None or e.offset is not None for e in port.elements)
    head = ["| element | name | bits | unit |" + (" scale | offset |" if scaled else ""), "|---|---|---|---|"]
    head[1] += "---|---|" if scaled else ""
    rows = [
        f"| {e.index} | {_cell(e.name)} | {e.high}:{e.low} | {_cell(e.unit)} |"
        + (f" {_number(e.scale)} | {_number(e.offset)} |" if scaled else "")
        for e in port.elements
    ]
    point = (
        f"value = integer x 2^{-(port.binary_point or 0)}, from {port.minimum!r} to {port.maximum!r}"
        if port.binary_point is not None
        else ""
    )
    text = [f"### {port.name}", "", f"Carries `{port.source}`, every element `{port.type}`: {sign}, {point}."]
    if scaled:
        text += ["", "The quantity that the network's author means is value x scale + offset."]
    return [*text, "", *head, *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"
