"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real networks and jets beside the checkout; not part of it."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared data: {SHARED} does not exist")
    return SHARED
