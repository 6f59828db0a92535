"""The report's section on RTL: measured, stated and estimated figures keep their names."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_flows.reporting import arrange, to_markdown

RTL: dict[str, Any] = {
    "language": "verilog",
    "top": "net",
    "target": "xcvu13p-2",
    "clock_mhz": 320.0,
    "estimated": {"lut": 8001.24, "register_bits": 12119, "source": "estimated (alkaid 0.8.2)"},
    "stated": {"latency_cycles": 20, "source": "the generator's pipeline"},
    "measured": {
        "latency_cycles": 20,
        "latency_ns": 62.5,
        "initiation_interval": 1,
        "events_per_us": 320.0,
        "source": "measured in simulation (Verilator 5.048)",
    },
}


def section(facts: dict[str, Any]) -> str:
    text = to_markdown(arrange(facts))
    return text.split("## RTL")[1].split("\n## ")[0] if "## RTL" in text else ""


def test_every_figure_says_what_it_is(facts: dict[str, Any]) -> None:
    text = section({**facts, "rtl": RTL})
    assert "| latency | 20 cycles, 62.5 ns at the clock wanted | measured in simulation (Verilator 5.048) |" in text
    assert "| initiation interval | 1 cycle | measured in simulation (Verilator 5.048) |" in text
    assert "| LUT | about 8,001 | estimated (alkaid 0.8.2) |" in text
    assert "| flip-flops | 12,119 | estimated (alkaid 0.8.2) |" in text


def test_what_was_not_simulated_is_only_stated(facts: dict[str, Any]) -> None:
    text = section({**facts, "rtl": {**RTL, "measured": None}})
    assert "| latency | 20 cycles | stated by the generator's pipeline; not simulated" in text
    assert "measured in" not in text
    assert "initiation" not in text


@pytest.mark.parametrize("rtl", [None, {}])
def test_without_rtl_there_is_no_section(facts: dict[str, Any], rtl: Any) -> None:
    assert section({**facts, "rtl": rtl}) == ""
