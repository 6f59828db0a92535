"""CHECK.sh: bash, coreutils and g++ verify a bundle; one paragraph of it for each test bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from firmware_flows.handoff.bundle.manifest import BUILT

TEMPLATE = files("firmware_flows.handoff.bundle").joinpath("CHECK.sh")

_BENCH = Template("""
if build "$form" "$program" $arguments; then
    run "$form" "$$work/$program" $files
fi
""")

_CMSSW = Template("""
if build "CMSSW emulator" "$library.so" $flags -Icmssw/include -shared \\
    -Wl,--version-script=$place/exports.map $place/$library.cpp &&
    build "CMSSW emulator" host -std=c++17 -O1 -Icmssw/include cmssw/host.cpp -ldl; then
    run "CMSSW emulator" "$$work/host" "$$work/$library" $place/vectors.txt
fi
""")


@dataclass(frozen=True)
class Bench:
    """A test bench: the form that it tests, its executable's name, g++'s arguments and its own, as bash reads them."""

    form: str
    program: str
    arguments: str
    files: str = '"${vectors[@]}"'

    def text(self) -> str:
        """The paragraph."""
        return _BENCH.substitute(form=self.form, program=self.program, arguments=self.arguments, files=self.files)


def cmssw_text(place: str, library: str, flags: str) -> str:
    """The paragraph that builds and loads the shared object. place: its directory."""
    return _CMSSW.substitute(place=place, library=library, flags=flags)


def check_script(paragraphs: Sequence[str], vectors: Sequence[str], file_count: int) -> str:
    """The script. file_count: lines of SHA256SUMS."""
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("@files@", str(file_count)).replace("@vectors@", " ".join(vectors))
    text = text.replace("@built@", " | ".join(BUILT))
    return text.replace("@benches@", "".join(paragraphs).strip("\n"))
