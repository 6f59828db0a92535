"""Proof by comparison: every form of a network on random, real and adversarial events, equal in every bit."""

from firmware_flows.verification.result import Coverage, Divergence, FormResult, Verification
from firmware_flows.verification.verify import verify

__all__ = ["Coverage", "Divergence", "FormResult", "Verification", "verify"]
