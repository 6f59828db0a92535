"""A drawing of what every layer costs, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from firmware_flows.reporting.numbers import rounded

_PANELS = (
    ("lut", "LUT", "#2f6fb0"),
    ("ff", "FF", "#9aa5b1"),
    ("dsp", "DSP", "#c58b2b"),
    ("bram18", "BRAM18", "#7a5ea8"),
)
_CYCLES = ("latency", "cycles", "#17406b")
_WIDTH, _PANEL, _ROW, _TOP = 120, 185, 16, 34

PER_ROW = 2
"""Panels side by side: so that the letters are still readable at the width of a phone."""


def costs_svg(layers: Sequence[Mapping[str, Any]], stage: str) -> str:
    """One row a layer, one panel a resource; each panel has its own scale, and the numbers beside the bars.

    `layers` are those of `Estimate.facts`, `stage` is "hls" or "synthesis". A resource that no layer takes is left out.
    """
    if not layers:
        return ""
    panels = [(label, colour, [float(x[stage][key]) for x in layers]) for key, label, colour in _PANELS]
    panels.append((_CYCLES[1], _CYCLES[2], [float(x[_CYCLES[0]]) for x in layers]))
    panels = [p for p in panels if any(p[2])]
    left = 20 + 6 * max(8, *(len(str(layer["name"])) for layer in layers))
    parts: list[str] = []
    for k, (label, colour, values) in enumerate(panels):
        x, top = left + k % PER_ROW * _PANEL, k // PER_ROW * (_TOP + _ROW * len(layers))
        if k % PER_ROW == 0:
            names = [str(layer["name"]) for layer in layers]
            parts += [_text(left - 8, top + _TOP + row * _ROW + 12, name, "end") for row, name in enumerate(names)]
        parts.append(_text(x, top + _TOP - 10, f"{label}, {rounded(sum(values))} in the layers"))
        for row, value in enumerate(values):
            length, y = value / max(values) * _WIDTH, top + _TOP + row * _ROW
            title = f"{layers[row]['name']}: {rounded(value)} {label}"
            parts.append(
                f'<rect x="{x}" y="{y + 2}" width="{length:.1f}" height="{_ROW - 6}" fill="{colour}">'
                f"<title>{escape(title)}</title></rect>"
            )
            if value:
                parts.append(_text(x + length + 3, y + 12, rounded(value), size=9))
    width = left + min(len(panels), PER_ROW) * _PANEL
    height = -(-len(panels) // PER_ROW) * (_TOP + _ROW * len(layers)) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{1.3 * width:.0f}" '
        f'height="{1.3 * height:.0f}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 10) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222222">{escape(text)}</text>'
    )
