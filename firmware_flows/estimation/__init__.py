"""How big and how fast a Program will be as firmware, before synthesis, with intervals that are meant to hold."""

from __future__ import annotations

from firmware_flows.estimation.advice import Advice, advise
from firmware_flows.estimation.estimate import EstimateError, estimate
from firmware_flows.estimation.result import Estimate, LayerEstimate, Quantity, Stage

__all__ = ["Advice", "Estimate", "EstimateError", "LayerEstimate", "Quantity", "Stage", "advise", "estimate"]
