"""What can go wrong while networks are trained, quantized or read from files."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.errors import FirmwareFlowsError


class TrainingError(FirmwareFlowsError):
    """Training that cannot start or go on: what is wrong, and the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}. {remedy}")


class QuantizationError(FirmwareFlowsError):
    """A network that cannot be quantized after training: which layer, why, what to do."""

    def __init__(self, layer: str, reason: str, remedy: str) -> None:
        self.layer = layer
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"layer {layer!r}: {reason}. {remedy}")


class ModelFileError(FirmwareFlowsError):
    """A file of a network that cannot be read; `layer` names the layer at fault where there is one."""

    def __init__(self, path: Path, reason: str, remedy: str, layer: str | None = None) -> None:
        self.path = path
        self.layer = layer
        self.reason = reason
        self.remedy = remedy
        where = f"{path}, layer {layer!r}" if layer is not None else str(path)
        super().__init__(f"{where}: {reason}. {remedy}")
