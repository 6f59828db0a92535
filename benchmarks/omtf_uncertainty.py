"""Rate of the track finder's network at equal efficiency, with its uncertainty from several trainings.

    python benchmarks/omtf_uncertainty.py models/omtf/fast.yaml --seeds 1 2 3 --directory runs/omtf-uncertainty

Data, network and training are those of the recipe. An interrupted study goes on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from firmware_flows.environment import load_tensorflow
from firmware_flows.recipe import load_recipe
from models.omtf.evaluation import THRESHOLDS
from models.omtf.study import FORMS, Study, equal_efficiency_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--directory", type=Path, default=Path("runs/omtf-uncertainty"))
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    cache = arguments.directory / "data"
    data = recipe.source.load_data(recipe.data_options, cache, recipe.seed, progress)
    load_tensorflow()
    options: Any = recipe.network_options
    settings: Any = recipe.training
    print(table(equal_efficiency_study(data, options, settings, arguments.seeds, arguments.directory, progress)))


def table(study: Study) -> str:
    """Mean and spread over trainings, as Markdown."""
    lines = [
        f"Rate / rate of golden patterns at equal efficiency: mean of {len(study.seeds)} trainings +- their spread",
        "",
        "| form | " + " | ".join(f"{t:g} GeV" for t in THRESHOLDS) + " |",
        "|---" * (len(THRESHOLDS) + 1) + "|",
    ]
    for form in FORMS:
        cells = [f"{study.mean(form, t):.3f} +- {study.spread(form, t):.3f}" for t in THRESHOLDS]
        lines.append(f"| {form} | " + " | ".join(cells) + " |")
    statistical = [f"{study.mean(FORMS[-1], t) * study.statistical[t]:.3f}" for t in THRESHOLDS]
    lines.append("| statistical uncertainty | " + " | ".join(statistical) + " |")
    losses = [study.loss(t) for t in THRESHOLDS]
    lines.append("| bit-accurate over float | " + " | ".join(f"{v:+.1%} +- {e:.1%}" for v, e in losses) + " |")
    mean, error = study.loss()
    return "\n".join([*lines, "", f"Bit-accurate over float, mean of the thresholds: {mean:+.1%} +- {error:.1%}"])


def progress(step: str, done: int, total: int) -> None:
    print(f"{step}: {done:,} of {total:,}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
