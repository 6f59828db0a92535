"""The gate for continuous integration: bits, metrics, budgets and drift, of a recipe or of a bundle."""

from firmware_flows.checks import Check, Gate
from firmware_flows.gate.of_bundle import check_bundle
from firmware_flows.gate.of_recipe import check_recipe, lock_path, update_lock
from firmware_flows.gate.outputs import to_junit

__all__ = ["Check", "Gate", "check_bundle", "check_recipe", "lock_path", "to_junit", "update_lock"]
