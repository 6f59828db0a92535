"""A veto inside PYTHIA that keeps only the boson pairs we want, before any shower is paid for.

Importing this module imports PYTHIA: import it where it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pythia8mc

from .kinematics import Polarisation, decay_cosines, polarisation_weight


class BosonFilter(pythia8mc.UserHooks):  # type: ignore[misc]
    """Keeps events whose two bosons lie in a pT window [GeV] and decay with the polarisation asked for.

    PYTHIA's cuts on pT act on 2 -> 2 processes only, and it decays the bosons of a graviton isotropically. Both are
    mended at the level of the hard process, where an event costs some 100 microseconds and not 5 milliseconds.
    """

    def __init__(
        self, boson: int, pt_window: tuple[float, float], polarisation: Polarisation, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.boson = boson
        self.pt_window = pt_window
        self.polarisation = polarisation
        self.rng = rng

    def canVetoProcessLevel(self) -> bool:
        return True

    def doVetoProcessLevel(self, event: Any) -> bool:
        bosons = [event[i] for i in range(event.size()) if abs(event[i].id()) == self.boson]
        low, high = self.pt_window
        if len(bosons) != 2 or not all(low < boson.pT() < high for boson in bosons):
            return True
        daughters = [event[boson.daughter1()] for boson in bosons]
        cosines = decay_cosines(_momenta(bosons), _momenta(daughters))
        keep = self.rng.random(2) < polarisation_weight(cosines, self.polarisation)
        return not bool(keep.all())


def _momenta(particles: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[p.px(), p.py(), p.pz(), p.e()] for p in particles])
