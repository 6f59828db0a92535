"""Producing a sample of jets in parallel, in cached chunks.

The sample depends on the number of jets, the seed and the generator's settings; not on the number of workers, nor on
how often the production was interrupted. A chunk is one class, at most `JETS_PER_CHUNK` jets, one file; a larger
production with the same seed uses the full chunks of a smaller one again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from firmware_flows.files import hash_value
from models.chunks import Progress, WorkerDiedError, gather

from .errors import GeneratorError, SampleError, SampleFileError
from .generator import GENERATOR_VERSION, GeneratorSettings, generate_chunk
from .sample import CLASSES, JetSample, class_index, concatenate, load_sample, save_sample

__all__ = ["CLASSES", "JETS_PER_CHUNK", "JetSample", "load_sample", "produce", "save_sample"]

JETS_PER_CHUNK = 1000
"""About four seconds of one core: long against starting PYTHIA (0.3 s), short against losing one to a kill."""


def produce(
    directory: Path,
    jets: int,
    seed: int,
    workers: int | None = None,
    progress: Progress | None = None,
    settings: GeneratorSettings | None = None,
) -> JetSample:
    """`jets` jets in equal parts of the five classes (the first ones take the remainder), shuffled by `seed`.

    Chunks are kept in `directory` and not generated again; one that is damaged is replaced. `workers` processes run
    at a time (None: one per available core; 1: none but this one). They are spawned, so a script that calls this
    must do so under `if __name__ == "__main__"`. `progress(done, total)` counts jets.

    Raises `SampleError` for a number of jets below 1, `MissingToolError` where the generator is not installed,
    `GeneratorError` where a worker died: run again, finished chunks are kept.
    """
    if jets < 1:
        raise SampleError("jets", f"wanted at least 1, got {jets}")
    settings = settings or GeneratorSettings()
    chunks = [_Chunk(name, count, sub_seed, settings) for name, count, sub_seed in plan(jets, seed)]
    try:
        samples = gather(chunks, directory, workers, progress)
    except WorkerDiedError as error:
        raise GeneratorError("a process that generates jets died", error.remedy) from error
    return concatenate(samples).shuffled(seed)


def plan(jets: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """Class, number of jets and seed of every chunk of a production."""
    each, remainder = divmod(jets, len(CLASSES))
    for label, name in enumerate(CLASSES):
        wanted = each + (label < remainder)
        for index, start in enumerate(range(0, wanted, JETS_PER_CHUNK)):
            state = np.random.SeedSequence([seed, label, index]).generate_state(1, np.uint64)
            yield name, min(JETS_PER_CHUNK, wanted - start), int(state[0])


@dataclass(frozen=True)
class _Chunk:
    jet_class: str
    jets: int
    seed: int
    settings: GeneratorSettings

    def path(self, directory: Path) -> Path:
        content = {
            "class": self.jet_class,
            "jets": self.jets,
            "seed": self.seed,
            "settings": asdict(self.settings),
            "version": GENERATOR_VERSION,
        }
        return directory / f"jets-{self.jet_class}-{hash_value(content)[:16]}.h5"

    @property
    def events(self) -> int:
        return self.jets

    def make(self, directory: Path) -> None:
        save_sample(generate_chunk(self.jet_class, self.jets, self.seed, self.settings), self.path(directory))

    def load(self, directory: Path) -> JetSample | None:
        """The chunk's file if it is there and whole; a damaged one counts as absent."""
        try:
            sample = load_sample(self.path(directory))
        except SampleFileError:
            return None
        whole = len(sample) == self.jets and bool((sample.labels == class_index(self.jet_class)).all())
        return sample if whole else None
