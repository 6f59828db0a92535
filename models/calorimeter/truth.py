"""The columns of the test events' targets: what the network is to answer, and what its answer is judged by.

Training and validation events have the target alone. A test event also carries the truth about its crossing and what
the optimal filter gives there, so that the evaluation compares on the same events without simulating again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SettingError

COLUMNS = {
    "target": "4096 MeV",
    "energy": "MeV",
    "injected": "MeV",
    "gap": "crossings",
    "filled": "1",
    "adc": "ADC counts less the pedestal",
    "optimal_filter": "MeV",
    "optimal_filter_maximum": "MeV",
    "series": "crossings",
}
"""Name and unit, in order.

energy: true transverse energy of the crossing, signal and pile-up. gap: since the previous signal. filled: 1 where the
crossing has collisions. adc: the sample of the crossing itself. optimal_filter_maximum: 0 where the filter has no local
maximum. series: place in the stretch of consecutive crossings of one cell that is drawn as a time series; -1 elsewhere.
"""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """The columns as arrays (events,)."""

    target: Floats
    energy: Floats
    injected: Floats
    gap: Floats
    filled: Floats
    adc: Floats
    optimal_filter: Floats
    optimal_filter_maximum: Floats
    series: Floats

    @classmethod
    def of(cls, y: npt.ArrayLike) -> Truth:
        """From the `y` of the test events; raises SettingError where it has other columns."""
        table = np.asarray(y, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(COLUMNS):
            raise SettingError("y", table.shape, f"wanted the columns {', '.join(COLUMNS)} of the test events")
        return cls(*(np.ascontiguousarray(column) for column in table.T))

    def table(self) -> Floats:
        """(events, columns)."""
        return np.stack([getattr(self, name) for name in COLUMNS], axis=1)
