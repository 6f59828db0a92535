"""What one must know to connect the network: every port, bit and cycle, as Markdown, JSON and IP-XACT."""

from firmware_flows.handoff.interface.from_hls import hls_interface
from firmware_flows.handoff.interface.from_rtl import rtl_interface
from firmware_flows.handoff.interface.ipxact import to_ipxact
from firmware_flows.handoff.interface.markdown import to_markdown
from firmware_flows.handoff.interface.model import Element, Interface, InterfacePort, Stated

__all__ = [
    "Element",
    "Interface",
    "InterfacePort",
    "Stated",
    "hls_interface",
    "rtl_interface",
    "to_ipxact",
    "to_markdown",
]
