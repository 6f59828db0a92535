"""How much of a rate at equal efficiency is luck: several trainings that differ in their seed alone.

One training says little about 3 %: the first weights and the order of the muons move the rate at equal efficiency by
some per cent. The mean over trainings, and its error, is what may be compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import hash_value, write_json
from firmware_flows.model_source import Dataset
from quantization.settings import TrainingSettings

from .evaluation import GOLDEN, THRESHOLDS, Answer, golden_answer, network_answer, rate, rate_uncertainties
from .networks import NetworkOptions, build_network, float_network
from .truth import unpack

FORMS = ("float", "quantized", "bit-accurate")

_BATCH = 65536

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """rate_ratios: form -> threshold -> one ratio to the golden patterns per seed.

    statistical: threshold -> relative uncertainty of a ratio from the number of test muons (bit-accurate form).
    """

    seeds: tuple[int, ...]
    rate_ratios: dict[str, dict[float, tuple[float, ...]]]
    statistical: dict[float, float]

    def mean(self, form: str, threshold: float) -> float:
        """Over the trainings."""
        return float(np.mean(self.rate_ratios[form][threshold]))

    def spread(self, form: str, threshold: float) -> float:
        """Standard deviation from one training to the next."""
        return float(np.std(self.rate_ratios[form][threshold], ddof=1))

    def loss(self, threshold: float | None = None) -> tuple[float, float]:
        """Relative excess of the bit-accurate rate over the float one, and its standard error; None: all thresholds."""
        chosen = THRESHOLDS if threshold is None else (threshold,)
        logs = np.array(
            [np.log(np.divide(self.rate_ratios["bit-accurate"][t], self.rate_ratios["float"][t])) for t in chosen]
        ).mean(axis=0)
        return float(np.expm1(logs.mean())), float(logs.std(ddof=1) / np.sqrt(logs.size))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "seeds": list(self.seeds),
            "rate_ratios": {
                form: {f"{t:g}": list(values) for t, values in by_threshold.items()}
                for form, by_threshold in self.rate_ratios.items()
            },
            "statistical": {f"{t:g}": value for t, value in self.statistical.items()},
        }


def equal_efficiency_study(
    dataset: Dataset,
    options: NetworkOptions,
    settings: TrainingSettings,
    seeds: Sequence[int],
    directory: Path,
    progress: Progress | None = None,
) -> Study:
    """Train the float and the quantized network once per seed, and evaluate all forms on the test muons.

    Trainings and outputs are kept below `directory`: an interrupted study goes on. Raises ValueError for fewer than 2
    seeds, which have no spread.
    """
    if len(set(seeds)) < 2:
        raise ValueError("a study needs at least two different seeds")
    truth = unpack(dataset.test.y)
    generated = truth.real == 0
    of_generated = truth.select(generated)
    golden = golden_answer(of_generated)
    reference = {t: rate(of_generated, golden, t) for t in THRESHOLDS}
    found: dict[str, dict[float, list[float]]] = {form: {t: [] for t in THRESHOLDS} for form in FORMS}
    last: Answer = golden
    for index, seed in enumerate(seeds):
        outputs = _outputs(dataset, options, settings, seed, directory / f"seed-{seed}", progress)
        for form in FORMS:
            last = network_answer(outputs[form][generated])
            for t in THRESHOLDS:
                found[form][t].append(rate(of_generated, last, t) / reference[t])
        if progress is not None:
            progress("trainings", index + 1, len(seeds))
    uncertainty = rate_uncertainties(of_generated, {GOLDEN: golden, FORMS[-1]: last}, GOLDEN)[FORMS[-1]]
    study = Study(tuple(seeds), {form: {t: tuple(v) for t, v in by.items()} for form, by in found.items()}, uncertainty)
    write_json(directory / "study.json", study.to_dict())
    return study


def _outputs(
    dataset: Dataset,
    options: NetworkOptions,
    settings: TrainingSettings,
    seed: int,
    directory: Path,
    progress: Progress | None,
) -> dict[str, npt.NDArray[Any]]:
    import firmware_flows as ff
    from quantization.training import train

    settings = settings.model_copy(update={"seed": seed})
    content = hash_value(
        [options.model_dump(mode="json"), settings.model_dump(mode="json"), dataset.metadata, len(dataset.train)]
    )
    kept = directory / f"outputs-{content[:16]}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as archive:
            return {form: archive[form] for form in FORMS}
    outputs: dict[str, npt.NDArray[Any]] = {}
    for form, build in (("float", float_network), ("quantized", build_network)):

        def report(done: int, total: int, row: Any, form: str = form) -> None:
            if progress is not None:
                progress(f"seed {seed}, {form} network, epochs", done, total)

        network = build(options, dataset, seed)
        train(network, dataset, settings, directory / form, report, lower_first=form == "quantized")
        x = dataset.test.x
        parts = [np.asarray(network.predict_on_batch(x[i : i + _BATCH])) for i in range(0, len(x), _BATCH)]
        outputs[form] = np.concatenate(parts)
        if form == "quantized":
            outputs["bit-accurate"] = np.asarray(ff.emulate(ff.lower(network), x))
        shutil.rmtree(directory / form, ignore_errors=True)
    from firmware_flows.files import atomic_path

    with atomic_path(kept) as temporary:
        np.savez(temporary, allow_pickle=False, **outputs)
    return outputs
