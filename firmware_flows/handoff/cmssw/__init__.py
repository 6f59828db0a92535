"""The emulator as an experiment's software loads it."""

from firmware_flows.handoff.cmssw.package import Model, write_package

__all__ = ["Model", "write_package"]
