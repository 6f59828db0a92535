"""Finding g++ and turning a project into a shared library, once per content."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from firmware_flows.errors import MissingToolError
from firmware_flows.hls.errors import CompileError

FLAGS = ("-O3", "-fPIC", "-std=c++17", "-fno-gnu-unique", "-fvisibility=hidden", "-shared", "-pthread", "-w")
"""As hls4ml's build_lib.sh, and hidden symbols: two networks in one process must not share a layer's function."""


FLAGS_VARIABLE = "FIRMWARE_FLOWS_CSIM_FLAGS"
"""Environment variable with further options, e.g. -O1 where compiling takes longer than the events do."""


def flags() -> tuple[str, ...]:
    """Options of the compiler; of two that contradict, the later counts."""
    return (*FLAGS, *shlex.split(os.environ.get(FLAGS_VARIABLE, "")))


def find_compiler(purpose: str = "to compile the HLS project") -> str:
    """Path of the C++ compiler: $CXX, or g++. Raises MissingToolError."""
    for name in (os.environ.get("CXX"), "g++"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise MissingToolError("g++", purpose, "install it (Debian, Ubuntu: apt install g++)")


def compiler_version(compiler: str) -> str:
    """First line of `--version`."""
    try:
        done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"


def library_path(directory: Path, source: Path, compiler: str) -> Path:
    """The name of the library for what the directory holds now: a hash over all that goes into it."""
    digest = hashlib.sha256()
    # the path of the weights is compiled in
    for text in (*flags(), compiler_version(compiler), str(directory.resolve())):
        digest.update(text.encode() + b"\0")
    for path in sorted([source, *(p for p in (directory / "firmware").rglob("*") if p.is_file())]):
        digest.update(str(path.relative_to(directory)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return source.parent / f"lib{digest.hexdigest()[:24]}.so"


def compile_library(directory: Path, source: Path) -> Path:
    """Compile if need be; returns the library. Raises MissingToolError, CompileError."""
    compiler = find_compiler()
    library = library_path(directory, source, compiler)
    if library.exists():
        return library
    handle, name = tempfile.mkstemp(suffix=".so", dir=source.parent)
    os.close(handle)
    temporary = Path(name)
    weights = (directory / "firmware" / "weights").resolve()
    command = [
        compiler, *flags(), f'-DWEIGHTS_DIR="{weights}"', *includes(directory),
        str(source), "-o", str(temporary),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            env={**os.environ, "LC_ALL": "C", "CCACHE_DISABLE": "1"},
        )  # fmt: skip
        if done.returncode:
            raise first_error(done.stderr, directory)
        temporary.chmod(0o755)
        os.replace(temporary, library)
    finally:
        temporary.unlink(missing_ok=True)
    for old in source.parent.glob("lib*.so"):
        if old != library:
            old.unlink(missing_ok=True)
    return library


def includes(directory: Path) -> list[str]:
    """Options for the header directories that the backends bring."""
    names = ("ap_types", "ac_types", "ac_types/include", "ac_math/include", "ac_simutils/include", "nnet_utils")
    return [f"-I{directory}", *(f"-I{d}" for d in (directory / "firmware" / n for n in names) if d.is_dir())]


def first_error(log: str, directory: Path) -> CompileError:
    """The compiler's first error line as an exception."""
    found = re.search(r"^(.+?):(\d+)(?::\d+)?:\s*(?:fatal )?error:\s*(.+)$", log, re.MULTILINE)
    if found is None:
        lines = [line for line in log.splitlines() if line.strip()]
        return CompileError("", 0, lines[0].strip() if lines else "the compiler said nothing", log)
    path = Path(found.group(1))
    file = str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)
    return CompileError(file, int(found.group(2)), found.group(3).strip(), log)
