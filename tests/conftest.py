"""For all tests."""

import os

# compiling hls4ml's C++ takes longer than the few events that tests run
os.environ.setdefault("FIRMWARE_FLOWS_CSIM_FLAGS", "-O1")
