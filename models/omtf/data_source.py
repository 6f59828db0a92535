"""The recipe's `data:` section, and the candidates it stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from firmware_flows.model_source import Dataset, Split

from .candidates import Candidates
from .dataset import Production
from .encoding import FEATURES, INPUT_TYPE, UNITS, encode
from .generator import GeneratorSettings
from .golden_patterns import PATTERN_PT, Sorter
from .momentum_bins import EDGES, names, targets
from .real_events import load_real_events
from .spectrum import Spectrum, rate_weights
from .truth import COLUMNS, pack

Progress = Callable[[str, int, int], None]

_STREAMS = {"train": 0, "validation": 1, "test": 2}


class DataOptions(BaseModel):
    """How many muons, of which kind. The splits are independent productions, drawn from the run's seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    muons: int = Field(2_000_000, ge=1000, description="muons to train on")
    validation_muons: int = Field(200_000, ge=1000, description="muons to choose the best epoch by")
    test_muons: int = Field(500_000, ge=1000, description="muons for evaluation and verification")
    pattern_muons: int = Field(1_000_000, ge=1000, description="muons to make the golden patterns of")
    sorter: Sorter = Field(Sorter.LIKELIHOOD, description="golden patterns are sorted by likelihood or layers")
    spectrum: Spectrum = Field(Spectrum(), description="transverse momenta that are generated")
    background: float = Field(0.04, ge=0.0, le=0.5, description="chance of one more hit in a layer")
    real_events: Path | None = Field(
        None, description="file or folder of simulated CMS events, evaluated as well; relative to the working directory"
    )
    workers: int | None = Field(None, ge=1, description="processes at a time; absent: one a core")
    cache: Path | None = Field(
        None, description="folder where patterns and candidates are kept, for several recipes; absent: the run's own"
    )

    @property
    def generator(self) -> GeneratorSettings:
        """Settings of the generator."""
        return GeneratorSettings(spectrum=self.spectrum, background=self.background)


def load_data(options: DataOptions, directory: Path, seed: int, progress: Progress) -> Dataset:
    """Candidates as inputs of the network.

    Patterns and chunks of candidates are kept below `directory` (or `options.cache`); an interrupted production goes
    on. x: float32 (muons, 44). y of the training and validation parts: uint8 (muons, 44), class and charge; of the
    test part: float32, the columns of `truth.COLUMNS`. Muons that the golden patterns do not find are in the test part
    alone, where they count as lost; real events come last in it.
    """
    directory = options.cache.expanduser() if options.cache is not None else directory
    production = Production(options.pattern_muons, options.generator, options.sorter, seed)

    def produce(part: str, muons: int) -> Candidates:
        def report(step: str, done: int, total: int) -> None:
            progress(f"{step} for the {part} part" if step.startswith("generating") else step, done, total)

        return production.candidates(muons, _STREAMS[part], directory, options.workers, report)

    def to_learn(part: str, muons: int) -> Split:
        candidates = produce(part, muons)
        candidates = candidates[candidates.quality > 0]
        return Split(encode(candidates), targets(candidates.pt, candidates.charge))

    test = produce("test", options.test_muons)
    x, y = encode(test), pack(test, rate_weights(test.pt, options.spectrum) / len(test))
    metadata: dict[str, Any] = {
        "classes": list(names()),
        "momentum_edges": [float(edge) for edge in EDGES],
        "features": list(FEATURES),
        "units": list(UNITS),
        "input_type": INPUT_TYPE,
        "test_columns": list(COLUMNS),
        "pattern_pt": list(PATTERN_PT),
        "seed": seed,
    }
    if options.real_events is not None:
        real = load_real_events(options.real_events.expanduser())
        found = production.patterns(directory).find(real.sample)
        answers = (real.present_pt, real.present_charge, real.present_quality)
        x, y = np.concatenate([x, encode(found)]), np.concatenate([y, pack(found, present=answers)])
        metadata["real_events"] = len(real)
    return Dataset(
        to_learn("train", options.muons), to_learn("validation", options.validation_muons), Split(x, y), metadata
    )
