"""How a network is trained: the recipe's `training:` section."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Schedule(StrEnum):
    """What the learning rate does over the epochs."""

    COSINE = "cosine"
    PLATEAU = "plateau"
    CONSTANT = "constant"


class Loss(StrEnum):
    """What is minimised. The cross-entropies take logits; a softmax or sigmoid at the end is recognised."""

    CROSSENTROPY = "crossentropy"
    BINARY_CROSSENTROPY = "binary_crossentropy"
    MSE = "mse"
    MAE = "mae"
    HUBER = "huber"
    OWN = "own"  # the network's own `compute_loss`, set on the object by `build_network`

    @property
    def classifies(self) -> bool:
        """Whether an accuracy can be given."""
        return self in (Loss.CROSSENTROPY, Loss.BINARY_CROSSENTROPY)


class PruningSettings(BaseModel):
    """Magnitude pruning: the share of weights set to zero rises as 1 - (1 - t)^3 between two moments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    final_sparsity: float = Field(gt=0.0, lt=1.0, description="share of zero weights in every pruned layer at the end")
    begin: float = Field(0.1, ge=0.0, lt=1.0, description="when pruning begins, as a share of all epochs")
    end: float = Field(0.6, gt=0.0, le=1.0, description="when the final sparsity is reached, as a share of all epochs")
    exclude: tuple[str, ...] = Field((), description="names of layers that are left whole")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.begin >= self.end:
            raise ValueError(f"begin ({self.begin}) must come before end ({self.end})")
        return self


class TrainingSettings(BaseModel):
    """Everything that decides the outcome of a training, the data and the network apart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(30, ge=1, le=100_000, description="passes over the training events")
    batch_size: int = Field(1024, ge=1, description="events a step")
    learning_rate: float = Field(2e-3, gt=0.0, le=1.0, description="of Adam, at the start")
    schedule: Schedule = Field(Schedule.COSINE, description="cosine, plateau or constant")
    patience: int = Field(
        5, ge=1, description="plateau: epochs without a better validation loss before the rate is halved"
    )
    stop_after: int | None = Field(
        None, ge=1, description="end after this many epochs without a better validation loss; absent: never"
    )
    loss: Loss = Field(Loss.CROSSENTROPY, description="crossentropy, binary_crossentropy, mse, mae or huber")
    seed: int | None = Field(None, ge=0, lt=2**32, description="absent: the run's seed")
    pruning: PruningSettings | None = Field(None, description="absent: no pruning")
