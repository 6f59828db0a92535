"""Which technology a part number belongs to: the one place that knows how the vendors' part numbers begin."""

from __future__ import annotations

import re

_PATTERNS = tuple(
    (technology, re.compile(pattern))
    for technology, pattern in (
        ("7series", r"x[acq]7|7[aksvz]\d"),
        ("ultrascale+", r"x[acq](?:[vk]u\d+[ph]|zu|au)|xcu\d{2,3}[a-z]?(?:-|$)|xck2[46]"),
        ("ultrascale", r"x[cq][vk]u\d"),
        ("versal", r"x[acq]v[cehmp]"),
        ("stratix10", r"1s[dgmtx]"),
        ("agilex", r"ag[fimr]|a[35][cde]"),
        ("altera", r"10[acmt]|5[acms]|ep\d"),  # older ones of Intel
        ("ecp5", r"lfe5|ecp5"),
        ("nexus", r"lifcl|lfd2nx|lfcpnx|nexus"),
    )
)

AMD = ("7series", "ultrascale", "ultrascale+", "versal")
INTEL = ("stratix10", "agilex", "altera")
LATTICE = ("ecp5", "nexus")


def technology_of(part: str) -> str | None:
    """The technology of a part number, or of a name that begins as one; None where it is not known.

    >>> technology_of("xcvu13p-flga2577-2-e"), technology_of("xcvu095-ffva2104-2-e"), technology_of("LFE5U-25F")
    ('ultrascale+', 'ultrascale', 'ecp5')
    """
    text = part.strip().lower()
    return next((technology for technology, pattern in _PATTERNS if pattern.match(text)), None)
