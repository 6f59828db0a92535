"""hls4ml prints and warns; inside the package that goes to the log."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator

logger = logging.getLogger("firmware_flows.hls")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Output and warnings of the block become log records; the working directory is what it was, afterwards."""
    output = io.StringIO()
    directory = os.getcwd()
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            warnings.simplefilter("always")
            yield
    finally:
        if os.getcwd() != directory:
            os.chdir(directory)
        for line in output.getvalue().splitlines():
            if line.strip():
                logger.info("hls4ml: %s", line.rstrip())
        for warning in caught:
            logger.info("hls4ml: %s", warning.message)
