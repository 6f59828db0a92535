"""Fixtures of these tests."""

from small_bundle import pristine, small_program

__all__ = ["pristine", "small_program"]
