"""The stages of a recipe: data, train, convert, rtl (where wanted), emulate, verify, report.

Each is skipped when its result is current.
"""

from firmware_flows.flow.observer import Observer, Silent
from firmware_flows.flow.runner import STAGE_NAMES, FlowResult, StageStatus, run_flow, status

__all__ = ["STAGE_NAMES", "FlowResult", "Observer", "Silent", "StageStatus", "run_flow", "status"]
