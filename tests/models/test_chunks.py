"""Data sets in chunks: order, cache, damage, and workers that die."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import models.chunks
from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.files import write_text
from models.chunks import WorkerDiedError, chunk_seed, content_name, gather, sizes

MADE: list[str] = []


@dataclass(frozen=True)
class Word:
    """A chunk of one word."""

    text: str
    events: int = 3

    def path(self, directory: Path) -> Path:
        return directory / content_name("word", {"text": self.text}, ".txt")

    def make(self, directory: Path) -> None:
        MADE.append(self.text)
        write_text(self.path(directory), self.text)

    def load(self, directory: Path) -> str | None:
        path = self.path(directory)
        text = path.read_text() if path.is_file() else None
        return text if text == self.text else None


class Deadly(Word):
    """Kills the process that makes it."""

    def make(self, directory: Path) -> None:
        os._exit(9)


class Forgetful(Word):
    """Says that it is made."""

    def make(self, directory: Path) -> None:
        pass


WORDS = [Word("b"), Word("a"), Word("c", events=1)]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    MADE.clear()
    progress: list[tuple[int, int]] = []
    assert gather(WORDS, tmp_path, 1, lambda done, total: progress.append((done, total))) == ["b", "a", "c"]
    assert progress == [(0, 7), (3, 7), (6, 7), (7, 7)]
    Word("a").path(tmp_path).write_text("damaged")
    MADE.clear()
    assert gather(WORDS, tmp_path, 1) == ["b", "a", "c"]
    assert MADE == ["a"]


def test_sizes_names_and_seeds() -> None:
    assert sizes(10, 4) == [4, 4, 2]
    assert sizes(0, 4) == []
    assert content_name("x", {"a": 1, "b": 2}) == content_name("x", {"b": 2, "a": 1})
    assert content_name("x", {"a": 1}) != content_name("x", {"a": 2})
    assert len({chunk_seed(1, 2), chunk_seed(2, 1), chunk_seed(1, 3)}) == 3
    assert chunk_seed(1, 2) == chunk_seed(1, 2)


def test_a_chunk_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FirmwareFlowsError, match="right after it was written"):
        gather([Forgetful("x")], tmp_path, 1)


def test_a_worker_that_dies_is_told_and_the_others_chunks_are_kept(tmp_path: Path) -> None:
    # In a process of its own, since workers must be able to import the chunks' module.
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "import test_chunks as t\n"
        "from models.chunks import WorkerDiedError, gather\n"
        "if __name__ == '__main__':\n"
        "    directory = Path(sys.argv[1])\n"
        "    print(gather(t.WORDS, directory, 2))\n"
        "    try:\n"
        "        gather([*t.WORDS, t.Deadly('x'), t.Deadly('y')], directory, 2)\n"
        "    except WorkerDiedError as error:\n"
        "        print(error)\n"
        "    print(len(list(directory.glob('word-*'))))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(models.chunks.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, script, tmp_path / "cache"], capture_output=True, text=True, env=environment, check=True
    )
    words, error, count = done.stdout.splitlines()
    assert words == "['b', 'a', 'c']"
    assert "finished chunks are kept" in error
    assert count == "3"
    assert WorkerDiedError().exit_code == 2


def test_workers_end_with_a_parent_that_was_killed() -> None:
    code = (
        "import os, signal, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from models.chunks import start_worker\n"
        "pool = ProcessPoolExecutor(1, mp_context=get_context('spawn'), initializer=start_worker)\n"
        "print(pool.submit(os.getpid).result(), flush=True)\n"
        "pool.submit(time.sleep, 100)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(models.chunks.__file__).parents[1]
    # communicate() returns only when every holder of the pipe, the worker among them, is gone.
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    output, _ = parent.communicate(timeout=30)
    assert parent.returncode < 0
    assert output.strip().isdigit()
