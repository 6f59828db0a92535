"""The five hard processes: PYTHIA settings and where the parton that names the jet stands in the event record.

W and Z come from a narrow 2.03 TeV Randall-Sundrum graviton and not from standard-model pairs, whose bosons are a
mixture of polarisations: PYTHIA decays the bosons of a graviton isotropically, so that `BosonFilter` can polarise them
cleanly. Of longitudinal bosons 6 % have a prong with less than 10 % of the momentum, which grooming takes away; of
unpolarised ones 20 %, of transverse ones 27 %. In the public sample it is 17 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnknownClassError
from .sample import CLASSES


@dataclass(frozen=True)
class Process:
    """`settings` for PYTHIA; jets are matched to particles of the absolute PDG codes `truth`.

    `boson`: PDG code of the bosons whose pT and decay `BosonFilter` selects, or 0.
    """

    settings: tuple[str, ...]
    truth: tuple[int, ...]
    boson: int = 0


_HADRONIC_W = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")
_HADRONIC_Z = ("23:onMode = off", "23:onIfAny = 1 2 3 4 5")
_GRAVITON = (
    "ExtraDimensionsG*:gg2G* = on",
    "ExtraDimensionsG*:ffbar2G* = on",
    "ExtraDimensionsG*:SMinBulk = on",
    "ExtraDimensionsG*:VLVL = on",
    # Just above twice the 1 TeV of the jets, because initial-state radiation moves pT both ways.
    "5100039:m0 = 2030.",
    "5100039:mWidth = 10.",
    "5100039:doForceWidth = on",
    "5100039:onMode = off",
)

PROCESSES: dict[str, Process] = {
    "g": Process(("HardQCD:gg2gg = on", "HardQCD:qqbar2gg = on"), truth=(21,)),
    "q": Process(
        (
            "HardQCD:qq2qq = on",
            "HardQCD:gg2qqbar = on",
            "HardQCD:qqbar2qqbarNew = on",
            "HardQCD:nQuarkNew = 3",
        ),
        truth=(1, 2, 3, 4, 5),
    ),
    "W": Process((*_GRAVITON, "5100039:onIfAny = 24", *_HADRONIC_W), truth=(24,), boson=24),
    "Z": Process((*_GRAVITON, "5100039:onIfAny = 23", *_HADRONIC_Z), truth=(23,), boson=23),
    "t": Process(("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_HADRONIC_W), truth=(6,)),
}
assert tuple(PROCESSES) == CLASSES


def process_of(jet_class: str) -> Process:
    """The process of a class named as in `CLASSES`. Raises `UnknownClassError`."""
    if jet_class not in PROCESSES:
        raise UnknownClassError(jet_class, CLASSES)
    return PROCESSES[jet_class]
