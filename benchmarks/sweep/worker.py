"""A process for the C++: what ends it, as ap_fixed's headers can, is found, and the sweep goes on."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.sweep.drawing import Batch

TIMEOUT = 1200.0
"""Seconds for one batch."""


class Worker:
    """Runs batches in another process, one after another, and starts a new one where that ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: Any = None
        self._connection: Any = None

    def run(self, batch: Batch, io: Sequence[str]) -> list[dict[str, Any]]:
        """Outcomes as JSON. A batch that ends the process is halved, down to the instance that does it."""
        self._start()
        self._connection.send((batch, tuple(io)))
        try:
            if not self._connection.poll(TIMEOUT):
                raise EOFError(f"no answer in {TIMEOUT:.0f} s")
            answer = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            reason = self._end(error)
        else:
            if isinstance(answer, list):
                return answer
            reason = str(answer)
        if len(batch.instances) == 1:
            instance = batch.instances[0]
            return [{"case": instance.get("case", instance["layer"]), "failed": {"process": reason}}]
        middle = len(batch.instances) // 2
        halves = (batch.instances[:middle], batch.instances[middle:])
        return [outcome for half in halves for outcome in self.run(replace(batch, instances=half), io)]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end(None)

    def _start(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child, self.directory), daemon=True)
        self._process.start()
        child.close()

    def _end(self, error: object) -> str:
        self._process.join(5)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._process = None
        self._connection.close()
        return f"the process ended with {code}: {error}"


def _serve(connection: Connection, directory: Path) -> None:
    # what TensorFlow and the C++ write goes to a file
    log = os.open(directory / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from benchmarks.sweep.batches import run

    while True:
        try:
            batch, io = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            connection.send([o.to_json() for o in run(batch, directory, io)])
        except KeyboardInterrupt:
            return
        except Exception as error:  # noqa: BLE001 is told, and the batch halved
            connection.send(f"{type(error).__name__}: {error}"[:4000])
