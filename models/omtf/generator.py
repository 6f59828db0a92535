"""Muons of the overlap region, generated: many millions a minute on one core, the same for the same seed."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .geometry import ETA_MAX, ETA_MIN, PHI_UNIT, PROCESSOR_WIDTH
from .propagation import Scattering, propagate
from .response import Chambers, respond
from .sample import MuonSample, concatenate
from .spectrum import Spectrum

GENERATOR_VERSION = 2
"""Part of the names of cached files: to be raised with every change of what a seed gives."""

_BLOCK = 8192
"""Muons at a time: all arrays of a block stay in a core's cache."""


class GeneratorSettings(BaseModel):
    """What decides, with the seed, which muons are generated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spectrum: Spectrum = Field(default=Spectrum(), description="transverse momenta")
    background: float = Field(default=0.04, ge=0.0, le=0.5, description="chance of one more hit in a layer")
    scattering_tails: float = Field(default=0.03, ge=0.0, le=0.5, description="share of much wider deflections")


def generate(muons: int, seed: int, settings: GeneratorSettings | None = None) -> MuonSample:
    """`muons` muons, flat in eta over the overlap region and in phi over one processor, of both charges."""
    settings = settings or GeneratorSettings()
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    scattering = Scattering(tail_share=settings.scattering_tails)
    chambers = Chambers(background=settings.background)
    blocks = [
        _block(min(_BLOCK, muons - start), settings.spectrum, scattering, chambers, rng)
        for start in range(0, muons, _BLOCK)
    ]
    return concatenate(blocks) if blocks else _block(0, settings.spectrum, scattering, chambers, rng)


def _block(
    muons: int, spectrum: Spectrum, scattering: Scattering, chambers: Chambers, rng: np.random.Generator
) -> MuonSample:
    pt = spectrum.draw(muons, rng)
    charge = np.where(rng.random(muons, np.float32) < 0.5, np.int8(1), np.int8(-1))
    eta = np.float32(ETA_MIN) + np.float32(ETA_MAX - ETA_MIN) * rng.random(muons, np.float32)
    sector_phi = np.float32(PROCESSOR_WIDTH * PHI_UNIT) * rng.random(muons, np.float32)
    tracks = propagate(pt, charge, eta, sector_phi, rng, scattering)
    hits, second_hits = respond(tracks, chambers, rng)
    return MuonSample(hits, second_hits, pt, charge, eta)
