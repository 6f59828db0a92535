"""Producing muon candidates: patterns first, then chunks of muons through them, in parallel and kept by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.chunks import chunk_seed, content_name, gather, sizes
from models.errors import SampleError, SampleFileError

from .candidates import Candidates
from .generator import GENERATOR_VERSION, GeneratorSettings, generate
from .golden_patterns import GoldenPatterns, Sorter, make_patterns
from .sample import MuonSample

MUONS_PER_CHUNK = 250_000
"""About a second of one core."""

PATTERN_VERSION = 1
"""Part of the names of cached files: to be raised with every change of the algorithm."""

_PATTERN_STREAM, _MUON_STREAM = 0, 1
"""Patterns and muons of the same seed are never the same muons."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Production:
    """What decides, with a seed, which patterns and candidates are produced."""

    pattern_muons: int
    settings: GeneratorSettings
    sorter: Sorter
    seed: int

    def pattern_path(self, directory: Path) -> Path:
        """The file of the patterns, named by what they are made of."""
        return directory / content_name("patterns", self._content(), ".npz")

    def patterns(self, directory: Path, progress: Progress | None = None) -> GoldenPatterns:
        """The patterns; made where they are not in `directory` yet."""
        path = self.pattern_path(directory)
        try:
            return GoldenPatterns.load(path)
        except SampleFileError:
            pass
        counts = sizes(self.pattern_muons, MUONS_PER_CHUNK)

        def muons() -> Iterator[MuonSample]:
            for index, count in enumerate(counts):
                if progress is not None:
                    progress("making golden patterns, muons", index * MUONS_PER_CHUNK, self.pattern_muons)
                yield generate(count, chunk_seed(self.seed, _PATTERN_STREAM, index), self.settings)

        patterns = make_patterns(muons(), self.sorter)
        patterns.save(path)
        if progress is not None:
            progress("making golden patterns, muons", self.pattern_muons, self.pattern_muons)
        return patterns

    def candidates(
        self, muons: int, stream: int, directory: Path, workers: int | None, progress: Progress | None = None
    ) -> Candidates:
        """Candidates of `muons` muons, those without a candidate included; each `stream` has muons of its own."""
        if muons < 1:
            raise SampleError("muons", f"wanted at least 1, got {muons}")
        self.patterns(directory, progress)
        chunks = [
            _Chunk(self, count, chunk_seed(self.seed, _MUON_STREAM, stream, index))
            for index, count in enumerate(sizes(muons, MUONS_PER_CHUNK))
        ]
        report = None if progress is None else (lambda done, total: progress("generating muons", done, total))
        return Candidates.concatenate(gather(chunks, directory, workers, report))

    def _content(self) -> dict[str, object]:
        return {
            "muons": self.pattern_muons,
            "settings": self.settings.model_dump(mode="json"),
            "sorter": self.sorter.value,
            "seed": self.seed,
            "versions": [GENERATOR_VERSION, PATTERN_VERSION],
        }


@dataclass(frozen=True)
class _Chunk:
    production: Production
    events: int
    seed: int

    def path(self, directory: Path) -> Path:
        content = {"patterns": self.production._content(), "muons": self.events, "seed": self.seed}
        return directory / content_name("candidates", content)

    def make(self, directory: Path) -> None:
        patterns = self.production.patterns(directory)
        patterns.find(generate(self.events, self.seed, self.production.settings)).save(self.path(directory))

    def load(self, directory: Path) -> Candidates | None:
        try:
            candidates = Candidates.load(self.path(directory))
        except SampleFileError:
            return None
        return candidates if len(candidates) == self.events else None
