"""For all tests."""

import os

import pytest
from hypothesis import settings

# compiling hls4ml's C++ takes longer than the few events that tests run
os.environ.setdefault("FIRMWARE_FLOWS_CSIM_FLAGS", "-O1")

# the same examples in every run
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Neither the numbers in names that Keras makes up nor its first weights depend on the tests that ran before."""
    if item.get_closest_marker("keras") is not None:
        import keras

        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(1)
