"""The entry point: commands, and what an error looks like."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click

import firmware_flows
from firmware_flows.cli import doctor, estimate, handoff, models, program, recipe, targets
from firmware_flows.cli.console import warn
from firmware_flows.errors import FirmwareFlowsError

INTERRUPTED = 130


class _InOrder(click.Group):
    """A group that lists its commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 passed; 1 a check failed; 2 wrong usage or input; 3 a required tool is missing; "
    f"{INTERRUPTED} interrupted.",
)
@click.version_option(firmware_flows.__version__, prog_name="firmware-flows")
@click.option("--debug", is_flag=True, help="Show the whole stack trace of an error.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the package logs.")
def cli(debug: bool, verbose: bool) -> None:
    """From a quantization-aware neural network to firmware that is proven to compute the same bits.

    \b
    The whole flow for the small jet tagger:
        firmware-flows run models/jet_tagger/fast.yaml
    What is installed here and what that enables:
        firmware-flows doctor
    """
    logging.basicConfig(
        level=logging.INFO if verbose or debug else logging.WARNING, format="%(levelname)s: %(message)s"
    )


for command in (
    *recipe.COMMANDS,
    *handoff.COMMANDS,
    *program.COMMANDS,
    *estimate.COMMANDS,
    *targets.COMMANDS,
    models.models,
    doctor.doctor,
):
    cli.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        # Accepted anywhere: it is added to a command that has just failed.
        result: Any = cli.main([w for w in words if w != "--debug"], prog_name="firmware-flows", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        warn("Interrupted.")
        return INTERRUPTED
    except FirmwareFlowsError as error:
        if debug:
            raise
        warn(str(error) if error.exit_code in (1, INTERRUPTED) else f"Error: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader has gone (`| head`); Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def main() -> None:
    """The console script."""
    for name in ("SIGTERM", "SIGHUP"):  # of batch systems, of terminals that close
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    sys.exit(run())


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End as an error does: with the tools that run, and what is half written."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
