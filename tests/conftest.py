"""For all tests."""

import os

from hypothesis import settings

# compiling hls4ml's C++ takes longer than the few events that tests run
os.environ.setdefault("FIRMWARE_FLOWS_CSIM_FLAGS", "-O1")

# the same examples in every run
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")
