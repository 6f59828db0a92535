"""Producing samples of cells in parallel, in cached chunks (`models.chunks`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from pathlib import Path

from models.chunks import chunk_seed, content_name, gather, sizes

from .errors import SampleFileError
from .generator import GENERATOR_VERSION, GeneratorSettings, generate
from .sample import CellSample, concatenate, load_sample, save_sample

CROSSINGS = 20_000
"""Crossings of each cell: 5.6 orbits."""

CELLS_PER_CHUNK = 50
"""A million samples: a tenth of a second, and 3 MB."""

Progress = Callable[[int, int], None]


class Purpose(IntEnum):
    """What a sample is for; part of its seed, so that none shares random numbers with another."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2
    NOISE = 3


@dataclass(frozen=True)
class CellChunk:
    """Some cells of a sample (a `models.chunks.Chunk`)."""

    cells: int
    crossings: int
    seed: int
    settings: GeneratorSettings

    @property
    def events(self) -> int:
        return self.cells * self.crossings

    def path(self, directory: Path) -> Path:
        content = {**asdict(self), "version": GENERATOR_VERSION}
        return directory / content_name("cells", content)

    def make(self, directory: Path) -> None:
        sample = generate(self.cells, self.crossings, self.seed, self.settings)
        save_sample(sample, self.path(directory), {"seed": self.seed, "settings": asdict(self.settings)})

    def load(self, directory: Path) -> CellSample | None:
        try:
            sample = load_sample(self.path(directory))
        except SampleFileError:
            return None
        return sample if (sample.cells, sample.crossings) == (self.cells, self.crossings) else None


def plan(cells: int, seed: int, purpose: Purpose, settings: GeneratorSettings) -> list[CellChunk]:
    """The chunks of a sample of so many cells. Full chunks of a smaller sample serve a larger one too."""
    if purpose is Purpose.NOISE:
        settings = replace(settings, signals=False)
    return [
        CellChunk(count, CROSSINGS, chunk_seed(seed, int(purpose), index), settings)
        for index, count in enumerate(sizes(cells, CELLS_PER_CHUNK))
    ]


def produce(
    directory: Path,
    cells: int,
    seed: int,
    purpose: Purpose,
    settings: GeneratorSettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CellSample:
    """`cells` cells over `CROSSINGS` crossings, from the files in `directory` as far as they are there.

    The same for any number of workers. `progress(done, total)` counts samples. For `workers` and what is raised see
    `models.chunks.gather`.
    """
    return concatenate(
        gather(plan(cells, seed, purpose, settings or GeneratorSettings()), directory, workers, progress)
    )
