"""Test benches in C++ that fail when a bit differs and need g++ only."""

from firmware_flows.handoff.bench.sources import emulator_bench, hls_bench, vendor_bench, weights_bench

__all__ = ["emulator_bench", "hls_bench", "vendor_bench", "weights_bench"]
