"""The bundle: one directory that a firmware engineer and an experiment can use without Python."""

from firmware_flows.handoff.bundle.contents import write_bundle
from firmware_flows.handoff.bundle.manifest import MANIFEST, SUMS, BundleError, read_manifest
from firmware_flows.handoff.bundle.source import BundleSource, from_program

__all__ = [
    "MANIFEST",
    "SUMS",
    "BundleError",
    "BundleSource",
    "from_program",
    "read_manifest",
    "write_bundle",
]
