"""For all tests."""

import os
import sys

import pytest
from hypothesis import settings

# compiling hls4ml's C++ takes longer than the few events that tests run
os.environ.setdefault("FIRMWARE_FLOWS_CSIM_FLAGS", "-O1")

# the same examples in every run
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def keras_names_start_anew() -> None:
    """Keras numbers the layers that have no name; the files that ran before must not decide the number."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)
