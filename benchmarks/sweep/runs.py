"""A run of the sweep: batches until the time or the number is reached, results kept as they come."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import firmware_flows
from benchmarks.sweep.cases import IO, Case
from benchmarks.sweep.drawing import Batch, batches
from benchmarks.sweep.shrinking import shrunk
from benchmarks.sweep.worker import Worker

RESULTS = "results.jsonl"
FAILURES = "failures"
MOST_SHRUNK = 4
"""Failures of one batch that are made simpler: all the others are mostly the same."""


@dataclass
class Line:
    """Counts of one layer."""

    instances: int = 0
    agreed: Counter[str] = field(default_factory=Counter)
    keras: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    neighbour: int = 0
    failed: int = 0


def code_digest() -> str:
    """Of the package's source: results of other code are not taken over."""
    digest = hashlib.sha256()
    for path in sorted(Path(firmware_flows.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run(
    cases: Sequence[Case],
    directory: Path,
    seed: int,
    seconds: float,
    networks: int,
    io: Sequence[str] = IO,
    progress: Callable[[float, int, int], None] | None = None,
) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
    """Batches and their outcomes, those of an interrupted run of the same code and seed first.

    Stops after `seconds` of this process, or `networks` instances. `progress`: seconds so far, instances, failures.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / RESULTS
    done = _unfinished(path)
    worker, code = Worker(directory), code_digest()
    began, count, failures, number = time.monotonic(), 0, 0, 0
    try:
        with path.open("a", encoding="utf-8") as file:
            while count < networks and time.monotonic() - began < seconds:
                for batch in batches(cases, number, seed):
                    key = _key(batch, code, io)
                    outcomes = done.get(key)
                    if outcomes is None:
                        outcomes = worker.run(batch, io)
                        file.write(json.dumps({"key": key, "batch": asdict(batch), "outcomes": outcomes}) + "\n")
                        file.flush()
                        failures += _keep_failures(directory, batch, outcomes, worker, io)
                    count += len(outcomes)
                    yield batch, outcomes
                    if progress:
                        progress(time.monotonic() - began, count, failures)
                    if count >= networks or time.monotonic() - began >= seconds:
                        break
                number += 1
            file.write(json.dumps({"finished": True}) + "\n")
    finally:
        worker.close()


def _key(batch: Batch, code: str, io: Sequence[str]) -> str:
    text = json.dumps([asdict(batch), code, list(io)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _unfinished(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Results of a run that was interrupted; those of a finished one are moved aside."""
    if not path.exists():
        return {}
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:  # the line that was being written
            continue
    if lines and lines[-1].get("finished"):
        path.replace(path.with_name("previous.jsonl"))
        return {}
    return {line["key"]: line["outcomes"] for line in lines if "key" in line}


def _keep_failures(
    directory: Path, batch: Batch, outcomes: list[dict[str, Any]], worker: Worker, io: Sequence[str]
) -> int:
    """A file for every instance that failed, shrunk, that `--repeat` runs again."""
    count = 0
    for instance, outcome in zip(batch.instances, outcomes, strict=True):
        if not outcome.get("failed"):
            continue
        count += 1
        stages = set(outcome["failed"])

        def fails(candidate: dict[str, Any], stages: set[str] = stages) -> bool:
            again = worker.run(replace(batch, instances=(candidate,)), io)[0]
            return bool(stages & set(again.get("failed", {})))

        alone = count <= MOST_SHRUNK and fails(instance)
        small = shrunk(instance, fails) if alone else instance
        document = {
            "failed": outcome["failed"],
            "alone": alone,
            "batch": asdict(replace(batch, instances=(small,) if alone else batch.instances)),
            "instance": instance,
        }
        name = hashlib.sha256(json.dumps(instance, sort_keys=True).encode()).hexdigest()[:12]
        (directory / FAILURES).mkdir(exist_ok=True)
        (directory / FAILURES / f"{name}.json").write_text(json.dumps(document, indent=1))
    return count


def repeat(path: Path, directory: Path, io: Sequence[str] = IO) -> list[dict[str, Any]]:
    """Outcomes of what a failure's file holds."""
    document = json.loads(path.read_text(encoding="utf-8"))["batch"]
    batch = Batch(**{**document, "instances": tuple(document["instances"]), "entry": tuple(document["entry"])})
    worker = Worker(directory)
    try:
        return worker.run(batch, io)
    finally:
        worker.close()


def count(lines: dict[str, Line], outcomes: Sequence[dict[str, Any]]) -> None:
    """Add outcomes to the table."""
    for outcome in outcomes:
        line = lines.setdefault(outcome["case"], Line())
        line.instances += 1
        line.agreed.update(outcome.get("agreed", ()))
        line.keras += outcome.get("keras", 0)
        line.failed += bool(outcome.get("failed"))
        for stage, reason in outcome.get("reasons", {}).items():
            if outcome["neighbour"][stage]:
                line.neighbour += 1
            else:
                line.refused[f"{stage}: {reason}"] += 1
