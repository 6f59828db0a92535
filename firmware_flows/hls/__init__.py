"""Program -> hls4ml project -> C++ simulation -> vendor tools.

hls4ml is imported when a project is written, not before.
"""

from __future__ import annotations

from firmware_flows.hls.errors import (
    CompileError,
    HlsConversionError,
    HlsError,
    HlsSettingsError,
    HlsTypeError,
    ProjectError,
)
from firmware_flows.hls.project import Project, write_project
from firmware_flows.hls.settings import BACKENDS, IO_TYPES, STRATEGIES, Settings
from firmware_flows.hls.vendor import Capabilities, capabilities

__all__ = [
    "BACKENDS",
    "IO_TYPES",
    "STRATEGIES",
    "Capabilities",
    "CompileError",
    "HlsConversionError",
    "HlsError",
    "HlsSettingsError",
    "HlsTypeError",
    "Project",
    "ProjectError",
    "Settings",
    "capabilities",
    "write_project",
]
