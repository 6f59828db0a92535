"""`python -m benchmarks [NAME...]`: all measurements, or those named; ends with 1 if one of them failed."""

from __future__ import annotations

import sys

import click

from benchmarks import convolution, cpp_emulator, emulation

BENCHMARKS = {"emulation": emulation.main, "convolution": convolution.main, "cpp_emulator": cpp_emulator.main}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
def main(names: tuple[str, ...]) -> None:
    """All measurements, or those NAMED; each has options of its own: python benchmarks/NAME.py --help."""
    failed = [name for name in names or BENCHMARKS if not _passes(BENCHMARKS[name])]
    sys.exit(1 if failed else 0)


def _passes(benchmark: click.Command) -> bool:
    try:
        benchmark.main(args=[], standalone_mode=False)
    except SystemExit as end:
        return end.code == 0
    return True


if __name__ == "__main__":
    main()
