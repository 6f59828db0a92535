"""A drawing of every layer's bits around the binary point, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_ROLES = (("weight", "#c58b2b"), ("accum", "#9aa5b1"), ("result", "#2f6fb0"))
_NEEDED = "#17406b"
_RIGHT, _TOP, _BAR, _GAP, _BIT = 20, 58, 9, 12, 14


def types_svg(layers: Sequence[Mapping[str, Any]]) -> str:
    """One row a layer: bars from the most to the least significant bit of weights, accumulator and result.

    `layers` are those of `network_facts`. The dark part of a result is what its proven range needs.
    """
    if not layers:
        return ""
    bits = [b for layer in layers for b in layer["bits"].values()]
    highest = max(max(b["integer"] for b in bits), 1)
    lowest = max(max(b["width"] - b["integer"] for b in bits), 1)

    left = 30 + 6 * max(12, *(len(layer["name"]) for layer in layers))

    def x(weight: int) -> float:
        """Left edge of the bit that weighs 2**weight."""
        return left + (highest - 1 - weight) * _BIT

    parts: list[str] = []
    y = _TOP
    for layer in layers:
        roles = [(role, colour) for role, colour in _ROLES if role in layer["bits"]]
        middle = y + len(roles) * _BAR / 2 + 4
        parts.append(_text(left - 10, middle, str(layer["name"]), anchor="end"))
        for role, colour in roles:
            parts.append(_bar(x, y, layer["bits"][role], colour, f"{layer['name']} {role}: {layer['types'][role]}"))
            if role == "result":
                fraction = layer["bits"][role]["width"] - layer["bits"][role]["integer"]
                needed = min(layer["proven"]["bits_needed"], layer["bits"][role]["width"])
                used = {"width": needed, "integer": needed - fraction}
                parts.append(_bar(x, y, used, _NEEDED, f"{layer['name']}: {needed} bits needed"))
            y += _BAR
        y += _GAP
    width, height = left + (highest + lowest) * _BIT + _RIGHT, y + 6
    point = x(-1)
    axis = [f'<line x1="{point}" y1="{_TOP - 14}" x2="{point}" y2="{y - 4}" stroke="#b03030" stroke-dasharray="3 2"/>']
    axis.append(_text(point, _TOP - 18, "binary point", anchor="middle"))
    for weight in range(-lowest, highest):
        if weight % 4 == 0 and weight != 0:
            axis.append(_text(x(weight) + _BIT / 2, _TOP - 4, f"2^{weight}", anchor="middle", size=8))
    width = max(width, 560)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{1.2 * width:.0f}" '
        f'height="{1.2 * height:.0f}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{_legend()}{"".join(axis)}{"".join(parts)}</svg>\n'
    )


def _bar(x: Any, y: float, bits: Mapping[str, int], colour: str, title: str) -> str:
    left = x(bits["integer"] - 1)
    return (
        f'<rect x="{left}" y="{y}" width="{bits["width"] * _BIT}" height="{_BAR - 1}" fill="{colour}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 10) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="#222222">{escape(text)}</text>'


def _legend() -> str:
    entries = [("weights", _ROLES[0][1]), ("accumulator", _ROLES[1][1]), ("result", _ROLES[2][1])]
    entries.append(("needed by the proven range", _NEEDED))
    parts, x = [], 10
    for name, colour in entries:
        parts.append(f'<rect x="{x}" y="8" width="10" height="10" fill="{colour}"/>{_text(x + 14, 17, name)}')
        x += 34 + 6 * len(name)
    return "".join(parts)
