"""The settings of an HLS project, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from firmware_flows.errors import nearest
from firmware_flows.hls.errors import HlsSettingsError
from firmware_flows.targets import why_no_part

BACKENDS = ("Vitis", "Vivado", "Quartus", "oneAPI", "Catapult")
IO_TYPES = ("parallel", "stream")
STRATEGIES = ("latency", "resource")


@dataclass(frozen=True)
class Settings:
    """What `write_project` was asked for. `clock_period` is in nanoseconds.

    `reuse_factor` is the one wanted for every layer with multipliers, by layer name.
    """

    target: str
    backend: str
    clock_period: float
    io: str
    strategy: str
    reuse_factor: dict[str, int] = field(default_factory=dict)
    project_name: str = "firmware"

    @property
    def io_type(self) -> str:
        """hls4ml's word for `io`."""
        return f"io_{self.io}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Settings:
        """The inverse of `to_json`."""
        return cls(**document)


def check_settings(
    *,
    target: str,
    backend: str,
    clock_mhz: float | None,
    clock_period: float | None,
    io: str,
    strategy: str,
    reuse_factor: int | Mapping[str, int],
    project_name: str,
    multiplying_layers: Iterable[str],
) -> Settings:
    """Settings in their canonical spelling. Raises HlsSettingsError with the nearest valid name."""
    names = list(multiplying_layers)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", project_name):
        raise HlsSettingsError("project_name", project_name, "it must be a C++ identifier")
    if project_name in {"simulation", "parameters", "defines", "weights", "nnet", "ap_types"}:
        raise HlsSettingsError("project_name", project_name, "that name is taken by hls4ml's own files")
    if not target or re.search(r"[\s\"'{}$;\[\]\\]", target):
        raise HlsSettingsError("target", target, "it must be the name of a part, for example xcvu13p-flga2577-2-e")
    if reason := why_no_part(target):
        raise HlsSettingsError("target", target, reason)
    return Settings(
        target=target,
        backend=_choice("backend", backend, BACKENDS),
        clock_period=_period(clock_mhz, clock_period),
        io=_choice("io", io.removeprefix("io_") if isinstance(io, str) else io, IO_TYPES),
        strategy=_choice("strategy", strategy, STRATEGIES),
        reuse_factor=_reuse(reuse_factor, names),
        project_name=project_name,
    )


def _choice(name: str, value: str, valid: tuple[str, ...]) -> str:
    for candidate in valid:
        if isinstance(value, str) and candidate.lower() == value.lower():
            return candidate
    raise HlsSettingsError(name, value, nearest(str(value), valid))


def _period(clock_mhz: float | None, clock_period: float | None) -> float:
    if clock_period is not None and clock_mhz is not None:
        raise HlsSettingsError("clock_period", clock_period, "give either clock_mhz or clock_period, not both")
    if clock_period is not None:
        name, value, period = "clock_period", clock_period, float(clock_period)
    else:
        name, value = "clock_mhz", 200.0 if clock_mhz is None else clock_mhz
        period = 1000.0 / float(value) if float(value) > 0 else math.nan
    if not math.isfinite(period) or period <= 0:
        raise HlsSettingsError(name, value, "it must be a positive number")
    return round(period, 6)


def _reuse(reuse_factor: int | Mapping[str, int], names: list[str]) -> dict[str, int]:
    if isinstance(reuse_factor, Mapping):
        for name in reuse_factor:
            if name not in names:
                raise HlsSettingsError("reuse_factor", name, f"no such layer with multipliers, {nearest(name, names)}")
        factors = {name: reuse_factor.get(name, 1) for name in names}
    else:
        factors = dict.fromkeys(names, reuse_factor)
    for name, factor in [*factors.items(), ("", reuse_factor)]:
        if not isinstance(factor, Mapping) and (isinstance(factor, bool) or not isinstance(factor, int) or factor < 1):
            raise HlsSettingsError(f"reuse_factor{f' of {name!r}' if name else ''}", factor, "it must be 1 or more")
    return factors
