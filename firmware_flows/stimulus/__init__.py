"""Events to compare on: random ones, and those built from the Program to reach its corners."""

from firmware_flows.stimulus.vectors import CHUNK, Stimulus, adversarial_stimuli, random_stimulus

__all__ = ["CHUNK", "Stimulus", "adversarial_stimuli", "random_stimulus"]
