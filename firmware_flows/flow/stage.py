"""What a stage is: its name, what decides its outcome, and the function that performs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.flow.observer import Observer
from firmware_flows.model_source import Dataset
from firmware_flows.recipe import Recipe
from firmware_flows.workspace import StageRecord, Workspace

if TYPE_CHECKING:
    from firmware_flows.program import Program

DATASET = "dataset.npz"
QUANTIZED = "quantized.keras"
FLOAT = "float.keras"
PROGRAM = "program.ffp"
HLS = "hls"
RTL = "rtl"
SYNTHESIS = "synthesis"
OUTPUTS = "outputs.npz"
VERIFICATION = "verification.json"
PLOTS = "plots"
REPORTS = ("report.json", "report.md", "report.html")


@dataclass
class Run:
    """One run of a recipe in a run directory; what stages share is read once."""

    recipe: Recipe
    workspace: Workspace
    observer: Observer
    _dataset: Dataset | None = None

    def path(self, name: str) -> Path:
        """A file or folder of the run directory."""
        return self.workspace.path(name)

    def dataset(self) -> Dataset:
        """The data set that the stage `data` wrote."""
        if self._dataset is None:
            self._dataset = Dataset.load(self.path(DATASET))
        return self._dataset

    def set_dataset(self, dataset: Dataset | None) -> None:
        """Keep, or forget, the data set in memory."""
        self._dataset = dataset

    def program(self) -> Program:
        """The Program that the stage `convert` wrote."""
        from firmware_flows.serialization import load_program

        return load_program(self.path(PROGRAM))

    def record(self, stage: str) -> StageRecord:
        """The manifest's entry of an earlier stage."""
        record = self.workspace.record(stage)
        if record is None:
            raise FirmwareFlowsError(f"stage {stage!r} has not been run in {self.workspace.directory}")
        return record


@dataclass(frozen=True)
class Outcome:
    """What a stage leaves: files and folders of the run directory, JSON results, a line, and failed checks."""

    outputs: tuple[str, ...]
    summary: str
    results: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A stage. `after` names the stages whose outputs it reads; `capabilities` what must be installed.

    inputs: everything else that decides the outcome, as JSON values. scratch: folders from which an interrupted stage
    goes on; a forced one begins without them. wanted: whether the recipe asks for this stage; else there is none, for
    those that come after it too.
    """

    name: str
    after: tuple[str, ...]
    inputs: Callable[[Run], dict[str, Any]]
    perform: Callable[[Run], Outcome]
    capabilities: Callable[[Recipe], tuple[str, ...]] = lambda recipe: ()
    scratch: tuple[str, ...] = ()
    wanted: Callable[[Recipe], bool] = lambda recipe: True
