"""Emulators in C++, written from the Program itself."""

from firmware_flows.handoff.cpp.header import header_text, namespace_of

__all__ = ["header_text", "namespace_of"]
