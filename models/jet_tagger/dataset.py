"""Producing a sample of jets in parallel, in cached chunks.

The sample depends on the number of jets, the seed and the generator's settings; not on the number of workers, nor on
how often the production was interrupted. A chunk is one class, at most `JETS_PER_CHUNK` jets, one file; a larger
production with the same seed uses the full chunks of a smaller one again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from firmware_flows.files import hash_value

from .errors import GeneratorError, SampleError, SampleFileError
from .generator import GENERATOR_VERSION, GeneratorSettings, generate_chunk
from .sample import CLASSES, JetSample, class_index, concatenate, load_sample, save_sample

__all__ = ["CLASSES", "JETS_PER_CHUNK", "JetSample", "load_sample", "produce", "save_sample"]

JETS_PER_CHUNK = 1000
"""About four seconds of one core: long against starting PYTHIA (0.3 s), short against losing one to a kill."""

Progress = Callable[[int, int], None]


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
    report = progress or (lambda done, total: None)

    samples: dict[_Chunk, JetSample] = {}
    for chunk in chunks:
        cached = chunk.load(directory)
        if cached is not None:
            samples[chunk] = cached
    done = sum(chunk.jets for chunk in samples)
    report(done, jets)
    missing = [chunk for chunk in chunks if chunk not in samples]
    for chunk in _generate(missing, directory, workers or _available_cores()):
        # Read back from the file even when made in this process: one path, whatever the number of workers.
        samples[chunk] = load_sample(chunk.path(directory))
        done += chunk.jets
        report(done, jets)
    return concatenate(samples[chunk] for chunk in chunks).shuffled(seed)


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

    def load(self, directory: Path) -> JetSample | None:
        """The chunk's file if it is there and whole; a damaged one counts as absent."""
        try:
            sample = load_sample(self.path(directory))
        except SampleFileError:
            return None
        whole = len(sample) == self.jets and bool((sample.labels == class_index(self.jet_class)).all())
        return sample if whole else None


def _make(chunk: _Chunk, directory: Path) -> None:
    save_sample(generate_chunk(chunk.jet_class, chunk.jets, chunk.seed, chunk.settings), chunk.path(directory))


def _generate(chunks: list[_Chunk], directory: Path, workers: int) -> Iterator[_Chunk]:
    """Make the files of `chunks`, yielding each when it is there."""
    if workers == 1 or len(chunks) <= 1:
        for chunk in chunks:
            _make(chunk, directory)
            yield chunk
        return
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(chunks)),
        mp_context=get_context("spawn"),
        initializer=_start_worker,
    )
    try:
        futures = {pool.submit(_make, chunk, directory): chunk for chunk in chunks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise GeneratorError(
            "a process that generates jets died", "Run again with fewer workers; finished chunks are kept"
        ) from error
    finally:
        # On an interrupt the workers finish their present chunk, which is then cached, and take no other.
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that was killed cannot tell its workers, who would wait for it for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        # Not sys.exit, which would end this thread alone. A half-written file has a temporary name.
        os._exit(1)


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
